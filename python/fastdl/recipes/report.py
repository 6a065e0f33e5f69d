"""What recipes have in common: their options, their surroundings, and where results go."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

import fastdl
from fastdl import _core
from fastdl.errors import ArgumentError
from fastdl.io import atomic_write

__all__ = ["Paths", "add_common_arguments", "announce", "circumstances", "prepare", "write_json"]


class Paths:
    """The files of a run, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.metrics = folder / "metrics.json"
        self.curves = folder / "learning_curves.png"
        self.confusion = folder / "confusion_matrix.png"
        self.mistakes = folder / "worst_mistakes.png"
        self.weights = folder / "weights.safetensors"


def add_common_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Declare the options that every recipe has."""
    parser.add_argument(
        "--out", type=Path, default=Path(out), help=f"folder for the results ({out})"
    )
    parser.add_argument("--epochs", type=int, help="passes over the data (the recipe's own number)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness (0)")
    parser.add_argument("--device", default="cpu", help='"cpu" or "cuda:0" (cpu)')
    parser.add_argument("--threads", type=int, help="CPU threads (as many as there are cores)")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the folder"
    )


def prepare(options: argparse.Namespace) -> Path:
    """Set threads and seed, make the folder, and return it."""
    if options.threads is not None:
        if options.threads < 1:
            raise ArgumentError("run", f"--threads is {options.threads}, expected 1 or more")
        _core.set_num_threads(options.threads)
    if options.seed < 0:
        raise ArgumentError("run", f"--seed is {options.seed}, expected 0 or more")
    _core.manual_seed(options.seed)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    return out


def circumstances(options: argparse.Namespace) -> dict[str, Any]:
    """What, besides the code, the figures of a run depend on."""
    return {
        "seed": options.seed,
        "device": str(options.device),
        "backend": "cuda" if str(options.device).startswith("cuda") else f"cpu/{_core.isa()}",
        "threads": _core.get_num_threads(),
        "isa": _core.isa(),
        "versions": {
            "fastdl": fastdl.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": platform.machine(),
    }


def write_json(figures: dict[str, Any], path: Path) -> None:
    """Write the figures, readable by people too."""
    with atomic_write(path) as file:
        file.write((json.dumps(figures, indent=2) + "\n").encode())


def announce(figures: dict[str, Any], paths: Paths, checkpoint: Path) -> None:
    """Print the result, and where everything is."""
    accuracy, seconds = figures["test_accuracy"], figures["wall_time_seconds"]
    print(f"\ntest accuracy {accuracy:.2%} after {seconds:.1f} s\n")
    rows = {
        "metrics": paths.metrics,
        "learning curves": paths.curves,
        "confusion matrix": paths.confusion,
        "worst mistakes": paths.mistakes,
        "weights": paths.weights,
        "checkpoint": checkpoint,
    }
    for label, path in rows.items():
        print(f"  {label:<18}{path}")
