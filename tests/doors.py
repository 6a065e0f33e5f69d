"""The doors of all functions, read for tests: what right and hostile arguments look like.

A second reading of docs/door.md beside `csrc/bindings/door_parse.cc`, so that the two check each
other: `tests/fuzz_doors.py` draws arguments by this one and calls functions that enforce the other.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastdl.functional as F
from fastdl import _core
from fastdl.composed import load_all

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "uint8")
CLASSES = {
    "floating": FLOATS,
    "real": ("float32", "float64"),
    "integer": INTEGERS,
    "number": FLOATS + INTEGERS,
    "index": ("int64",),
    "bool": ("bool_",),
}
ALL_DTYPES = (*FLOATS, *INTEGERS, "bool_")
WINDOW = 2.0**24


@dataclass
class Clause:
    """What is asked of one argument."""

    dtypes: tuple[str, ...] = ()
    like: str = ""
    patterns: tuple[tuple[str, ...], ...] = ()
    low: float | None = None
    high: float | None = None
    above: bool = False
    high_of: str = ""
    dim_of: str = ""
    words: tuple[str, ...] = ()
    below: str = ""  # values below this size
    several: bool = False  # kinds of tensor, of which this is the first


@dataclass
class Function:
    """A function of `fastdl.functional`: parameters as (name, annotation, default) and its door."""

    name: str
    call: Callable[..., Any]
    parameters: list[tuple[str, str, str | None]]
    clauses: dict[str, Clause]
    text: str


def functions() -> dict[str, Function]:
    """Every function of `fastdl.functional`, by name."""
    found = {}
    for row in _core._signatures():
        if row["module"] == "functional":
            parameters = signature_parameters(row["signature"])
            found[row["name"]] = (parameters, row["door"])
    for name, (function, asks) in load_all().items():
        parameters = [
            (p.name, str(p.annotation), None if p.default is p.empty else repr(p.default))
            for p in inspect.signature(function).parameters.values()
        ]
        found[name] = (parameters, asks)
    return {
        name: Function(name, getattr(F, name), parameters, read(asks), asks)
        for name, (parameters, asks) in sorted(found.items())
    }


def signature_parameters(signature: str) -> list[tuple[str, str, str | None]]:
    """(name, annotation, default) of "f(a: int, b: tuple[int, int] = (1, 2)) -> Tensor"."""
    inside = signature.split("(", 1)[1].rsplit(") ->", 1)[0]
    out = []
    for part in outer_split(inside):
        name, _, rest = part.partition(":")
        annotation, _, default = rest.partition(" = ")
        if name.strip() not in ("", "*"):
            out.append((name.strip(), annotation.strip(), default.strip() or None))
    return out


def outer_split(text: str) -> list[str]:
    """Cut at the commas that are in no bracket."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "[(") - (c in "])")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def read(text: str, kind: int = 0) -> dict[str, Clause]:
    """The clauses of a door by argument; of several kinds of tensor the one given."""
    out: dict[str, Clause] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        names, _, asked = part.partition(":")
        kinds = asked.split(" | ")
        asked = kinds[min(kind, len(kinds) - 1)]
        for name in names.split(","):
            out[name.strip()] = clause(asked.strip())
            out[name.strip()].several = len(kinds) > 1
    return out


def clause(text: str) -> Clause:
    """One clause behind its colon."""
    c = Clause()
    text, _, below = text.partition(" values below ")
    c.below = below.strip()
    text, bracket, patterns = text.partition("[")
    if bracket:
        alternatives = re.findall(r"\[(.*?)\]", "[" + patterns)
        c.patterns = tuple(tuple(outer_split(a)) if a.strip() else () for a in alternatives)
    words = text.split()
    while words:
        word = words.pop(0)
        if word == "like":
            c.like = words.pop(0)
        elif word == "dim":
            c.dim_of = words[1]
            del words[:2]
        elif word == "one":
            c.words, words = tuple(words[1:]), []
        elif word == "above":
            c.low, c.above = float(words.pop(0)), True
        elif ".." in word:
            low, _, high = word.partition("..")
            c.low = float(low.replace("window", str(WINDOW))) if low else float("-inf")
            if "/" in high:
                c.high_of, _, divisor = high.partition("/")
                c.high = 1 / float(divisor)
            else:
                c.high = WINDOW if high == "window" else float(high or "inf")
        else:
            c.dtypes = CLASSES[word]
    return c
