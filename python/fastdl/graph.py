"""The functional API: models as graphs of layers.

Layers are called on symbolic tensors, which start with `Input`; `Model` turns what lies between
inputs and outputs into a module::

    x = fastdl.Input((3, 32, 32))
    skip = nn.Conv2d(3, 8, 1)(x)
    y = nn.ReLU()(nn.Conv2d(3, 8, 3, padding=1)(x)) + skip
    model = fastdl.Model([x], [y])

A layer that is called several times shares its parameters. Operators, methods (``y.flatten(1)``)
and functions of `fastdl.functional` are recorded as well; symbols are given as positional
arguments. `fastdl.symbolic` says how shapes are found.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from fastdl import _core
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.module import Module
from fastdl.symbolic import Node, Symbol, map_leaves

__all__ = ["Input", "Model"]


def Input(shape: Sequence[int], dtype: Any = None) -> Symbol:  # noqa: N802 - as in Keras
    """A symbolic input of a model.

    Args:
        shape: dimensions without the batch, which always comes first.
        dtype: of the values. Default: float32.
    """
    sizes = tuple(shape)
    if any(size < 1 for size in sizes):
        raise ShapeError("Input", f"shape is {list(sizes)}, expected sizes of 1 or more")
    # An empty tensor resolves a dtype given as a string, or by default, to the dtype itself.
    resolved = _core.empty((0,), dtype=dtype).dtype
    return Symbol((None, *sizes), resolved, Node(None, (), {}, "Input"))


class Model(Module):
    """A module made of the operations between symbolic inputs and outputs.

    Args:
        inputs: symbols from `Input`, in the order in which the model takes its arguments.
        outputs: symbols that depend on them.

    Called with one tensor per input, it returns one tensor, or a tuple for several outputs. Its
    layers are children named after their type: ``conv2d``, ``conv2d_1``, ...

    Raises:
        ArgumentError: an output depends on an input that was not given, an input is not used, or
            something is not a symbol of the right kind.
    """

    def __init__(
        self, inputs: Symbol | Sequence[Symbol], outputs: Symbol | Sequence[Symbol]
    ) -> None:
        self._inputs = _as_list("inputs", inputs)
        self._outputs = _as_list("outputs", outputs)
        for symbol in self._inputs:
            if symbol.node.operation is not None:
                raise ArgumentError("Model", f"{symbol!r} is no input", remedy="use fastdl.Input")
        nodes = _in_order(self._outputs)
        _check_connected([symbol.node for symbol in self._inputs], nodes)
        # Each operation becomes a function of the list of all results so far.
        self._slots = {id(symbol.node): i for i, symbol in enumerate(self._inputs)}
        self._steps: list[tuple[Callable[..., Any], Any, Any]] = []
        for node in nodes:
            if node.operation is not None:
                self._slots[id(node)] = len(self._inputs) + len(self._steps)
                self._steps.append((node.operation, *self._compile((node.args, node.kwargs))))
        self._results = self._compile(tuple(self._outputs))
        self._name_layers()

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) != len(self._inputs):
            raise ArgumentError("Model", f"got {len(inputs)} inputs, expected {len(self._inputs)}")
        values: list[Any] = list(inputs)
        for operation, args, kwargs in self._steps:
            values.append(operation(*_resolve(args, values), **_resolve(kwargs, values)))
        outputs = _resolve(self._results, values)
        return outputs[0] if len(outputs) == 1 else outputs

    def _compile(self, value: Any) -> Any:
        return map_leaves(value, Symbol, lambda s: _Reference(self._slots[id(s.node)], s.path))

    def _name_layers(self) -> None:
        named: set[int] = set()
        counts: dict[str, int] = {}
        for operation, _, _ in self._steps:
            if not isinstance(operation, Module) or id(operation) in named:
                continue
            named.add(id(operation))
            kind = type(operation).__name__.lower()
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            self.add_module(f"{kind}_{number}" if number else kind, operation)


class _Reference:
    """Where a value is found while the model runs: a slot, and a path into a nested result."""

    __slots__ = ("path", "slot")

    def __init__(self, slot: int, path: tuple[int, ...]) -> None:
        self.slot = slot
        self.path = path


def _resolve(template: Any, values: list[Any]) -> Any:
    kind = type(template)
    if kind is _Reference:
        return reduce(operator.getitem, template.path, values[template.slot])
    if kind is tuple or kind is list:
        return kind([_resolve(item, values) for item in template])
    if kind is dict:
        return {key: _resolve(item, values) for key, item in template.items()}
    return template


def _as_list(name: str, symbols: Any) -> list[Symbol]:
    listed = [symbols] if isinstance(symbols, Symbol) else list(symbols)
    for symbol in listed:
        if not isinstance(symbol, Symbol):
            raise ArgumentError(
                "Model",
                f"{name} holds a {type(symbol).__name__}, expected symbolic tensors",
                remedy="start from fastdl.Input and call layers on it",
            )
    if not listed:
        raise ArgumentError("Model", f"{name} is empty")
    return listed


def _in_order(outputs: list[Symbol]) -> list[Node]:
    """All nodes below `outputs`, each after those that it depends on.

    Iterative, since a graph may be deeper than Python's recursion goes.
    """
    done: dict[int, Node] = {}
    stack = [symbol.node for symbol in reversed(outputs)]
    while stack:
        node = stack[-1]
        waiting = [parent for parent in node.parents() if id(parent) not in done]
        if waiting:
            stack.extend(reversed(waiting))
        else:
            done[id(node)] = stack.pop()
    return list(done.values())


def _check_connected(inputs: list[Node], nodes: list[Node]) -> None:
    given = {id(node) for node in inputs}
    if len(given) < len(inputs):
        raise ArgumentError("Model", "an input is listed twice")
    needed = {id(node) for node in nodes if node.operation is None}
    if needed - given:
        raise ArgumentError(
            "Model",
            "an output depends on an input that is not listed",
            {"listed": str(len(given)), "needed": str(len(needed))},
            "add every Input that the outputs come from to inputs",
        )
    if given - needed:
        raise ArgumentError(
            "Model",
            "an input does not reach any output",
            {"listed": str(len(given)), "needed": str(len(needed))},
            "leave it out, or connect it",
        )
