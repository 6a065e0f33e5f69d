"""The recipe lenet5, in short: files, figures, and the same bits at any number of threads."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastdl
from fastdl import io, models
from fastdl.cli import main
from fastdl.data import digits

ARTEFACTS = {
    "metrics.json", "learning_curves.png", "confusion_matrix.png", "worst_mistakes.png",
    "weights.safetensors", "checkpoint.safetensors",
}  # fmt: skip


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(folder, *options):
    assert main(["run", "lenet5", "--out", str(folder), *options]) == 0
    return json.loads((folder / "metrics.json").read_text())


def test_the_whole_recipe(tmp_path, capsys):
    figures = run(tmp_path / "a", "--seed", "0", "--threads", "1")
    printed = capsys.readouterr().out
    assert figures["test_accuracy"] >= 0.98
    assert {path.name for path in (tmp_path / "a").iterdir()} == ARTEFACTS
    for name in ARTEFACTS:
        assert str(tmp_path / "a" / name) in printed
    assert len(figures["epochs"]) == 40
    assert figures["epochs"][-1]["val_accuracy"] == pytest.approx(
        figures["test_accuracy"], abs=1e-6
    )
    assert (figures["seed"], figures["threads"], figures["device"]) == (0, 1, "cpu")
    assert figures["versions"]["fastdl"] == fastdl.__version__
    assert 0 < figures["wall_time_seconds"] < 120

    model = models.LeNet5()
    model.load_state_dict(io.load_file(tmp_path / "a" / "weights.safetensors"))
    images, labels = digits().test.arrays
    with fastdl.no_grad():
        predicted = model.eval()(fastdl.from_numpy(images)).numpy().argmax(axis=1)
    assert np.mean(predicted == labels) == figures["test_accuracy"]


def test_same_bits_at_any_number_of_threads_and_with_a_break(tmp_path):
    options = ("--seed", "3", "--epochs", "2")
    for folder, count in (("one", "1"), ("two", "2"), ("again", "2")):
        run(tmp_path / folder, *options, "--threads", count)
    sums = {sha256(tmp_path / name / "weights.safetensors") for name in ("one", "two", "again")}
    assert len(sums) == 1
    other = run(tmp_path / "other", "--seed", "4", "--epochs", "2")
    assert sha256(tmp_path / "other" / "weights.safetensors") not in sums
    assert other["seed"] == 4
    # Finished already: --resume only evaluates anew, and gives the same weights.
    resumed = run(tmp_path / "one", *options, "--resume")
    assert len(resumed["epochs"]) == 2
    assert sha256(tmp_path / "one" / "weights.safetensors") in sums


def test_interruption_stops_soon_and_can_be_resumed(tmp_path):
    command = [sys.executable, "-m", "fastdl", "run", "lenet5", "--out", str(tmp_path)]
    checkpoint = tmp_path / "checkpoint.safetensors"
    with subprocess.Popen(
        [*command, "--epochs", "500"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        start = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        error = ""
        while "interrupted" not in error:
            line = child.stderr.readline()
            assert line, error
            error += line
        # Training has ended; what is left is the end of an interpreter with scikit-learn in it.
        assert time.monotonic() - start < 0.5
        error += child.stderr.read()
    assert child.returncode == 130, error
    assert "--resume" in error
    assert "Traceback" not in error
    done = len(io.load_checkpoint(checkpoint)["history"])
    assert done >= 1
    assert not list(tmp_path.glob(".*.tmp"))
    figures = run(tmp_path, "--epochs", str(done + 1), "--resume")
    assert len(figures["epochs"]) == done + 1
