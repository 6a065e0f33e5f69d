"""Training step of a 2-4-1 multilayer perceptron against JAX, which compiles the whole step.

Both sides repeat their step without waiting for its result, as a training loop does: JAX may still
be at work on one step while Python asks for the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import fastdl
from bench.libraries import Array, agree, jax_here, normal
from bench.timing import Call, Case, Sides
from bench.training import step
from fastdl import nn, optim

__all__ = ["cases"]

RATE = 0.01


def cases(short: bool) -> Iterator[Case]:
    """SGD, op by op; `short` changes nothing."""
    gates = {"jax": 1.1}
    yield Case("jax_mlp", "training step, SGD", "2-4-1, batch 4", _sides, gates=gates)


def _sides() -> Sides:
    x, y = normal(4, 2), normal(4, 1, seed=1)
    model = fastdl.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    weights = [np.array(p.detach().numpy()) for p in model.parameters()]
    optimizer = optim.SGD(model.parameters(), lr=RATE)
    ours = step(model, nn.MSELoss(), optimizer, fastdl.tensor(x), fastdl.tensor(y))
    theirs = _jax_step(weights, x, y)

    def check() -> None:
        for _ in range(10):
            loss = ours()
            if theirs is not None:
                agree(loss, theirs(), 1e-5)

    return Sides(ours, {"jax": theirs}, check)


def _jax_step(weights: list[Array], x: Array, y: Array) -> Call | None:
    """Forward, loss, gradients and update as one compiled function; it returns the loss."""
    jax = jax_here()
    if jax is None:
        return None
    numpy = jax.numpy

    def loss(parameters: list[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = parameters
        return numpy.mean((numpy.tanh(x @ w1.T + b1) @ w2.T + b2 - y) ** 2)

    @jax.jit
    def update(parameters: list[Any], x: Any, y: Any) -> tuple[Any, list[Any]]:
        value, slopes = jax.value_and_grad(loss)(parameters, x, y)
        return value, [p - RATE * slope for p, slope in zip(parameters, slopes, strict=True)]

    state = [numpy.asarray(w) for w in weights]
    x, y = numpy.asarray(x), numpy.asarray(y)

    def run() -> Any:
        nonlocal state
        value, state = update(state, x, y)
        return value

    return run
