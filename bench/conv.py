"""Convolution layers of LeNet-5, VGG-16, ResNet-50 and MobileNet, forward and with gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch

from bench.libraries import Array, forward, forward_backward, normal
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["LAYERS", "Layer", "cases"]


class Layer(NamedTuple):
    """A layer on square images of `size` pixels."""

    name: str
    batch: int
    channels: int
    filters: int
    kernel: int
    size: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


LAYERS = (
    Layer("LeNet-5 conv 1", 64, 1, 6, 5, 32),
    Layer("LeNet-5 conv 2", 64, 6, 16, 5, 14),
    Layer("ResNet 7x7/2", 1, 3, 64, 7, 224, 2, 3),
    Layer("ResNet 3x3, 56 px", 1, 64, 64, 3, 56, 1, 1),
    Layer("ResNet 3x3, 56 px", 8, 64, 64, 3, 56, 1, 1),
    Layer("ResNet 3x3/2, 56 px", 1, 128, 128, 3, 56, 2, 1),
    Layer("ResNet 3x3, 14 px", 1, 256, 256, 3, 14, 1, 1),
    Layer("ResNet 3x3, 7 px", 1, 512, 512, 3, 7, 1, 1),
    Layer("ResNet 1x1, 56 px", 1, 64, 256, 1, 56),
    Layer("ResNet 1x1, 14 px", 8, 1024, 256, 1, 14),
    Layer("VGG 3x3, 224 px", 1, 3, 64, 3, 224, 1, 1),
    Layer("VGG 3x3, 112 px", 1, 128, 128, 3, 112, 1, 1),
    Layer("depthwise 3x3, 56 px", 1, 144, 144, 3, 56, 1, 1, 144),
)


def cases(short: bool) -> Iterator[Case]:
    """Each layer forward, and forward with all three gradients; `short` takes three layers."""
    for layer in (LAYERS[0], LAYERS[1], LAYERS[3]) if short else LAYERS:
        out = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
        taps = layer.channels // layer.groups * layer.kernel**2
        flops = 2.0 * layer.batch * layer.filters * out * out * taps
        size = f"{layer.batch}x{layer.channels}x{layer.size}x{layer.size} to {layer.filters}"
        name = f"{layer.name}, forward"
        yield Case("conv", name, size, partial(_forward, layer), work=flops)
        name = f"{layer.name}, forward and backward"
        yield Case("conv", name, size, partial(_backward, layer), work=3 * flops)


def _arrays(layer: Layer) -> list[Array]:
    return [
        normal(layer.batch, layer.channels, layer.size, layer.size),
        normal(layer.filters, layer.channels // layer.groups, layer.kernel, layer.kernel, seed=1),
        normal(layer.filters, seed=2),
    ]


def _functions(layer: Layer) -> tuple[Callable[..., Any], Callable[..., Any]]:
    options: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "groups": layer.groups,
    }
    return partial(F.conv2d, **options), partial(torch.nn.functional.conv2d, **options)


def _forward(layer: Layer) -> Sides:
    return forward(*_functions(layer), _arrays(layer), 1e-4)


def _backward(layer: Layer) -> Sides:
    return forward_backward(*_functions(layer), _arrays(layer), 1e-4)
