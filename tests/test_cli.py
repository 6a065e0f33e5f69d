"""The command line: what it prints, its exit codes, and what it costs to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import fastdl
from fastdl import models
from fastdl.cli import main


def fails(capsys, *words):
    assert main(list(words)) == 2
    text = capsys.readouterr().err
    assert text.startswith("fastdl: error: ")
    assert "Traceback" not in text
    return text


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"fastdl {fastdl.__version__}\n"


@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["info"], ["bench"], ["doctor"]])
def test_every_help_has_an_example(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "example" in capsys.readouterr().out


def test_help_of_a_recipe(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["run", "lenet5", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in ("--out", "--epochs", "--seed", "--device", "--threads", "--data", "--resume"):
        assert option in text
    assert "fastdl run lenet5 --seed 1" in text


@pytest.mark.parametrize("words", [[], ["frobnicate"], ["run", "lenet5", "--data", "cats"]])
def test_wrong_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: fastdl" in capsys.readouterr().err


def test_list(capsys):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for name in (*models.list(), "lenet5"):
        assert f"  {name} " in text


def test_info(capsys):
    for name in ("lenet5", "lstm_classifier", "mlp", "resnet18"):  # VGG holds half a gigabyte
        assert main(["info", name]) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"{name}: ")
        assert "source: " in text
        assert "FLOPs" in text
    assert "did you mean 'lenet5'?" in fails(capsys, "info", "lenet")


def test_lenet5_is_the_paper_s_size(capsys):
    main(["info", "lenet5"])
    assert "parameters: 61,706 (61,706 trainable)" in capsys.readouterr().out
    assert "did you mean 'mlp'" in fails(capsys, "info", "mpl")


def test_errors_of_a_run(capsys, tmp_path):
    assert "there is no recipe 'lenet6'" in fails(capsys, "run", "lenet6")
    out = ["--out", str(tmp_path / "o")]
    assert "epochs is 0" in fails(capsys, "run", "lenet5", "--epochs", "0", *out)
    assert "--threads is 0" in fails(capsys, "run", "lenet5", "--threads", "0", *out)
    assert "--seed is -1" in fails(capsys, "run", "lenet5", "--seed", "-1", *out)
    assert "No such file" in fails(capsys, "run", "lenet5", "--resume", *out)
    (tmp_path / "file").write_text("")
    assert "exists" in fails(capsys, "run", "lenet5", "--out", str(tmp_path / "file"))


def test_unknown_devices_are_typed_errors(capsys, tmp_path):
    fails(capsys, "run", "lenet5", "--device", "abacus", "--out", str(tmp_path))


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for part in (
        fastdl.__version__, "instruction set", "threads", "cuda", "available", "scikit-learn",
        "cache folder",
    ):  # fmt: skip
        assert part in text


def test_bench_without_a_source_tree(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastdl, "__file__", str(tmp_path / "site-packages/fastdl/__init__.py"))
    assert "clone the repository" in fails(capsys, "bench")


def test_bench_passes_words_and_exit_code_on(tmp_path, monkeypatch):
    (tmp_path / "csrc").mkdir()
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")
    (tmp_path / "bench" / "__main__.py").write_text("import sys; sys.exit(len(sys.argv))")
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert main(["bench", "a", "--b", "c"]) == 4
    assert main(["bench", "cpu", "a"]) == 2
    (tmp_path / "bench" / "gpu").mkdir()
    (tmp_path / "bench" / "gpu" / "__main__.py").write_text("import sys; sys.exit(40)")
    assert main(["bench", "gpu", "a"]) == 40


def test_interruption(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastdl.cli.catalogue.list_command", interrupted)
    assert main(["list"]) == 130
    assert "interrupted" in capsys.readouterr().err


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def test_module_entry():
    result = python("-m", "fastdl", "list")
    assert result.returncode == 0
    assert "lenet5" in result.stdout
    result = python("-m", "fastdl", "info", "nothing")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_reader_that_leaves_is_no_error():
    command = f"'{sys.executable}' -m fastdl list | head -n 1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


def test_import_is_light():
    heavy = "matplotlib sklearn tqdm safetensors fastdl.data fastdl.train fastdl.models fastdl.cli"
    code = (
        "import sys, fastdl\n"
        f"found = [name for name in {heavy.split()!r} if name in sys.modules]\n"
        "assert not found, found\n"
        "assert fastdl.data.DataLoader and fastdl.models.list()\n"
    )
    result = python("-c", code)
    assert result.returncode == 0, result.stderr


def test_everything_exported_is_there():
    assert {name for name in fastdl.__all__ if not hasattr(fastdl, name)} == set()
    assert set(fastdl.__all__) <= set(dir(fastdl))
    with pytest.raises(AttributeError, match="nonsense"):
        fastdl.nonsense  # noqa: B018 - the access is the test


def test_registry():
    assert models.list() == sorted(models.list())
    assert isinstance(models.create("mlp", sizes=(4, 3, 2)), models.MLP)
    assert models.info("lenet5").build is models.LeNet5
    assert (Path(fastdl.__file__).parent / "py.typed").exists()
