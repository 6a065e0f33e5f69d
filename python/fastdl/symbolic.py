"""Symbolic tensors: what the functional API passes through layers to record a graph.

A `Symbol` has a shape and a dtype but no values. Applying a layer, an operator or a function of
`fastdl.functional` to it makes a `Node`. The shape of a node's result is found by running the
operation once, without gradients and in inference mode, on zeros with a batch of `PROBE_BATCH`:
the layers themselves are the only definition of their shapes. The leading dimension of a result
is taken as the batch (shown as None) if it comes out as `PROBE_BATCH`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from fastdl import _core
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError

__all__ = ["PROBE_BATCH", "STAND_INS", "Method", "Node", "Symbol", "map_leaves", "record"]

# Two rather than one: batch norm and the like accept it, and a size of one broadcasts silently.
PROBE_BATCH = 2


class Method:
    """The call of a method by its name, on a tensor or on what stands in for one."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, operand: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(operand, self.__name__)(*args, **kwargs)


class Node:
    """One recorded operation, or (with `operation` None) an input of the graph."""

    __slots__ = ("args", "kwargs", "name", "operation")

    def __init__(
        self,
        operation: Callable[..., Any] | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
    ) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.name = name

    def parents(self) -> list[Node]:
        """The nodes whose results this one takes, in order, with repetitions."""
        found: list[Node] = []
        map_leaves((self.args, self.kwargs), Symbol, lambda symbol: found.append(symbol.node))
        return found


class Symbol:
    """A tensor of a graph under construction.

    Attributes:
        shape: the dimensions; None stands for the batch.
        dtype: of the values that will flow here.
        node: the operation that makes it.
        path: which of the node's outputs it is: () for a lone tensor, (1, 0) for ``out[1][0]``.
    """

    __slots__ = ("dtype", "node", "path", "shape")
    # NumPy must leave `array + symbol` to `Symbol.__radd__`.
    __array_ufunc__ = None

    def __init__(
        self, shape: tuple[int | None, ...], dtype: Any, node: Node, path: tuple[int, ...] = ()
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.node = node
        self.path = path

    @property
    def ndim(self) -> int:
        """Number of dimensions, the batch included."""
        return len(self.shape)

    def __repr__(self) -> str:
        shape = ", ".join("batch" if size is None else str(size) for size in self.shape)
        return f"Symbol({self.dtype.name}[{shape}], from {self.node.name})"

    def __fastdl_function__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a call of `fastdl.functional` that was given a symbol."""
        return record(function, args, kwargs)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not hasattr(_core.Tensor, name):
            raise AttributeError(f"a symbolic tensor has no attribute {name!r}")
        if not callable(getattr(_core.Tensor, name)):
            raise AttributeError(f"a symbolic tensor has no values, so no attribute {name!r}")
        method = Method(name)
        return lambda *args, **kwargs: record(method, (self, *args), kwargs)

    def __fastdl_module__(
        self, module: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record the call of a module that was given a symbol: one node, whatever is inside."""
        return record(module, args, kwargs)

    def __neg__(self) -> Any:
        return record(operator.neg, (self,), {})

    def __getitem__(self, index: Any) -> Any:
        return record(operator.getitem, (self, index), {})

    def __bool__(self) -> bool:
        raise ArgumentError(
            "graph",
            "a symbolic tensor has no values to branch on",
            {"tensor": repr(self)},
            "put the decision into a Module's forward",
        )

    def __iter__(self) -> Any:
        raise ArgumentError(
            "graph", "a symbolic tensor cannot be iterated over", {"tensor": repr(self)}
        )


def _binary(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    def forward(self: Symbol, other: Any) -> Any:
        return record(function, (self, other), {})

    def reflected(self: Symbol, other: Any) -> Any:
        return record(function, (other, self), {})

    return forward, reflected


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    _forward, _reflected = _binary(getattr(operator, _name))
    setattr(Symbol, f"__{_name}__", _forward)
    setattr(Symbol, f"__r{_name}__", _reflected)


def record(operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Record ``operation(*args, **kwargs)`` and return symbols in the shape of its result."""
    name = getattr(operation, "__name__", type(operation).__name__)
    node = Node(operation, args, kwargs, name)
    probe_args, probe_kwargs = map_leaves((args, kwargs), Symbol, _zeros)
    return _wrap(node, _probe(operation, probe_args, probe_kwargs), ())


def _zeros(symbol: Symbol) -> _core.Tensor:
    shape = tuple(PROBE_BATCH if size is None else size for size in symbol.shape)
    return _core.zeros(shape, dtype=symbol.dtype)


def _probe(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the operation on zeros; a module is in inference mode meanwhile, so learns nothing."""
    modules = list(operation.modules()) if hasattr(operation, "modules") else []
    were_training = [module for module in modules if module.training]
    for module in were_training:
        module.training = False
    try:
        with no_grad():
            return operation(*args, **kwargs)
    finally:
        for module in were_training:
            module.training = True


def _wrap(node: Node, result: Any, path: tuple[int, ...]) -> Any:
    if isinstance(result, _core.Tensor):
        shape: tuple[int | None, ...] = tuple(result.shape)
        if shape and shape[0] == PROBE_BATCH:
            shape = (None, *shape[1:])
        return Symbol(shape, result.dtype, node, path)
    if isinstance(result, tuple | list):
        return tuple(_wrap(node, item, (*path, i)) for i, item in enumerate(result))
    raise ArgumentError(
        "graph",
        f"{node.name} returned {type(result).__name__}; a graph passes on tensors only",
        remedy="have it return a tensor or a tuple of tensors",
    )


def map_leaves(value: Any, kind: type, function: Callable[[Any], Any]) -> Any:
    """`value` with every object of exactly `kind`, inside lists, tuples and dicts too, mapped."""
    if type(value) is kind:
        return function(value)
    if isinstance(value, tuple | list):
        return type(value)(map_leaves(item, kind, function) for item in value)
    if isinstance(value, dict):
        return {key: map_leaves(item, kind, function) for key, item in value.items()}
    return value


# The types whose `__fastdl_module__` a module's call goes to. `fastdl.compiler` adds its own.
STAND_INS: set[type] = {Symbol}
