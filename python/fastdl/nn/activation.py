"""Activations as modules. Shapes pass through unchanged."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = ["LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.relu(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.sigmoid(input)


class Softmax(Module):
    """exp(x) / sum(exp(x)) over a dimension.

    Args:
        dim: the dimension whose values sum to one. Default: -1.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax, computed without overflow.

    Args:
        dim: the dimension whose probabilities sum to one. Default: -1.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
