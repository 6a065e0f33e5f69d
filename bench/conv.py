"""Every distinct convolution of ResNet-50, VGG-16 and LeNet-5, and MobileNet's depthwise ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from bench import models_torch
from bench.lenet import torch_lenet5
from bench.libraries import Array, forward, forward_backward, normal
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["MEANS", "Layer", "cases", "layers"]


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


# MobileNet v1 (A. Howard et al., 2017, table 1): channels, pixels, stride
DEPTHWISE = ((32, 112, 1), (64, 112, 2), (128, 56, 1), (256, 28, 1), (512, 14, 1), (1024, 7, 1))

FORWARD, BOTH = "conv, forward", "conv, forward and backward"
MEANS = {FORWARD: {"torch": 1.5}, BOTH: {"torch": 1.4}}
GATES = {FORWARD: {"torch": 1.0}, BOTH: {"torch": 0.95}}


def layers() -> list[Layer]:
    """The distinct layers of the three networks, found by running them without data."""
    with torch.device("meta"):  # shapes alone
        return [
            *_layers("ResNet", models_torch.resnet(50), 3, 224),
            *_layers("VGG", models_torch.vgg(), 3, 224),
            *_layers("LeNet-5", torch_lenet5(), 1, 32),
        ]


def cases(short: bool) -> Iterator[Case]:
    """Each layer forward, and forward with all three gradients, at batch 1 and 16.

    `short` takes four layers at batch 1.
    """
    found = layers()
    if short:
        found = [layer for layer in found if layer.name in ("LeNet-5 5x5", "ResNet 3x3 14 px")]
    for batch in (1,) if short else (1, 16):
        for layer in found:
            yield from _both(layer._replace(batch=batch), (FORWARD, BOTH), GATES)
        for channels, size, stride in DEPTHWISE[:1] if short else DEPTHWISE:
            name = f"depthwise 3x3{f'/{stride}' if stride > 1 else ''}, {size} px"
            layer = Layer(name, batch, channels, channels, 3, size, stride, 1, channels)
            gates = {"depthwise": {"torch": 1.5}}
            yield from _both(layer, ("depthwise", "depthwise, with backward"), gates)


def _both(
    layer: Layer, groups: Sequence[str], gates: dict[str, dict[str, float]]
) -> Iterator[Case]:
    out = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
    taps = layer.channels // layer.groups * layer.kernel**2
    flops = 2.0 * layer.batch * layer.filters * out * out * taps
    size = f"{layer.batch}x{layer.channels}x{layer.size}x{layer.size} to {layer.filters}"
    directions = (("forward", _forward, 1), ("forward and backward", _backward, 3))
    for (direction, make, times), group in zip(directions, groups, strict=True):
        yield Case(
            "conv",
            f"{layer.name}, {direction}",
            size,
            partial(make, layer),
            work=times * flops,
            gates=gates.get(group, {}),
            group=group,
        )


def _layers(network: str, model: torch.nn.Module, channels: int, size: int) -> list[Layer]:
    found: dict[Layer, None] = {}

    def note(conv: Any, args: Any, _result: Any) -> None:
        (kernel, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
        side = args[0].shape[-1]
        name = f"{network} {kernel}x{kernel}{f'/{stride}' if stride > 1 else ''} {side} px"
        if network == "LeNet-5":
            name = f"{network} {kernel}x{kernel}"
        sizes = conv.in_channels, conv.out_channels, kernel, side, stride, padding
        found[Layer(name, 1, *sizes)] = None

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        model(torch.empty(1, channels, size, size))
    return list(found)


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
