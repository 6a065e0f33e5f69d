"""Products with an epilogue: activation(product + bias + residual)."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor

__all__ = ["linear"]


def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str = "none",
    slope: float = 0.0,
) -> Tensor:
    """`fastdl.functional.linear` with an epilogue."""
    return _finish(_core.linear(input, weight, bias), residual, activation)


def _finish(y: Tensor, residual: Tensor | None, activation: str) -> Tensor:
    if residual is not None:
        y = y + residual
    return _core.relu(y) if activation == "relu" else y
