"""Convolution over images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["Conv2d"]

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    """`value` for both directions, or the two that it has."""
    return (value, value) if isinstance(value, int) else value


class Conv2d(Module):
    """Cross-correlation of an image with `out_channels` filters.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: height and width of the filters; one number for a square.
        stride: step of the filters. Default: 1.
        padding: rows and columns of zeros on each side. Default: 0.
        dilation: distance between two taps of a filter. Default: 1.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, H, W], output [N, out_channels, H', W'] with
    H' = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1; `weight` [out_channels,
    in_channels / groups, kernel, kernel], `bias` [out_channels], both even within
    1 / sqrt(in_channels / groups * kernel * kernel).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive(
            "Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups
        )
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                "Conv2d",
                f"groups={groups} does not divide in_channels={in_channels} and "
                f"out_channels={out_channels}",
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair(kernel_size)
        self.stride = pair(stride)
        self.padding = pair(padding)
        self.dilation = pair(dilation)
        self.groups = groups
        height, width = self.kernel_size
        require_positive("Conv2d", kernel_height=height, kernel_width=width)
        shape = (out_channels, in_channels // groups, height, width)
        self.weight = Parameter(_core.empty(shape, device=device, dtype=dtype))
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(_core.empty((out_channels,), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(math.prod(self.weight.shape[1:]))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return _core.conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else text + ", bias=False"
