"""Every function has a door, and it holds: hostile arguments drawn from its text are refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core, composed
from fastdl.composed import HOMES, load_all
from tests import doors, fuzz_doors

FUNCTIONS = doors.functions()
# A child costs its start; one takes several functions, and says which call it died in.
GROUPS = [list(FUNCTIONS)[i::6] for i in range(6)]
EXAMPLES = int(os.environ.get("FASTDL_FUZZ_EXAMPLES", "20"))


def test_every_function_is_there():
    assert sorted(FUNCTIONS) == F.__all__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_clauses_name_parameters(name):
    f = FUNCTIONS[name]
    names = [p[0] for p in f.parameters]
    for argument, clause in f.clauses.items():
        assert argument in names
        for other in filter(None, (clause.like, clause.dim_of, clause.high_of)):
            assert other in names


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g[0] + "...")
def test_fuzz(group, tmp_path):
    log = tmp_path / "last_call.txt"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz_doors", "--examples", str(EXAMPLES), *group],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"FASTDL_FUZZ_LOG": str(log)},
        check=False,
    )  # fmt: skip
    last = log.read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nlast call: {last}"
    counts = [int(word) for word in done.stdout.split() if word.isdigit()]
    assert min(counts) > 10  # returned, raised, refused


def test_fuzz_sees_a_door_that_lets_in(tmp_path):
    """A reading that asks more than the door does, as if the door had forgotten it."""
    f = FUNCTIONS["dropout"]
    stricter = doors.Function(
        f.name, f.call, f.parameters, doors.read("input: floating; p: 1.5..2"), ""
    )
    with (
        (tmp_path / "log").open("w") as log,
        pytest.raises(fuzz_doors.FaultError, match="was let in"),
    ):
        fuzz_doors.run(stricter, 200, log)


def test_fuzz_sees_another_error_than_the_doors(tmp_path):
    def refuses_by_the_wrong_name(input, dim):
        if dim > 5:
            raise fastdl.errors.ArgumentError("softmax", "too far", remedy="less")
        return F.softmax(input, dim)

    f = FUNCTIONS["softmax"]
    wrong = doors.Function(f.name, refuses_by_the_wrong_name, f.parameters, f.clauses, f.text)
    with (tmp_path / "log").open("w") as log, pytest.raises(fuzz_doors.FaultError, match="gave"):
        fuzz_doors.run(wrong, 200, log)


def test_arrays_of_other_libraries_become_tensors_at_a_composed_door():
    import numpy as np

    a, b = np.ones(3, np.float32), np.zeros(3, np.float32)
    assert F.l1_loss(a, target=b).item() == 1.0
    assert isinstance(F.l1_loss(a, b, "none"), fastdl.Tensor)
    with pytest.raises(TypeError, match="input should be a Tensor or an array, not str"):
        F.l1_loss("a", b)


def test_a_fault_in_a_text_is_found_at_import():
    for text in (
        "input floating",
        "inptu: floating",
        "input: flaoting",
        "input: [N, ",
        "input: like",
    ):
        with pytest.raises(RuntimeError, match="door"):
            _core._Door("f", text, ["input"], [True], ())


def test_the_table_of_composed_functions_is_complete():
    """Each name leads to the file that defines it, and no function was forgotten."""
    folder = Path(composed.__file__).parent
    files = {p.stem for p in folder.glob("*.py") if "\n@composed(" in p.read_text("utf-8")}
    assert files == set(HOMES)
    found = {name: function.__module__ for name, (function, _) in load_all().items()}
    table = {
        name: f"fastdl.composed.{file}" for file, names in HOMES.items() for name in names.split()
    }
    assert found == table
    assert set(found) <= set(F.__all__)
