"""Layers, composed functions and parts of the package are imported when they are first used."""

import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn

TABLES = {
    "fastdl": ("fastdl", fastdl._HOMES),
    "fastdl.nn": ("fastdl.nn", nn.HOMES),
    "fastdl.functional": ("fastdl.composed", fastdl.composed.HOMES),
}


def fresh(code):
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("package", TABLES)
def test_the_table_says_where_names_are_defined(package):
    source, homes = TABLES[package]
    names = " ".join(homes.values()).split()
    assert len(names) == len(set(names))
    assert set(names) <= set(import_module(package).__all__)
    for file, defined in homes.items():
        module = import_module(f"{source}.{file}")
        for name in defined.split():
            value = getattr(import_module(package), name)
            assert value is getattr(module, name)
            assert name in module.__all__
            if source != "fastdl":  # which also shortens the way to a layer
                assert value.__module__ == module.__name__


@pytest.mark.parametrize("package", TABLES)
def test_no_file_has_the_name_of_something_else(package):
    """Importing such a file would put the module in the place of the function or class."""
    source, homes = TABLES[package]
    if source == package:
        assert not set(homes) & set(" ".join(homes.values()).split())


def test_every_layer_is_in_the_table():
    """What a file of nn lists in __all__ and is a module, but for what others derive from."""
    for path in Path(nn.__file__).parent.glob("[a-z]*.py"):
        module = import_module(f"fastdl.nn.{path.stem}")
        for name in module.__all__:
            value = getattr(module, name)
            layer = isinstance(value, type) and issubclass(value, nn.Module)
            if layer and not name.endswith(("Base", "Mixin")):
                assert name in nn.__all__, f"{path.name}: {name}"


def test_importing_fastdl_imports_no_layers():
    loaded = fresh("import sys, fastdl; print(*[m for m in sys.modules if m[:6] == 'fastdl'])")
    assert "fastdl.functional" in loaded
    assert not [name for name in loaded if name.startswith(("fastdl.nn", "fastdl.composed."))]
    assert len(loaded) < 12


def test_a_layer_brings_its_own_file_only():
    loaded = fresh(
        "import sys; from fastdl import nn; nn.Linear; print(*[m for m in sys.modules"
        " if m.startswith('fastdl.nn.')])"
    )
    assert "fastdl.nn.linear" in loaded
    assert "fastdl.nn.loss" not in loaded


@pytest.mark.parametrize(
    "code",
    [
        "import fastdl; fastdl.nn.CTCLoss",
        "from fastdl import nn; nn.CTCLoss",
        "from fastdl.nn import CTCLoss",
        "from fastdl.nn import *; CTCLoss",
        "from fastdl import *; nn.CTCLoss, Sequential, compile, optim.Adam, cuda.stream",
        "import fastdl.nn as n; n.loss.CTCLoss",
        "import fastdl.functional as F; F.ctc_loss",
        "from fastdl.functional import ctc_loss",
        "from fastdl.functional import *; ctc_loss, einsum, conv2d",
        "import fastdl, fastdl.composed.einsum; fastdl.functional.einsum('ii', fastdl.ones(2, 2))",
        "import fastdl.explanation; import fastdl; fastdl.explain((6, 1, 5, 5), (1, 1, 28, 28))",
        "import fastdl; fastdl.nn.utils.rnn, fastdl.compile, fastdl.data.DataLoader",
    ],
)
def test_ways_to_a_name(code):
    fresh(code)


def test_completion_sees_all_names_before_they_are_used():
    names = fresh("from fastdl import nn, functional as F; print(*dir(nn), *dir(F))")
    assert set(nn.__all__) | set(F.__all__) <= set(names)
    assert {"nn", "optim", "compile", "Model"} <= set(fresh("import fastdl; print(*dir(fastdl))"))


def test_a_name_is_looked_up_once():
    nn.CTCLoss, F.ctc_loss  # noqa: B018
    assert vars(nn)["CTCLoss"] is nn.CTCLoss
    assert vars(F)["ctc_loss"] is F.ctc_loss


@pytest.mark.parametrize("module", [fastdl, nn, F])
def test_an_unknown_name(module):
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'Liner'"):
        module.Liner  # noqa: B018
    assert not hasattr(module, "Liner")
    with pytest.raises(ImportError):
        exec(f"from {module.__name__} import Liner")


def test_a_misspelt_layer_gets_a_suggestion():
    done = subprocess.run(
        [sys.executable, "-c", "import fastdl.nn as nn; nn.Liner"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Did you mean: 'Linear'?" in done.stderr


def test_pickles_load_where_nothing_was_imported_yet(tmp_path):
    path = tmp_path / "pickled"
    path.write_bytes(pickle.dumps([nn.CTCLoss, F.huber_loss, nn.ReLU]))
    shown = fresh(
        f"import pickle; a, b, c = pickle.load(open({str(path)!r}, 'rb'));"
        "import fastdl; from fastdl import nn, functional as F;"
        "print(a is nn.CTCLoss, b is F.huber_loss, isinstance(c(), nn.Module))"
    )
    assert shown == ["True"] * 3
