"""The memory format of a lowered graph: channels-last where that makes convolutions faster."""

from __future__ import annotations

import math

from fastdl import _core
from fastdl.compiler.graph import Graph, Node, Value, replace, values_in
from fastdl.symbolic import Method

__all__ = ["choose_format"]

# Convolutions of fewer channels have kernels of their own for images that lie channel by channel.
_FEW_CHANNELS = 8
# Operations whose result lies as their operand does; after others a conversion is noted, which
# costs nothing where the operand turns out to be in channels-last already.
_KEEPING = frozenset(
    {"add", "avg_pool2d", "batch_norm", "div", "max_pool2d", "mul", "relu", "sigmoid"}
    | {"sub", "tanh"}
)
_contiguous = Method("contiguous")


def choose_format(graph: Graph) -> None:
    """Have the convolutions read and write channels-last, if that pays.

    An input of the graph that one of them reads is brought into that format as it comes in, and
    outputs leave as an eager call would leave them.
    """
    if not _pays([node for node in graph.nodes if _is_convolution(node)]):
        return
    inputs = set(graph.inputs)
    last: dict[Value, Value] = {}  # the values that have a channels-last form, and that form
    nodes: list[Node] = []
    for node in graph.nodes:
        if _is_convolution(node) and (x := node.kwargs["input"]) not in last:
            if x in inputs:
                graph.formats[x] = _core.channels_last
                last[x] = x
            else:
                nodes.append(_conversion(x, _core.channels_last))
                last[x] = nodes[-1].result
        if _is_convolution(node):
            node.substitute(last)
        if _is_convolution(node) or (node.name in _KEEPING and _reads(node, last)):
            last |= {value: value for value in node.results()}
        nodes.append(node)
    for value in dict.fromkeys(values_in(graph.outputs)):
        if len(value.shape) == 4:
            nodes.append(_conversion(value, _core.contiguous_format))
            graph.outputs = replace(graph.outputs, {value: nodes[-1].result})
    graph.nodes = nodes


def _pays(convolutions: list[Node]) -> bool:
    """Whether most multiplications are in layers of many channels, or of one filter a channel."""
    work = {True: 0, False: 0}
    for node in convolutions:
        weight, groups = node.kwargs["weight"], node.kwargs.get("groups", 1)
        filters, channels = weight.shape[:2]
        many = channels >= _FEW_CHANNELS or (channels == 1 and groups == filters)
        work[many] += math.prod(node.result.shape) * math.prod(weight.shape[1:])
    return work[True] > work[False]


def _is_convolution(node: Node) -> bool:
    return node.name == "conv2d" and node.operation is _core.conv2d_fused


def _reads(node: Node, last: dict[Value, Value]) -> bool:
    operands = node.operands()
    return bool(operands) and all(value in last for value in operands)


def _conversion(value: Value, target: _core.memory_format) -> Node:
    kwargs = {"memory_format": target}
    return Node(_contiguous, "contiguous", (value,), kwargs, "", Value(value))
