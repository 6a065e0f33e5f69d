"""Convolution over sequences, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvBase"]

Sizes = int | tuple[int, ...]
Pair = int | tuple[int, int]


def spread(value: Sizes, rank: int) -> tuple[int, ...]:
    """`value` for all `rank` directions, or those that it has."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def pair(value: Pair) -> tuple[int, int]:
    """`value` for both directions, or the two that it has."""
    return (value, value) if isinstance(value, int) else value


class ConvBase(Module):
    """What all convolutions share: options, parameters and how they are drawn."""

    rank = 0  # spatial dimensions
    transposed = False
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        layer = type(self).__name__
        require_positive(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                layer,
                f"groups={groups} does not divide in_channels={in_channels} and "
                f"out_channels={out_channels}",
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.stride = self._sizes("stride", stride)
        self.padding: tuple[int, ...] | str = padding if isinstance(padding, str) else ()
        if not isinstance(padding, str):
            self.padding = self._sizes("padding", padding)
        elif self.transposed:
            raise ArgumentError(layer, f"padding is {padding!r}, expected numbers")
        elif padding not in ("same", "valid"):
            raise ArgumentError(layer, f"padding is {padding!r}, expected 'same' or 'valid'")
        elif padding == "same" and any(step != 1 for step in self.stride):
            raise ArgumentError(layer, f"padding is 'same' and stride {self.stride}, expected 1")
        self.dilation = self._sizes("dilation", dilation)
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ArgumentError(
                layer, f"padding_mode is {padding_mode!r}, expected one of {', '.join(modes)}"
            )
        self.padding_mode = padding_mode
        self.groups = groups
        for size in self.kernel_size:
            require_positive(layer, kernel_size=size)
        outer, inner = out_channels, in_channels
        if self.transposed:
            outer, inner = inner, outer
        shape = (outer, inner // groups, *self.kernel_size)
        self.weight = Parameter(_core.empty(shape, device=device, dtype=dtype))
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(_core.empty((out_channels,), device=device, dtype=dtype))
        self.reset_parameters()

    def _sizes(self, name: str, value: Sizes) -> tuple[int, ...]:
        sizes = spread(value, self.rank)
        if len(sizes) != self.rank:
            raise ArgumentError(
                type(self).__name__, f"{name} is {value}, expected an int or {self.rank} of them"
            )
        return sizes

    def _padded(self, input: Tensor) -> tuple[Tensor, tuple[int, ...] | str]:
        """The input with a border that is not of zeros, and the padding that is left to do."""
        if self.padding_mode == "zeros":
            return input, self.padding
        border = []  # before and behind, from the last dimension to the first
        for i in reversed(range(self.rank)):
            total = self.dilation[i] * (self.kernel_size[i] - 1) if self.padding == "same" else 0
            before = total // 2 if isinstance(self.padding, str) else self.padding[i]
            border += [before, total - before if total else before]
        return _core.pad(input, border, self.padding_mode), (0,) * self.rank

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        return self.function(
            x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(math.prod(self.weight.shape[1:]))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * self.rank:
            text += f", padding={self.padding!r}"
        if self.dilation != (1,) * self.rank:
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode!r}"
        return text


class Conv1d(ConvBase):
    """Cross-correlation of a sequence with `out_channels` filters.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: length of the filters.
        stride: step of the filters. Default: 1.
        padding: zeros on each side; 'valid' for none, 'same' (with a stride of 1) for as many as
            keep the length. Default: 0.
        dilation: distance between two taps of a filter. Default: 1.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        padding_mode: what the padding is: 'zeros', 'reflect' (the input mirrored at its outermost
            elements), 'replicate' (these, repeated) or 'circular' (the other end).
            Default: 'zeros'.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, L] or [in_channels, L], output [N, out_channels, L'] or
    [out_channels, L'] with L' = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1;
    `weight` [out_channels, in_channels / groups, kernel_size], `bias` [out_channels], both even
    within 1 / sqrt(in_channels / groups * kernel_size).

    Source: Waibel, Hanazawa, Hinton, Shikano and Lang, "Phoneme recognition using time-delay
    neural networks", 1989. Raises ArgumentError for options that do not fit together.
    """

    rank = 1
    function = staticmethod(_core.conv1d)


class Conv2d(ConvBase):
    """Cross-correlation of an image with `out_channels` filters.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: height and width of the filters; one number for a square.
        stride: step of the filters. Default: 1.
        padding: rows and columns of zeros on each side; 'valid' for none, 'same' (with a stride of
            1) for as many as keep height and width. Default: 0.
        dilation: distance between two taps of a filter. Default: 1.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        padding_mode: what the padding is: 'zeros', 'reflect' (the input mirrored at its outermost
            elements), 'replicate' (these, repeated) or 'circular' (the other end).
            Default: 'zeros'.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, H, W] or [in_channels, H, W], output [N, out_channels, H', W'] or
    [out_channels, H', W'] with H' = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1;
    `weight` [out_channels, in_channels / groups, kernel, kernel], `bias` [out_channels], both even
    within 1 / sqrt(in_channels / groups * kernel * kernel).

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
    recognition", 1998. Raises ArgumentError for options that do not fit together.
    """

    rank = 2
    function = staticmethod(_core.conv2d)


class Conv3d(ConvBase):
    """Cross-correlation of a volume, such as a video, with `out_channels` filters.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: depth, height and width of the filters; one number for a cube.
        stride: step of the filters. Default: 1.
        padding: frames, rows and columns of zeros on each side; 'valid' for none, 'same' (with a
            stride of 1) for as many as keep the sizes. Default: 0.
        dilation: distance between two taps of a filter. Default: 1.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        padding_mode: what the padding is: 'zeros', 'reflect' (the input mirrored at its outermost
            elements), 'replicate' (these, repeated) or 'circular' (the other end).
            Default: 'zeros'.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, D, H, W] or [in_channels, D, H, W], output
    [N, out_channels, D', H', W'] or [out_channels, D', H', W'] with
    D' = (D + 2 padding - dilation (kernel - 1) - 1) // stride + 1; `weight` [out_channels,
    in_channels / groups, kernel, kernel, kernel], `bias` [out_channels], both even within
    1 / sqrt(in_channels / groups * kernel * kernel * kernel).

    Source: Ji, Xu, Yang and Yu, "3D convolutional neural networks for human action recognition",
    2013. Raises ArgumentError for options that do not fit together.
    """

    rank = 3
    function = staticmethod(_core.conv3d)
