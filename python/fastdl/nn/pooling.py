"""Pooling with a window that moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

Size = int | tuple[int, ...]


class Windowed(Module):
    """What all pooling layers with a window have. `pool` is the function that they call."""

    pool: ClassVar[Callable[..., Any]]

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool(Windowed):
    """What MaxPool1d, MaxPool2d and MaxPool3d share."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self.pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool1d(MaxPool):
    """The largest value of each window of a row.

    Args and errors as MaxPool2d's.

    Shapes: input [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(_core.max_pool1d)


class MaxPool2d(MaxPool):
    """The largest value of each window.

    Args:
        kernel_size: height and width of the window; one number for a square.
        stride: step of the window. Default: `kernel_size`.
        padding: rows and columns of -infinity on each side, at most half the kernel. Default: 0.
        dilation: distance between two elements of a window. Default: 1.
        return_indices: whether to return (values, indices), for MaxUnpool2d. Default: False.
        ceil_mode: whether a window may hang over the edge. Default: False.

    Shapes: input [N, C, H, W] or [C, H, W], output [N, C, H', W'] with
    H' = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, rounded up with ceil_mode.

    Raises:
        ArgumentError: a size is out of range, when the layer is called.
        ShapeError: the window is larger than the padded input.
    """

    pool = staticmethod(_core.max_pool2d)


class MaxPool3d(MaxPool):
    """The largest value of each window of a volume.

    Args and errors as MaxPool2d's, with depth before height and width.

    Shapes: input [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(_core.max_pool3d)


class AvgPool1d(Windowed):
    """The mean of each window of a row.

    Args and errors as AvgPool2d's, without divisor_override.

    Shapes: input [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(_core.avg_pool1d)

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def arguments(self) -> tuple[Any, ...]:
        """What `pool` takes besides the input."""
        sizes = (self.kernel_size, self.stride, self.padding)
        return (*sizes, self.ceil_mode, self.count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(input, *self.arguments())
        return pooled


class AvgPool2d(AvgPool1d):
    """The mean of each window.

    Args:
        kernel_size: height and width of the window; one number for a square.
        stride: step of the window. Default: `kernel_size`.
        padding: rows and columns of zeros on each side, at most half the kernel. Default: 0.
        ceil_mode: whether a window may hang over the edge. Default: False.
        count_include_pad: whether the zeros count in the mean. Default: True.
        divisor_override: what sums are divided by, in place of a count. Default: None.

    Shapes: input [N, C, H, W] or [C, H, W], output [N, C, H', W'].

    Raises:
        ArgumentError: a size is out of range, when the layer is called.
        ShapeError: the window is larger than the padded input.
    """

    pool = staticmethod(_core.avg_pool2d)

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override

    def arguments(self) -> tuple[Any, ...]:
        return (*super().arguments(), self.divisor_override)


class AvgPool3d(AvgPool2d):
    """The mean of each window of a volume.

    Args and errors as AvgPool2d's, with depth before height and width.

    Shapes: input [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(_core.avg_pool3d)


class MaxUnpool(Windowed):
    """What MaxUnpool1d, MaxUnpool2d and MaxUnpool3d share."""

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        unpooled: Tensor = self.pool(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )
        return unpooled


class MaxUnpool1d(MaxUnpool):
    """Maxima of rows back at their places, zeros elsewhere.

    Args and errors as MaxUnpool2d's.

    Shapes: input and indices [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(_core.max_unpool1d)


class MaxUnpool2d(MaxUnpool):
    """Maxima back at their places, zeros elsewhere: the partial inverse of MaxPool2d.

    Args:
        kernel_size, stride, padding: those of the pooling layer.

    Called with the values and the indices that MaxPool2d(..., return_indices=True) gave, and
    `output_size` where several input sizes give one output size.

    Shapes: input and indices [N, C, H, W] or [C, H, W], output [N, C, H', W'] with
    H' = (H - 1) stride - 2 padding + kernel_size unless output_size says another.

    Raises:
        IndexRangeError: an index lies outside of the output.
        ArgumentError: output_size differs by a stride or more.

    Source: M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks",
    ECCV 2014.
    """

    pool = staticmethod(_core.max_unpool2d)


class MaxUnpool3d(MaxUnpool):
    """Maxima of volumes back at their places, zeros elsewhere.

    Args and errors as MaxUnpool2d's.

    Shapes: input and indices [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(_core.max_unpool3d)


class LPPool(Windowed):
    """What LPPool1d, LPPool2d and LPPool3d share."""

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride)
        self.norm_type = norm_type
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(
            input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode
        )
        return pooled

    def extra_repr(self) -> str:
        window = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"norm_type={self.norm_type}, {window}, ceil_mode={self.ceil_mode}"


class LPPool1d(LPPool):
    """(sum of x^p)^(1/p) of each window of a row.

    Args and errors as LPPool2d's.

    Shapes: input [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(LPPool):
    """(sum of x^p)^(1/p) of each window.

    Args:
        norm_type: p, above 0; 1 gives sums, infinity the maximum.
        kernel_size: height and width of the window; one number for a square.
        stride: step of the window. Default: `kernel_size`.
        ceil_mode: whether a window may hang over the edge. Default: False.

    Shapes: input [N, C, H, W] or [C, H, W], output [N, C, H', W'].

    Raises:
        ArgumentError: a number is out of range, when the layer is called.
        ShapeError: the window is larger than the input.
    """

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(LPPool):
    """(sum of x^p)^(1/p) of each window of a volume.

    Args and errors as LPPool2d's.

    Shapes: input [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(F.lp_pool3d)
