"""Results as a table for the terminal, as Markdown, as JSON, and summed up with their gates."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.timing import Result, Spread

__all__ = [
    "HEAD",
    "Mean",
    "Table",
    "amount",
    "machine_line",
    "markdown",
    "means",
    "save",
    "verdict",
]

HEAD = ("case", "size", "threads", "fastdl", "reference", "ratio", "least", "rate", "ratios")
_WIDTHS = {"case": 40, "size": 32, "threads": 7, "fastdl": 14, "reference": 24, "rate": 12}
_RIGHT = {"threads", "fastdl", "reference", "ratio", "least", "rate"}
_LIMITS = {"case": 40, "size": 32}

Means = Mapping[str, Mapping[str, float]]  # gates by group, by reference


class Table:
    """A table whose rows are printed as they come, so widths are set beforehand.

    `reference` is the fastest one and `ratio` its time over ours; `ratios` shows all of them, with
    what is required in brackets, and an exclamation mark where that was missed.
    """

    def __init__(self) -> None:
        self.widths = {name: _WIDTHS.get(name, 6) for name in HEAD}

    def head(self, subject: str) -> str:
        """The line above the rows of a subject, and a rule."""
        names = {name: name for name in HEAD} | {"case": subject, "ratios": "ratios (required)"}
        rule = "-" * (sum(self.widths.values()) + 2 * (len(HEAD) - 1) + 40)
        return f"\n{self._line(names)}\n{rule}"

    def row(self, result: Result) -> str:
        """One result; times are medians with half the distance between the quartiles."""
        cells = _cells(result)
        spreads = [("fastdl", result.ours)]
        if result.references:
            spreads.append(("reference", result.references[result.best]))
        for name, spread in spreads:
            cells[name] += f" ±{50 * (spread.upper - spread.lower) / spread.median:3.0f}%"
        for name, limit in _LIMITS.items():
            if len(cells[name]) > limit:
                cells[name] = cells[name][: limit - 1] + "…"
        return self._line(cells)

    def _line(self, cells: dict[str, str]) -> str:
        aligned = (
            f"{cells[name]:>{width}}" if name in _RIGHT else f"{cells[name]:<{width}}"
            for name, width in self.widths.items()
        )
        return "  ".join(aligned).rstrip()


class Mean(NamedTuple):
    """The geometric mean of the ratios of a group to one reference, and the lowest of them."""

    group: str
    threads: int
    reference: str
    cases: int
    mean: float
    lowest: float
    worst: str
    gate: float | None

    @property
    def passed(self) -> bool:
        """Whether the gate, if there is one, was reached."""
        return self.gate is None or self.mean >= self.gate

    def __str__(self) -> str:
        required = "" if self.gate is None else f" ({self.gate:g}{'' if self.passed else ' !'})"
        return (
            f"{self.group:<24} {self.threads} thread{'s' if self.threads > 1 else ' '} "
            f"{self.reference:<12} {self.cases:3} cases, geometric mean {self.mean:5.2f}{required}"
            f", lowest {self.lowest:5.2f} ({self.worst})"
        )


def means(results: Sequence[Result], gates: Means) -> Iterator[Mean]:
    """The geometric mean of each group at each number of threads: to the best, and to each.

    Args:
        results: of any subjects.
        gates: what the mean of a group must reach, by reference.
    """
    groups: dict[tuple[str, int], list[Result]] = {}
    for result in results:
        group = result.case.group or result.case.subject
        groups.setdefault((group, result.threads), []).append(result)
    for (group, threads), own in groups.items():
        names = dict.fromkeys(name for result in own for name in result.ratios)
        references = {name for result in own for name in result.references}
        if len(references) == 1:  # it is the best one, too
            names.pop("best", None)
        for name in names:
            having = [result for result in own if name in result.ratios]
            mean = math.exp(sum(math.log(r.ratios[name]) for r in having) / len(having))
            worst = min(having, key=lambda result: result.ratios[name])
            lowest = worst.ratios[name]
            gate = gates.get(group, {}).get(name)
            yield Mean(group, threads, name, len(having), mean, lowest, str(worst.case), gate)


def verdict(results: Sequence[Result], summary: Sequence[Mean]) -> Iterator[str]:
    """How many gates were reached, each one that was not, and what could not be measured."""
    gates = sum(len(result.case.gates) for result in results)
    gates += sum(mean.gate is not None for mean in summary)
    missed = [
        f"{result.case.subject}: {result.case}, {result.threads} threads: "
        f"{name} {result.ratios[name]:.2f}, required {gate:g}"
        for result in results
        for name, gate in result.missed.items()
    ]
    missed += [f"mean of {mean}" for mean in summary if not mean.passed]
    unknown = [
        f"{result.case.subject}: {result.case}, {result.threads} threads: needs {name}"
        for result in results
        for name in result.missing
    ]
    yield f"\n{gates} required ratios, {len(missed)} missed"
    yield from (f"MISSED: {line}" for line in missed)
    yield from (f"not installed: {line}" for line in unknown)


def markdown(results: Sequence[Result]) -> str:
    """A Markdown table of medians."""
    names = [name for name in HEAD if name != "least"]
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join("---:" if name in _RIGHT else "---" for name in names) + "|",
    ]
    for result in results:
        cells = _cells(result)
        lines.append("| " + " | ".join(cells[name] for name in names) + " |")
    return "\n".join(lines)


def save(
    path: Path,
    machine: dict[str, Any],
    plan: Any,
    results: Sequence[Result],
    summary: Sequence[Mean] = (),
) -> None:
    """Write everything that was measured; times are in seconds per call."""
    rows = [
        {
            "subject": result.case.subject,
            "group": result.case.group or result.case.subject,
            "case": result.case.name,
            "size": result.case.size,
            "threads": result.threads,
            "figure": result.case.figure,
            "ratios": {name: round(ratio, 3) for name, ratio in result.ratios.items()},
            "ratio_of_least": round(result.ratio_of_least, 3) if result.references else None,
            "gates": dict(result.case.gates),
            "missed": list(result.missed),
            "not_installed": list(result.missing),
            "fastdl": _spread(result.ours),
            **{name: _spread(spread) for name, spread in result.references.items()},
            **{name: _spread(spread) for name, (spread, _) in result.limits.items()},
        }
        for result in results
    ]
    head = json.dumps({"machine": machine, "plan": vars(plan)}, indent=1)[1:-2]
    means = _lines([mean._asdict() | {"passed": mean.passed} for mean in summary])
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f'{{{head},\n "means": [\n{means}\n ],\n "results": [\n{_lines(rows)}\n ]\n}}\n'
    path.write_text(text, encoding="utf-8")


def machine_line(machine: dict[str, Any]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['isa']}; {versions}; "
        f"commit {machine['commit']}, {machine['date']}, load {machine['load']}"
    )


def amount(value: float, figure: str = "time") -> str:
    """Three digits and a unit: of seconds, or of bytes where the figure is "memory"."""
    units = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
    if figure == "memory":
        units = (("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0))
    for unit, scale in units[:-1]:
        if value >= 0.9995 * scale:
            return f"{_three_digits(value / scale)} {unit}"
    unit, scale = units[-1]
    return f"{_three_digits(value / scale)} {unit}"


def _cells(result: Result) -> dict[str, str]:
    case = result.case
    rate = case.work / result.ours.median / 1e9
    unit = "GFLOP/s" if case.unit == "flop" else "GB/s"
    cells = {
        "case": case.name,
        "size": case.size,
        "threads": str(result.threads),
        "fastdl": amount(result.ours.median, case.figure),
        "reference": "",
        "ratio": "",
        "least": "",
        "rate": f"{_three_digits(rate)} {unit}" if case.work else "",
        "ratios": _ratios(result),
    }
    if result.references:
        best = result.references[result.best]
        cells["reference"] = f"{result.best} {amount(best.median, case.figure)}"
        cells["ratio"] = f"{result.ratio:.2f}"
        cells["least"] = f"{result.ratio_of_least:.2f}"
    return cells


def _ratios(result: Result) -> str:
    """Every ratio with its gate, and what is not installed."""
    shown = []
    for name, ratio in result.ratios.items():
        gate = result.case.gates.get(name)
        if name == "best" and gate is None:
            continue  # has a column of its own
        missed = " !" if name in result.missed else ""
        required = "" if gate is None else f" ({gate:g}{missed})"
        shown.append(f"{name} {ratio:.2f}{required}")
    return ", ".join(shown + [f"{name} not installed" for name in result.missing])


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a line, so that two runs can be compared with diff."""
    return ",\n".join("  " + json.dumps(row) for row in rows)


def _spread(spread: Spread) -> dict[str, float | int]:
    times = {
        name: float(f"{vars(spread)[name]:.4g}") for name in ("median", "lower", "upper", "least")
    }
    return times | {"loops": spread.loops}
