"""Measures what `import fastdl` adds to `import numpy`, and fails above a limit.

Fresh interpreters, the two kinds in turn; the medians are compared.
"""

import argparse
import statistics
import subprocess
import sys
import time


def seconds(statement: str) -> float:
    """Wall time of one interpreter that runs one statement."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd="/")
    return time.perf_counter() - begin


def main() -> int:
    """Prints the difference in milliseconds; exit status 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=60, help="milliseconds (default: 60)")
    parser.add_argument("--runs", type=int, default=15, help="of each kind (default: 15)")
    args = parser.parse_args()

    statements = ("import numpy", "import numpy, fastdl")
    for statement in statements:
        seconds(statement)  # bytecode and pages are in place from here on
    times = [[seconds(statement) for statement in statements] for _ in range(args.runs)]
    numpy, both = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"import fastdl: {both - numpy:.1f} ms beyond numpy's {numpy:.1f} ms, "
        f"limit {args.limit:g} ms"
    )
    return int(both - numpy >= args.limit)


if __name__ == "__main__":
    sys.exit(main())
