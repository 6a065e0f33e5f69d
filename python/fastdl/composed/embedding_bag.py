"""Sums, means and maxima of rows of a table."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.errors import ArgumentError, IndexRangeError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["embedding_bag", "padding_row"]

OP = "embedding_bag"


@composed(
    "input: index [count] or [bags, length]; weight: floating [entries, features]; "
    "offsets: index [starts]; mode: one of sum mean max; "
    "per_sample_weights: like weight [count] or [bags, length]"
)
def embedding_bag(
    input: ArrayLike,
    weight: ArrayLike,
    offsets: ArrayLike | None = None,
    mode: str = "mean",
    per_sample_weights: ArrayLike | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag of indices: [bags, features].

    weight[entries, features] is the table. input is int64 [bags, length], a bag a row, or [count]
    with `offsets`[bags], int64, where each bag starts: from 0, not decreasing, at most `count`;
    with `include_last_offset` one more says where the last bag ends, which is `count`. An empty bag
    gives zeros. `per_sample_weights`, shaped like input, scale the rows, for mode "sum" only;
    entries equal to `padding_idx` do not count. The gradient of a maximum goes to the first.
    PyTorch's `max_norm`, `scale_grad_by_freq` and `sparse` are left out.
    Raises IndexRangeError for indices and offsets out of range, ArgumentError for the rest.
    """
    index, table = as_tensor(input), as_tensor(weight)
    if per_sample_weights is not None and mode != "sum":
        raise ArgumentError(
            OP, f"per_sample_weights are given for mode {mode!r}", remedy="use mode 'sum'"
        )
    bag, bags, longest = _bags(index, offsets, include_last_offset)
    flat = _core.reshape(index, (index.numel(),))
    rows = _core.embedding(flat, table)
    counts = None  # which rows count, None for all of them
    if padding_idx is not None:
        counts = flat != padding_row(OP, padding_idx, table.shape[0])
    if mode == "max":
        return _maxima(rows, bag, bags, longest, counts)
    if per_sample_weights is not None:
        scale = _core.reshape(per_sample_weights, (flat.shape[0], 1))
        rows = rows * scale
    if counts is not None:
        rows = _core.where(counts.unsqueeze(1), rows, 0.0)
    if index.ndim == 2:
        total = _core.reshape(rows, (*index.shape, table.shape[1])).sum(1)
    else:
        # A running sum in 16 bits stands still once it is some hundred times as large as a row.
        half = table.dtype in (_core.float16, _core.bfloat16)
        rows = rows.to(_core.float32) if half else rows
        zeros = _core.zeros((bags, table.shape[1]), dtype=rows.dtype, device=rows.device)
        total = _core.scatter_add(zeros, 0, _core.expand(bag.unsqueeze(1), rows.shape), rows)
        total = total.to(table.dtype) if half else total
    if mode == "sum":
        return total
    sizes = _core.maximum(_sizes(bag, bags, counts), 1)
    return total / sizes.to(table.dtype).unsqueeze(1)


def padding_row(op: str, padding_idx: int, entries: int) -> int:
    """The row that `padding_idx` names, counted from the end where it is negative."""
    if not -entries <= padding_idx < entries:
        raise IndexRangeError(
            op,
            f"padding_idx is {padding_idx}, but the table has {entries} entries",
            remedy="name a row of the table, or None",
        )
    return padding_idx % entries


def _bags(index: Tensor, offsets: ArrayLike | None, include_last: bool) -> tuple[Tensor, int, int]:
    """The number of the bag of each index in turn, how many bags there are, the longest one."""
    count, device = index.numel(), index.device
    if index.ndim == 2:
        if offsets is not None:
            raise ArgumentError(
                OP, "offsets are given beside an input of two dimensions", remedy="pass one of them"
            )
        bags, length = index.shape
        every = _core.arange(bags, device=device).unsqueeze(1)
        return _core.reshape(_core.expand(every, (bags, length)), (count,)), bags, length
    if offsets is None:
        raise ArgumentError(
            OP,
            "an input of one dimension has no offsets",
            remedy="say where bags start, or pass [bags, length]",
        )
    starts = as_tensor(offsets).tolist()
    _check_offsets(starts, count, include_last)
    bags = len(starts) - include_last
    # At each start stands how many bags start there; the running sum is the number of the bag.
    marks = _core.zeros((count + 1,), dtype="int64", device=device)
    ones = _core.ones((bags,), dtype="int64", device=device)
    marks = marks.scatter_add(0, as_tensor(offsets).narrow(0, 0, bags), ones)
    longest = max((b - a for a, b in pairwise([*starts, count])), default=0)
    return _core.cumsum(marks, 0).narrow(0, 0, count) - 1, bags, longest


def _check_offsets(starts: list[int], count: int, include_last: bool) -> None:
    if not starts:
        if count or include_last:
            raise ArgumentError(OP, "there are no offsets", remedy="begin with 0")
        return
    if starts[0] != 0:
        raise ArgumentError(OP, f"offsets start with {starts[0]}", remedy="begin with 0")
    for at, (a, b) in enumerate(pairwise(starts)):
        if b < a:
            raise ArgumentError(
                OP,
                f"offset {at + 1} is {b}, less than the {a} before",
                remedy="pass offsets that do not decrease",
            )
    if starts[-1] > count:
        raise IndexRangeError(
            OP,
            f"the last offset is {starts[-1]}, but there are {count} indices",
            remedy="pass offsets of at most the number of indices",
        )
    if include_last and starts[-1] != count:
        raise ArgumentError(
            OP,
            f"the last offset is {starts[-1]}, but the last bag ends at {count}",
            remedy="end with the number of indices, or leave include_last_offset",
        )


def _maxima(rows: Tensor, bag: Tensor, bags: int, longest: int, counts: Tensor | None) -> Tensor:
    """The largest element of each feature over the rows of each bag.

    Which row that is, is found first and without a gradient: by windows from each row on that
    double in length, within the bag. The elements are then looked up there.
    """
    n, features = rows.shape
    device = rows.device
    if n == 0:
        return _core.matmul(_core.zeros((bags, 0), dtype=rows.dtype, device=device), rows)
    best = rows.detach()
    if counts is not None:
        best = _core.where(counts.unsqueeze(1), best, -math.inf)
    number = _core.arange(n, device=device)
    at = _core.expand(number.unsqueeze(1), (n, features))
    step = 1
    while step < longest:
        rest = n - step
        within = bag.narrow(0, 0, rest) == bag.narrow(0, step, rest)
        here, there = best.narrow(0, 0, rest), best.narrow(0, step, rest)
        take = _core.logical_and(within.unsqueeze(1), there > here)
        at_there = _core.where(take, at.narrow(0, step, rest), at.narrow(0, 0, rest))
        best_there = _core.where(take, there, here)
        best = _core.cat([best_there, best.narrow(0, rest, step)])
        at = _core.cat([at_there, at.narrow(0, rest, step)])
        step *= 2
    # The first row of each bag has the whole bag in its window; an empty bag reads any row.
    sizes = _sizes(bag, bags, None)
    first = _core.minimum(_core.cumsum(sizes, 0) - sizes, n - 1)
    values = rows.gather(0, _core.embedding(first, at))
    return _core.where((_sizes(bag, bags, counts) == 0).unsqueeze(1), 0.0, values)


def _sizes(bag: Tensor, bags: int, counts: Tensor | None) -> Tensor:
    """How many rows count in each bag."""
    ones = _core.ones(bag.shape, dtype="int64", device=bag.device)
    ones = ones if counts is None else counts.to(_core.int64)
    return _core.zeros((bags,), dtype="int64", device=bag.device).scatter_add(0, bag, ones)
