"""Every op under pytest-benchmark: ``pytest bench`` (extra ``bench``)."""

from __future__ import annotations

from typing import Any

import pytest

from bench import ops
from bench.libraries import set_threads
from bench.timing import Case

CASES = list(ops.cases(short=True))


@pytest.mark.parametrize("library", ["fastdl", "pytorch"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(benchmark: Any, case: Case, library: str) -> None:
    set_threads(1)
    sides = case.make()
    sides.check()
    benchmark.group = str(case)
    benchmark(sides.ours if library == "fastdl" else sides.references["torch"])
