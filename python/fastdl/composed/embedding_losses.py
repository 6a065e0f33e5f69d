"""Losses that compare pairs or triplets of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.composed.losses import REDUCTION, reduced

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = [
    "contrastive_loss",
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "triplet_margin_loss",
]

PAIR = "input1: floating [N, D]; input2: like input1 [N, D]; target: number [N]; " + REDUCTION
# Keeps the gradient of a square root finite at 0, and changes no distance that float32 can see.
TINY = 1e-12


def distance(a: Tensor, b: Tensor, p: float = 2.0, eps: float = 0.0) -> Tensor:
    """The p-norm of a - b + eps along the last dimension."""
    d = a - b + eps if eps else a - b
    return _core.norm(d, p, -1)


def hinge(x: Tensor) -> Tensor:
    """max(0, x), with a gradient of 1 at 0, as in PyTorch's losses: at the margin they pull."""
    return x.clamp(min=0)


@composed(PAIR + "; margin: 0..")
def contrastive_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """d**2 / 2 for pairs that belong together (target 1), max(0, margin - d)**2 / 2 for others (0).

    d is the distance of input1[N, D] and input2[N, D], for others the root of d**2 + 1e-12.
    Hadsell et al., 2006, equation 4 (whose targets are the other way round).
    """
    difference = _core.sub(input1, input2)
    squared = (difference * difference).sum(1)
    apart = (margin - (squared + TINY).sqrt()).relu()
    together = as_tensor(target).to(squared.dtype)
    return reduced(0.5 * (together * squared + (1 - together) * apart * apart), reduction)


@composed(PAIR + "; margin: -1..1")
def cosine_embedding_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1.

    Squared lengths have 1e-12 added, as in PyTorch.
    """
    a, b = as_tensor(input1), as_tensor(input2)
    lengths = ((a * a).sum(1) + TINY) * ((b * b).sum(1) + TINY)
    cosine = (a * b).sum(1) / lengths.sqrt()
    alike = as_tensor(target) == 1
    return reduced(_core.where(alike, 1 - cosine, hinge(cosine - margin)), reduction)


@composed("input: floating [...S]; target: number [...S]; " + REDUCTION)
def hinge_embedding_loss(
    input: ArrayLike, target: ArrayLike, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Input where target is 1, max(0, margin - input) where it is -1."""
    x = as_tensor(input)
    return reduced(_core.where(as_tensor(target) == 1, x, hinge(margin - x)), reduction)


@composed("input1: floating [...S]; input2, target: like input1 [...S]; " + REDUCTION)
def margin_ranking_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target (input1 - input2)): 1 asks for the first to be larger, -1 smaller."""
    return reduced(hinge(margin - _core.mul(target, _core.sub(input1, input2))), reduction)


@composed(
    "anchor: floating [N, D]; positive, negative: like anchor [N, D]; p: above 0; eps: 0..; "
    + REDUCTION
)
def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm of the difference.

    Schroff et al., 2015 (FaceNet). All are [N, D]; `eps` is added to differences, so that the
    gradient at 0 is finite. With `swap` the nearer of anchor and positive is compared with the
    negative (Balntas et al., 2016).
    """
    a, b, c = as_tensor(anchor), as_tensor(positive), as_tensor(negative)
    near, far = distance(a, b, p, eps), distance(a, c, p, eps)
    if swap:
        far = _core.minimum(far, distance(b, c, p, eps))
    return reduced(hinge(near - far + margin), reduction)
