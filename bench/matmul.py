"""Matrix products in float32: square, skinny, batched and transposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

import fastdl
from bench.libraries import forward, forward_backward, normal
from bench.timing import FULL, Case, Plan, Sides, measure
from fastdl import _core
from fastdl import functional as F

__all__ = ["cases", "fractions_of_peak"]

Make = Callable[[int, int, int], Sides]


def cases(short: bool) -> Iterator[Case]:
    """[m, k] times [k, n]; `short` leaves most sizes out."""
    for n in (64, 256) if short else (16, 32, 64, 128, 256, 512, 1024, 2048):
        yield _case("matmul", n, n, n, _product)
    for m in (1,) if short else (1, 8, 32):
        yield _case("matmul, skinny", m, 1024, 1024, _product)
        yield _case("linear, inference", m, 1024, 1024, _inference)
    for n in (128,) if short else (128, 512):
        yield _case("matmul, A transposed", n, n, n, _transposed)
        yield _case("linear, forward and backward", n, n, n, _linear, products=3)
    batch = partial(_batched, 64, 64)
    yield Case("matmul", "matmul, batched", "64 of 64x64x64", batch, work=2 * 64 * 64**3)


def fractions_of_peak(sizes: Sequence[int], plan: Plan = FULL) -> dict[int, float]:
    """How much of the machine's float32 multiply-adds a square product of each size reaches.

    The peak is a loop of nothing but multiply-adds on registers, timed in turns with the product on
    as many threads. A core that loads beside may clock lower than one that only computes.
    """
    found = {}
    count = _core.multiply_add_peak(16)
    for n in sizes:
        a, b = fastdl.tensor(normal(n, n)), fastdl.tensor(normal(n, n, seed=1))
        calls = (partial(fastdl.matmul, a, b), partial(_core.multiply_add_peak, 16))
        product, peak = measure(calls, plan)
        found[n] = n**3 / product.median / (count / peak.median)
    return found


def _case(name: str, m: int, k: int, n: int, make: Make, products: int = 1) -> Case:
    flops = 2.0 * m * k * n * products
    return Case("matmul", name, f"{m}x{k}x{n}", partial(make, m, k, n), work=flops)


def _product(m: int, k: int, n: int) -> Sides:
    return forward(fastdl.matmul, torch.matmul, [normal(m, k), normal(k, n, seed=1)], 1e-4)


def _inference(m: int, k: int, n: int) -> Sides:
    """The weight's packed form is kept between calls."""
    x, weight = normal(m, k), normal(n, k, seed=1)
    return forward(F.linear, torch.nn.functional.linear, [x, weight], 1e-4)


def _transposed(m: int, k: int, n: int) -> Sides:
    arrays = [normal(k, m), normal(k, n, seed=1)]
    return forward(lambda a, b: a.T @ b, lambda a, b: a.T @ b, arrays, 1e-4)


def _batched(batch: int, n: int) -> Sides:
    arrays = [normal(batch, n, n), normal(batch, n, n, seed=1)]
    return forward(fastdl.matmul, torch.matmul, arrays, 1e-4)


def _linear(m: int, k: int, n: int) -> Sides:
    arrays = [normal(m, k), normal(n, k, seed=1), normal(n, seed=2)]
    return forward_backward(F.linear, torch.nn.functional.linear, arrays, 1e-4)
