"""Training steps of the MLP and of LeNet-5, and tiny ops, under pytest-benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from bench import eager, lenet, mlp
from bench.libraries import set_threads
from bench.timing import Case

CASES = [case for subject in (eager, mlp, lenet) for case in subject.cases(short=True)]


@pytest.mark.parametrize("library", ["fastdl", "pytorch"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.subject} {case}")
def test_step(benchmark: Any, case: Case, library: str) -> None:
    set_threads(1)
    sides = case.make()
    sides.check()
    benchmark.group = f"{case.subject}: {case}"
    benchmark(sides.ours if library == "fastdl" else sides.references["torch"])
