"""Products with an epilogue: activation(product + bias + residual)."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl._core import Tensor

__all__ = ["conv2d", "linear"]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str = "none",
    slope: float = 0.0,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """`fastdl.functional.conv2d` with an epilogue."""
    y = _core.conv2d(input, weight, bias, stride, padding, dilation, groups)
    return _finish(y, residual, activation)


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
