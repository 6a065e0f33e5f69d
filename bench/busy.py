"""``python -m bench.busy``: what a busy core does to ops on all threads.

Another process spins on one of the cores. Each op is timed at one thread and at all of them, in
turns; the ratio is the time at all threads over that at one, and should stay below 1.5: a thread
that is not scheduled must not be waited for.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import fastdl
from bench.libraries import normal
from fastdl import functional as F

__all__ = ["measure", "ops", "spinning"]

LIMIT = 1.5


@contextlib.contextmanager
def spinning(core: int) -> Iterator[None]:
    """A process that keeps a core busy for the length of the block."""
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-S", "-c", code]) as process:
        try:
            time.sleep(0.2)  # it has started
            yield
        finally:
            process.kill()


def ops() -> Iterator[tuple[str, Callable[[], object]]]:
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


def measure(function: Callable[[], object], threads: int, seconds: float) -> tuple[float, float]:
    """Median times of a call at one thread and at `threads`, in turns."""
    times: dict[int, list[float]] = {1: [], threads: []}
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for count, found in times.items():
            fastdl.set_num_threads(count)
            function()
            for _ in range(5):
                before = time.perf_counter()
                function()
                found.append(time.perf_counter() - before)
    # Means: one call in a hundred that takes a hundred times as long is what this is about.
    return statistics.mean(times[1]), statistics.mean(times[threads])


def main() -> int:
    """Print a line for each op; 1 where one is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.busy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each op (default: 2)")
    parser.add_argument("--idle", action="store_true", help="without the busy process")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    before = fastdl.get_num_threads()
    worst = 0.0
    try:
        with contextlib.nullcontext() if options.idle else spinning(cores[-1]):
            print(f"{'op':26}{'1 thread':>12}{f'{len(cores)} threads':>12}{'ratio':>8}")
            for name, function in ops():
                alone, together = measure(function, len(cores), options.seconds)
                worst = max(worst, together / alone)
                print(
                    f"{name:26}{alone * 1e6:9.1f} us{together * 1e6:9.1f} us{together / alone:8.2f}"
                )
    finally:
        fastdl.set_num_threads(before)
    print(f"worst: {worst:.2f}, limit {LIMIT}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
