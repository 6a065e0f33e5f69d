"""Peak memory of a training step of ResNet-18, each library in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.libraries import threads
from bench.timing import Case, Sides

__all__ = ["cases"]


def cases(short: bool) -> Iterator[Case]:
    """Three steps of SGD with momentum at batch 8, on 224x224 images; `short`: 64x64."""
    side = 64 if short else 224
    yield Case(
        "peak",
        "ResNet-18, training step",
        f"8x3x{side}x{side}",
        partial(_sides, side),
        gates={} if short else {"torch": 1.0},
        figure="memory",
    )


def _sides(side: int) -> Sides:
    def run(library: str) -> dict[str, Any]:
        words = [sys.executable, "-m", "bench.peak_child", library, str(side), str(threads())]
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def grown(library: str) -> Any:
        return run(library)["bytes"]

    def check() -> None:
        ours, theirs = (run(library)["losses"] for library in ("fastdl", "torch"))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)

    return Sides(partial(grown, "fastdl"), {"torch": partial(grown, "torch")}, check)
