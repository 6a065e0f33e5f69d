"""Ops whose time is that of moving memory, on tensors larger than the caches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

import fastdl
from bench.libraries import agree, both, forward, forward_backward, normal
from bench.timing import Case, Limit, Sides
from fastdl import functional as F
from fastdl import optim

__all__ = ["cases"]

R = torch.nn.functional


GATES = {"torch": 3.0, "copy": 0.7}


def cases(short: bool) -> Iterator[Case]:
    """Images of 51 MB (`short`: 3 MB) in NCHW.

    `work` counts each tensor once, also where an algorithm has to read it twice, and the limit is
    what a copy of such images moves at the same time.
    """
    shape = (4, 16, 112, 112) if short else (16, 64, 112, 112)
    size = "x".join(map(str, shape))
    channels = shape[1]
    scale = (normal(channels, seed=1), normal(channels, seed=2))
    rows = (normal(shape[3], seed=1), normal(shape[3], seed=2))
    numel = 4.0 * shape[0] * shape[1] * shape[2] * shape[3]

    def case(name: str, tensors: float, make: Callable[[], Sides], gated: bool = False) -> Case:
        def limited() -> Sides:
            return replace(make(), limits={"copy": Limit(_fastest_copy(shape), 2 * numel)})

        gates = GATES if gated and not short else {}
        return Case("memory", name, size, limited, work=tensors * numel, unit="B", gates=gates)

    def unary(ours: Any, reference: Any, *more: Any) -> Callable[[], Sides]:
        return lambda: forward(ours, reference, [normal(*shape), *more], 1e-4)

    def gradient(ours: Any, reference: Any, *more: Any) -> Callable[[], Sides]:
        return lambda: forward_backward(ours, reference, [normal(*shape), *more], 1e-4)

    relu, pool = (F.relu, torch.relu), (_max_pool(F), _max_pool(R))
    average = (partial(F.avg_pool2d, kernel_size=2), partial(R.avg_pool2d, kernel_size=2))
    norm, softmax = (_norm(F), _norm(R)), (partial(F.softmax, dim=3), partial(R.softmax, dim=3))
    layer_norm = _layer_norm(F), _layer_norm(R)
    running = normal(channels, seed=3), np.abs(normal(channels, seed=4)) + 0.5
    another = normal(*shape, seed=3)
    yield case("relu", 2, unary(*relu), gated=True)
    yield case("add", 3, unary(F.add, torch.add, another), gated=True)
    yield case("max pool 3x3/2", 1.25, unary(*pool), gated=True)
    yield case("average pool 2x2", 1.25, unary(*average), gated=True)
    yield case("batch norm, training", 2, unary(*norm, *scale), gated=True)
    yield case(
        "batch norm, inference", 2, unary(F.batch_norm, R.batch_norm, *running, *scale), True
    )
    yield case("batch norm + add + relu", 3, unary(_fused_norm, _norm_parts, another, *scale))
    yield case("softmax over rows", 2, unary(*softmax), gated=True)
    yield case("layer norm over rows", 2, unary(*layer_norm, *rows), gated=True)
    yield case("exp", 2, unary(F.exp, torch.exp))
    yield case(
        "softmax over channels", 2, unary(partial(F.softmax, dim=1), partial(R.softmax, dim=1))
    )
    yield case("sum", 1, unary(F.sum, torch.sum))
    yield case("sum over rows", 1, unary(partial(F.sum, dim=3), partial(torch.sum, dim=3)))
    yield case("copy", 2, unary(lambda x: x.clone(), lambda x: x.clone()))
    yield case("to channels last", 2, unary(_to_channels_last, _to_channels_last))
    yield case("relu, forward and backward", 5, gradient(*relu))
    yield case("max pool 3x3/2, forward and backward", 2.75, gradient(*pool))
    yield case("average pool 2x2, forward and backward", 2.5, gradient(*average))
    yield case("batch norm, forward and backward", 5, gradient(*norm, *scale))
    yield case("softmax over rows, forward and backward", 5, gradient(*softmax))
    yield case("layer norm over rows, forward and backward", 5, gradient(*layer_norm, *rows))
    yield case("Adam step", 7, partial(_adam, shape))


def _fastest_copy(shape: tuple[int, ...]) -> Callable[[], object]:
    """Memcpy into an existing array, or a copy by stores past the caches, in a cached block."""
    tensor, array = fastdl.tensor(normal(*shape)), normal(*shape)
    target = np.empty_like(array)

    def seconds(call: Callable[[], object]) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return min(times)

    return min(tensor.clone, partial(np.copyto, target, array), key=seconds)


def _max_pool(functions: Any) -> Callable[[Any], Any]:
    return partial(functions.max_pool2d, kernel_size=3, stride=2, padding=1)


def _norm(functions: Any) -> Callable[[Any, Any, Any], Any]:
    def apply(x: Any, weight: Any, bias: Any) -> Any:
        return functions.batch_norm(x, None, None, weight, bias, training=True)

    return apply


def _fused_norm(x: Any, residual: Any, weight: Any, bias: Any) -> Any:
    options = {"training": True, "residual": residual, "activation": "relu"}
    return F.batch_norm(x, None, None, weight, bias, **options)


def _norm_parts(x: Any, residual: Any, weight: Any, bias: Any) -> Any:
    return torch.relu(R.batch_norm(x, None, None, weight, bias, training=True) + residual)


def _layer_norm(functions: Any) -> Callable[[Any, Any, Any], Any]:
    return lambda x, weight, bias: functions.layer_norm(x, x.shape[-1:], weight, bias)


def _to_channels_last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1).contiguous()


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
