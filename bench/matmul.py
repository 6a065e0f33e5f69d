"""Matrix products in float32: square, skinny, batched and transposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch

import fastdl
from bench.libraries import forward, forward_backward, multiply_add_peak, normal
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["cases"]

Make = Callable[[int, int, int], Sides]


def cases(short: bool) -> Iterator[Case]:
    """[m, k] times [k, n]; `short` leaves most sizes out."""
    for n in (64, 256) if short else (16, 32, 64, 128, 256, 512, 1024, 2048):
        gates = {"best": 1.0}
        if n >= 64:
            gates["torch"] = 1.3 if n <= 128 else 1.05
        if n >= 512:
            gates["peak"] = 0.92
        yield _case("matmul", n, n, n, _square, gates=gates)
    for m in (1,) if short else (1, 8, 32):
        gates = {"torch": 1.3, "best": 1.0}
        yield _case("matmul, skinny", m, 1024, 1024, _product, gates=gates)
        yield _case("linear, skinny", m, 1024, 1024, _skinny_linear, gates=gates)
    for n in (128,) if short else (128, 512):
        yield _case("matmul, A transposed", n, n, n, _transposed)
        yield _case("linear, forward and backward", n, n, n, _linear, products=3)
    batch = partial(_batched, 64, 64)
    yield Case("matmul", "matmul, batched", "64 of 64x64x64", batch, work=2 * 64 * 64**3)


def _case(
    name: str,
    m: int,
    k: int,
    n: int,
    make: Make,
    products: int = 1,
    gates: Mapping[str, float] | None = None,
) -> Case:
    flops = 2.0 * m * k * n * products
    size = f"{m}x{k}x{n}"
    return Case("matmul", name, size, partial(make, m, k, n), work=flops, gates=gates or {})


def _product(m: int, k: int, n: int) -> Sides:
    arrays = [normal(m, k), normal(k, n, seed=1)]
    return forward(fastdl.matmul, torch.matmul, arrays, 1e-4, numpy=np.matmul)


def _square(m: int, k: int, n: int) -> Sides:
    return replace(_product(m, k, n), limits=multiply_add_peak())


def _skinny_linear(m: int, k: int, n: int) -> Sides:
    arrays = [normal(m, k), normal(n, k, seed=1)]
    functions = F.linear, torch.nn.functional.linear
    return forward(*functions, arrays, 1e-4, numpy=lambda x, weight: x @ weight.T)


def _transposed(m: int, k: int, n: int) -> Sides:
    def product(a: object, b: object) -> object:
        return a.T @ b  # type: ignore[attr-defined]  # tensors or arrays

    return forward(product, product, [normal(k, m), normal(k, n, seed=1)], 1e-4, numpy=product)


def _batched(batch: int, n: int) -> Sides:
    arrays = [normal(batch, n, n), normal(batch, n, n, seed=1)]
    return forward(fastdl.matmul, torch.matmul, arrays, 1e-4, numpy=np.matmul)


def _linear(m: int, k: int, n: int) -> Sides:
    arrays = [normal(m, k), normal(n, k, seed=1), normal(n, seed=2)]
    return forward_backward(F.linear, torch.nn.functional.linear, arrays, 1e-4)
