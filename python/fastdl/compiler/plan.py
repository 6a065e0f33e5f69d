"""A plan: the lowered graph as a list of steps, ready to run on inputs of one signature."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.compiler.graph import Graph, Node, Value, values_in
from fastdl.symbolic import map_leaves

__all__ = ["Plan", "Step"]


class Slot(int):
    """Where a value lies while the plan runs."""


class Step:
    """One node with its operands as slots, and what may be freed once it has run."""

    __slots__ = ("args", "dead", "kwargs", "node", "results")

    def __init__(self, node: Node, slots: dict[Value, Slot], dead: list[Slot]) -> None:
        self.node = node
        self.args, self.kwargs = map_leaves((node.args, node.kwargs), Value, slots.__getitem__)
        self.results = map_leaves(node.result, Value, slots.__getitem__)
        self.dead = dead

    def run(self, memory: list[Any]) -> None:
        """Run on the values in `memory`, and put the results there."""
        args, kwargs = map_leaves((self.args, self.kwargs), Slot, memory.__getitem__)
        _store(self.results, self.node.operation(*args, **kwargs), memory)
        for slot in self.dead:
            memory[slot] = None


class Plan:
    """Runs a lowered graph: first from Python, then captures it, then replays it from C++.

    Attributes:
        steps: in order.
    """

    def __init__(self, graph: Graph) -> None:
        slots: dict[Value, Slot] = {}
        for value in [*graph.inputs, *(v for node in graph.nodes for v in node.results())]:
            slots[value] = Slot(len(slots))
        self._size = len(slots)
        self._output_slots = map_leaves(graph.outputs, Value, slots.__getitem__)
        self.steps = [
            Step(node, slots, dead)
            for node, dead in zip(graph.nodes, _last_uses(graph, slots), strict=True)
        ]
        self._formats = [graph.formats.get(value) for value in graph.inputs]
        self._warm = False
        self._capture: _core.Capture | None = None
        self._inputs: list[Tensor] = []
        self._outputs: Any = None  # in the memory of the capture: the next replay overwrites them
        on_cpu = all(value.device == "cpu" for value in graph.inputs)
        self._obstacle = "" if on_cpu else "not on the CPU"

    def __call__(self, inputs: list[Tensor]) -> Any:
        """The model's outputs, which no later call changes."""
        with no_grad():
            if self._capture is None:
                if self._obstacle or not self._warm:
                    # Weights are packed in the first run, which is to be no part of a capture.
                    self._warm = True
                    return self._run(self.brought_in(inputs))
                self._record(inputs)
            else:
                for own, given in zip(self._inputs, inputs, strict=True):
                    own.copy_(given)
                if not self._capture.replay():
                    self._record(inputs)
            return map_leaves(self._outputs, Tensor, Tensor.clone)

    def brought_in(self, inputs: list[Tensor]) -> list[Tensor]:
        """The inputs in the memory format that the steps want."""
        return [
            x if form is None else x.contiguous(memory_format=form)
            for x, form in zip(inputs, self._formats, strict=True)
        ]

    def memory(self, inputs: list[Tensor]) -> list[Any]:
        """What the steps run in: the inputs, and room for every other value."""
        return [*inputs, *[None] * (self._size - len(inputs))]

    def remarks(self) -> list[str]:
        """What holds for all steps."""
        remarks = [f"{len(self.steps)} steps"]
        if any(self._formats):
            remarks[0] += ", images in channels-last"
        if self._capture is not None:
            kib = self._capture.memory / 1024
            remarks.append(f"replays {self._capture.steps} kernels over {kib:,.0f} KiB")
        elif self._obstacle:
            remarks.append(f"runs from Python: {self._obstacle}")
        return remarks

    def _run(self, inputs: list[Tensor]) -> Any:
        memory = self.memory(inputs)
        for step in self.steps:
            step.run(memory)
        return map_leaves(self._output_slots, Slot, memory.__getitem__)

    def _record(self, inputs: list[Tensor]) -> None:
        self._inputs = [x.detach().clone() for x in self.brought_in(inputs)]
        capture = _core.Capture(strict=False)
        capture.begin()
        try:
            self._outputs = self._run(self._inputs)
        finally:
            capture.end()
        self._obstacle = capture.broken
        self._capture = None if capture.broken else capture


def _store(results: Any, outcome: Any, memory: list[Any]) -> None:
    if type(results) is Slot:
        memory[results] = outcome
    elif isinstance(results, tuple | list):
        for slot, item in zip(results, outcome, strict=True):
            _store(slot, item, memory)


def _last_uses(graph: Graph, slots: dict[Value, Slot]) -> list[list[Slot]]:
    """For each node the values that nothing after it reads."""
    read: set[Value] = set(values_in(graph.outputs))
    dead: list[list[Slot]] = []
    for node in reversed(graph.nodes):
        values = dict.fromkeys([*node.operands(), *node.results()])
        dead.append([slots[value] for value in values if value not in read])
        read.update(values)
    return dead[::-1]
