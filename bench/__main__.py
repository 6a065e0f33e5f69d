"""``python -m bench``: times fastdl against other libraries and prints the ratios."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import report
from bench.machine import describe, usable_cores
from bench.timing import FULL, SHORT, Case, Plan, Result, run

SUBJECTS = (
    "eager",
    "mlp",
    "lenet",
    "ops",
    "tensors",
    "matmul",
    "conv",
    "lstm",
    "memory",
    "models",
    "jax_mlp",
    "peak",
    "busy",
)

# What --short --check holds to, and to how much of its gates: small sizes and few samples on a
# machine that others use say whether something broke, not how fast it is.
GUARDED, GUARDED_SHARE = ("eager", "mlp", "lenet"), 0.5

_EXAMPLES = f"""\
subjects: {", ".join(SUBJECTS)}

A ratio is a reference's time over fastdl's: medians of samples taken in turns, on equal inputs, at
the same number of threads, after a check that all results agree. References are PyTorch, and where
a subject says so ONNX Runtime, NumPy and JAX; what is not installed is named.

examples:
  python -m bench                             everything, at 1 thread and at all
  python -m bench --short                     a little of everything, in under a minute
  python -m bench eager mlp lenet --check     exit with 1 where a required ratio is missed
  python -m bench conv --threads 1 --filter "1x1"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks.

    Args:
        argv: the words of the command line. Default: those of this process.

    Returns:
        The exit code: 1 where a result was wrong, or --check was given and a gate missed, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time fastdl against other libraries on the CPU.",
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
        help="thread counts (default: 1 and all; with --short, all only for eager, mlp and lenet)",
    )
    add("--filter", default="", metavar="TEXT", help="only cases whose name contains this")
    add("--rounds", type=int, metavar="N", help="samples of each side (default: 11; --short: 5)")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--markdown", action="store_true", help="end with the table in Markdown")
    add(
        "--check",
        action="store_true",
        help="exit with 1 where a required ratio is missed; with --short, where half of it is, and "
        "only of eager, mlp and lenet",
    )
    options = parser.parse_args(argv)
    for subject in options.subjects:
        if subject not in SUBJECTS:
            parser.error(f"no subject {subject!r}; there are {', '.join(SUBJECTS)}")

    machine, plan = describe(), SHORT if options.short else FULL
    if options.rounds is not None:
        if options.rounds < 3:
            parser.error("--rounds should be 3 or more: a median and its quartiles are shown")
        plan = replace(plan, rounds=options.rounds)
    print(report.machine_line(machine))
    if machine["load"] > 0.5:
        print(
            "Other programs are running: trust `least`, the ratio of the shortest samples, if any."
        )
    subjects = {
        name: importlib.import_module(f"bench.{name}") for name in options.subjects or SUBJECTS
    }
    results, wrong = _run(subjects, options, plan)
    gates = {
        group: own for s in subjects.values() for group, own in getattr(s, "MEANS", {}).items()
    }
    summary = list(report.means(results, {} if options.short else gates))
    print()
    for mean in summary:
        print(mean)
    if options.markdown:
        print("\n" + report.markdown(results))
    if options.json:
        report.save(options.json, machine, plan, results, summary)
        print(f"\nwritten to {options.json}")
    for line in report.verdict(results, summary):
        print(line)
    failed = _failed(results, summary, options.short)
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if wrong or (options.check and failed) else 0


def _run(
    subjects: Mapping[str, Any], options: argparse.Namespace, plan: Plan
) -> tuple[list[Result], list[str]]:
    """What was timed, and what failed: a wrong result, or a case that could not be run."""
    from bench.libraries import set_threads

    table = report.Table()
    results: list[Result] = []
    wrong: list[str] = []
    every = sorted({1, usable_cores()})
    for name, subject in subjects.items():
        counts = options.threads or ([1] if options.short and name not in GUARDED else every)
        if getattr(subject, "ALL_THREADS", False):
            counts = [count for count in options.threads or every if count > 1]
        cases: list[Case] = list(subject.cases(options.short))
        print(table.head(name))
        for case in cases:
            if options.filter not in case.name:
                continue
            for threads in counts:
                set_threads(threads)
                try:
                    results.append(run(case, plan, threads))
                    print(table.row(results[-1]), flush=True)
                except Exception as error:  # the others are still to be had
                    wrong.append(f"{name}: {case}, {threads} threads: {error}")
                    print(f"FAILED: {wrong[-1]}", flush=True)
    return results, wrong


def _failed(results: Sequence[Result], summary: Sequence[report.Mean], short: bool) -> bool:
    """Whether a gate was missed that --check holds to."""
    if not short:
        return not (all(r.passed for r in results) and all(m.passed for m in summary))
    return any(
        result.ratios[name] < GUARDED_SHARE * gate
        for result in results
        if result.case.subject in GUARDED
        for name, gate in result.missed.items()
    )


if __name__ == "__main__":
    sys.exit(main())
