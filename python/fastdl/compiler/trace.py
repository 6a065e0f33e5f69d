"""Tracing: a model's forward runs once on stand-ins for its inputs, which note what is done.

A stand-in (`Traced`) holds a real tensor, so Python code that looks at shapes, dtypes or the
model's own attributes takes the branches that it would take eagerly. What a graph of tensor
operations cannot say (a branch on elements, an edit in place) is refused: the trace then has no
graph but a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastdl import _core
from fastdl.autograd import no_grad
from fastdl.compiler.graph import Graph, Node, Value, leaves
from fastdl.errors import Error
from fastdl.nn.parameter import Parameter
from fastdl.symbolic import STAND_INS, Method, map_leaves

__all__ = ["Traced", "Tracer", "Untraceable", "trace"]

_FUNCTIONS = {
    row["name"]: getattr(_core, row["name"])
    for row in _core._signatures()
    if row["module"] == "functional"
}
_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "matmul": "matmul",
}  # fmt: skip
_EDITS = ("add", "sub", "mul", "truediv")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
# What a tensor says about itself; a graph holds for one shape, so this is constant in it.
_FACTS = frozenset({"dim", "is_contiguous", "is_pinned", "ndim", "numel", "size", "stride"})
_OUTPUTS = (Value, _core.Tensor, type(None), bool, int, float, str)
_READS = frozenset({"data_ptr", "item", "numpy", "tolist"})


class Untraceable(Exception):  # noqa: N818 - it says what the model is, and never leaves the package
    """The model does something that a graph of operations cannot repeat."""


class Tracer:
    """What one trace has noted so far.

    Attributes:
        edits: whether ``x += y`` counts as ``x = x + y``, or is refused since others may see x.
        paths: dotted names of the model's modules by their id.
    """

    edits = False

    def __init__(self, paths: dict[int, str]) -> None:
        self.nodes: list[Node] = []
        self.refusal = ""
        self.paths = paths
        self._layers = [""]

    def refuse(self, reason: str) -> Untraceable:
        """Note that there will be no graph; the caller raises what this returns."""
        # Kept besides being raised, since the model may catch exceptions.
        self.refusal = self.refusal or f"{reason}{self._where()}"
        return Untraceable(self.refusal)

    def call_module(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a module's forward, under its name."""
        self._layers.append(self.paths.get(id(module), self._layers[-1]))
        try:
            return module.forward(*args, **kwargs)
        except Error as error:
            error.modules.append(module)
            raise
        finally:
            self._layers.pop()

    def call(
        self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run an operation and note it."""
        name = operation.__name__
        operands = [leaf for leaf in leaves((args, kwargs)) if type(leaf) is Traced]
        real_args, real_kwargs = map_leaves((args, kwargs), Traced, _tensor_of)
        if name == "conv2d":
            # With a copy goes what the op keeps with a weight (ops/packed.h), of no use afterwards
            # to a weight that batch norm will be folded into, and several times as large.
            real_args = tuple(_copied(x) for x in real_args)
            real_kwargs = {key: _copied(x) for key, x in real_kwargs.items()}
        tensors = [x for x in leaves((real_args, real_kwargs)) if isinstance(x, _core.Tensor)]
        versions = [tensor._version for tensor in tensors]
        outcome = operation(*real_args, **real_kwargs)
        if versions != [tensor._version for tensor in tensors]:
            raise self.refuse(f"{name}() edits a tensor in place")
        result = map_leaves(outcome, _core.Tensor, lambda tensor: self._stand_in(tensor, operands))
        made = [leaf for leaf in leaves(result) if type(leaf) is Traced]
        # An operation that returned nothing but its operands (dropout in inference) did nothing.
        if not {traced.value for traced in made} <= {traced.value for traced in operands}:
            args, kwargs, values = map_leaves((args, kwargs, result), Traced, _value_of)
            self.nodes.append(Node(operation, name, args, kwargs, self._layers[-1], values))
        return result

    def _stand_in(self, tensor: _core.Tensor, operands: list[Traced]) -> Traced:
        for operand in operands:
            if _same(tensor, operand.tensor):
                return operand
        return Traced(self, tensor, Value(tensor))

    def _where(self) -> str:
        return f", in {self._layers[-1]}" if self._layers[-1] else ""


class Traced:
    """Stands in for a tensor while a model is traced."""

    __slots__ = ("tensor", "tracer", "value")
    # NumPy must leave `array + traced` to `Traced.__radd__`.
    __array_ufunc__ = None

    def __init__(self, tracer: Tracer, tensor: _core.Tensor, value: Value) -> None:
        self.tracer = tracer
        self.tensor = tensor
        self.value = value

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # isinstance(x, Tensor) must be what it is in an eager call.
        return _core.Tensor

    def __fastdl_function__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return self.tracer.call(function, args, kwargs)

    def __fastdl_module__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.tracer.call_module(module, args, kwargs)

    @property
    def shape(self) -> Any:
        return self.tensor.shape

    @property
    def dtype(self) -> Any:
        return self.tensor.dtype

    @property
    def device(self) -> Any:
        return self.tensor.device

    @property
    def requires_grad(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name in _FACTS:
            return getattr(self.tensor, name)
        if name in _READS:
            raise self.tracer.refuse(f"{name}() reads a tensor's elements")
        if name.startswith("__"):
            raise AttributeError(name)  # Python and the bindings ask what protocols there are
        if name == "T":
            return self.tracer.call(_transposed, (self,), {})
        if name.startswith("_") or not callable(getattr(_core.Tensor, name, None)):
            raise self.tracer.refuse(f"the attribute {name!r} of a tensor is used")
        operation = _FUNCTIONS.get(name) or Method(name)
        return lambda *args, **kwargs: self.tracer.call(operation, (self, *args), kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.tracer.call(Method("__getitem__"), (self, index), {})

    def __neg__(self) -> Any:
        return self.tracer.call(_FUNCTIONS["neg"], (self,), {})

    def __abs__(self) -> Any:
        return self.tracer.call(_FUNCTIONS["abs"], (self,), {})

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __hash__(self) -> int:
        return id(self)

    def _refuse_value(self, *_: Any) -> Any:
        raise self.tracer.refuse("Python reads a tensor's elements, as a branch on them does")

    def _refuse_edit(self, *_: Any) -> Any:
        raise self.tracer.refuse("a tensor is edited in place")

    __bool__ = __float__ = __int__ = __index__ = __array__ = _refuse_value
    __contains__ = __deepcopy__ = _refuse_value
    __setitem__ = _refuse_edit


def _transposed(tensor: _core.Tensor) -> _core.Tensor:
    return tensor.T


def _binary(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Traced, other: Any) -> Any:
        return self.tracer.call(function, (self, other), {})

    def reflected(self: Traced, other: Any) -> Any:
        return self.tracer.call(function, (other, self), {})

    return forward, reflected


def _in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    def edit(self: Traced, other: Any) -> Any:
        if not self.tracer.edits:
            raise self.tracer.refuse("a tensor is edited in place")
        return self.tracer.call(function, (self, other), {})

    return edit


for _operator, _name in _OPERATORS.items():
    _forward, _reflected = _binary(_FUNCTIONS[_name])
    setattr(Traced, f"__{_operator}__", _forward)
    setattr(Traced, f"__r{_operator}__", _reflected)
    if _operator in _EDITS:
        setattr(Traced, f"__i{_operator}__", _in_place(_FUNCTIONS[_name]))
for _name in _COMPARISONS:
    setattr(Traced, f"__{_name}__", _binary(_FUNCTIONS[_name])[0])

STAND_INS.add(Traced)


def trace(call: Callable[[list[Any]], Any], inputs: list[_core.Tensor], tracer: Tracer) -> Graph:
    """Run `call` on stand-ins for `inputs`.

    Args:
        call: takes the inputs, calls the model with them, and returns its result.
        inputs: the tensors.
        tracer: a new one, which notes the operations.

    Returns:
        The graph. Its outputs have the structure of the model's result.

    Raises:
        Untraceable: no graph would do the same. Any other exception is the model's own.
    """
    stand_ins = [Traced(tracer, tensor, Value(tensor)) for tensor in inputs]
    try:
        with no_grad():
            result = call(list(stand_ins))
    except Exception as error:
        if tracer.refusal:
            raise Untraceable(tracer.refusal) from error
        raise
    if tracer.refusal:
        raise Untraceable(tracer.refusal)
    outputs = map_leaves(result, Traced, _value_of)
    for leaf in leaves(outputs):
        if not isinstance(leaf, _OUTPUTS):
            raise Untraceable(f"the result holds a {type(leaf).__name__}")
    return Graph([traced.value for traced in stand_ins], tracer.nodes, outputs)


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Parameter) else value


def _tensor_of(traced: Traced) -> _core.Tensor:
    return traced.tensor


def _value_of(traced: Traced) -> Value:
    return traced.value


def _same(a: _core.Tensor, b: _core.Tensor) -> bool:
    """Whether two tensors are the same elements of the same memory."""
    return (
        a.data_ptr() == b.data_ptr()
        and a.numel() > 0
        and a.shape == b.shape
        and a.stride() == b.stride()
        and a.dtype == b.dtype
    )
