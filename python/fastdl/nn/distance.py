"""Similarity and distance of vectors."""

from __future__ import annotations

from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """The cosine of the angle between vectors: x1 . x2 / (max(|x1|, eps) max(|x2|, eps)).

    Args:
        dim: the dimension along which the vectors lie. Default: 1.
        eps: the least length. Default: 1e-8.

    Shapes: two inputs that broadcast; the output has no dimension `dim`.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, eps={self.eps}"


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last dimension.

    Args:
        p: the order of the norm, 0 or more. Default: 2.
        eps: added to each difference. Default: 1e-6.
        keepdim: whether the last dimension stays, of size 1. Default: False.

    Shapes: two inputs [..., D] that broadcast, output [...].
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.p = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        return f"p={self.p}, eps={self.eps}, keepdim={self.keepdim}"
