"""Writes the types of what is not to be read from Python files: three stubs in python/fastdl.

_core.pyi is the compiled module; functional.pyi and nn/__init__.pyi say where the names are that
those modules import when they are first used (fastdl/_lazy.py).

The functions and methods of the signature table (csrc/bindings/signature.h) come from the module
itself; what pybind11 and the slots of Tensor add is in core_stub.pyi beside this file. Together
they must name exactly what the module has: a name too many or too few is an error.

    python tools/stubs.py            write the files
    python tools/stubs.py --check    compare them with those that are there
"""

import argparse
import ast
import difflib
import re
import subprocess
import sys
from pathlib import Path

from fastdl import _core, composed, nn

TEMPLATE = Path(__file__).with_name("core_stub.pyi")
PACKAGE = Path(__file__).resolve().parent.parent / "python" / "fastdl"
NOTE = "# Made by tools/stubs.py. Do not edit.\n\n"
BUILTIN = re.compile(r"\b(int|float|bool)\b(?!:)")

Row = dict[str, str]  # name, signature, doc, kind (function, method, both) and module


def definition(row: Row, method: bool) -> str:
    """The row as a function, or as a method, whose first parameter is self."""
    parameters, result = row["signature"].split("(", 1)[1].rsplit(") -> ", 1)
    integer = "int"
    if method:
        # Tensor has methods of these names, which hide the types inside the class.
        parameters, result = (BUILTIN.sub(r"builtins.\1", text) for text in (parameters, result))
        parameters = ", ".join(["self", *split(parameters)[1:]])
        integer = "builtins.int"
    forms = [parameters]
    # A shape may be given as its ints, one by one, where all that follows has a default.
    before, shape, after = parameters.partition(": Shape")
    if shape and all("=" in p for p in split(after)):
        before, space, name = before.rpartition(" ")
        forms.append(f"{before}{space}*{name}: {integer}{after}")
    doc = row["doc"].removeprefix(row["signature"]).strip().replace("\\", "\\\\")
    body = f'"""{doc}"""'.replace("\n", "\n    ")
    lines: list[str] = []
    for form in forms:
        lines += ["@overload"] * (len(forms) > 1)
        lines += [f"def {row['name']}({form}) -> {result}:", f"    {body}"]
    return "\n".join(lines)


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


def generate() -> dict[Path, str]:
    """The stub files and their texts, in ruff's format."""
    rows = sorted(_core._signatures(), key=lambda row: row["name"])
    functions = "\n".join(definition(r, method=False) for r in rows if r["kind"] != "method")
    methods = "\n".join(definition(r, method=True) for r in rows if r["kind"] != "function")

    core = TEMPLATE.read_text(encoding="utf-8").partition("\n\n")[2]  # less its own comment
    core = core.replace("# functions of the table", functions)
    core = core.replace("# methods of the table", methods.replace("\n", "\n    "))
    shared = sorted(r["name"] for r in rows if r["module"] == "functional")
    functional = "".join(f"from fastdl._core import {name} as {name}\n" for name in shared)
    functional += reexports("fastdl.composed", composed.HOMES)
    together = [*shared, *" ".join(composed.HOMES.values()).split()]
    functional += f"\n__all__ = {together}\n"
    layers = "from fastdl.nn import utils as utils\n" + reexports("fastdl.nn", nn.HOMES)
    layers += f"\n__all__ = {nn.__all__}\nHOMES: dict[str, str]\n"
    texts = {"_core.pyi": core, "functional.pyi": functional, "nn/__init__.pyi": layers}
    return {PACKAGE / name: formatted(PACKAGE / name, NOTE + text) for name, text in texts.items()}


def reexports(package: str, homes: dict[str, str]) -> str:
    """Import statements for the names of a table of `fastdl._lazy`."""
    lines = [
        f"from {package}.{file} import {name} as {name}\n"
        for file, names in homes.items()
        for name in names.split()
    ]
    return "".join(sorted(lines))


def formatted(path: Path, text: str) -> str:
    """The text as ruff formats it and sorts its imports and `__all__`."""
    for command in (["check", "--select=I,RUF022", "--fix-only", "--quiet"], ["format"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def names(body: list[ast.stmt]) -> set[str]:
    """What a module's or class's body defines; aliases and protocols are the stub's own."""
    found: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef():
                found.add(node.name)
            case ast.ClassDef() if "Protocol" not in map(ast.unparse, node.bases):
                found.add(node.name)
            case ast.AnnAssign() if ast.unparse(node.annotation) != "TypeAlias":
                found.add(ast.unparse(node.target))
    return found


def disagreements(stub: str) -> list[str]:
    """Names that only the module or only the stub has; of special methods, the stub's suffice."""
    tree = ast.parse(stub)
    problems: list[str] = []
    pairs: list[tuple[str, object, list[ast.stmt]]] = [("_core", _core, tree.body)]
    pairs += [
        (node.name, getattr(_core, node.name), node.body)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and hasattr(_core, node.name)
    ]
    for where, thing, body in pairs:
        stubbed = names(body)
        real = {n for n in dir(thing) if not n.startswith(("__", "_pybind11"))}
        problems += [f"{where}.{n} is not in the stub" for n in sorted(real - stubbed)]
        problems += [
            f"{where}.{n} is in the stub only"
            for n in sorted(stubbed)
            if not hasattr(thing, n) and n != "__iter__"  # a Tensor iterates by __getitem__
        ]
    return problems


def main() -> int:
    """Writes or checks the files; exit status 1 where anything disagrees."""
    parser = argparse.ArgumentParser(description="Write the types of the compiled module.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()

    files = generate()
    problems = disagreements(files[PACKAGE / "_core.pyi"])
    for path, text in files.items():
        if not args.check:
            path.write_text(text, encoding="utf-8")
            continue
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        problems += difflib.unified_diff(
            present.splitlines(), text.splitlines(), str(path), "generated", lineterm=""
        )
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
