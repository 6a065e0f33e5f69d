"""Resizing and filtering of images."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.conv import Pair
from fastdl.nn.module import Module

__all__ = ["Blur2d", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Resize to a size, or by a factor: `fastdl.functional.interpolate` as a module.

    Args:
        size: of the output, one number or one for each spatial dimension.
        scale_factor: output by input size, one number or one for each; instead of `size`.
        mode: ``nearest``, ``linear`` for [N, C, W], ``bilinear`` or ``bicubic`` for [N, C, H, W],
            ``trilinear`` for [N, C, D, H, W]; also ``nearest-exact`` and ``area``.
        align_corners: whether the first and the last elements of both lie on each other (the last
            four modes but ``area``). Default: False.
        recompute_scale_factor: whether the ratio of the sizes counts where the output is rounded
            down, not `scale_factor`. Default: False.

    Shapes: input [N, C, ...], output [N, C, ...] with `size`, or floor(size * scale_factor).

    Raises:
        ArgumentError: in the first call, for options that do not go together.
        ShapeError: the input has other dimensions than the mode takes, or no pixel.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return _core.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        what = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample images by repeating pixels: `Upsample` with mode ``nearest``.

    Shapes: input [N, C, H, W], output [N, C, H', W'].
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample images bilinearly, corners on corners: `Upsample` with align_corners.

    Shapes: input [N, C, H, W], output [N, C, H', W'].
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class Blur2d(Module):
    """Filter each channel by [1, 2, 1] / 4 along rows and columns, zeros beyond the border.

    The blur of StyleGAN (Karras et al., 2019) behind an upsampling, and with a stride the
    downsampling without aliases of Zhang ("Making convolutional networks shift-invariant again",
    2019).

    Args:
        stride: take every stride-th pixel; one number or (vertical, horizontal). Default: 1.

    Shapes: input [N, C, H, W], output [N, C, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, stride: Pair = 1) -> None:
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return _core.blur2d(input, self.stride)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"
