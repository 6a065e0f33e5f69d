"""The benchmarks of ``python -m bench.gpu``: checks and times every case, a line of JSON for each.

A process of its own, because a fault inside a kernel leaves CUDA unusable in the process that had
it. Lines are written as results come; started again on the same file, it goes on after the case
that brought it down.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import fastdl
from bench.gpu import kernels, models
from bench.gpu.timing import DEVICE, PLAN, QUICK, Case, run
from fastdl.errors import DeviceError, DTypeError, OutOfMemoryError

__all__ = ["main"]

BROKEN = 3  # exit status: CUDA is unusable in this process, and cases are left

SETTINGS = {
    "tf32": False,
    "cudnn.benchmark": True,
    "inputs": "normally distributed, rotated among buffers of twice the L2 cache",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cases that the file does not hold yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.measure", description=__doc__)
    parser.add_argument("results", type=Path, help="file of JSON lines to append to")
    parser.add_argument("--settings", type=Path, help="file for how it was measured")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, three samples")
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no case after this time")
    options = parser.parse_args(argv)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if options.settings:
        plan = asdict(QUICK if options.quick else PLAN)
        options.settings.write_text(json.dumps(SETTINGS | {"plan": plan}), encoding="utf-8")
    if not fastdl.cuda.is_available():
        sys.exit(fastdl.cuda.status())
    end = time.monotonic() + options.seconds
    known = _known(options.results)
    for case in _cases(options.quick):
        if options.filter not in str(case) or str(case) in known:
            continue
        if time.monotonic() > end:
            _write(options.results, case, status="no time was left")
            continue
        _write(options.results, case, status="started")
        _write(options.results, case, **_measured(case, options.quick))
        if not _usable():
            return BROKEN
        # What a case held must not be missing in the next one.
        gc.collect()
        fastdl.cuda.empty_cache()
        torch.cuda.empty_cache()
    return 0


def _cases(quick: bool) -> Iterator[Case]:
    return itertools.chain(kernels.cases(quick), models.cases(quick))


def _measured(case: Case, quick: bool) -> dict[str, Any]:
    """What is written of a case: times and errors, or why there are none."""
    try:
        result = run(case, QUICK if quick else PLAN)
    except AssertionError as error:
        return {"status": "wrong", "message": str(error)}
    except (DeviceError, DTypeError) as error:
        # Both say so in the first line: the op, or the dtype, has no kernel on this device.
        absent = "has no kernel" in str(error) or "is not supported on" in str(error)
        return {"status": "no kernel" if absent else "failed", "message": str(error)}
    except (OutOfMemoryError, torch.OutOfMemoryError) as error:
        return {"status": "out of memory", "message": str(error)}
    except Exception as error:  # one case must not end the others
        return {"status": "failed", "message": f"{type(error).__name__}: {error}"}
    if DEVICE == "cpu":  # the host model's times mean nothing
        return {"status": "checked", "errors": result.errors}
    return {
        "status": "ok",
        "fastdl": asdict(result.ours),
        "references": {name: asdict(times) for name, times in result.references.items()},
        "errors": result.errors,
    }


def _usable() -> bool:
    try:
        fastdl.cuda.synchronize()
        float(fastdl.ones(1, device="cuda").sum())
    except DeviceError:
        return False
    return True


def _known(path: Path) -> set[str]:
    if not path.exists():
        return set()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {f"{row['subject']}: {row['case']} {row['size']}" for row in rows}


def _write(path: Path, case: Case, **rest: Any) -> None:
    row = {"subject": case.subject, "case": case.name, "size": case.size}
    row |= {"flops": case.flops, "bytes": case.bytes, **rest}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    if rest["status"] != "started":
        print(f"{case}: {rest['status']} {rest.get('message', '')}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
