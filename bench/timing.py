"""How a case is timed: checked, warmed up, and run in turns with its references.

A ratio is a reference's time over ours: 2.0 means that fastdl takes half the time. All sides run in
one process on equal inputs with the same number of threads. Samples alternate (A B C A B C ...), so
that a change of the machine's speed meets them all, and the medians are compared. A sample repeats
the call often enough to last `Plan.sample` seconds; the loop around it is timed with it, on every
side, which is a disadvantage for the faster one.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

__all__ = [
    "FEWEST",
    "FULL",
    "SHORT",
    "Call",
    "Case",
    "Limit",
    "Plan",
    "Result",
    "Sides",
    "Spread",
    "measure",
    "run",
    "spread",
]

Call = Callable[[], object]


@dataclass(frozen=True)
class Limit:
    """What the machine can do at most, measured by a call that does nothing else.

    Attributes:
        call: does `work` floating-point operations, or moves as many bytes.
        work: in the unit of the case.
    """

    call: Call
    work: float


@dataclass(frozen=True)
class Sides:
    """The sides of a case, ready to run.

    Attributes:
        ours: one call of what is timed, without arguments.
        references: the same by other libraries, by name ("torch", "onnxruntime", "numpy", "jax");
            None where the library is not installed, which the report says.
        check: raises `AssertionError` unless all sides give the same result.
        limits: what the machine could do, by name ("copy", "peak"); the ratio to a limit is the
            share of it that we reach, by the work of the case. Default: none.
    """

    ours: Call
    references: Mapping[str, Call | None]
    check: Callable[[], None]
    limits: Mapping[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Something to be timed.

    Attributes:
        subject: the file it comes from.
        name: what is computed.
        size: shapes in words.
        make: builds inputs and all sides; called just before the case is timed, when the number of
            threads is set.
        work: floating-point operations or bytes of one call. Default: 0, not counted.
        unit: of `work`: "flop" or "B". Default: "flop".
        gates: the ratios that the project requires, by the name of a reference or of a limit;
            "best" is the fastest of the references. Default: none.
        group: cases of which the geometric mean is shown. Default: all of the subject.
        figure: "time", or "memory", where a call returns bytes that are compared instead of its
            time. Default: "time".
        beside: what goes on while the case is timed. Default: nothing.
    """

    subject: str
    name: str
    size: str
    make: Callable[[], Sides]
    work: float = 0.0
    unit: str = "flop"
    gates: Mapping[str, float] = field(default_factory=dict)
    group: str = ""
    figure: str = "time"
    beside: Callable[[], AbstractContextManager[None]] = nullcontext

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
        budget: seconds after which a case of long calls is content with `FEWEST` rounds.
            Default: an hour.
    """

    rounds: int
    sample: float
    settle: float
    warm_up: float
    budget: float = 3600.0


FULL = Plan(rounds=11, sample=0.010, settle=0.002, warm_up=0.03, budget=12.0)
SHORT = Plan(rounds=5, sample=0.002, settle=0.0005, warm_up=0.005, budget=2.0)
FEWEST = 5

# The workers of OpenMP, OpenBLAS and ONNX Runtime go on spinning after their last loop, OpenBLAS's
# for tens of milliseconds, and would take a core from the side whose turn it is.
SPINNING = 0.1


@dataclass(frozen=True)
class Spread:
    """Seconds (or bytes) per call over the samples: median, quartiles, and the least.

    The least says what the code can do where other programs disturb the machine.
    """

    median: float
    lower: float
    upper: float
    least: float
    loops: int


@dataclass(frozen=True)
class Result:
    """A timed case.

    Attributes:
        case: what was timed.
        threads: on how many.
        ours: our times.
        references: those of the references, by name.
        missing: references that are not installed.
        limits: times and work of the limits, by name.
    """

    case: Case
    threads: int
    ours: Spread
    references: Mapping[str, Spread]
    missing: Sequence[str] = ()
    limits: Mapping[str, tuple[Spread, float]] = field(default_factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        """Each reference's time over ours, "best" for the least of them, shares of the limits."""
        ratios = {name: s.median / self.ours.median for name, s in self.references.items()}
        if ratios:
            ratios["best"] = min(ratios.values())
        for name, (limit, work) in self.limits.items():
            ratios[name] = self.case.work / work * limit.median / self.ours.median
        return ratios

    @property
    def best(self) -> str:
        """The name of the fastest reference."""
        return min(self.references, key=lambda name: self.references[name].median)

    @property
    def ratio(self) -> float:
        """The fastest reference's time over ours."""
        return self.references[self.best].median / self.ours.median

    @property
    def ratio_of_least(self) -> float:
        """The same of the shortest samples: far from `ratio`, the machine was not quiet."""
        return self.references[self.best].least / self.ours.least

    @property
    def missed(self) -> dict[str, float]:
        """The gates that were not reached; those of missing references are not among them."""
        ratios = self.ratios
        return {n: g for n, g in self.case.gates.items() if n in ratios and ratios[n] < g}

    @property
    def passed(self) -> bool:
        """Whether every gate that could be measured was reached."""
        return not self.missed


def run(case: Case, plan: Plan, threads: int) -> Result:
    """Check a case and time it; the number of threads is set already and only noted here.

    Raises:
        AssertionError: the sides disagree; the message names the case.
    """
    sides = case.make()
    try:
        sides.check()
    except AssertionError as error:
        raise AssertionError(f"{case.subject}: {case}: the results disagree\n{error}") from None
    if threads > 1:
        plan = replace(plan, settle=max(plan.settle, SPINNING))
    present = {name: call for name, call in sides.references.items() if call is not None}
    # Limits directly after us: behind a reference, its spinning workers would lower them.
    calls = [sides.ours, *(limit.call for limit in sides.limits.values()), *present.values()]
    with case.beside():
        spreads = _amounts(calls, plan) if case.figure == "memory" else measure(calls, plan)
    ours, others = spreads[0], iter(spreads[1:])
    limits = {name: (next(others), limit.work) for name, limit in sides.limits.items()}
    references = {name: next(others) for name in present}
    missing = [name for name in sides.references if name not in present]
    return Result(case, threads, ours, references, missing, limits)


def measure(calls: Sequence[Call], plan: Plan) -> list[Spread]:
    """Time several calls in turns."""
    collecting = gc.isenabled()
    gc.disable()  # as timeit does: a collection belongs to no call in particular
    try:
        loops = [_loops(call, plan) for call in calls]
        samples: list[list[float]] = [[] for _ in calls]
        end = time.perf_counter() + plan.budget
        for turn in range(plan.rounds):
            if turn >= FEWEST and time.perf_counter() > end:
                break
            for call, count, times in zip(calls, loops, samples, strict=True):
                _run_for(call, plan.settle)
                times.append(_time(call, count) / count)
    finally:
        if collecting:
            gc.enable()
    return [spread(times, count) for times, count in zip(samples, loops, strict=True)]


def _amounts(calls: Sequence[Call], plan: Plan) -> list[Spread]:
    """What the calls return, in turns; they vary little, and a call may take seconds."""
    samples: list[list[float]] = [[] for _ in calls]
    for _ in range(min(3, max(2, plan.rounds // 2))):
        for call, amounts in zip(calls, samples, strict=True):
            amounts.append(float(call()))  # type: ignore[arg-type]  # a number, says the case
    return [spread(amounts, 1) for amounts in samples]


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
