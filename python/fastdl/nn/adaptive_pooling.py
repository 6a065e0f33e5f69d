"""Pooling to an output of a given size, and of regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "RoIAlign",
    "RoIPool",
    "SpatialPyramidPool",
]

Size = int | None | tuple[int | None, ...]


class AdaptiveAvgPool(Module):
    """What all adaptive pooling layers have. `pool` is the function that they call."""

    pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Size) -> None:
        self.output_size = output_size
        sizes = output_size if isinstance(output_size, tuple) else (output_size,)
        for size in sizes:
            if size is not None:
                require_positive(type(self).__name__, output_size=size)

    def forward(self, input: Tensor) -> Tensor:
        pooled: Tensor = self.pool(input, self.output_size)
        return pooled

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """The mean of windows of a row that are as long as they must be.

    Args and errors as AdaptiveAvgPool2d's.

    Shapes: input [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(_core.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """The mean of windows that are as large as they must be for an output of the given size.

    Output row i is the mean of the input rows from floor(i H / H') up to ceil((i + 1) H / H'), and
    columns likewise; windows overlap where the output does not divide the input, and repeat
    elements where it is larger.

    Args:
        output_size: height H' and width W' of the output; one number for a square; None keeps the
            input's.

    Shapes: input [N, C, H, W] or [C, H, W], output [N, C, H', W'].

    Raises:
        ArgumentError: a size is less than 1.
        ShapeError: H or W is 0.
    """

    pool = staticmethod(_core.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """The mean of windows of a volume that are as large as they must be.

    Args and errors as AdaptiveAvgPool2d's, with depth before height and width.

    Shapes: input [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(_core.adaptive_avg_pool3d)


class AdaptiveMaxPool(AdaptiveAvgPool):
    """What AdaptiveMaxPool1d, AdaptiveMaxPool2d and AdaptiveMaxPool3d share."""

    def __init__(self, output_size: Size, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """The maximum of windows of a row that are as long as they must be.

    Args and errors as AdaptiveMaxPool2d's.

    Shapes: input [N, C, L] or [C, L], output [N, C, L'] or [C, L'].
    """

    pool = staticmethod(_core.adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """The maximum of windows that are as large as they must be for an output of the given size.

    Windows are those of AdaptiveAvgPool2d.

    Args:
        output_size: height H' and width W' of the output; one number for a square; None keeps the
            input's.
        return_indices: whether to return (values, indices). Default: False.

    Shapes: input [N, C, H, W] or [C, H, W], output [N, C, H', W'].

    Raises:
        ArgumentError: a size is less than 1.
        ShapeError: H or W is 0.
    """

    pool = staticmethod(_core.adaptive_max_pool2d)


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """The maximum of windows of a volume that are as large as they must be.

    Args and errors as AdaptiveMaxPool2d's, with depth before height and width.

    Shapes: input [N, C, D, H, W] or [C, D, H, W], output [N, C, D', H', W'].
    """

    pool = staticmethod(_core.adaptive_max_pool3d)


class GlobalAveragePool(Module):
    """The mean of each channel (ONNX's name; PyTorch has AdaptiveAvgPool2d(1) for images).

    Shapes: input [N, C, ...], output [N, C, 1, ...].

    Source: M. Lin et al., "Network in network", ICLR 2014.
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.global_average_pool(input)


class GlobalMaxPool(Module):
    """The maximum of each channel (ONNX's name; PyTorch has AdaptiveMaxPool2d(1) for images).

    Shapes: input [N, C, ...], output [N, C, 1, ...].
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.global_max_pool(input)


class GlobalLpPool(Module):
    """(sum of |x|^p)^(1/p) of each channel (ONNX's name).

    Args:
        p: above 0. Default: 2.

    Shapes: input [N, C, ...], output [N, C, 1, ...].
    """

    def __init__(self, p: float = 2) -> None:
        if not p > 0:
            raise ArgumentError("GlobalLpPool", f"p is {p}, expected above 0")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return F.global_lp_pool(input, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SpatialPyramidPool(Module):
    """Images of any size to vectors of one length: bins of several sizes, side by side.

    Level l pools to l x l bins, as AdaptiveMaxPool2d(l) does, and is flattened.

    Args:
        levels: bins along a side, coarse or fine first. Default: (4, 2, 1).
        mode: "max" or "average". Default: "max".

    Shapes: input [N, C, H, W], output [N, C * (sum of l^2)].

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks for visual
    recognition", ECCV 2014.
    """

    def __init__(self, levels: Sequence[int] = (4, 2, 1), mode: str = "max") -> None:
        self.levels = tuple(levels)
        self.mode = mode
        for level in self.levels:
            require_positive("SpatialPyramidPool", level=level)

    def forward(self, input: Tensor) -> Tensor:
        return F.spatial_pyramid_pool(input, self.levels, self.mode)

    def extra_repr(self) -> str:
        return f"levels={self.levels}, mode={self.mode!r}"


class RoIPool(Module):
    """A map of one size for each box: the maxima of its bins.

    Args:
        output_size: height P and width Q of a map; one number for a square.
        spatial_scale: what corners are multiplied by to count in pixels of the input.

    Shapes: input [N, C, H, W]; boxes [K, 5] of (image, left, top, right, bottom), or a list of
    [L, 4] for each image; output [K, C, P, Q].

    Raises:
        IndexRangeError: a box is not finite, reaches beyond 2^24 pixels or names no image.

    Source: R. Girshick, "Fast R-CNN", ICCV 2015; names as in torchvision.
    """

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float) -> None:
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, input: Tensor, boxes: Tensor | Sequence[Tensor]) -> Tensor:
        return _core.roi_pool(input, boxes, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"


class RoIAlign(Module):
    """A map of one size for each box: means of bilinear samples.

    Args:
        output_size: height P and width Q of a map; one number for a square.
        spatial_scale: what corners are multiplied by to count in pixels of the input.
        sampling_ratio: samples along each side of a bin; 0 or -1: about one a pixel.
        aligned: whether the centre of pixel 0 is at 0.5. Default: False.

    Shapes and errors as RoIPool's.

    Source: K. He et al., "Mask R-CNN", ICCV 2017; names as in torchvision.
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = False,
    ) -> None:
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, boxes: Tensor | Sequence[Tensor]) -> Tensor:
        return _core.roi_align(
            input, boxes, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )
