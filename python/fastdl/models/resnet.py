"""Residual networks: ResNet-18, 34, 50, 101 and 152."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastdl import init, nn
from fastdl._core import Tensor
from fastdl.models.registry import register

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
]

_SOURCE = (
    "K. He, X. Zhang, S. Ren and J. Sun, 'Deep residual learning for image recognition', "
    "CVPR 2016, table 1"
)
_INPUT = (3, 224, 224)


class _Block(nn.Module):
    """Layers whose output is added to their input, and a rectifier after the sum."""

    expansion: ClassVar[int]  # output channels by `width`
    downsample: nn.Sequential | None

    def shortcut(self, input: Tensor) -> Tensor:
        """The input in the shape of the output (the paper's option B)."""
        if self.downsample is None:
            return input
        projected: Tensor = self.downsample(input)
        return projected


class BasicBlock(_Block):
    """Two 3x3 convolutions (fig. 5, left): the block of ResNet-18 and 34.

    Args:
        in_channels: channels of the input.
        width: channels of both convolutions.
        stride: of the first convolution. Default: 1.
        downsample: brings the input to the shape of the output. Default: None, it has it.

    Shapes: input [N, in_channels, H, W], output [N, width, H / stride, W / stride], rounded up.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        downsample: nn.Sequential | None = None,
    ) -> None:
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, input: Tensor) -> Tensor:
        h = self.bn1(self.conv1(input), activation="relu")
        output: Tensor = self.bn2(self.conv2(h), self.shortcut(input), activation="relu")
        return output


class Bottleneck(_Block):
    """1x1, 3x3 and 1x1 convolutions (fig. 5, right): the block of ResNet-50, 101 and 152.

    The stride is that of the 3x3 convolution, where the paper has it in the first 1x1: that is
    what has become usual, and a little more accurate.

    Args:
        in_channels: channels of the input.
        width: channels of the first two convolutions; the last one has four times as many.
        stride: of the 3x3 convolution. Default: 1.
        downsample: brings the input to the shape of the output. Default: None, it has it.

    Shapes: input [N, in_channels, H, W], output [N, 4 width, H / stride, W / stride], rounded up.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        downsample: nn.Sequential | None = None,
    ) -> None:
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.expansion * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.expansion * width)
        self.downsample = downsample

    def forward(self, input: Tensor) -> Tensor:
        h = self.bn1(self.conv1(input), activation="relu")
        h = self.bn2(self.conv2(h), activation="relu")
        output: Tensor = self.bn3(self.conv3(h), self.shortcut(input), activation="relu")
        return output


class ResNet(nn.Module):
    """Residual network: a 7x7 convolution, four stages of blocks, and a linear layer.

    Parameters are named and shaped as in torchvision, so that its weights load. Convolutions are
    drawn as in He et al. 2015 (normal, by fan-out).

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: blocks of each of the four stages.
        num_classes: classes C. Default: 1000.
        in_channels: channels of the images. Default: 3.
        zero_init_residual: whether the last batch norm of each block starts with weight 0, so that
            the block starts as the identity, which helps training (P. Goyal et al., 'Accurate,
            large minibatch SGD', 2017, section 5.1). Default: False.

    Shapes: input [N, in_channels, H, W], output logits [N, C]; H and W are usually 224.

    Source: K. He et al., 'Deep residual learning for image recognition', CVPR 2016.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        zero_init_residual: bool = False,
    ) -> None:
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, layers[0])
        self.layer2 = _stage(block, 64 * block.expansion, 128, layers[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, layers[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                last = module.bn2 if isinstance(module, BasicBlock) else module.bn3
                assert last.weight is not None
                init.zeros_(last.weight)

    def forward(self, images: Tensor) -> Tensor:
        h = self.maxpool(self.bn1(self.conv1(images), activation="relu"))
        h = self.layer4(self.layer3(self.layer2(self.layer1(h))))
        logits: Tensor = self.fc(self.flatten(self.avgpool(h)))
        return logits


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    width: int,
    count: int,
    stride: int = 1,
) -> nn.Sequential:
    """Blocks of one resolution; the first changes resolution and channels."""
    channels = width * block.expansion
    downsample = None
    if in_channels != channels:
        downsample = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )
    first = block(in_channels, width, stride, downsample)
    return nn.Sequential(first, *(block(channels, width) for _ in range(count - 1)))


@register("resnet18", _SOURCE, _INPUT)
def resnet18(**options: Any) -> ResNet:
    """ResNet-18: residual network of 17 convolutions and a linear layer, for images.

    Args:
        options: `num_classes`, `in_channels`, `zero_init_residual` of `ResNet`.

    Shapes: input [N, 3, H, W], output [N, 1000]. 11,689,512 parameters by default.
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


@register("resnet34", _SOURCE, _INPUT)
def resnet34(**options: Any) -> ResNet:
    """ResNet-34: as `resnet18`, with 33 convolutions; 21,797,672 parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


@register("resnet50", _SOURCE, _INPUT)
def resnet50(**options: Any) -> ResNet:
    """ResNet-50: as `resnet18`, with 16 bottleneck blocks; 25,557,032 parameters."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


@register("resnet101", _SOURCE, _INPUT)
def resnet101(**options: Any) -> ResNet:
    """ResNet-101: as `resnet18`, with 33 bottleneck blocks; 44,549,160 parameters."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


@register("resnet152", _SOURCE, _INPUT)
def resnet152(**options: Any) -> ResNet:
    """ResNet-152: as `resnet18`, with 50 bottleneck blocks; 60,192,808 parameters."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)
