"""What a compiled model runs, and how long each step takes, as tables."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any, NamedTuple

from fastdl._core import Tensor
from fastdl._table import render
from fastdl.compiler.graph import Node, Value, describe
from fastdl.compiler.plan import Plan

__all__ = ["Report", "Row", "describe_plan", "profile_plan"]


class Row(NamedTuple):
    """One step. `flops` counts products only, two for a multiply-add; `seconds` is 0 if untimed."""

    layer: str
    operation: str
    fused: str
    output: str
    flops: int
    seconds: float = 0.0


class Report(NamedTuple):
    """The steps of a plan, and remarks; `str` renders the table."""

    rows: list[Row]
    remarks: list[str]

    def __str__(self) -> str:
        if not self.rows:
            return "\n".join(self.remarks)
        total = sum(row.seconds for row in self.rows)
        head = ["layer", "operation", "fused into it", "output", "MFLOPs"]
        if total:
            head += ["ms", "%", "GFLOP/s"]
        body = []
        for row in self.rows:
            cells = [*row[:4], f"{row.flops / 1e6:.1f}" if row.flops else ""]
            if total:
                rate = f"{row.flops / row.seconds / 1e9:.0f}" if row.flops else ""
                share = 100 * row.seconds / total
                cells += [f"{row.seconds * 1e3:.3f}", f"{share:.1f}", rate]
            body.append(cells)
        return render(head, body, right=4, foot=self.remarks)


def describe_plan(plan: Plan) -> Report:
    """The table without times."""
    return Report([_row(step.node) for step in plan.steps], plan.remarks())


def profile_plan(plan: Plan, inputs: list[Tensor], repeats: int) -> Report:
    """Run the steps one by one, `repeats` times; the times are medians."""
    inputs = plan.brought_in(inputs)
    times: list[list[float]] = [[] for _ in plan.steps]
    for _ in range(repeats):
        memory = plan.memory(inputs)
        for step, own in zip(plan.steps, times, strict=True):
            start = time.perf_counter()
            step.run(memory)
            own.append(time.perf_counter() - start)
    medians = [statistics.median(own) for own in times]
    rows = [
        _row(step.node)._replace(seconds=seconds)
        for step, seconds in zip(plan.steps, medians, strict=True)
    ]
    flops = sum(row.flops for row in rows)
    total = sum(medians)
    steps_text = f"steps: {total * 1e3:.3f} ms, {flops / total / 1e9:.0f} GFLOP/s" if total else ""
    return Report(rows, [steps_text, *plan.remarks()])


def _row(node: Node) -> Row:
    name = node.name
    return Row(node.layer, name, ", ".join(node.fused), describe(node.result), _flops(node))


def _flops(node: Node) -> int:
    """FLOPs of a product with a weight: two for each output and weight of its filter."""
    weight: Any = node.kwargs.get("weight")
    if not isinstance(weight, Tensor) or not isinstance(node.result, Value):
        return 0
    return 2 * math.prod(node.result.shape) * math.prod(weight.shape[1:])
