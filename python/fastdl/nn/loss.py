"""Losses as modules. Shapes that do not match raise ShapeError; nothing is broadcast."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "MSELoss"]

_REDUCTIONS = ("mean", "sum", "none")


class _Loss(Module):
    """A loss with its reduction.

    Args:
        reduction: "mean" or "sum" over all values of the loss, or "none". Default: "mean".
    """

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in _REDUCTIONS:
            raise ArgumentError(
                type(self).__name__,
                f"reduction is {reduction!r}, expected one of {', '.join(_REDUCTIONS)}",
            )
        self.reduction = reduction

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """Negative log-likelihood of classes under softmax.

    Shapes: input [N, C] (logits), target int64[N] with values 0 to C - 1; IndexRangeError for
    a class outside that range.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _core.cross_entropy(input, target, self.reduction)


class MSELoss(_Loss):
    """Squared difference. Shapes: input and target alike."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _core.mse_loss(input, target, self.reduction)


class BCELoss(_Loss):
    """Binary cross entropy of probabilities.

    Shapes: input (0 to 1) and target alike; logarithms are cut off at -100, as in PyTorch.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _core.binary_cross_entropy(input, target, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of logits, computed without overflow. Shapes: both alike."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _core.binary_cross_entropy_with_logits(input, target, self.reduction)
