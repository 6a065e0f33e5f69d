"""GPU cases of whole steps: optimisers, recurrent layers, and the training of small models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

import fastdl
from bench.gpu.sides import agree, normal, shared
from bench.gpu.timing import DEVICE, Case, Sides
from bench.lenet import torch_lenet5
from fastdl import models, nn, optim

__all__ = ["cases"]

# The libraries round differently, and each step starts from the last one's result.
TOLERANCE = 1e-4


def cases(quick: bool) -> Iterator[Case]:
    """Optimisers over 160 tensors, recurrent layers, steps of LeNet-5 and an MLP."""
    shapes = [(16, 8), (16,)] if quick else 40 * [(768, 768)] + 120 * [(768,)]
    numbers = sum(torch.Size(shape).numel() for shape in shapes)
    size = f"{len(shapes)} tensors, {numbers / 1e6:.1f} M"
    for name, options, tensors in (("SGD", {"momentum": 0.9}, 5), ("Adam", {}, 7)):
        make = partial(_optimizer, name, options, shapes)
        yield Case("optimiser", name, size, make, bytes=4.0 * tensors * numbers)
    yield from _recurrent_cases(quick)
    batch = 1 if quick else 64
    for name, make in (("LeNet-5", _lenet), ("MLP", _mlp)):
        for captured in (False, True):
            step = "training step" + (", captured" if captured else "")
            yield Case(name, step, f"batch {batch}", partial(make, batch, captured))


def _recurrent_cases(quick: bool) -> Iterator[Case]:
    shapes = [(1024, 16, 768, "float16"), (1024, 16, 768, "float32")]
    shapes += [(100, 64, 512, "float32"), (50, 32, 256, "float32")]
    for steps, batch, units, dtype in [(4, 2, 8, d) for *_, d in shapes[:2]] if quick else shapes:
        size = f"{dtype} T={steps} N={batch} H={units}"
        for kind, gates in (("LSTM", 4), ("GRU", 3)):
            flops = 2.0 * steps * batch * 2 * gates * units * units
            for name, training, factor in (("inference", False, 1), ("training", True, 3)):
                make = partial(_recurrent, kind, dtype, steps, batch, units, training)
                yield Case(kind, name, size, make, flops=factor * flops)


def _optimizer(name: str, options: dict[str, float], shapes: list[tuple[int, ...]]) -> Sides:
    """PyTorch's own choice of implementation, and its fused one."""
    start = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    gradients = [normal(*shape, seed=1000 + i) for i, shape in enumerate(shapes)]
    ours = [shared(p.clone()) for p in start]
    for p, g in zip(ours, gradients, strict=True):
        p.requires_grad = True
        p.grad = shared(g)
    step = getattr(optim, name)(ours, lr=1e-3, **options).step

    def reference(dtype: torch.dtype, **more: Any) -> tuple[list[torch.Tensor], Callable[[], Any]]:
        parameters = [p.to(dtype, copy=True).requires_grad_() for p in start]
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g.to(dtype)
        return parameters, getattr(torch.optim, name)(parameters, lr=1e-3, **options, **more).step

    ways = {"default": reference(torch.float32), "fused": reference(torch.float32, fused=True)}
    exact, exact_step = reference(torch.float64)

    def check() -> dict[str, float]:
        for _ in range(3):
            step(), exact_step()
            for _, way in ways.values():
                way()
        return {
            "fastdl": agree(ours, exact, "fastdl"),
            **{way: agree(parameters, exact, way) for way, (parameters, _) in ways.items()},
        }

    return Sides(step, {way: call for way, (_, call) in ways.items()}, check)


def _load(model: Any, reference: torch.nn.Module) -> Any:
    """The reference's weights in our model, on CUDA."""
    state = zip(model.state_dict(), reference.state_dict().values(), strict=True)
    model.load_state_dict({name: value.cpu().numpy() for name, value in state})
    return model.to("cuda")


def _recurrent(kind: str, dtype: str, steps: int, batch: int, units: int, training: bool) -> Sides:
    torch.manual_seed(0)
    make = getattr(torch.nn, kind)
    reference = make(units, units).to(DEVICE, getattr(torch, dtype))
    ours = _load(getattr(nn, kind)(units, units).to(dtype), reference)
    exact = make(units, units).to(DEVICE).double()
    exact.load_state_dict(reference.state_dict())
    x = normal(steps, batch, units, dtype=dtype)
    g = normal(steps, batch, units, dtype=dtype, seed=1)
    tolerance = TOLERANCE if dtype == "float32" else 1e-2

    def call(library: Any, model: Any, x: Any, g: Any) -> Callable[[], Any]:
        parameters = list(model.parameters())

        def infer() -> Any:
            with library.no_grad():
                return model(x)[0]

        def train() -> Any:
            x.grad = None
            for p in parameters:
                p.grad = None
            y = model(x)[0]
            y.backward(g)
            return [y, x.grad, *(p.grad for p in parameters)]

        x.requires_grad = training
        return train if training else infer

    ours_call = call(fastdl, ours, shared(x), shared(g))
    reference_call = call(torch, reference, x.detach(), g)
    exact_call = call(torch, exact, x.double(), g.double())

    def check() -> dict[str, float]:
        right = exact_call()
        return {
            "fastdl": agree(ours_call(), right, "fastdl", tolerance),
            "PyTorch": agree(reference_call(), right, "PyTorch", tolerance),
        }

    return Sides(ours_call, {"PyTorch": reference_call}, check)


def _lenet(batch: int, captured: bool) -> Sides:
    return _training(models.LeNet5(), torch_lenet5, (batch, 1, 32, 32), captured)


def _mlp(batch: int, captured: bool) -> Sides:
    """784-128-64-10, so small that starting its kernels is most of the time."""

    def make(layers: Any) -> Any:
        hidden = layers.Linear(784, 128), layers.ReLU(), layers.Linear(128, 64), layers.ReLU()
        return layers.Sequential(*hidden, layers.Linear(64, 10))

    return _training(make(nn), partial(make, torch.nn), (batch, 784), captured)


def _training(
    ours: Any, make_reference: Callable[[], Any], shape: tuple[int, ...], captured: bool
) -> Sides:
    """Forward, loss, backward and a step of SGD; PyTorch eager, in both of its optimiser's ways."""
    torch.manual_seed(0)
    first = make_reference().to(DEVICE)
    model = _load(ours, first)
    x = normal(*shape)
    y = torch.from_numpy(np.random.default_rng(1).integers(0, 10, shape[0])).to(DEVICE)

    def call(model: Any, loss_function: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
        def step(x: Any, y: Any) -> Any:
            loss = loss_function(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    def reference(dtype: torch.dtype, **more: Any) -> tuple[Any, Callable[[], Any]]:
        copy = make_reference().to(DEVICE)
        copy.load_state_dict(first.state_dict())
        copy.to(dtype)
        sgd = torch.optim.SGD(copy.parameters(), lr=1e-3, momentum=0.9, **more)
        step = call(copy, torch.nn.CrossEntropyLoss(), sgd)
        return copy, partial(step, x.to(dtype), y)

    sgd = optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    own_step = call(model, nn.CrossEntropyLoss(), sgd)
    ours_call = partial(fastdl.capture(own_step) if captured else own_step, shared(x), shared(y))
    ways = {"default": reference(torch.float32), "fused": reference(torch.float32, fused=True)}
    exact, exact_call = reference(torch.float64)

    def check() -> dict[str, float]:
        errors: dict[str, float] = {}
        for _ in range(3):
            right = exact_call()
            for name, step in {"fastdl": ours_call, **{w: c for w, (_, c) in ways.items()}}.items():
                errors[name] = agree(step(), right, f"{name}, loss", TOLERANCE)
        weights = list(exact.parameters())
        for name, other in {"fastdl": model, **{w: m for w, (m, _) in ways.items()}}.items():
            error = agree(list(other.parameters()), weights, name, TOLERANCE)
            errors[name] = max(errors[name], error)
        return errors

    return Sides(ours_call, {way: step for way, (_, step) in ways.items()}, check)
