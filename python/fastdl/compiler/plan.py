"""A plan: the lowered graph as a list of steps, ready to run on inputs of one signature."""

from __future__ import annotations

from typing import Any

from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.compiler.graph import Graph, Node, Value
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
    """Runs a lowered graph.

    Attributes:
        graph: what it runs.
        steps: in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        slots: dict[Value, Slot] = {}
        for value in [*graph.inputs, *(v for node in graph.nodes for v in node.results())]:
            slots[value] = Slot(len(slots))
        self._size = len(slots)
        self._outputs = map_leaves(graph.outputs, Value, slots.__getitem__)
        self.steps = [
            Step(node, slots, dead)
            for node, dead in zip(graph.nodes, _last_uses(graph, slots), strict=True)
        ]
        self._forms = [graph.formats.get(value) for value in graph.inputs]

    def __call__(self, inputs: list[Tensor]) -> Any:
        """The model's outputs, which no later call changes."""
        with no_grad():
            return self.run(inputs)

    def remarks(self) -> list[str]:
        """What holds for all steps."""
        return [f"steps: {len(self.steps)}"]

    def brought_in(self, inputs: list[Tensor]) -> list[Tensor]:
        """The inputs in the memory format that the steps want."""
        return [
            x if form is None else x.contiguous(memory_format=form)
            for x, form in zip(inputs, self._forms, strict=True)
        ]

    def run(self, inputs: list[Tensor]) -> Any:
        """The model's outputs for `inputs`, step by step from Python."""
        memory = self.memory(self.brought_in(inputs))
        for step in self.steps:
            step.run(memory)
        return map_leaves(self._outputs, Slot, memory.__getitem__)

    def memory(self, inputs: list[Tensor]) -> list[Any]:
        """What the steps run in: the inputs, and room for every other value."""
        return [*inputs, *[None] * (self._size - len(inputs))]


def _store(results: Any, outcome: Any, memory: list[Any]) -> None:
    if type(results) is Slot:
        memory[results] = outcome
    elif isinstance(results, tuple | list):
        for slot, item in zip(results, outcome, strict=True):
            _store(slot, item, memory)


def _last_uses(graph: Graph, slots: dict[Value, Slot]) -> list[list[Slot]]:
    """For each node the values that nothing after it reads."""
    read: set[Value] = set()
    map_leaves(graph.outputs, Value, read.add)
    dead: list[list[Slot]] = []
    for node in reversed(graph.nodes):
        values = dict.fromkeys([*node.operands(), *node.results()])
        dead.append([slots[value] for value in values if value not in read])
        read.update(values)
    return dead[::-1]
