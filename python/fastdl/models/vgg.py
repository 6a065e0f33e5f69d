"""VGG: plain stacks of 3x3 convolutions, with 11, 13, 16 or 19 layers of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import init, nn
from fastdl._core import Tensor
from fastdl.models.registry import register

__all__ = [
    "VGG",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

_SOURCE = (
    "K. Simonyan and A. Zisserman, 'Very deep convolutional networks for large-scale image "
    "recognition', ICLR 2015, table 1"
)
_INPUT = (3, 224, 224)

# Convolutions of each of the five stages, which have 64, 128, 256, 512 and 512 channels.
_A, _B, _D, _E = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
_CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """VGG: five stages of 3x3 convolutions with pooling, and three fully connected layers.

    Parameters are named and shaped as in torchvision, so that its weights load. Convolutions are
    drawn as in He et al. 2015 (normal, by fan-out), linear layers normally with deviation 0.01.

    Args:
        convolutions: how many in each of the five stages.
        batch_norm: whether batch norm follows each convolution. Default: False.
        num_classes: classes C. Default: 1000.
        in_channels: channels of the images. Default: 3.
        dropout: probability of dropping a unit before the second and the third linear layer.
            Default: 0.5.

    Shapes: input [N, in_channels, H, W] with H and W of at least 32, usually 224; output logits
    [N, C].

    Source: K. Simonyan and A. Zisserman, 'Very deep convolutional networks for large-scale image
    recognition', ICLR 2015; for batch norm, S. Ioffe and C. Szegedy, ICML 2015.
    """

    def __init__(
        self,
        convolutions: Sequence[int],
        batch_norm: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        self.features = _features(convolutions, batch_norm, in_channels)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                init.normal_(module.weight, 0.0, 0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        h = self.flatten(self.avgpool(self.features(images)))
        logits: Tensor = self.classifier(h)
        return logits


def _features(convolutions: Sequence[int], batch_norm: bool, in_channels: int) -> nn.Sequential:
    """The convolutional part; its members are numbered, as torchvision's are."""
    modules: list[nn.Module] = []
    for count, channels in zip(convolutions, _CHANNELS, strict=True):
        for _ in range(count):
            modules.append(nn.Conv2d(in_channels, channels, 3, padding=1))
            if batch_norm:
                modules.append(nn.BatchNorm2d(channels))
            modules.append(nn.ReLU())
            in_channels = channels
        modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules)


@register("vgg11", _SOURCE, _INPUT)
def vgg11(**options: Any) -> VGG:
    """VGG-11 (configuration A): 8 convolutions and 3 linear layers, for images.

    Args:
        options: `num_classes`, `in_channels`, `dropout` of `VGG`.

    Shapes: input [N, 3, H, W], output [N, 1000]. 132,863,336 parameters by default.
    """
    return VGG(_A, **options)


@register("vgg11_bn", _SOURCE, _INPUT)
def vgg11_bn(**options: Any) -> VGG:
    """VGG-11 with batch norm after each convolution; 132,868,840 parameters."""
    return VGG(_A, batch_norm=True, **options)


@register("vgg13", _SOURCE, _INPUT)
def vgg13(**options: Any) -> VGG:
    """VGG-13 (configuration B): as `vgg11`, with 10 convolutions; 133,047,848 parameters."""
    return VGG(_B, **options)


@register("vgg13_bn", _SOURCE, _INPUT)
def vgg13_bn(**options: Any) -> VGG:
    """VGG-13 with batch norm after each convolution; 133,053,736 parameters."""
    return VGG(_B, batch_norm=True, **options)


@register("vgg16", _SOURCE, _INPUT)
def vgg16(**options: Any) -> VGG:
    """VGG-16 (configuration D): as `vgg11`, with 13 convolutions; 138,357,544 parameters."""
    return VGG(_D, **options)


@register("vgg16_bn", _SOURCE, _INPUT)
def vgg16_bn(**options: Any) -> VGG:
    """VGG-16 with batch norm after each convolution; 138,365,992 parameters."""
    return VGG(_D, batch_norm=True, **options)


@register("vgg19", _SOURCE, _INPUT)
def vgg19(**options: Any) -> VGG:
    """VGG-19 (configuration E): as `vgg11`, with 16 convolutions; 143,667,240 parameters."""
    return VGG(_E, **options)


@register("vgg19_bn", _SOURCE, _INPUT)
def vgg19_bn(**options: Any) -> VGG:
    """VGG-19 with batch norm after each convolution; 143,678,248 parameters."""
    return VGG(_E, batch_norm=True, **options)
