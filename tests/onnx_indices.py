"""ONNX's operators of indices in terms of `fastdl.functional`."""

from __future__ import annotations

import math

import fastdl
import fastdl.functional as F
from tests.onnx_common import scalar


def from_start(index, size):
    """Indices that may count from the end, as int64 from the start."""
    return F.where(index < 0, index + size, index).long()


def gather(inputs, attributes):
    x, index = inputs
    axis = attributes.get("axis", 0) % x.ndim
    flat = F.index_select(x, axis, from_start(index, x.shape[axis]).reshape(-1))
    return flat.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def elements(inputs, attributes):
    x, index = inputs
    axis = attributes.get("axis", 0)
    return F.gather(x, axis, from_start(index, x.shape[axis]))


def scattered(x, axis, index, updates, how):
    """Updates put at an index, or reduced with what is there."""
    if how == "none":
        return F.scatter(x, axis, index, updates)
    names = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
    return F.scatter_reduce(x, axis, index, updates, names[how])


def scatter_elements(inputs, attributes):
    x, index, updates = inputs
    axis = attributes.get("axis", 0)
    index = from_start(index, x.shape[axis])
    return scattered(x, axis, index, updates, attributes.get("reduction", "none"))


def rows_of(index, shape):
    """The flat numbers of index[..., k], coordinates in the first k dimensions of a shape."""
    rows = fastdl.zeros(index.shape[:-1]).long()
    for i in range(index.shape[-1]):
        rows = rows * shape[i] + from_start(index[..., i], shape[i])
    return rows


def gather_nd(inputs, attributes):
    x, index = inputs
    batch, k = attributes.get("batch_dims", 0), index.shape[-1]
    inner = x.shape[batch : batch + k]
    rows = rows_of(index, inner)
    if batch:  # every sample reads its own rows
        samples = math.prod(x.shape[:batch])
        first = fastdl.arange(samples).reshape([*x.shape[:batch], *[1] * (rows.ndim - batch)])
        rows = rows + first * math.prod(inner)
    rest = x.shape[batch + k :]
    flat = F.index_select(x.reshape([-1, *rest]), 0, rows.reshape(-1))
    return flat.reshape([*rows.shape, *rest])


def scatter_nd(inputs, attributes):
    x, index, updates = inputs
    k, rest = index.shape[-1], x.shape[index.shape[-1] :]
    rows, flat = rows_of(index, x.shape[:k]), x.reshape([-1, *rest])
    updates = updates.reshape([-1, *rest])
    rows = rows.reshape([-1, *[1] * len(rest)]).expand(updates.shape)
    return scattered(flat, 0, rows, updates, attributes.get("reduction", "none")).reshape(x.shape)


def compress(inputs, attributes):
    x, condition = inputs
    axis = attributes.get("axis")
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    return F.index_select(x, axis, F.nonzero(condition).reshape(-1))


def unique(inputs, attributes):
    x, axis = inputs[0], attributes.get("axis")
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    values, inverse, counts = F.unique(x, return_inverse=True, return_counts=True, dim=axis)
    # The places of each value follow each other in a stable order; the first of them is wanted.
    first = F.argsort(inverse, stable=True)[F.cumsum(counts, 0) - counts]
    if not attributes.get("sorted", 1):
        order = F.argsort(first)
        values, first, counts = F.index_select(values, axis, order), first[order], counts[order]
        inverse = F.argsort(order)[inverse]
    return values, first, inverse, counts


def one_hot(inputs, attributes):
    index, depth, values = inputs
    depth = int(scalar(depth))
    index = from_start(index, depth)
    inside = (index >= 0).logical_and(index < depth)
    hot = F.one_hot(F.where(inside, index, 0), depth) * inside.long().unsqueeze(-1)
    axis = attributes.get("axis", -1)
    hot = F.movedim(hot, -1, axis) if axis != -1 else hot
    off, on = values.tolist()
    return F.where(hot == 1, on, off).to(values.dtype)


def top_k(inputs, attributes):
    largest, ordered = bool(attributes.get("largest", 1)), bool(attributes.get("sorted", 1))
    return F.topk(inputs[0], int(scalar(inputs[1])), attributes.get("axis", -1), largest, ordered)


OPERATORS = {
    "Gather": gather, "GatherElements": elements, "GatherND": gather_nd,
    "Scatter": scatter_elements, "ScatterElements": scatter_elements, "ScatterND": scatter_nd,
    "Compress": compress, "Unique": unique, "OneHot": one_hot, "TopK": top_k,
    "NonZero": lambda i, a: F.nonzero(i[0]).T,
}  # fmt: skip
