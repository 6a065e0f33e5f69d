"""Which CUDA kernels has anything executed?

    SIMT_COVERAGE=launched.txt pytest tests/test_ops.py -k cuda    (docs/simt.md)
    python -m tools.kernel_coverage LIBRARY launched.txt --least 90

LIBRARY is libfastdl_cuda.so, which says what there is; the host model of CUDA writes down what it
launched. Fails if a kernel was never launched in any instantiation, or fewer than --least percent
of all instantiations were; prints those that were not.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tools import kernel_resources as resources


def names_of(symbols: Iterable[str]) -> set[str]:
    """Demangled names. nvcc's anonymous namespaces carry a hash, which demanglers leave out."""
    lines = resources.output("c++filt", text="\n".join(sorted(set(symbols)))).splitlines()
    # g++ writes what a function template returns, and both write `> >` or `>>`.
    return {re.sub(r"^void ", "", line).replace("> >", ">>") for line in lines if line}


def family(name: str) -> str:
    """The kernel without namespaces, template arguments and parameters."""
    return resources.base_name(name)[0]


def main() -> int:
    """Prints what was never launched; exit status 1 if that is too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library", type=Path, help="libfastdl_cuda.so")
    parser.add_argument("log", type=Path, help="what SIMT_COVERAGE named")
    parser.add_argument("--least", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--cuobjdump", metavar="PATH", help="where it is not beside nvcc")
    args = parser.parse_args()
    dump = resources.output(
        args.cuobjdump or resources.find("cuobjdump"), "--dump-resource-usage", str(args.library)
    )
    there = names_of(kernel.symbol for kernel in resources.parse(dump))
    launched = names_of(args.log.read_text(encoding="utf-8").split()) & there
    if not there:
        sys.exit(f"{args.library} holds no CUDA kernels")
    missing = sorted(there - launched)
    for name in missing:
        print(f"never launched: {name}")
    share = 100 * len(launched) / len(there)
    families = {family(name) for name in there}
    absent = families - {family(name) for name in launched}
    print(
        f"{len(families) - len(absent)} of {len(families)} kernels and "
        f"{len(launched)} of {len(there)} instantiations ({share:.1f} %) were launched"
    )
    return int(bool(absent) or share < args.least)


if __name__ == "__main__":
    sys.exit(main())
