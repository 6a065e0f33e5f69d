"""Transposed convolution over sequences, images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.conv import ConvBase, Sizes

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class TransposedConvolution(ConvBase):
    """What transposed convolutions share: `output_padding`, and sizes asked for in the call."""

    transposed = True
    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.output_padding = self._sizes("output_padding", output_padding)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self.function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._output_padding(input, output_size),
            self.groups,
            self.dilation,
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output_padding with which the result has the size asked for."""
        if output_size is None:
            return self.output_padding
        layer = type(self).__name__
        sizes = list(output_size)
        if len(sizes) == input.ndim:
            sizes = sizes[-self.rank :]
        if len(sizes) != self.rank:
            raise ArgumentError(
                layer,
                f"output_size has {len(sizes)} numbers, expected {self.rank} or {input.ndim}",
            )
        more = []
        for i, (size, wanted) in enumerate(zip(input.shape[-self.rank :], sizes, strict=True)):
            least = (
                (size - 1) * self.stride[i]
                - 2 * self.padding[i]
                + self.dilation[i] * (self.kernel_size[i] - 1)
                + 1
            )
            if not least <= wanted < least + self.stride[i]:
                raise ArgumentError(
                    layer,
                    f"output_size[{i}] is {wanted}, an input of size {size} gives from {least} "
                    f"to {least + self.stride[i] - 1}",
                )
            more.append(wanted - least)
        return tuple(more)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        return text


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution of a sequence: the gradient of `Conv1d` by its input, as a layer.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: length of the filters.
        stride: step of the filters, in the output. Default: 1.
        padding: elements cut off on each side of the output. Default: 0.
        output_padding: elements more at the end of the output, fewer than stride or dilation.
            Default: 0.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        dilation: distance between two taps of a filter. Default: 1.
        padding_mode: 'zeros', the only one.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, L] or [in_channels, L], output [N, out_channels, L'] or
    [out_channels, L'] with L' = (L - 1) stride - 2 padding + dilation (kernel_size - 1) +
    output_padding + 1; `weight` [in_channels, out_channels / groups, kernel_size], `bias`
    [out_channels], both even within 1 / sqrt(out_channels / groups * kernel_size).

    `output_size` in the call, [L'] or the whole shape, takes the place of `output_padding`.

    Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", 2010. Raises
    ArgumentError for options that do not fit together or a size that cannot be had.
    """

    rank = 1
    function = staticmethod(_core.conv_transpose1d)


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution of an image: the gradient of `Conv2d` by its input, as a layer.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: height and width of the filters; one number for a square.
        stride: step of the filters, in the output. Default: 1.
        padding: rows and columns cut off on each side of the output. Default: 0.
        output_padding: rows and columns more below and to the right of the output, fewer than
            stride or dilation. Default: 0.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        dilation: distance between two taps of a filter. Default: 1.
        padding_mode: 'zeros', the only one.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, H, W] or [in_channels, H, W], output [N, out_channels, H', W'] or
    [out_channels, H', W'] with H' = (H - 1) stride - 2 padding + dilation (kernel - 1) +
    output_padding + 1; `weight` [in_channels, out_channels / groups, kernel, kernel], `bias`
    [out_channels], both even within 1 / sqrt(out_channels / groups * kernel * kernel).

    `output_size` in the call, [H', W'] or the whole shape, takes the place of `output_padding`.

    Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", 2010. Raises
    ArgumentError for options that do not fit together or a size that cannot be had.
    """

    rank = 2
    function = staticmethod(_core.conv_transpose2d)


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution of a volume: the gradient of `Conv3d` by its input, as a layer.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: depth, height and width of the filters; one number for a cube.
        stride: step of the filters, in the output. Default: 1.
        padding: frames, rows and columns cut off on each side of the output. Default: 0.
        output_padding: frames, rows and columns more at the end of the output, fewer than stride or
            dilation. Default: 0.
        groups: the channels are split into so many groups, convolved separately. Default: 1.
        bias: whether to add one number per output channel. Default: True.
        dilation: distance between two taps of a filter. Default: 1.
        padding_mode: 'zeros', the only one.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, in_channels, D, H, W] or [in_channels, D, H, W], output
    [N, out_channels, D', H', W'] or [out_channels, D', H', W'] with D' = (D - 1) stride -
    2 padding + dilation (kernel - 1) + output_padding + 1; `weight` [in_channels, out_channels /
    groups, kernel, kernel, kernel], `bias` [out_channels], both even within
    1 / sqrt(out_channels / groups * kernel * kernel * kernel).

    `output_size` in the call, [D', H', W'] or the whole shape, takes the place of `output_padding`.

    Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", 2010. Raises
    ArgumentError for options that do not fit together or a size that cannot be had.
    """

    rank = 3
    function = staticmethod(_core.conv_transpose3d)
