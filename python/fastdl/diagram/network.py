"""What a picture of a model shows: its layers and functions, and which result goes where.

The model's own `forward` runs once on the stand-ins of `fastdl.compiler.trace`, in inference mode.
A layer of fastdl, or a module that holds no others, is one box whatever it does inside; a module of
modules is looked into, as deep as was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastdl._core import Tensor
from fastdl.compiler.graph import Node, Value, leaves, values_in
from fastdl.compiler.guard import Guard
from fastdl.compiler.trace import Traced, Tracer, Untraceable, trace
from fastdl.errors import ArgumentError
from fastdl.graph import Model
from fastdl.nn.container import ModuleList, Sequential
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.nn.summary import example_inputs, inference_mode, shape_text
from fastdl.symbolic import map_leaves

__all__ = ["Box", "Network", "network_of"]

_NAMES = {"__getitem__": "index", "_transposed": "transpose"}


@dataclass(frozen=True)
class Box:
    """One box of the picture.

    Attributes:
        kind: "input", "output", "layer" or "function".
        title: a class or a function.
        path: dotted name of a layer; empty for others.
        shape: of the result, the batch written as N.
        parameters: how many it has itself; None where an earlier box has counted them.
    """

    kind: str
    title: str
    path: str
    shape: str
    parameters: int | None


@dataclass(frozen=True)
class Network:
    """Boxes, in the order in which they run, and arrows as pairs of positions among them."""

    boxes: list[Box]
    arrows: list[tuple[int, int]]


def network_of(
    model: Module, inputs: Sequence[Tensor | tuple[int, ...]], dtype: Any, depth: int | None
) -> Network:
    """Run the model once and note what it does; see `Module.plot` for arguments and errors."""
    if depth is not None and depth < 1:
        raise ArgumentError("plot", f"depth is {depth}, expected 1 or more, or None")
    if not inputs and isinstance(model, Model):
        symbols = model._inputs
        inputs = [tuple(size or 1 for size in symbol.shape[1:]) for symbol in symbols]
        dtype = [symbol.dtype for symbol in symbols] if dtype is None else dtype
    tensors = example_inputs("plot", inputs, dtype)
    tracer = _LayerTracer(model, depth)
    try:
        with inference_mode(model):
            if any(part._pending is not None for part in model.modules()):
                model(*tensors)  # lazy layers become ordinary, which nothing undoes
            with Guard(model).undoing():
                graph = trace(lambda stand_ins: model(*stand_ins), tensors, tracer)
    except Untraceable as refusal:
        raise ArgumentError(
            "plot",
            f"{type(model).__name__} is no fixed graph of layers: {refusal}",
            remedy="put that into a module of its own, and draw it as one box by a smaller depth",
        ) from refusal
    boxes = [Box("input", "input", "", shape_text(value), 0) for value in graph.inputs]
    arrows: list[tuple[int, int]] = []
    source = {value: number for number, value in enumerate(graph.inputs)}
    counted: set[int] = set()
    for node in graph.nodes:
        tails = dict.fromkeys(source[value] for value in node.operands())
        arrows += [(tail, len(boxes)) for tail in tails]
        source |= {value: len(boxes) for value in node.results() if value not in source}
        boxes.append(_box_of(node, counted))
    for value in values_in(graph.outputs):
        arrows.append((source[value], len(boxes)))
        boxes.append(Box("output", "output", "", shape_text(value), 0))
    return Network(boxes, arrows)


class _LayerTracer(Tracer):
    """Notes a layer as one operation; `x += y` as the sum that it is, for a picture the same."""

    edits = True

    def __init__(self, model: Module, depth: int | None) -> None:
        super().__init__({id(part): path for path, part in model.named_modules()})
        self._depth = depth

    def call_module(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path = self.paths.get(id(module), "")
        if self._opens(module, path):
            return super().call_module(module, args, kwargs)
        real_args, real_kwargs = map_leaves((args, kwargs), Traced, lambda traced: traced.tensor)
        outcome = module(*real_args, **real_kwargs)
        result = map_leaves(outcome, Tensor, lambda tensor: Traced(self, tensor, Value(tensor)))
        args, kwargs, values = map_leaves(
            (args, kwargs, result), Traced, lambda traced: traced.value
        )
        self.nodes.append(Node(module, type(module).__name__, args, kwargs, path, values))
        return result

    def _opens(self, module: Module, path: str) -> bool:
        """Whether a module is looked into, rather than drawn as one box."""
        own = type(module).__module__.startswith("fastdl.nn.")
        if own and not isinstance(module, ModuleList | Sequential):
            return False
        return not path or (any(module.children()) and path.count(".") + 1 != self._depth)


def _box_of(node: Node, counted: set[int]) -> Box:
    if isinstance(node.operation, Module):
        kind, title, path = "layer", type(node.operation).__name__, node.layer
        used = list(node.operation.parameters())
    else:
        kind, title, path = "function", _NAMES.get(node.name, node.name), ""
        used = [leaf for leaf in leaves((node.args, node.kwargs)) if isinstance(leaf, Parameter)]
    new = [parameter for parameter in used if id(parameter) not in counted]
    counted.update(map(id, new))
    number = sum(parameter.numel() for parameter in new) if new or not used else None
    results = node.results()
    return Box(kind, title, path, shape_text(results[0]) if results else "", number)
