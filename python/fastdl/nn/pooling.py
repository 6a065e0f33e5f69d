"""Pooling over images."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.conv import Pair, pair
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d"]


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


class AdaptiveAvgPool2d(Module):
    """The mean of windows that are as large as they must be for an output of the given size.

    Output row i is the mean of the input rows from floor(i H / H') up to ceil((i + 1) H / H'), and
    columns likewise; windows overlap where the output does not divide the input.

    Args:
        output_size: height H' and width W' of the output; one number for a square.

    Shapes: input [N, C, H, W], output [N, C, H', W'].

    Raises:
        ShapeError: the input is not [N, C, H, W], or H or W is 0.
    """

    def __init__(self, output_size: Pair) -> None:
        self.output_size = pair(output_size)
        height, width = self.output_size
        require_positive("AdaptiveAvgPool2d", output_height=height, output_width=width)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4 or 0 in input.shape[2:]:
            raise ShapeError(
                "adaptive_avg_pool2d",
                "expected images [N, C, H, W] of at least one pixel",
                {"input": str(list(input.shape))},
            )
        (height, width), (out_height, out_width) = input.shape[2:], self.output_size
        if (height, width) == (out_height, out_width):
            return input
        if height % out_height == 0 and width % out_width == 0:
            return _core.avg_pool2d(input, (height // out_height, width // out_width))
        # Windows of different sizes: a mean over rows and one over columns, as matrix products.
        rows = _averages(height, out_height, input)
        columns = _averages(width, out_width, input)
        return _core.matmul(_core.matmul(rows, input), columns.transpose(0, 1))

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


def _averages(size: int, out: int, like: Tensor) -> Tensor:
    """[out, size]: row i averages the elements of window i."""
    windows = [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
    rows = [
        [1.0 / (end - start) if start <= j < end else 0.0 for j in range(size)]
        for start, end in windows
    ]
    return _core.tensor(rows, dtype=like.dtype, device=like.device)
