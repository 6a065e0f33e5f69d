"""Pooling over images."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.conv import Pair
from fastdl.nn.module import Module

__all__ = ["AvgPool2d", "MaxPool2d"]


class MaxPool2d(Module):
    """The largest value of each window.

    Args:
        kernel_size: height and width of the window; one number for a square.
        stride: step of the window. Default: `kernel_size`.
        padding: rows and columns of -infinity on each side. Default: 0.
        dilation: distance between two elements of a window. Default: 1.
        ceil_mode: whether a window may hang over the edge. Default: False.

    Shapes: input [N, C, H, W], output [N, C, H', W'].
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return _core.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window.

    Args:
        kernel_size: height and width of the window; one number for a square.
        stride: step of the window. Default: `kernel_size`.
        padding: rows and columns of zeros on each side. Default: 0.
        ceil_mode: whether a window may hang over the edge. Default: False.
        count_include_pad: whether the zeros count in the mean. Default: True.

    Shapes: input [N, C, H, W], output [N, C, H', W'].
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return _core.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
