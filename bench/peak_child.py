"""The memory of a training step: ``python -m bench.peak_child LIBRARY SIDE THREADS``.

A process of its own for each library, which imports no other. It prints as JSON by how many bytes
the peak of its resident memory has grown over what it was before the model was made, and the loss
of each step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH, STEPS = 8, 3


def main(library: str, side: int, threads: int) -> None:
    """Train ResNet-18 for some steps and print what it took."""
    draw = np.random.default_rng(0)
    images = draw.standard_normal((BATCH, 3, side, side), dtype=np.float32)
    labels = draw.integers(0, 1000, BATCH)
    prepare = {"fastdl": _fastdl, "torch": _torch}[library]
    make = prepare(threads)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _status("VmRSS")
    step = make(images, labels)
    losses = [step() for _ in range(STEPS)]
    print(json.dumps({"bytes": _status("VmHWM") - before, "losses": losses}))


def _status(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


Make = Callable[[np.ndarray, np.ndarray], Callable[[], float]]


def _fastdl(threads: int) -> Make:
    import fastdl
    from fastdl import models, nn, optim

    fastdl.set_num_threads(threads)

    def make(images: np.ndarray, labels: np.ndarray) -> Callable[[], float]:
        model, loss_function = models.resnet18(), nn.CrossEntropyLoss()
        with fastdl.no_grad():
            for parameter, value in zip(model.parameters(), _weights(model), strict=True):
                parameter.copy_(fastdl.tensor(value))
        optimizer = optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        x, y = fastdl.tensor(images), fastdl.tensor(labels)
        return _step(model, loss_function, optimizer, x, y)

    return make


def _torch(threads: int) -> Make:
    import torch

    from bench import models_torch

    torch.set_num_threads(threads)

    def make(images: np.ndarray, labels: np.ndarray) -> Callable[[], float]:
        model, loss_function = models_torch.resnet(18), torch.nn.CrossEntropyLoss()
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), _weights(model), strict=True):
                parameter.copy_(torch.tensor(value))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        x, y = torch.tensor(images), torch.tensor(labels)
        return _step(model, loss_function, optimizer, x, y)

    return make


def _weights(model):
    """Equal weights for both libraries, one at a time: as He et al. 2015, norms at their start."""
    draw = np.random.default_rng(1)
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        if len(shape) == 1:
            yield np.full(shape, float(name.endswith("weight")), np.float32)
            continue
        deviation = (2.0 / float(np.prod(shape[1:]))) ** 0.5
        yield draw.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _step(model, loss_function, optimizer, x, y) -> Callable[[], float]:
    def step() -> float:
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
