"""Results as a table for the terminal, as Markdown for the README, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.timing import Result, Spread

__all__ = ["HEAD", "Table", "duration", "machine_line", "markdown", "save"]

HEAD = ("case", "size", "threads", "fastdl", "PyTorch", "ratio", "least", "rate", "gate")
_RIGHT = {"threads", "fastdl", "PyTorch", "ratio", "least", "rate", "gate"}
_LIMITS = {"case": 40, "size": 32}


class Table:
    """A table whose rows are printed as they come, so widths are set beforehand."""

    def __init__(self) -> None:
        widths = {"case": 40, "size": 32, "threads": 7, "fastdl": 15, "PyTorch": 15, "rate": 12}
        self.widths = {name: widths.get(name, 6) for name in HEAD}

    def head(self, subject: str) -> str:
        """The line above the rows of a subject, and a rule."""
        names = {name: name for name in HEAD} | {"case": subject}
        rule = "-" * (sum(self.widths.values()) + 2 * (len(HEAD) - 1))
        return f"\n{self._line(names)}\n{rule}"

    def row(self, result: Result) -> str:
        """One result; times are medians with half the distance between the quartiles."""
        cells = _cells(result)
        for name, spread in (("fastdl", result.ours), ("PyTorch", result.reference)):
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


def markdown(results: Sequence[Result]) -> str:
    """A Markdown table of medians."""
    names = [name for name in HEAD if name not in ("gate", "least")]
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join("---:" if name in _RIGHT else "---" for name in names) + "|",
    ]
    for result in results:
        cells = _cells(result)
        lines.append("| " + " | ".join(cells[name] for name in names) + " |")
    return "\n".join(lines)


def save(path: Path, machine: dict[str, Any], plan: Any, results: Sequence[Result]) -> None:
    """Write everything that was measured; times are in seconds per call."""
    rows = [
        {
            "subject": result.case.subject,
            "case": result.case.name,
            "size": result.case.size,
            "threads": result.threads,
            "ratio": round(result.ratio, 3),
            "ratio_of_least": round(result.ratio_of_least, 3),
            "gate": result.case.gate,
            "fastdl": _spread(result.ours),
            "torch": _spread(result.reference),
        }
        for result in results
    ]
    # One row a line, so that two runs can be compared with diff.
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = json.dumps({"machine": machine, "plan": vars(plan)}, indent=1)[1:-2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{{head},\n "results": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def machine_line(machine: dict[str, Any]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['isa']}; {versions}; "
        f"commit {machine['commit']}, {machine['date']}, load {machine['load']}"
    )


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= 0.9995 * scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _cells(result: Result) -> dict[str, str]:
    case = result.case
    rate = case.work / result.ours.median / 1e9
    unit = "GFLOP/s" if case.unit == "flop" else "GB/s"
    return {
        "case": case.name,
        "size": case.size,
        "threads": str(result.threads),
        "fastdl": duration(result.ours.median),
        "PyTorch": duration(result.reference.median),
        "ratio": f"{result.ratio:.2f}",
        "least": f"{result.ratio_of_least:.2f}",
        "rate": f"{_three_digits(rate)} {unit}" if case.work else "",
        "gate": "" if case.gate is None else f"{case.gate:.1f}" + ("" if result.passed else " !"),
    }


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _spread(spread: Spread) -> dict[str, float | int]:
    times = {
        name: float(f"{vars(spread)[name]:.4g}") for name in ("median", "lower", "upper", "least")
    }
    return times | {"loops": spread.loops}
