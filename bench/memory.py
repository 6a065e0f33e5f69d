"""Ops whose time is that of moving memory, on tensors larger than the caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from bench.libraries import agree, both, copy_bandwidth, forward, forward_backward, normal
from bench.timing import Case, Sides
from fastdl import functional as F
from fastdl import optim

__all__ = ["cases"]

R = torch.nn.functional


GATES = {"torch": 3.0, "copy": 0.7}


def cases(short: bool) -> Iterator[Case]:
    """Images of 51 MB (`short`: 3 MB) in NCHW; `work` counts each tensor read and written once."""
    shape = (4, 16, 112, 112) if short else (16, 64, 112, 112)
    size = "x".join(map(str, shape))
    channels, width = shape[1], shape[3]
    scale = (normal(channels, seed=1), normal(channels, seed=2))
    statistics = (normal(channels, seed=4), np.abs(normal(channels, seed=5)) + 0.5)
    row = (normal(width, seed=1), normal(width, seed=2))
    count = 4 * shape[0] * shape[1] * shape[2] * shape[3]

    def case(name: str, tensors: float, make: Callable[[], Sides], gated: bool = False) -> Case:
        def limited() -> Sides:
            return replace(make(), limits=copy_bandwidth(count))

        gates, work = GATES if gated else {}, tensors * count
        group = "memory, gated" if gated else "memory, others"
        return Case("memory", name, size, limited, work, "B", gates, group)

    def unary(ours: Any, reference: Any, *more: Any) -> Callable[[], Sides]:
        return lambda: forward(ours, reference, [normal(*shape), *more], 1e-4)

    def gradient(ours: Any, reference: Any, *more: Any) -> Callable[[], Sides]:
        return lambda: forward_backward(ours, reference, [normal(*shape), *more], 1e-4)

    relu, pool = (F.relu, torch.relu), (_max_pool(F), _max_pool(R))
    average = (partial(F.avg_pool2d, kernel_size=2), partial(R.avg_pool2d, kernel_size=2))
    norm, softmax = (_norm(F), _norm(R)), (partial(F.softmax, dim=3), partial(R.softmax, dim=3))
    layer_norm = (_layer_norm(F), _layer_norm(R))
    infer = (_norm_inference(F), _norm_inference(R))
    yield case("relu", 2, unary(*relu), gated=True)
    yield case("add", 3, unary(F.add, torch.add, normal(*shape, seed=3)), gated=True)
    yield case("max pool 3x3/2", 1.25, unary(*pool), gated=True)
    yield case("average pool 2x2", 1.25, unary(*average), gated=True)
    yield case("batch norm, training", 3, unary(*norm, *scale), gated=True)
    yield case("batch norm, inference", 2, unary(*infer, *scale, *statistics), gated=True)
    yield case("softmax over rows", 2, unary(*softmax), gated=True)
    yield case("layer norm over rows", 2, unary(*layer_norm, *row), gated=True)
    yield case("relu, forward and backward", 5, gradient(*relu))
    yield case("max pool 3x3/2, forward and backward", 2.75, gradient(*pool))
    yield case("batch norm, forward and backward", 8, gradient(*norm, *scale))
    yield case("softmax over rows, forward and backward", 5, gradient(*softmax))
    yield case("layer norm, forward and backward", 5, gradient(*layer_norm, *row))
    yield case("exp", 2, unary(F.exp, torch.exp))
    yield case("sum", 1, unary(F.sum, torch.sum))
    yield case("sum over rows", 1, unary(partial(F.sum, dim=3), partial(torch.sum, dim=3)))
    yield case("clone", 2, unary(lambda x: x.clone(), lambda x: x.clone()))
    yield case("Adam step", 7, partial(_adam, shape))


def _max_pool(functions: Any) -> Callable[[Any], Any]:
    return partial(functions.max_pool2d, kernel_size=3, stride=2, padding=1)


def _norm(functions: Any) -> Callable[[Any, Any, Any], Any]:
    def apply(x: Any, weight: Any, bias: Any) -> Any:
        return functions.batch_norm(x, None, None, weight, bias, training=True)

    return apply


def _norm_inference(functions: Any) -> Callable[..., Any]:
    def apply(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        return functions.batch_norm(x, mean, variance, weight, bias, training=False)

    return apply


def _layer_norm(functions: Any) -> Callable[[Any, Any, Any], Any]:
    def apply(x: Any, weight: Any, bias: Any) -> Any:
        return functions.layer_norm(x, [x.shape[-1]], weight, bias)

    return apply


def _adam(shape: tuple[int, ...]) -> Sides:
    (p, g), (other_p, other_g) = both(normal(*shape), normal(*shape, seed=1))
    for parameter, grad in ((p, g), (other_p, other_g)):
        parameter.requires_grad = True
        parameter.grad = grad
    ours, reference = optim.Adam([p], lr=1e-3), torch.optim.Adam([other_p], lr=1e-3)

    def check() -> None:
        for _ in range(3):
            ours.step()
            reference.step()
        agree(p, other_p)

    return Sides(ours.step, {"torch": reference.step}, check)
