"""Runs every op that has CUDA kernels on small inputs, for compute-sanitizer to watch.

    compute-sanitizer --tool racecheck --error-exitcode 9 python -m bench.gpu.sanitize

Each row of the case table is called on its smallest inputs and on about 4096 elements, forward and
with its gradients, first in float32 and then in float16.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import fastdl
from fastdl.errors import DeviceError, DTypeError
from tests.opcases import OPS
from tests.oprow import Call, Op, results, to_tensor

__all__ = ["main"]

SIZE = 4096
FAILURES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Make the calls; exit status 1 if none was made or one failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.sanitize", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1e9, help="start no call after this time")
    parser.add_argument("--only", default="", help="only ops whose name contains this")
    options = parser.parse_args(argv)
    if not fastdl.cuda.is_available():
        sys.exit(fastdl.cuda.status())
    end = time.monotonic() + options.seconds
    made = left = failed = 0
    absent: set[str] = set()
    for op, call, dtype in _calls():
        if options.only not in op.name or (op.name, dtype) in absent:
            continue
        if time.monotonic() > end:
            left += 1
            continue
        try:
            _run(op, call, dtype)
            fastdl.cuda.synchronize()
            made += 1
        except (DeviceError, DTypeError) as error:
            if "has no kernel" in str(error) or "is not supported on" in str(error):
                absent.add((op.name, dtype))
                continue
            failed += 1
            print(f"{op.name} {call.label} {dtype}: {error}", flush=True)
            if failed == FAILURES:  # after a fault in a kernel, CUDA refuses everything
                break
    without = ", ".join(sorted(f"{name} {dtype}" for name, dtype in absent)) or "none"
    print(f"{made} calls made, {failed} failed, {left} left for want of time; no kernel: {without}")
    return int(failed > 0 or made == 0)


def _calls() -> Iterator[tuple[Op, Call, str]]:
    """The small calls of all ops, then the larger ones."""
    for dtype in ("float32", "float16"):
        rows = [op for op in OPS if dtype in op.dtypes]
        for op in rows:
            yield op, min((c for c in op.calls if not c.empty), key=_numel), dtype
        for op in rows:
            yield op, op.sized(SIZE), dtype


def _numel(call: Call) -> int:
    return sum(len(values.ravel()) for values in call.draw())


def _run(op: Op, call: Call, dtype: str) -> None:
    tensors: list[Any] = [to_tensor(values, dtype, "cuda") for values in call.draw(op.name)]
    for tensor, array in zip(tensors, call.arrays, strict=True):
        tensor.requires_grad = op.differentiable and array.floating and array.grad
    first = results(op.function(*call.fill(tensors), **call.kwargs))[0]
    if first.requires_grad:
        first.sum().backward()


if __name__ == "__main__":
    sys.exit(main())
