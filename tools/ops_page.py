"""Writes docs/ops.md: every function, its dtypes, gradients and tests, from the case table.

python tools/ops_page.py            write the page
python tools/ops_page.py --check    compare it with the one that is there
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fastdl import functional as F  # noqa: E402
from fastdl.composed import load_all  # noqa: E402
from tests.doors import functions  # noqa: E402
from tests.opcases import OPS, TESTED_ELSEWHERE  # noqa: E402

PAGE = ROOT / "docs" / "ops.md"
SHORT = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}
HEAD = """# Functions

Made by `tools/ops_page.py` from the case table that drives the tests (`tests/opcases_*.py`), so
nothing is claimed that is not tested. Every row runs on the CPU, contiguous and strided, with no
elements, and at several numbers of threads; on CUDA it runs under the host model
([simt.md](simt.md)), and no GPU has run it yet. *calls* is how many shapes and options the row has.
*gradient* means first and second, by finite differences. *asks* is the door ([door.md](door.md)):
what is asked of the arguments.

| function | dtypes | gradient | calls | made of | asks |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The text of docs/ops.md."""
    rows = {op.name: op for op in OPS}
    doors = functions()
    composed = load_all()
    lines = []
    for name in F.__all__:
        home = composed[name][0].__module__.rsplit(".", 1)[1] if name in composed else ""
        made = f"ops, in `composed/{home}.py`" if home else "C++"
        asks = " ".join(doors[name].text.split()).replace("|", "\\|") or "any"
        if name in rows:
            op = rows[name]
            dtypes = " ".join(SHORT.get(d, d) for d in (*op.dtypes, *op.integers))
            gradient = "yes" if op.differentiable else "none"
            lines.append(
                f"| `{name}` | {dtypes} | {gradient} | {len(op.calls)} | {made} | {asks} |"
            )
        else:
            where = f"`tests/{TESTED_ELSEWHERE[name]}`"
            lines.append(f"| `{name}` | {where} | | | {made} | {asks} |")
    count = f"\n{len(lines)} functions, {sum(len(op.calls) for op in OPS)} calls.\n"
    return HEAD + "\n".join(lines) + "\n" + count


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write docs/ops.md from the case table.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/ops.md is not what tools/ops_page.py makes; run it", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
