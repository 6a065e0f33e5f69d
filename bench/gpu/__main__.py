"""``python -m bench.gpu``: builds, tests and measures fastdl on a GPU, in one command.

Stages are processes of their own: one that fails or takes too long is recorded, and the next one
runs. This file starts them; it imports nothing that has to be built first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.gpu import report, stages
from bench.gpu.stages import ROOT, Outcome, Session

__all__ = ["STAGES", "main"]


class Stage(NamedTuple):
    """A stage and its share of the time; what it leaves over goes to the later ones."""

    run: Callable[[Session, float], Outcome]
    share: float


STAGES = {
    "build": Stage(stages.build, 0.28),
    "tests": Stage(stages.tests, 0.20),
    "sanitizer": Stage(stages.sanitizer, 0.14),
    "recipe": Stage(stages.recipe, 0.08),
    "bench": Stage(stages.bench, 0.30),
}

_EPILOG = """\
stages, in this order:
  build      libraries for the GPU at hand, into python/fastdl (cmake, ninja, pybind11, nvcc)
  tests      the case table on CUDA, the runtime, models that train as they do on the CPU
  sanitizer  compute-sanitizer's memcheck, racecheck, synccheck and initcheck over every op
  recipe     fastdl run lenet5 --device cuda, to its accuracy
  bench      every case checked against float64 and timed against PyTorch

DIR receives gpu.json, gpu.md and the log of each stage. Nothing is fetched from a network.

examples:
  python -m bench.gpu --out /tmp/gpu
  python -m bench.gpu --out /tmp/gpu --no-build --only bench --filter gemm
  FASTDL_CUDA_LIBRARY=... python -m bench.gpu --out /tmp/gpu --quick --only tests,sanitizer,bench
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stages and write the report.

    Args:
        argv: the words of the command line. Default: those of this process.

    Returns:
        The exit code: 1 if a stage failed or was cut off, else 0.
    """
    options = _parser().parse_args(argv)
    chosen = [name for name in STAGES if name in (options.only or STAGES)]
    if options.no_build and "build" in chosen:
        chosen.remove("build")
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    session = Session(out, options.quick, options.filter)
    machine = _machine(session, options.commit)
    end = time.monotonic() + 60 * options.minutes
    outcomes: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(chosen):
        rest = sum(STAGES[later].share for later in chosen[i:])
        allowed = max(5.0, (end - time.monotonic()) * STAGES[name].share / rest)
        print(f"[{name}] at most {allowed:.0f} s", file=sys.stderr, flush=True)
        begin = time.monotonic()
        try:
            outcome = STAGES[name].run(session, allowed)
        except Exception as error:  # a stage that cannot even start must not stop the others
            outcome = Outcome("failed", f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - begin
        print(f"[{name}] {outcome.status}: {outcome.detail}", file=sys.stderr, flush=True)
        outcomes.append({"stage": name, "seconds": round(seconds, 1), **outcome._asdict()})
        if name == "build" or "versions" not in machine:
            machine = _machine(session, options.commit)
        # After each stage, in case the machine goes away.
        rows = _report(session, machine, outcomes)
    print(report.summary(outcomes, rows))
    print(f"\nwritten to {out / 'gpu.md'} and gpu.json")
    return int(any(stage["status"] != "passed" for stage in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu",
        description="Build, test and measure fastdl on a GPU, in one command.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add("--only", type=_names, metavar="STAGES", help="stages to run, with commas between")
    add("--no-build", action="store_true", help="use the libraries that are there")
    add("--quick", action="store_true", help="tiny sizes and few cases: proves the command itself")
    add("--filter", default="", metavar="TEXT", help="only benchmarks whose name contains this")
    add("--commit", default="", help="what is measured, where git cannot say")
    add("--minutes", type=float, default=9.0, help="time for everything (9)")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in STAGES:
            raise argparse.ArgumentTypeError(f"no stage {name!r}; there are {', '.join(STAGES)}")
    return names


def _report(session: Session, machine: dict[str, Any], outcomes: list[Any]) -> list[dict[str, Any]]:
    """Write what is known so far, and return the benchmarks' rows."""
    rows = report.collect(session.lines())
    settings: dict[str, Any] = {"quick": session.quick}
    if session.settings.exists():
        settings |= json.loads(session.settings.read_text(encoding="utf-8"))
    report.save(session.out / "gpu.json", machine, settings, outcomes, rows)
    text = report.markdown(machine, outcomes, rows)
    (session.out / "gpu.md").write_text(text, encoding="utf-8")
    return rows


# What only fastdl can say, once it is built.
_DESCRIBE = """
import json, fastdl, bench.machine
print(json.dumps({"device": fastdl.cuda.status(), **bench.machine.describe()}))
"""


def _machine(session: Session, commit: str) -> dict[str, Any]:
    """GPU, driver and compiler; and, once fastdl can be imported, what other reports say too."""
    text = stages.printed([sys.executable, "-c", _DESCRIBE], session.environment)
    found: dict[str, Any] = stages.device(session) | (json.loads(text) if text else {})
    return found | ({"commit": commit} if commit else {})


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
