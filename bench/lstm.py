"""A layer of LSTM or GRU over a sequence: inference, and training with all gradients."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

import fastdl
from bench.libraries import agree, both, normal
from bench.timing import Case, Sides
from fastdl import nn

__all__ = ["cases"]

GATES = {"torch": 1.3}


def cases(short: bool) -> Iterator[Case]:
    """T steps of N sequences with H features and H units."""
    small = [(10, 4, 64)]
    for kind, gates in (("LSTM", 4), ("GRU", 3)) if hasattr(nn, "GRU") else (("LSTM", 4),):
        for steps, batch, units in (
            small if short else [(50, 32, 256), (100, 1, 128), (20, 128, 512)]
        ):
            size = f"T={steps} N={batch} H={units}"
            flops = 2.0 * steps * batch * 2 * gates * units * units
            make = partial(_layer, kind, steps, batch, units)
            required = {} if short else GATES
            name, group = f"{kind}, inference", "recurrent, inference"
            yield Case("lstm", name, size, partial(make, False), flops, "flop", required, group)
            name, group = f"{kind}, forward and backward", "recurrent, training"
            yield Case("lstm", name, size, partial(make, True), 3 * flops, "flop", required, group)


def _layer(kind: str, steps: int, batch: int, units: int, training: bool) -> Sides:
    ours, reference = getattr(nn, kind)(units, units), getattr(torch.nn, kind)(units, units)
    state = reference.state_dict()
    ours.load_state_dict({name: value.numpy() for name, value in state.items()})
    (x, g), (other_x, other_g) = both(
        normal(steps, batch, units), normal(steps, batch, units, seed=1)
    )
    x.requires_grad = other_x.requires_grad = training

    def infer_ours() -> object:
        with fastdl.no_grad():
            return ours(x)[0]

    def infer_reference() -> object:
        with torch.no_grad():
            return reference(other_x)[0]

    def train_ours() -> object:
        x.grad = None
        ours.zero_grad()
        y = ours(x)[0]
        y.backward(g)
        return y

    def train_reference() -> object:
        other_x.grad = None
        reference.zero_grad()
        y = reference(other_x)[0]
        y.backward(other_g)
        return y

    def check() -> None:
        agree(train_ours(), train_reference(), 1e-4) if training else agree(
            infer_ours(), infer_reference(), 1e-4
        )
        if training:
            agree(x.grad, other_x.grad, 1e-4)
            for a, b in zip(ours.parameters(), reference.parameters(), strict=True):
                agree(a.grad, b.grad, 1e-4)

    if training:
        return Sides(train_ours, {"torch": train_reference}, check)
    return Sides(infer_ours, {"torch": infer_reference}, check)
