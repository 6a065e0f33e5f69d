"""Blocks of pixels to channels and back."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module

__all__ = ["ChannelShuffle", "DepthToSpace", "PixelShuffle", "PixelUnshuffle", "SpaceToDepth"]


class PixelShuffle(Module):
    """Channels to blocks of pixels: the upsampling of ESPCN (Shi et al., 2016).

    Args:
        upscale_factor: r, rows and columns of a block.

    Shapes: input [..., C r^2, H, W], output [..., C, H r, W r].
    """

    def __init__(self, upscale_factor: int) -> None:
        require_positive("PixelShuffle", upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return _core.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Undoes `PixelShuffle`.

    Args:
        downscale_factor: r, rows and columns of a block.

    Shapes: input [..., C, H r, W r], output [..., C r^2, H, W].
    """

    def __init__(self, downscale_factor: int) -> None:
        require_positive("PixelUnshuffle", downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return _core.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class SpaceToDepth(Module):
    """Blocks of pixels to channels: ONNX's operator, and the reorganisation of YOLOv2.

    Args:
        block_size: b, rows and columns of a block. Default: 2.
        mode: ``DCR``: channel c of pixel (i, j) of a block goes to (i b + j) C + c. ``CRD``: to
            c b^2 + i b + j. ``darknet``: where darknet's own reorg puts it, for weights trained
            with it (see `fastdl.functional.space_to_depth`). Default: ``DCR``.

    Shapes: input [..., C, H b, W b], output [..., C b^2, H, W].
    """

    def __init__(self, block_size: int = 2, mode: str = "DCR") -> None:
        require_positive("SpaceToDepth", block_size=block_size)
        self.block_size = block_size
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return _core.space_to_depth(input, self.block_size, self.mode)

    def extra_repr(self) -> str:
        return f"block_size={self.block_size}, mode={self.mode!r}"


class DepthToSpace(Module):
    """Undoes `SpaceToDepth` of the same block size and mode.

    Args:
        block_size: b, rows and columns of a block. Default: 2.
        mode: ``DCR``, ``CRD`` or ``darknet``. Default: ``DCR``.

    Shapes: input [..., C b^2, H, W], output [..., C, H b, W b].
    """

    def __init__(self, block_size: int = 2, mode: str = "DCR") -> None:
        require_positive("DepthToSpace", block_size=block_size)
        self.block_size = block_size
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return _core.depth_to_space(input, self.block_size, self.mode)

    def extra_repr(self) -> str:
        return f"block_size={self.block_size}, mode={self.mode!r}"


class ChannelShuffle(Module):
    """Deal the channels of all groups out to all groups (ShuffleNet, Zhang et al., 2018).

    Args:
        groups: g; the input is read as [N, g, C, ...] and written as [N, C, g, ...].

    Shapes: input and output [N, g C, ...].
    """

    def __init__(self, groups: int) -> None:
        require_positive("ChannelShuffle", groups=groups)
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return _core.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
