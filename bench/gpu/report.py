"""What ``python -m bench.gpu`` found: gpu.json with every figure, gpu.md as a table, a summary."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.gpu.required import required

__all__ = ["bandwidth", "collect", "markdown", "missed", "save", "summary"]

Row = dict[str, Any]

HEAD = ("case", "size", "fastdl, ms", "PyTorch, ms", "ratio", "rate", "of floor", "required")
COPY = ("copy", "copy float32")  # the case that measures the bandwidth


def collect(lines: Sequence[str]) -> list[Row]:
    """The last word on each case, in the order in which they were started.

    A case that was started and has no result brought its process down.
    """
    rows: dict[tuple[str, str, str], Row] = {}
    for line in lines:
        row = json.loads(line)
        rows[row["subject"], row["case"], row["size"]] = row
    for row in rows.values():
        if row["status"] == "started":
            row |= {"status": "no result", "message": "the process ended in this case"}
    return list(rows.values())


def bandwidth(rows: Sequence[Row]) -> float | None:
    """Bytes a second of the fastest copy, by either library; None where none was measured."""
    rates = [
        row["bytes"] / times["median"]
        for row in rows
        if (row["subject"], row["case"]) == COPY and row["status"] == "ok"
        for times in (row["fastdl"], *row["references"].values())
    ]
    return max(rates, default=None)


def best(row: Row) -> tuple[str, float]:
    """The fastest way of PyTorch and its median."""
    ways = {name: times["median"] for name, times in row["references"].items()}
    name = min(ways, key=lambda way: ways[way])
    return name, ways[name]


def ratio(row: Row) -> float:
    """PyTorch's time over fastdl's: above 1, fastdl is faster."""
    return best(row)[1] / float(row["fastdl"]["median"])


def missed(row: Row, peak: float | None) -> str:
    """What is required of a case and was not reached, in words; "" where nothing was missed."""
    least = required(f"{row['subject']}: {row['case']} {row['size']}")
    if least is None:
        return ""
    if row["status"] != "ok":
        return str(row["status"])
    words = []
    if ratio(row) < least.ratio:
        words.append(f"ratio {ratio(row):.2f}, required {least.ratio:g}")
    share = row["bytes"] / peak / row["fastdl"]["median"] if peak else 0.0
    if peak and share < least.share:
        words.append(f"{share:.2f} of a copy, required {least.share:g}")
    return ", ".join(words)


def _required(row: Row, peak: float | None) -> str:
    """The cell: what is required, and whether it was missed."""
    least = required(f"{row['subject']}: {row['case']} {row['size']}")
    if least is None:
        return ""
    shown = f"{least.ratio:g}" if least.ratio else f"{100 * least.share:.0f} %"
    return shown + (" MISSED" if missed(row, peak) else "")


def cells(row: Row, peak: float | None) -> list[str]:
    """The cells of a row of the table."""
    name = f"{row['subject']}: {row['case']}"
    if row["status"] != "ok":
        return [name, row["size"], row["status"], "", "", "", "", _required(row, peak)]
    ours = row["fastdl"]["median"]
    way, other = best(row)
    shown = f"{1e3 * other:.4g}" + (f" ({way})" if len(row["references"]) > 1 else "")
    rate = floor = ""
    if row["bytes"]:
        rate = f"{row['bytes'] / ours / 1e9:.4g} GB/s"
        floor = f"{100 * row['bytes'] / peak / ours:.0f} %" if peak else ""
    elif row["flops"]:
        rate = f"{row['flops'] / ours / 1e12:.3g} TFLOP/s"
    return [name, row["size"], f"{1e3 * ours:.4g}", shown, f"{ratio(row):.2f}", rate, floor] + [
        _required(row, peak)
    ]


def markdown(machine: dict[str, Any], stages: Sequence[Row], rows: Sequence[Row]) -> str:
    """The report as Markdown: machine, stages, table."""
    peak = bandwidth(rows)
    lines = ["# fastdl on a GPU", ""]
    lines += [f"* {name}: {_words(value)}" for name, value in machine.items()]
    lines += ["", "| stage | result | seconds | |", "|---|---|---:|---|"]
    lines += [
        f"| {s['stage']} | {s['status']} | {s['seconds']:.0f} | {s['detail']} |" for s in stages
    ]
    if not rows:
        return "\n".join(lines) + "\n"
    lines += [
        "",
        "Medians of samples in turns, each case checked against float64 before. A ratio above 1 "
        "means that fastdl is faster than PyTorch's fastest way. The floor is the time of moving "
        "the bytes that must be read and written at the bandwidth of the fastest copy"
        + (f", {peak / 1e9:.4g} GB/s." if peak else ", which was not measured."),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|---|" + "---:|" * (len(HEAD) - 2),
    ]
    lines += ["| " + " | ".join(cells(row, peak)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def summary(stages: Sequence[Row], rows: Sequence[Row]) -> str:
    """The stages and, by subject, the geometric mean of the ratios and the lowest."""
    lines = [
        f"{s['stage']:<10} {s['status']:<10} {s['seconds']:5.0f} s  {s['detail']}" for s in stages
    ]
    for subject in dict.fromkeys(row["subject"] for row in rows):
        own = [row for row in rows if row["subject"] == subject]
        timed = sorted((row for row in own if row["status"] == "ok"), key=ratio)
        others = [row["status"] for row in own if row["status"] != "ok"]
        line = f"{subject:<12} {len(timed):3} timed"
        if timed:
            mean = math.exp(sum(math.log(ratio(row)) for row in timed) / len(timed))
            low = timed[0]
            line += f", geometric mean {mean:5.2f}, lowest {ratio(low):5.2f}"
            line += f" ({low['case']} {low['size']})"
        lines.append(line + "".join(f", {others.count(s)} {s}" for s in dict.fromkeys(others)))
    peak = bandwidth(rows)
    lines += [
        f"MISSED: {row['subject']}: {row['case']} {row['size']}: {words}"
        for row in rows
        if (words := missed(row, peak))
    ]
    return "\n".join(lines)


def save(
    path: Path,
    machine: dict[str, Any],
    settings: dict[str, Any],
    stages: Sequence[Row],
    rows: Sequence[Row],
) -> None:
    """Write everything; times are in seconds, one row a line."""
    head = {"machine": machine, "settings": settings, "stages": stages}
    head["copy_bytes_per_second"] = bandwidth(rows)
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = json.dumps(head, indent=1)[1:-2]
    path.write_text(f'{{{text},\n "results": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
