"""The graph of a traced model: operations on values, in the order in which they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastdl import _core
from fastdl.symbolic import map_leaves

__all__ = ["Graph", "Node", "Value", "describe", "leaves", "replace", "values_in"]


class Value:
    """A tensor that flows through the graph, of which all is known but the elements."""

    __slots__ = ("device", "dtype", "shape")

    def __init__(self, tensor: _core.Tensor | Value) -> None:
        self.shape: tuple[int, ...] = tuple(tensor.shape)
        self.dtype: Any = tensor.dtype
        self.device: Any = tensor.device

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"


@dataclass(slots=True, eq=False)
class Node:
    """One operation.

    Attributes:
        operation: what is called with `args` and `kwargs`, in which a `Value` stands for a tensor.
        name: of the operation, as `fastdl.functional` has it where it is one of those.
        layer: dotted path of the module that called it.
        result: a value, or a tuple (nested, perhaps) of values and constants.
        fused: names of the operations that became part of this one.
    """

    operation: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    layer: str
    result: Any
    fused: list[str] = field(default_factory=list)

    def operands(self) -> list[Value]:
        """The values that it reads, in order, with repetitions."""
        return values_in((self.args, self.kwargs))

    def results(self) -> list[Value]:
        """The values that it makes."""
        return values_in(self.result)

    def substitute(self, new: dict[Value, Value]) -> None:
        """Read other values in the place of some."""
        if new:
            self.args, self.kwargs = replace((self.args, self.kwargs), new)


@dataclass(slots=True)
class Graph:
    """What a model computes.

    Attributes:
        inputs: the values that come in.
        nodes: in order.
        outputs: the values that go out, in the tuples and dicts that the model returns.
        formats: the memory format that an input is brought into, if any.
    """

    inputs: list[Value]
    nodes: list[Node]
    outputs: Any
    formats: dict[Value, _core.memory_format] = field(default_factory=dict)

    def uses(self) -> Counter[Value]:
        """How often each value is read, being an output included."""
        counts = Counter(values_in(self.outputs))
        for node in self.nodes:
            counts.update(node.operands())
        return counts

    def constants(self) -> list[_core.Tensor]:
        """The tensors that the operations read besides values: parameters and the like."""
        found = [item for node in self.nodes for item in leaves((node.args, node.kwargs))]
        return [item for item in found + leaves(self.outputs) if isinstance(item, _core.Tensor)]


def leaves(structure: Any) -> list[Any]:
    """What lies in nested tuples, lists and dicts."""
    if isinstance(structure, tuple | list):
        return [leaf for item in structure for leaf in leaves(item)]
    if isinstance(structure, dict):
        return [leaf for item in structure.values() for leaf in leaves(item)]
    return [structure]


def values_in(structure: Any) -> list[Value]:
    """All values in nested tuples, lists and dicts."""
    return [leaf for leaf in leaves(structure) if isinstance(leaf, Value)]


def replace(structure: Any, new: dict[Value, Value]) -> Any:
    """`structure` with other values in the place of some."""
    return map_leaves(structure, Value, lambda value: new.get(value, value))


def describe(structure: Any) -> str:
    """The shapes of a result, for a table."""
    if isinstance(structure, Value):
        return repr(structure)
    if isinstance(structure, tuple | list):
        return ", ".join(describe(item) for item in structure)
    return type(structure).__name__
