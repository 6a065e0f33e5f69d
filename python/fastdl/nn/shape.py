"""Modules that rearrange elements."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.conv import Pair
from fastdl.nn.module import Module

__all__ = ["Flatten", "Fold", "Unflatten", "Unfold"]


class Flatten(Module):
    """Merge the dimensions from `start_dim` (default 1) to `end_dim` (default the last)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Cut one dimension into several.

    Args:
        dim: the dimension.
        unflattened_size: the sizes that take its place; one may be -1.

    Shapes: input [..., S, ...], output [..., *unflattened_size, ...], whose product is S.

    Raises:
        IndexRangeError: the input has no such dimension.
        ShapeError: the product of the sizes is not the dimension's.
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        return _core.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Unfold(Module):
    """Every window of an image as a column (im2col).

    Args:
        kernel_size: rows R and columns S of a window; one number for a square.
        dilation: distance between two elements of a window. Default: 1.
        padding: rows and columns of zeros on each side. Default: 0.
        stride: step of the windows. Default: 1.

    Shapes: input [N, C, H, W], output [N, C * R * S, L] with as many columns L as there are
    windows; or both without N.

    Raises:
        ShapeError: no window fits.
    """

    def __init__(
        self, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1
    ) -> None:
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return _core.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Fold(Module):
    """Images from their windows: each element is the sum of those that `Unfold` reads from it.

    Args:
        output_size: height H and width W of the images; one number for a square.
        kernel_size, dilation, padding, stride: of the windows; see `Unfold`.

    Shapes: input [N, C * R * S, L], output [N, C, H, W]; or both without N.

    Raises:
        ShapeError: the input is not what `Unfold` gives for such images.
    """

    def __init__(
        self,
        output_size: Pair,
        kernel_size: Pair,
        dilation: Pair = 1,
        padding: Pair = 0,
        stride: Pair = 1,
    ) -> None:
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return _core.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
