"""Writes python/fastdl/_core.pyi, the types of the compiled module.

The functions and methods of the signature table (csrc/bindings/signature.h) come from the module
itself; what pybind11 and the slots of Tensor add is in core_stub.pyi beside this file. Both must
name exactly what the module has: a name too many or too few is an error.

    python tools/stubs.py            write the file
    python tools/stubs.py --check    compare it with the one that is there
"""

import argparse
import ast
import difflib
import re
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

from fastdl import _core

TEMPLATE = Path(__file__).with_name("core_stub.pyi")
STUB = Path(__file__).resolve().parent.parent / "python" / "fastdl" / "_core.pyi"


class Row(TypedDict):
    """One row of the table, as `_core._signatures()` gives it."""

    name: str
    signature: str
    doc: str
    kind: str  # "function", "method" or "both"


BUILTIN = re.compile(r"\b(int|float|bool)\b(?!:)")


def definition(row: Row, method: bool) -> str:
    """The row as a function, or as a method, whose first parameter is self."""
    parameters, result = row["signature"].split("(", 1)[1].rsplit(") -> ", 1)
    if method:
        parameters = ", ".join(["self", *split(parameters)[1:]])
        # Tensor has methods of these names, which hide the types inside the class.
        parameters, result = (BUILTIN.sub(r"builtins.\1", text) for text in (parameters, result))
    forms = [parameters]
    before, shape, after = parameters.partition("shape: Shape")
    if shape and all("=" in p for p in split(after)):
        forms.append(f"{before}*shape: {'builtins.' if method else ''}int{after}")
    doc = '"""' + row["doc"].strip().replace("\\", "\\\\") + '"""'
    body = doc.replace("\n", "\n    ")
    return "\n".join(
        f"{'@overload' if len(forms) > 1 else ''}\ndef {row['name']}({form}) -> {result}:\n    {body}"
        for form in forms
    )


def split(parameters: str) -> list[str]:
    """Parameters cut at the commas that are in no bracket."""
    parts, depth = [""], 0
    for c in parameters:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


def generate() -> str:
    """The text of the stub file, in ruff's format."""
    rows: list[Row] = sorted(_core._signatures(), key=lambda row: row["name"])
    functions = [definition(r, method=False) for r in rows if r["kind"] != "method"]
    methods = [definition(r, method=True) for r in rows if r["kind"] != "function"]
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text[text.index("\n\n") :].lstrip()  # the template's own comment
    text = text.replace("# functions of the table", "\n".join(functions))
    indented = "\n".join(methods).replace("\n", "\n    ")
    text = text.replace("# methods of the table", indented)
    text = f"# Made by tools/stubs.py from the compiled module. Do not edit.\n\n{text}"
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return formatted.stdout


def names(body: list[ast.stmt]) -> set[str]:
    """What a module or class body defines, less type aliases and helpers of the stub."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def disagreements(stub: str) -> list[str]:
    """Names that only the module has, or only the stub."""
    tree = ast.parse(stub)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    problems = difference("_core", set(vars(_core)) - MODULE_ATTRIBUTES, names(tree.body))
    for name, node in classes.items():
        if isinstance(value := getattr(_core, name, None), type):
            own = {n for n in dir(value) if not n.startswith("_")}
            stubbed = {n for n in names(node.body) if not n.startswith("_")}
            problems += difference(name, own, stubbed)
    return problems


MODULE_ATTRIBUTES = {
    *("__builtins__", "__doc__", "__file__", "__loader__", "__name__", "__package__", "__spec__"),
}


def difference(where: str, real: set[str], stubbed: set[str]) -> list[str]:
    """One line for each name that is on one side only; a leading underscore hides a stub's own."""
    missing = sorted(real - stubbed)
    extra = sorted(name for name in stubbed - real if not name.startswith("_"))
    return [f"{where}.{name} is not in the stub" for name in missing] + [
        f"{where}.{name} is in the stub only" for name in extra
    ]


def main() -> int:
    """Writes or checks the file; exit status 1 where the two disagree."""
    parser = argparse.ArgumentParser(description="Write the types of the compiled module.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()

    stub = generate()
    problems = disagreements(stub)
    if args.check:
        present = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
        changes = difflib.unified_diff(
            present.splitlines(), stub.splitlines(), str(STUB), "generated", lineterm=""
        )
        problems += changes
    else:
        STUB.write_text(stub, encoding="utf-8")
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
