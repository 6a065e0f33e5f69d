"""What a busy core does to ops on all threads.

Another process spins on one of the cores while an op is timed, in turns, on all threads and on one.
A thread that is not scheduled must not be waited for, so all threads may take at most 1.5 times as
long as one. A sample is the mean of many calls: one call in a hundred that takes a hundred times as
long is what this is about.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import fastdl
from bench.libraries import normal, threads
from bench.timing import Case, Sides
from fastdl import functional as F

__all__ = ["ALL_THREADS", "cases", "ops", "spinning"]

ALL_THREADS = True  # one thread is the reference


def cases(short: bool) -> Iterator[Case]:
    """Ops from a few microseconds to tens of milliseconds; `short`: three of them."""
    for i, (name, function) in enumerate(ops()):
        if not short or i % 5 == 0:
            yield Case(
                "busy",
                name,
                "a core busy",
                partial(_sides, function),
                gates={"one thread": 1 / 1.5},
                beside=spinning,
            )


@contextlib.contextmanager
def spinning() -> Iterator[None]:
    """A process that keeps the last core busy for the length of the block."""
    core = max(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-S", "-c", code]) as process:
        try:
            time.sleep(0.2)  # it has started
            yield
        finally:
            process.kill()


def ops() -> Iterator[tuple[str, Callable[[], fastdl.Tensor]]]:
    """Ops from a few microseconds to a hundred milliseconds."""

    def tensor(*shape: int) -> fastdl.Tensor:
        return fastdl.tensor(normal(*shape))

    for n in (64, 256, 1024):
        a, b = tensor(n, n), tensor(n, n)
        yield f"matmul {n}", lambda a=a, b=b: a @ b
    for side in (64, 256, 2048):
        x = tensor(side, side)
        yield f"add {side}x{side}", lambda x=x: x + x
        yield f"sum {side}x{side}", lambda x=x: x.sum()
        yield f"softmax {side}x{side}", lambda x=x: x.softmax(1)
    for channels, side in ((64, 56), (512, 7)):
        x, w = tensor(1, channels, side, side), tensor(channels, channels, 3, 3)
        yield f"conv {channels}x{side}x{side}", lambda x=x, w=w: F.conv2d(x, w, padding=1)
    x = tensor(16, 64, 56, 56)
    yield "max_pool2d 16x64x56x56", lambda x=x: F.max_pool2d(x, 2)
    scale, shift = tensor(64), tensor(64)
    yield "batch_norm 16x64x56x56", lambda x=x: F.batch_norm(x, None, None, scale, shift, True)


def _sides(function: Callable[[], fastdl.Tensor]) -> Sides:
    count = threads()

    def on(number: int) -> fastdl.Tensor:
        fastdl.set_num_threads(number)
        return function()

    def check() -> None:
        np.testing.assert_array_equal(on(count).numpy(), on(1).numpy())

    return Sides(partial(on, count), {"one thread": partial(on, 1)}, check)
