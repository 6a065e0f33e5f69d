"""Training step of a 2-4-1 multilayer perceptron: the price of everything but arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

import fastdl
from bench.libraries import normal
from bench.timing import Case, Sides
from bench.training import training_step
from fastdl import nn, optim

__all__ = ["cases"]


def cases(short: bool) -> Iterator[Case]:
    """SGD, SGD with momentum and Adam; `short` changes nothing."""
    yield Case(
        "mlp", "training step, SGD", "2-4-1, batch 4", partial(_step, "SGD"), gates={"torch": 10.0}
    )
    yield Case(
        "mlp", "training step, momentum", "2-4-1, batch 4", partial(_step, "SGD", momentum=0.9)
    )
    yield Case(
        "mlp",
        "training step, Adam",
        "2-4-1, batch 4",
        partial(_step, "Adam"),
        gates={"torch": 10.0},
    )


def _step(optimizer: str, **options: float) -> Sides:
    return training_step(
        lambda: fastdl.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)),
        lambda: torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)),
        (nn.MSELoss(), torch.nn.MSELoss()),
        (
            lambda parameters: getattr(optim, optimizer)(parameters, lr=0.01, **options),
            lambda parameters: getattr(torch.optim, optimizer)(parameters, lr=0.01, **options),
        ),
        (normal(4, 2), normal(4, 1, seed=1)),
    )
