"""How a case is timed: checked, warmed up, and run in turns with its reference.

A ratio is the reference's time over ours: 2.0 means that fastdl takes half the time. Both sides
run in one process on equal inputs with the same number of threads. Samples alternate (A B A B ...),
so that a change of the machine's speed meets both, and the medians are compared. A sample repeats
the call often enough to last `Plan.sample` seconds; the loop around it is timed with it, on both
sides, which is a disadvantage for the faster one.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

__all__ = [
    "FULL",
    "SHORT",
    "Case",
    "Pair",
    "Plan",
    "Result",
    "Spread",
    "measure",
    "run",
    "spread",
]

Call = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """The two sides of a case, ready to run.

    Attributes:
        ours, reference: one call of what is timed, without arguments.
        check: raises `AssertionError` unless both sides give the same result.
    """

    ours: Call
    reference: Call
    check: Callable[[], None]


@dataclass(frozen=True)
class Case:
    """Something to be timed.

    Attributes:
        subject: the file it comes from.
        name: what is computed.
        size: shapes in words.
        make: builds inputs and both sides; called just before the case is timed.
        work: floating-point operations or bytes of one call. Default: 0, not counted.
        unit: of `work`: "flop" or "B".
        gate: the ratio that the project requires. Default: None.
    """

    subject: str
    name: str
    size: str
    make: Callable[[], Pair]
    work: float = 0.0
    unit: str = "flop"
    gate: float | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.size}"


@dataclass(frozen=True)
class Plan:
    """How long to time.

    Attributes:
        rounds: samples of each side.
        sample: seconds that a sample lasts at least.
        settle: seconds that a side runs untimed before each of its samples, which refills the
            caches and lets the other side's threads go to sleep.
        warm_up: seconds that a side runs untimed at first.
    """

    rounds: int
    sample: float
    settle: float
    warm_up: float


FULL = Plan(rounds=11, sample=0.010, settle=0.002, warm_up=0.03)
SHORT = Plan(rounds=5, sample=0.002, settle=0.0005, warm_up=0.005)

# OpenMP's workers go on spinning for some milliseconds after their last loop, and would take a core
# from the side whose turn it is.
SPINNING = 0.02


@dataclass(frozen=True)
class Spread:
    """Seconds per call over the samples: median, quartiles, and the least.

    The least says what the code can do where other programs disturb the machine.
    """

    median: float
    lower: float
    upper: float
    least: float
    loops: int


@dataclass(frozen=True)
class Result:
    """A timed case."""

    case: Case
    threads: int
    ours: Spread
    reference: Spread

    @property
    def ratio(self) -> float:
        """The reference's time over ours."""
        return self.reference.median / self.ours.median

    @property
    def ratio_of_least(self) -> float:
        """The same of the shortest samples: far from `ratio`, the machine was not quiet."""
        return self.reference.least / self.ours.least

    @property
    def passed(self) -> bool:
        """Whether the gate, if there is one, was reached."""
        return self.case.gate is None or self.ratio >= self.case.gate


def run(case: Case, plan: Plan, threads: int) -> Result:
    """Check a case and time it; the number of threads is set already and only noted here.

    Raises:
        AssertionError: the two sides disagree; the message names the case.
    """
    pair = case.make()
    try:
        pair.check()
    except AssertionError as error:
        raise AssertionError(f"{case.subject}: {case}: the results disagree\n{error}") from None
    if threads > 1:
        plan = replace(plan, settle=max(plan.settle, SPINNING))
    ours, reference = measure((pair.ours, pair.reference), plan)
    return Result(case, threads, ours, reference)


def measure(calls: tuple[Call, ...], plan: Plan) -> list[Spread]:
    """Time several calls in turns."""
    collecting = gc.isenabled()
    gc.disable()  # as timeit does: a collection belongs to no call in particular
    try:
        loops = [_loops(call, plan) for call in calls]
        samples: list[list[float]] = [[] for _ in calls]
        for _ in range(plan.rounds):
            for call, count, times in zip(calls, loops, samples, strict=True):
                _run_for(call, plan.settle)
                times.append(_time(call, count) / count)
    finally:
        if collecting:
            gc.enable()
    return [spread(times, count) for times, count in zip(samples, loops, strict=True)]


def _loops(call: Call, plan: Plan) -> int:
    """How many calls fill a sample, found after the warm-up."""
    _run_for(call, plan.warm_up)
    count = 1
    while (seconds := _time(call, count)) < plan.sample:
        # At most tenfold at a time, since a short measurement says little.
        count = min(10 * count, int(count * 1.2 * plan.sample / max(seconds, 1e-9)) + 1)
    return count


def _run_for(call: Call, seconds: float) -> None:
    end = time.perf_counter() + seconds
    call()
    while time.perf_counter() < end:
        call()


def _time(call: Call, count: int) -> float:
    turns = range(count)
    start = time.perf_counter()
    for _ in turns:
        call()
    return time.perf_counter() - start


def spread(times: list[float], loops: int) -> Spread:
    """Median, quartiles and least of the samples of one side."""
    lower, median, upper = statistics.quantiles(times, n=4, method="inclusive")
    return Spread(median, lower, upper, min(times), loops)
