"""Lowering: a traced graph becomes one with fewer, larger steps. `lower` lists the passes.

Every pass goes over the nodes once, in order. A value that a pass makes superfluous is replaced by
another in what follows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.compiler.formats import choose_format
from fastdl.compiler.graph import Graph, Node, Value, replace, values_in

__all__ = ["Folded", "lower"]

_PRODUCTS = {"conv2d": _core.conv2d_fused, "linear": _core.linear_fused}
_TAKERS = _PRODUCTS | {"batch_norm": _core.batch_norm}
_PARAMETERS = {
    row["name"]: [
        parameter.split(":")[0].strip()
        for parameter in row["signature"].split("(", 1)[1].rsplit(")", 1)[0].split(",")
    ]
    for row in _core._signatures()
    if row["name"] in ("add", "batch_norm", "conv2d", "linear", "relu")
}


class Fold(NamedTuple):
    """A weight and a bias with batch norm in them."""

    weight: Tensor
    bias: Tensor
    sources: tuple[Tensor | None, ...]  # kept, so that nothing else comes to lie at their addresses


Folded = dict[tuple[Any, ...], Fold]


def lower(graph: Graph, folded: Folded) -> Graph:
    """Drop what is not needed, fold batch norm, fuse epilogues, choose the memory format.

    Args:
        graph: as traced; it is used up.
        folded: weights and biases with batch norm in them, made so far for the same parameters.
    """
    _drop_unused(graph)
    _allow_formats(graph)
    _fuse(graph, folded)
    choose_format(graph)
    return graph


def _drop_unused(graph: Graph) -> None:
    needed = set(values_in(graph.outputs))
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.results()):
            needed.update(node.operands())
            kept.append(node)
    graph.nodes = kept[::-1]


def _allow_formats(graph: Graph) -> None:
    """A view that depends on the order of elements in memory becomes a reshape."""
    for node in graph.nodes:
        if node.name == "view":
            node.operation, node.name = _core.reshape, "reshape"


# fusion


def _fuse(graph: Graph, folded: Folded) -> None:
    uses = graph.uses()
    new: dict[Value, Value] = {}
    makers: dict[Value, Node] = {}  # those that take an epilogue, by their result
    nodes: dict[Node, None] = {}  # in order, quick to remove from
    for node in graph.nodes:
        node.substitute(new)
        maker = _absorber(node, makers, uses, folded)
        if maker is None:
            nodes[node] = None
            if _take_epilogue(node):
                makers[node.result] = node
            continue
        # It moves behind its new operand, which nothing in between can notice: only `node` read it.
        del nodes[maker]
        nodes[maker] = None
        maker.fused.append(node.name)
        new[node.result] = maker.result
        uses[maker.result] = uses[node.result]
    graph.nodes = list(nodes)
    graph.outputs = replace(graph.outputs, new)


def _bound(node: Node) -> dict[str, Any]:
    return dict(zip(_PARAMETERS[node.name], node.args, strict=False)) | node.kwargs


def _take_epilogue(node: Node) -> bool:
    """Rewrite a node as a call that takes a residual and an activation, where there is one."""
    if node.name not in _TAKERS:
        return False
    bound = _bound(node)
    x, weight, bias = bound["input"], bound.get("weight"), bound.get("bias")
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        return False
    if x.device != "cpu" or x.dtype not in (_core.float32, _core.float64):
        return False
    if node.name == "conv2d" and len(x.shape) != 4:
        return False  # one image: the dimensions of its result are others than those of a batch
    bound["weight"] = None if weight is None else _packable(weight.detach())
    bound["bias"] = None if bias is None else bias.detach()
    node.operation, node.args = _TAKERS[node.name], ()
    node.kwargs = {"residual": None, "activation": "none"} | bound
    return True


def _packable(weight: Tensor) -> Tensor:
    """The weight as one whose packed form is kept, which would be made anew in every call else."""
    return weight.clone() if weight._shared else weight.contiguous()


def _absorber(
    node: Node, makers: dict[Value, Node], uses: Counter[Value], folded: Folded
) -> Node | None:
    """The maker of an operand that does `node`'s work from now on, or None."""
    rule = {"batch_norm": _fold, "add": _add_residual, "relu": _activate}.get(node.name)
    if rule is None:
        return None
    bound = _bound(node)
    for operand in (bound["input"], bound.get("other")):
        maker = makers.get(operand) if isinstance(operand, Value) else None
        if (
            maker is not None
            and uses[maker.result] == 1
            and maker.kwargs["activation"] == "none"
            and rule(maker, node, bound, folded)
        ):
            return maker
    return None


def _activate(maker: Node, node: Node, _bound: dict[str, Any], _folded: Folded) -> bool:
    maker.kwargs["activation"] = node.name
    return True


def _add_residual(maker: Node, node: Node, bound: dict[str, Any], _folded: Folded) -> bool:
    other = bound["other"] if bound["input"] is maker.result else bound["input"]
    if maker.kwargs["residual"] is not None or not isinstance(other, Value):
        return False
    if not maker.result.shape == other.shape == node.result.shape:
        return False
    maker.kwargs["residual"] = other
    return True


def _fold(maker: Node, node: Node, bound: dict[str, Any], folded: Folded) -> bool:
    mean, variance = bound.get("running_mean"), bound.get("running_var")
    affine = bound.get("weight"), bound.get("bias")
    if maker.name not in _PRODUCTS or maker.kwargs["residual"] is not None:
        return False
    if bound.get("training", False) or any(isinstance(part, Value) for part in affine):
        return False
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return False
    if maker.name == "linear" and len(node.result.shape) != 2:
        return False  # the channels of a sequence are not the features that the layer made
    sources = maker.kwargs["weight"], maker.kwargs["bias"], mean, variance, *affine
    eps = bound.get("eps", 1e-5)
    key = (eps, *(None if part is None else part.data_ptr() for part in sources))
    if key not in folded:
        with no_grad():
            folded[key] = Fold(*_fold_affine(*sources, eps), sources)
    maker.kwargs["weight"], maker.kwargs["bias"], _ = folded[key]
    epilogue = ("residual", "activation", "slope")  # it may have one of its own
    maker.kwargs |= {name: bound[name] for name in epilogue if name in bound}
    return True


def _fold_affine(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Batch norm in inference is an affine map per channel, so part of weight and bias.

    With scale = gamma / sqrt(variance + eps): weight' = weight scale, and
    bias' = (bias - mean) scale + beta. All in float64, rounded once.
    """
    scale = (variance.double() + eps).rsqrt()
    if gamma is not None:
        scale = scale * gamma.double()
    shift = -mean.double() if bias is None else bias.double() - mean.double()
    shift = shift * scale
    if beta is not None:
        shift = shift + beta.double()
    per_filter = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return (weight.double() * per_filter).to(weight.dtype), shift.to(weight.dtype)
