"""Losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["l1_loss"]

ELEMENTWISE = "input: floating [...S]; target: like input [...S]; reduction: one of none mean sum"


@composed(ELEMENTWISE)
def l1_loss(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """|input - target|, elementwise; its gradient where they are equal is 0.

    Different shapes raise ShapeError: losses do not broadcast.
    """
    return reduced(_core.abs(_core.sub(input, target)), reduction)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The loss of each element, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
