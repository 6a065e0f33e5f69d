"""Sizes, borders and equations that make no sense are refused, with a typed error.

Among them what other libraries were attacked with: products of sizes that overflow, counts that
allocate without bound, borders that read outside of the tensor, steps of 0.
"""

import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from fastdl.errors import (
    ArgumentError,
    DTypeError,
    Error,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)

HUGE = 2**55
X = fastdl.ones((2, 3, 5))
M = fastdl.ones((3, 5))
V = fastdl.ones((5,))
WIDE = fastdl.ones((1,)).expand(2**40)
NOTHING = fastdl.ones((0, 3))
LEAST = -(2**63)

CASES = {
    "split negative": (lambda: X.split(-1), ArgumentError),
    "split negative part": (lambda: X.split([4, -2], 0), ArgumentError),
    "split sizes": (lambda: X.split([1, 2], 0), ShapeError),
    "split sizes overflow": (lambda: X.split([2**63 - 1, 2**63 - 1, 4], 0), ShapeError),
    "split by 0": (lambda: X.split(0), ArgumentError),
    "split of a number": (lambda: fastdl.tensor(1.0).split(1), ShapeError),
    "split into too many": (lambda: WIDE.split(1), ArgumentError),
    "split dim": (lambda: X.split(1, 3), IndexRangeError),
    "chunk 0": (lambda: X.chunk(0), ArgumentError),
    "chunk of nothing into too many": (lambda: NOTHING.chunk(HUGE), ArgumentError),
    "unbind of a number": (lambda: fastdl.tensor(1.0).unbind(), ShapeError),
    "unbind too many": (lambda: WIDE.unbind(), ArgumentError),
    "repeat negative": (lambda: X.repeat(1, -1, 2), ArgumentError),
    "repeat too few": (lambda: X.repeat(2), ShapeError),
    "repeat overflow": (lambda: X.repeat(2**21, 2**21, 2**21), ShapeError),
    "repeat overflow of nothing": (lambda: NOTHING.repeat(1, 2**62), ShapeError),
    "repeat too much": (lambda: X.repeat(2**20, 2**20, 1), OutOfMemoryError),
    "tile overflow": (lambda: X.tile((HUGE, HUGE)), ShapeError),
    "tile dimensions": (lambda: X.tile([1] * 9), ShapeError),
    "repeat_interleave negative": (lambda: X.repeat_interleave(-1), ArgumentError),
    "repeat_interleave overflow": (lambda: X.repeat_interleave(2**62), ShapeError),
    "repeat_interleave dim": (lambda: X.repeat_interleave(2, 3), IndexRangeError),
    "flip dim": (lambda: X.flip(3), IndexRangeError),
    "flip twice": (lambda: X.flip(0, -3), ArgumentError),
    "roll without dims": (lambda: X.roll([1, 2]), ArgumentError),
    "roll counts": (lambda: X.roll([1, 2], [0]), ArgumentError),
    "roll dim": (lambda: X.roll(1, 5), IndexRangeError),
    "movedim counts": (lambda: X.movedim([0, 1], [2]), ArgumentError),
    "movedim twice": (lambda: X.movedim([0, 0], [1, 2]), ArgumentError),
    "unflatten product": (lambda: X.unflatten(2, [2, 3]), ShapeError),
    "unflatten overflow": (lambda: X.unflatten(2, [HUGE, HUGE]), ShapeError),
    "unflatten two unknown": (lambda: X.unflatten(2, [-1, -1]), ShapeError),
    "unflatten negative": (lambda: X.unflatten(2, [-5, -1]), ShapeError),
    "unflatten by 0": (lambda: X.unflatten(2, [0, -1]), ShapeError),
    "broadcast_to": (lambda: X.broadcast_to(2, 3, 4), ShapeError),
    "broadcast_to overflow": (lambda: F.broadcast_to(V, [HUGE, HUGE, 5]), ShapeError),
    "meshgrid of matrices": (lambda: F.meshgrid([M, V]), ShapeError),
    "meshgrid overflow": (lambda: F.meshgrid([WIDE, WIDE]), ShapeError),
    "meshgrid dimensions": (lambda: F.meshgrid([V] * 9), ShapeError),
    "meshgrid word": (lambda: F.meshgrid([V], indexing="yx"), ArgumentError),
    "tril of a vector": (lambda: V.tril(), ShapeError),
    "diagonal of one dimension": (lambda: X.diagonal(0, 1, -2), ArgumentError),
    "diagonal of a vector": (lambda: V.diagonal(), ShapeError),
    "diag overflow": (lambda: V.diag(2**62), ShapeError),
    "diag least": (lambda: V.diag(LEAST), ShapeError),
    "diag rank": (lambda: X.diag(), ShapeError),
    "mT of a vector": (lambda: V.mT, ShapeError),
    "pad odd": (lambda: F.pad(X, [1]), ArgumentError),
    "pad too many": (lambda: F.pad(X, [0] * 8), ArgumentError),
    "pad huge": (lambda: F.pad(X, [HUGE, 0]), ArgumentError),
    "pad least": (lambda: F.pad(X, [LEAST, 0]), ArgumentError),
    "pad overflow": (lambda: F.pad(X, [2**24] * 6), (ShapeError, OutOfMemoryError)),
    "pad crops too much": (lambda: F.pad(X, [-3, -3]), ShapeError),
    "pad mode": (lambda: F.pad(X, [1, 1], "mirror"), ArgumentError),
    "pad value": (lambda: F.pad(X, [1, 1], "reflect", 1.0), ArgumentError),
    "pad reflect": (lambda: F.pad(X, [5, 0], "reflect"), ShapeError),
    "pad reflect behind": (lambda: F.pad(X, [0, 0, 0, 3], "reflect"), ShapeError),
    "pad circular": (lambda: F.pad(X, [6, 0], "circular"), ShapeError),
    "pad circular of what is left": (lambda: F.pad(X, [3, -3], "circular"), ShapeError),
    "pad reflect of nothing": (lambda: F.pad(NOTHING.T, [1, 0], "reflect"), ShapeError),
    "pad replicate of nothing": (lambda: F.pad(NOTHING.T, [1, 0], "replicate"), ShapeError),
    "unfold window": (lambda: F.unfold(X, 4), ShapeError),
    "unfold kernel 0": (lambda: F.unfold(X, 0), ArgumentError),
    "unfold stride 0": (lambda: F.unfold(X, 2, stride=0), ArgumentError),
    "unfold padding": (lambda: F.unfold(X, 2, padding=HUGE), ArgumentError),
    "unfold dilation": (lambda: F.unfold(X, 2, dilation=2**24), ShapeError),
    "unfold rank": (lambda: F.unfold(M, 2), ShapeError),
    "unfold integers": (lambda: F.unfold(X.long(), 2), DTypeError),
    "fold places": (lambda: F.fold(fastdl.ones((2, 5, 9)), 4, 2), ShapeError),
    "fold windows": (lambda: F.fold(fastdl.ones((2, 4, 8)), 4, 2), ShapeError),
    "fold size 0": (lambda: F.fold(fastdl.ones((2, 4, 9)), 0, 2), ArgumentError),
    "fold size huge": (lambda: F.fold(fastdl.ones((2, 4, 9)), HUGE, 2), ArgumentError),
    "fold of nothing": (
        lambda: F.fold(fastdl.ones((1, 0, 2**48)), 2**24, 2**24, padding=2**24),
        ShapeError,
    ),
    "windows": (lambda: X.unfold(2, 6, 1), ShapeError),
    "windows step 0": (lambda: X.unfold(2, 2, 0), ArgumentError),
    "windows negative": (lambda: X.unfold(2, -1, 1), ArgumentError),
    "windows of a number": (lambda: fastdl.tensor(1.0).unfold(0, 1, 1), ShapeError),
    "windows overflow": (lambda: WIDE.unfold(0, 2**39, 1), ShapeError),
    "arange step 0": (lambda: fastdl.arange(0, 1, 0), ArgumentError),
    "arange nan": (lambda: fastdl.arange(0, math.nan), ArgumentError),
    "arange step nan": (lambda: fastdl.arange(0, 1, math.nan), ArgumentError),
    "arange infinite": (lambda: fastdl.arange(0, math.inf), ArgumentError),
    "arange overflow": (lambda: fastdl.arange(0, 1e300), ShapeError),
    "arange too much": (lambda: fastdl.arange(0, 2**50), OutOfMemoryError),
    "arange inexact": (lambda: fastdl.arange(2**60, 2**60 + 3), ArgumentError),
    "linspace negative": (lambda: fastdl.linspace(0, 1, -1), ArgumentError),
    "linspace nan": (lambda: fastdl.linspace(0, math.nan, 3), ArgumentError),
    "linspace overflow": (lambda: fastdl.linspace(0, 1, 2**62), ShapeError),
    "eye negative": (lambda: fastdl.eye(-1), ArgumentError),
    "eye overflow": (lambda: fastdl.eye(2**40), ShapeError),
    "full overflow": (lambda: fastdl.full((2**40, 2**40), 1.0), ShapeError),
    "mm ranks": (lambda: F.mm(X, M), ShapeError),
    "bmm batches": (lambda: F.bmm(X, fastdl.ones((3, 5, 4))), ShapeError),
    "mv sizes": (lambda: F.mv(M, fastdl.ones((4,))), ShapeError),
    "dot sizes": (lambda: F.dot(V, fastdl.ones((4,))), ShapeError),
    "dot dtypes": (lambda: F.dot(V, V.double()), DTypeError),
    "outer of matrices": (lambda: F.outer(M, V), ShapeError),
    "addmm grows": (lambda: F.addmm(X, M, M.T), ShapeError),
    "addmm sizes": (lambda: F.addmm(V, M, M.T), ShapeError),
    "baddbmm sizes": (lambda: F.baddbmm(V, X, X), ShapeError),
    "einsum operands": (lambda: F.einsum("ij,jk", M), ArgumentError),
    "einsum nothing": (lambda: F.einsum(""), ArgumentError),
    "einsum letter": (lambda: F.einsum("i1->i", M), ArgumentError),
    "einsum two dots": (lambda: F.einsum("......->", M), ArgumentError),
    "einsum rank": (lambda: F.einsum("i->i", M), ShapeError),
    "einsum sizes": (lambda: F.einsum("ij,jk", M, M), ShapeError),
    "einsum diagonal": (lambda: F.einsum("ii->i", M), ShapeError),
    "einsum result": (lambda: F.einsum("ij->k", M), ArgumentError),
    "einsum result twice": (lambda: F.einsum("ij->ii", M), ArgumentError),
    "einsum dtypes": (lambda: F.einsum("ij,j->i", M, V.double()), DTypeError),
    "tensordot dims": (lambda: F.tensordot(M, M, 3), ArgumentError),
    "tensordot negative": (lambda: F.tensordot(M, M, -1), ArgumentError),
    "tensordot sizes": (lambda: F.tensordot(M, M, 1), ShapeError),
    "tensordot twice": (lambda: F.tensordot(M, M, [[0, 0], [0, 1]]), ArgumentError),
    "tensordot dim": (lambda: F.tensordot(M, M, [[2], [0]]), ArgumentError),
    "ConstantPad2d": (lambda: nn.ConstantPad2d((1, 2), 0.0), ArgumentError),
}


@pytest.mark.parametrize("name", CASES)
def test_typed_error(name):
    call, kind = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, Error)
    assert caught.value.op
    assert caught.value.remedy


def test_shifts_and_offsets_of_any_size():
    """What only matters modulo a size, or beyond a corner, may be as large as it likes."""
    for shift in (LEAST, 2**63 - 1):
        np.testing.assert_array_equal(
            V.cumsum(0).roll(shift, 0).numpy(), np.roll(np.arange(1, 6), shift % 5)
        )
        assert M.diagonal(shift).shape == (0,)
    np.testing.assert_array_equal(M.tril(LEAST).numpy(), 0)
    np.testing.assert_array_equal(M.triu(2**63 - 1).numpy(), 0)
    np.testing.assert_array_equal(M.tril(2**63 - 1).numpy(), M.numpy())
