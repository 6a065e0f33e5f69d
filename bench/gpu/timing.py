"""How a GPU case is timed: checked against float64, warmed up, and run in turns with PyTorch.

As in `timing.py`, samples alternate and medians are compared. The clock is CUDA's: an event before
and one after a number of calls on the stream that both libraries use, the device's default one.
So a call counts as long as the GPU needs for it in a full queue, or as long as Python needs to
enqueue it, whichever is longer; this is what an eager program sees.

Where there is no GPU, under the host model of CUDA, PyTorch computes on the CPU and the clock is
the processor's: that proves the cases, and its times mean nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

import fastdl
from bench.timing import Call, Plan, Spread, spread

__all__ = ["DEVICE", "PLAN", "QUICK", "Case", "Result", "Sides", "run"]

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"  # PyTorch's; fastdl's is always CUDA

PLAN = Plan(rounds=21, sample=0.001, settle=0.0, warm_up=0.02)
QUICK = Plan(rounds=3, sample=0.0, settle=0.0, warm_up=0.0)


@dataclass(frozen=True)
class Sides:
    """A case that is ready to run.

    Attributes:
        ours: one call.
        references: one call of each way of PyTorch, by its name.
        check: raises `AssertionError` unless the results are right; returns our error and that of
            the references, as far as there is such a number.
    """

    ours: Call
    references: Mapping[str, Call]
    check: Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Case:
    """Something to be timed: what, on which sizes, and what it costs.

    Attributes:
        subject, name, size: words for the table.
        make: builds inputs and both sides.
        flops: arithmetic operations of one call, where these decide its time.
        bytes: that must be read and written at least, where these decide.
    """

    subject: str
    name: str
    size: str
    make: Callable[[], Sides]
    flops: float = 0.0
    bytes: float = 0.0

    def __str__(self) -> str:
        return f"{self.subject}: {self.name} {self.size}"


@dataclass(frozen=True)
class Result:
    """A timed case."""

    ours: Spread
    references: Mapping[str, Spread]
    errors: Mapping[str, float]


# the clock


def run(case: Case, plan: Plan) -> Result:
    """Check a case and time it.

    Raises:
        AssertionError: the results are wrong.
    """
    sides = case.make()
    errors = sides.check()
    names = ["fastdl", *sides.references]
    spreads = _measure([sides.ours, *sides.references.values()], plan)
    times = dict(zip(names, spreads, strict=True))
    return Result(times.pop("fastdl"), times, errors)


def _measure(calls: Sequence[Call], plan: Plan) -> list[Spread]:
    """Times several calls in turns."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        counts = [_count(call, plan) for call in calls]
        samples: list[list[float]] = [[] for _ in calls]
        for _ in range(plan.rounds):
            for call, count, times in zip(calls, counts, samples, strict=True):
                times.append(_seconds(call, count) / count)
    finally:
        if collecting:
            gc.enable()
    return [spread(times, count) for times, count in zip(samples, counts, strict=True)]


def _count(call: Call, plan: Plan) -> int:
    """How many calls fill a sample, found by the warm-up, which also wakes the clocks."""
    begin = time.perf_counter()
    _seconds(call, 1)
    least = _seconds(call, 1)
    while time.perf_counter() - begin < plan.warm_up:
        least = min(least, _seconds(call, 3) / 3)
    return max(1, min(500, round(plan.sample / max(least, 1e-7))))


def _seconds(call: Call, count: int) -> float:
    """How long the device needs for a number of calls."""
    fastdl.cuda.synchronize()
    turns = range(count)
    if DEVICE == "cpu":
        start = time.perf_counter()
        for _ in turns:
            call()
        fastdl.cuda.synchronize()
        return time.perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in turns:
        call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3
