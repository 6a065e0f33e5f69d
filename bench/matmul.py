"""Matrix products in float32: square, skinny, batched and transposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

import fastdl
from bench.libraries import forward, forward_backward, normal
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["cases"]

Make = Callable[[int, int, int], Sides]


def cases(short: bool) -> Iterator[Case]:
    """[m, k] times [k, n]; `short` leaves most sizes out."""
    for n in (64, 256) if short else (16, 32, 64, 128, 256, 512, 1024, 2048):
        yield _case("matmul", n, n, n, _product)
    for m in (1,) if short else (1, 8, 32):
        yield _case("matmul, skinny", m, 1024, 1024, _product)
    for n in (128,) if short else (128, 512):
        yield _case("matmul, A transposed", n, n, n, _transposed)
        yield _case("linear, forward and backward", n, n, n, _linear, products=3)
    batch = partial(_batched, 64, 64)
    yield Case("matmul", "matmul, batched", "64 of 64x64x64", batch, work=2 * 64 * 64**3)


def _case(name: str, m: int, k: int, n: int, make: Make, products: int = 1) -> Case:
    flops = 2.0 * m * k * n * products
    return Case("matmul", name, f"{m}x{k}x{n}", partial(make, m, k, n), work=flops)


def _product(m: int, k: int, n: int) -> Sides:
    return forward(fastdl.matmul, torch.matmul, [normal(m, k), normal(k, n, seed=1)], 1e-4)


def _transposed(m: int, k: int, n: int) -> Sides:
    arrays = [normal(k, m), normal(k, n, seed=1)]
    return forward(lambda a, b: a.T @ b, lambda a, b: a.T @ b, arrays, 1e-4)


def _batched(batch: int, n: int) -> Sides:
    arrays = [normal(batch, n, n), normal(batch, n, n, seed=1)]
    return forward(fastdl.matmul, torch.matmul, arrays, 1e-4)


def _linear(m: int, k: int, n: int) -> Sides:
    arrays = [normal(m, k), normal(n, k, seed=1), normal(n, seed=2)]
    return forward_backward(F.linear, torch.nn.functional.linear, arrays, 1e-4)
