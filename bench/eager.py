"""The price of a call: ops on tensors so small that the arithmetic costs nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.libraries import both, forward, forward_backward, normal
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["cases"]


def cases(short: bool) -> Iterator[Case]:
    """Single ops and a chain of three with its gradient, on 4x4 tensors, `short` or not."""
    yield Case("eager", "a + a", "4x4", _add, gates={"torch": 4.0})
    yield Case("eager", "a + a, recorded", "4x4", _add_recorded)
    yield Case("eager", "a * 2.0", "4x4", _scale)
    yield Case("eager", "relu(a)", "4x4", _relu)
    yield Case("eager", "a[1]", "4x4", _index)
    yield Case("eager", "linear(a, w, b)", "4x4", _linear)
    yield Case("eager", "sum(tanh(a * a)), backward", "4x4", _three_ops, gates={"torch": 6.0})


def _add() -> Sides:
    (a,), (b,) = both(normal(4, 4))
    pair = forward(lambda x: x + x, lambda x: x + x, [normal(4, 4)])
    return Sides(lambda: a + a, {"torch": lambda: b + b}, pair.check)


def _add_recorded() -> Sides:
    (a,), (b,) = both(normal(4, 4), requires_grad=True)
    pair = forward_backward(lambda x: x + x, lambda x: x + x, [normal(4, 4)])
    return Sides(lambda: a + a, {"torch": lambda: b + b}, pair.check)


def _scale() -> Sides:
    return forward(lambda x: x * 2.0, lambda x: x * 2.0, [normal(4, 4)])


def _relu() -> Sides:
    return forward(F.relu, torch.relu, [normal(4, 4)])


def _index() -> Sides:
    return forward(lambda x: x[1], lambda x: x[1], [normal(4, 4)])


def _linear() -> Sides:
    arrays = [normal(4, 4), normal(4, 4, seed=1), normal(4, seed=2)]
    return forward(F.linear, torch.nn.functional.linear, arrays)


def _three_ops() -> Sides:
    (a,), (b,) = both(normal(4, 4), requires_grad=True)

    def ours() -> object:
        a.grad = None
        (a * a).tanh().sum().backward()
        return a.grad

    def reference() -> object:
        b.grad = None
        (b * b).tanh().sum().backward()
        return b.grad

    def check() -> None:
        ours(), reference()
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5, atol=1e-6)

    return Sides(ours, {"torch": reference}, check)
