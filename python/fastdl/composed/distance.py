"""Lengths, directions and distances of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from fastdl import _core
from fastdl.composed.door import composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]


@composed("autocast: full; input: floating; p: 0..; dim: dim of input; eps: 0..")
def normalize(
    input: ArrayLike, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12
) -> Tensor:
    """X / max(norm(x), eps), the p-norm being that along `dim`: vectors of length 1.

    `dim` may also be a sequence, over which the norm is taken together.
    """
    length = _core.norm(input, p, dim, True)
    return _core.div(input, _core.clamp(length, min=eps))


@composed("autocast: full; x1: floating; x2: like x1; dim: dim of x1; eps: 0..")
def cosine_similarity(x1: ArrayLike, x2: ArrayLike, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors: x1 . x2 / (max(|x1|, eps) max(|x2|, eps)).

    The vectors lie along `dim`, which the result does not have; the shapes are broadcast.
    """
    first, second = cast("Tensor", x1), cast("Tensor", x2)
    along = dim if dim < 0 else dim - max(first.ndim, second.ndim)  # the same of both
    lengths = [_core.clamp(_core.norm(x, 2.0, along, True), min=eps) for x in (first, second)]
    return _core.sum(first / lengths[0] * (second / lengths[1]), along)


@composed("autocast: full; x1: floating; x2: like x1; p: 0..; eps: 0..")
def pairwise_distance(
    x1: ArrayLike, x2: ArrayLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension; the shapes are broadcast.

    `eps` keeps the gradient finite where the vectors are equal.
    """
    return _core.norm(_core.add(_core.sub(x1, x2), eps), p, -1, keepdim)
