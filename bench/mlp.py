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
    """SGD, SGD with momentum and Adam, captured and eager; `short` changes nothing."""
    for name, optimizer, momentum in (
        ("SGD", "SGD", 0.0),
        ("momentum", "SGD", 0.9),
        ("Adam", "Adam", None),
    ):
        options = {} if momentum is None else {"momentum": momentum}
        for captured in (True, False):
            yield Case(
                "mlp",
                f"training step, {name}, {'captured' if captured else 'eager'}",
                "2-4-1, batch 4",
                partial(_step, optimizer, captured, **options),
                gates={"torch": 10.0} if captured else {},
                group=f"mlp, {'captured' if captured else 'eager'}",
            )


def _step(optimizer: str, captured: bool, **options: float) -> Sides:
    return training_step(
        lambda: fastdl.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)),
        lambda: torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)),
        (nn.MSELoss(), torch.nn.MSELoss()),
        (
            lambda parameters: getattr(optim, optimizer)(parameters, lr=0.01, **options),
            lambda parameters: getattr(torch.optim, optimizer)(parameters, lr=0.01, **options),
        ),
        (normal(4, 2), normal(4, 1, seed=1)),
        captured=captured,
    )
