"""``python -m bench``: times fastdl against PyTorch and prints the ratios."""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.machine import describe, usable_cores
from bench.timing import FULL, SHORT, Case, Plan, Result, run

SUBJECTS = ("eager", "mlp", "lenet", "ops", "tensors", "matmul", "conv", "lstm", "memory")
GATED = ("eager", "mlp", "lenet")  # have required ratios

_EXAMPLES = f"""\
subjects: {", ".join(SUBJECTS)}

A ratio is PyTorch's time over fastdl's: medians of samples taken in turns, on equal inputs, at the
same number of threads, after a check that both results agree.

examples:
  python -m bench eager mlp lenet --check     what the project promises
  python -m bench --short                     a little of everything, in under a minute
  python -m bench conv --threads 1 --filter "1x1"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks.

    Args:
        argv: the words of the command line. Default: those of this process.

    Returns:
        The exit code: 1 where --check was given and a gate was missed, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time fastdl against PyTorch on the CPU.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("subjects", nargs="*", metavar="SUBJECT", help="what to time (default: everything)")
    add("--short", action="store_true", help="fewer sizes and samples; under a minute in all")
    add(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help="thread counts (default: 1 and all; with --short, all only where a ratio is required)",
    )
    add("--filter", default="", metavar="TEXT", help="only cases whose name contains this")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--markdown", action="store_true", help="end with the table in Markdown")
    add("--check", action="store_true", help="exit with 1 where a required ratio is missed")
    options = parser.parse_args(argv)
    for subject in options.subjects:
        if subject not in SUBJECTS:
            parser.error(f"no subject {subject!r}; there are {', '.join(SUBJECTS)}")

    machine, plan = describe(), SHORT if options.short else FULL
    print(report.machine_line(machine))
    if machine["load"] > 0.5:
        print(
            "Other programs are running: trust `least`, the ratio of the shortest samples, if any."
        )
    results = _run(options, plan)
    for line in _summary(results):
        print(line)
    if options.markdown:
        print("\n" + report.markdown(results))
    if options.json:
        report.save(options.json, machine, plan, results)
        print(f"\nwritten to {options.json}")
    missed = [result for result in results if not result.passed]
    for result in missed:
        gate = f"{result.ratio:.2f}, required {result.case.gate}"
        print(f"MISSED: {result.case} at {result.threads} threads: {gate}", file=sys.stderr)
    return 1 if options.check and missed else 0


def _run(options: argparse.Namespace, plan: Plan) -> list[Result]:
    from bench.libraries import set_threads

    table, results = report.Table(), []
    every = sorted({1, usable_cores()})
    for subject in options.subjects or SUBJECTS:
        counts = options.threads or ([1] if options.short and subject not in GATED else every)
        cases: list[Case] = list(importlib.import_module(f"bench.{subject}").cases(options.short))
        print(table.head(subject))
        for case in cases:
            if options.filter not in case.name:
                continue
            for threads in counts:
                set_threads(threads)
                results.append(run(case, plan, threads))
                print(table.row(results[-1]), flush=True)
    return results


def _summary(results: Sequence[Result]) -> list[str]:
    """The geometric mean of each subject, and its worst case."""
    lines = [""]
    for subject in dict.fromkeys(result.case.subject for result in results):
        for threads in dict.fromkeys(result.threads for result in results):
            own = [r for r in results if r.case.subject == subject and r.threads == threads]
            if not own:
                continue
            mean = math.exp(sum(math.log(r.ratio) for r in own) / len(own))
            worst = min(own, key=lambda r: r.ratio)
            lines.append(
                f"{subject:<8} {threads} thread{'s' if threads > 1 else ' '}: {len(own):3} cases, "
                f"geometric mean {mean:5.2f}, lowest {worst.ratio:5.2f} ({worst.case})"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
