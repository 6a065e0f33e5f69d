"""ResNet-18, ResNet-50 and VGG-16: inference against PyTorch and ONNX Runtime, and training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

import fastdl
from bench import models_onnx, models_torch
from bench.libraries import Array, agree, normal
from bench.timing import Case, Sides
from bench.training import training_step
from fastdl import models as catalogue
from fastdl import nn, optim

__all__ = ["MAKERS", "cases", "random_weights"]

MAKERS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "resnet18": (catalogue.resnet18, partial(models_torch.resnet, 18)),
    "resnet50": (catalogue.resnet50, partial(models_torch.resnet, 50)),
    "vgg16": (catalogue.vgg16, models_torch.vgg),
}
NAMES = {"resnet18": "ResNet-18", "resnet50": "ResNet-50", "vgg16": "VGG-16"}
GATES = {
    "resnet18": {"torch": 2.0, "onnxruntime": 1.3},
    "resnet50": {"onnxruntime": 1.2},
    "vgg16": {"onnxruntime": 1.2},
}


def cases(short: bool) -> Iterator[Case]:
    """Inference at batch 1 and a training step at batch 8 on 224x224 images; `short`: 64x64.

    Inference is timed as the model comes, and by `fastdl.compile`, of which the gates are.
    """
    side = 64 if short else 224
    for network in ("resnet18",) if short else MAKERS:
        for compiled in (True, False):
            how = "compiled" if compiled else "eager"
            yield Case(
                "models",
                f"{NAMES[network]}, inference, {how}",
                f"1x3x{side}x{side}",
                partial(_inference, network, 1, side, compiled),
                gates=GATES[network] if compiled and not short else {},
                group=f"models, {how}",
            )
    yield Case(
        "models",
        "ResNet-18, training step",
        f"8x3x{side}x{side}",
        partial(_step, 8, side),
        gates={} if short else {"torch": 1.6},
        group="models, training",
    )


def random_weights(model: Any, seed: int = 0) -> dict[str, Array]:
    """A state for `model` under which activations keep their size.

    Weights are drawn as in He et al. 2015, biases and running means around 0, and the factors and
    running variances of batch norm around 1, since at their initial values they would do nothing.
    """
    draw = np.random.default_rng(seed)
    state: dict[str, Array] = {}
    for name, value in model.state_dict().items():
        shape = tuple(value.shape)
        if len(shape) >= 2:
            deviation = (2.0 / math.prod(shape[1:])) ** 0.5
            state[name] = deviation * draw.standard_normal(shape, dtype=np.float32)
        elif name.endswith(("running_var", "weight")):
            # A block adds its input: at 1 the sum would grow from block to block.
            state[name] = draw.uniform(0.4, 0.8, shape).astype(np.float32)
            state[name] += np.float32(name.endswith("running_var")) / 2
        elif shape:
            state[name] = draw.uniform(-0.1, 0.1, shape).astype(np.float32)
        else:
            state[name] = np.zeros((), np.int64)
    return {name: np.asarray(value, order="C") for name, value in state.items()}


def _inference(network: str, batch: int, side: int, compiled: bool) -> Sides:
    make, make_reference = MAKERS[network]
    model, reference = make().eval(), make_reference().eval()
    weights = random_weights(reference)
    model.load_state_dict(weights)
    reference.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    images = normal(batch, 3, side, side)
    x, other = fastdl.tensor(images), torch.tensor(images)

    call = fastdl.compile(model) if compiled else model

    def ours() -> Any:
        with fastdl.no_grad():
            return call(x)

    def theirs() -> Any:
        with torch.inference_mode():
            return reference(other)

    onnx = models_onnx.session(network, weights, images)

    def check() -> None:
        result = ours()
        agree(result, theirs(), 1e-3)
        if onnx is not None:
            agree(result, onnx(), 1e-3)

    return Sides(ours, {"torch": theirs, "onnxruntime": onnx}, check)


def _step(batch: int, side: int) -> Sides:
    labels = np.random.default_rng(1).integers(0, 1000, batch)
    make, make_reference = MAKERS["resnet18"]

    def drawn() -> Any:
        reference = make_reference()
        state = random_weights(reference)
        reference.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
        return reference

    return training_step(
        make,
        drawn,
        (nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()),
        (
            lambda parameters: optim.SGD(parameters, lr=1e-3, momentum=0.9),
            lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
        ),
        (normal(batch, 3, side, side), labels),
        steps=2,
        tolerance=1e-2,
    )
