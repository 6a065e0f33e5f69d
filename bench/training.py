"""A training step in both libraries: forward, loss, zero_grad, backward, optimiser step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import fastdl
from bench.libraries import Array, agree, both
from bench.timing import Sides

__all__ = ["step", "training_step"]


def training_step(
    make_ours: Callable[[], Any],
    make_reference: Callable[[], Any],
    losses: tuple[Any, Any],
    optimizers: tuple[Callable[[Any], Any], Callable[[Any], Any]],
    data: tuple[Array, Array],
    steps: int = 10,
    tolerance: float = 1e-4,
) -> Sides:
    """One step of each library on the same batch.

    The check gives both models the same weights, trains both for some steps, and compares every
    loss and then every parameter.

    Args:
        make_ours: builds the model of fastdl.
        make_reference: builds that of PyTorch; parameters come in the same order.
        losses: the loss functions, ours first.
        optimizers: from parameters to an optimiser, ours first.
        data: inputs and targets.
        steps: how long the check trains. Default: 10.
        tolerance: of the check, as in `agree`. Default: 1e-4.
    """
    model, reference = make_ours(), make_reference()
    _copy_weights(reference, model)
    (x, y), (other_x, other_y) = both(*data)
    ours = step(model, losses[0], optimizers[0](model.parameters()), x, y)
    theirs = step(reference, losses[1], optimizers[1](reference.parameters()), other_x, other_y)

    def check() -> None:
        for _ in range(steps):
            agree(ours(), theirs(), tolerance)
        for a, b in zip(model.parameters(), reference.parameters(), strict=True):
            agree(a, b, tolerance)

    return Sides(ours, {"torch": theirs}, check)


def step(model: Any, loss_function: Any, optimizer: Any, x: Any, y: Any) -> Callable[[], Any]:
    """A call that makes one step of fastdl or PyTorch, and returns the loss."""

    def run() -> Any:
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return run


def _copy_weights(source: Any, target: Any) -> None:
    with fastdl.no_grad(), torch.no_grad():
        for a, b in zip(source.parameters(), target.parameters(), strict=True):
            b.copy_(fastdl.tensor(np.array(a.numpy())))
