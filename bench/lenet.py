"""Training step and inference of LeNet-5."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

import fastdl
from bench.libraries import both, forward, normal
from bench.timing import Case, Sides
from bench.training import training_step
from fastdl import models, nn, optim

__all__ = ["cases", "torch_lenet5"]


def cases(short: bool) -> Iterator[Case]:
    """The step at batch 64, which has a gate, and unless `short` at others; inference."""
    for batch in (64,) if short else (64, 1, 256):
        yield Case(
            "lenet",
            "training step",
            f"batch {batch}",
            partial(_step, batch),
            gates={"torch": 4.0} if batch == 64 else {},
        )
    for batch in (64,) if short else (1, 64):
        yield Case("lenet", "inference", f"batch {batch}", partial(_inference, batch))


def torch_lenet5() -> torch.nn.Module:
    """The same network in PyTorch."""
    layers = torch.nn
    return layers.Sequential(
        layers.Conv2d(1, 6, 5),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Conv2d(6, 16, 5),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Linear(400, 120),
        layers.ReLU(),
        layers.Linear(120, 84),
        layers.ReLU(),
        layers.Linear(84, 10),
    )


def _step(batch: int) -> Sides:
    labels = np.random.default_rng(1).integers(0, 10, batch)
    return training_step(
        models.LeNet5,
        torch_lenet5,
        (nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()),
        (
            lambda parameters: optim.SGD(parameters, lr=1e-3, momentum=0.9),
            lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
        ),
        (normal(batch, 1, 32, 32), labels),
    )


def _inference(batch: int) -> Sides:
    model, reference = models.LeNet5().eval(), torch_lenet5().eval()
    model.load_state_dict(
        {
            name: value.numpy()
            for name, value in zip(model.state_dict(), reference.state_dict().values(), strict=True)
        }
    )
    (x,), (other,) = both(normal(batch, 1, 32, 32))

    def ours() -> object:
        with fastdl.no_grad():
            return model(x)

    def theirs() -> object:
        with torch.no_grad():
            return reference(other)

    # Checked on the same path, by a pair that is made of the models themselves.
    check = forward(model, reference, [normal(batch, 1, 32, 32)]).check
    return Sides(ours, {"torch": theirs}, check)
