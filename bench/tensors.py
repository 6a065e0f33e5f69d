"""Making, copying, converting and editing tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import fastdl
from bench.libraries import agree, both, forward, normal
from bench.timing import Case, Sides

__all__ = ["cases"]

Function = Callable[..., Any]

SIZES = {"tiny": (4, 4), "medium": (256, 256), "large": (2048, 2048)}


def cases(short: bool) -> Iterator[Case]:
    """Each on three sizes; `short` leaves out the large one."""
    for size, shape in SIZES.items():
        if short and size == "large":
            continue
        shown = f"{size} {list(shape)}"
        for make, functions in (
            (_make, MADE),
            (_derive, DERIVED),
            (_draw, RANDOM),
            (_edit, EDITED),
        ):
            for name, function in functions.items():
                yield Case("tensors", name, shown, partial(make, function, shape))


# Functions of a library and a shape, a tensor, or two tensors: the same code runs in both.
MADE: dict[str, Function] = {
    "zeros": lambda library, shape: library.zeros(shape),
    "full": lambda library, shape: library.full(shape, 3.0),
    "arange": lambda library, shape: library.arange(shape[0] * shape[1]),
}
RANDOM: dict[str, Function] = {
    "rand": lambda library, shape: library.rand(shape),
    "randn": lambda library, shape: library.randn(shape),
}
DERIVED: dict[str, Function] = {
    "clone": lambda x: x.clone(),
    "transposed, contiguous": lambda x: x.T.contiguous(),
    "to float64": lambda x: x.double(),
    "to int64": lambda x: x.long(),
    "to float16": lambda x: x.half(),
    "slice, contiguous": lambda x: x[1:, ::2].contiguous(),
}
EDITED: dict[str, Function] = {
    "x += y": lambda x, y: x.add_(y),
    "x *= 1.0": lambda x, _: x.mul_(1.0),
    "x.copy_(y)": lambda x, y: x.copy_(y),
    "x[1] = y[0]": lambda x, y: x.__setitem__(1, y[0]),
}


def _make(function: Function, shape: tuple[int, int]) -> Sides:
    return forward(lambda: function(fastdl, shape), lambda: function(torch, shape), [])


def _draw(function: Function, shape: tuple[int, int]) -> Sides:
    def check(ours: Any, theirs: Any) -> None:
        assert ours.shape == tuple(theirs.shape)
        if ours.numel() > 1000:
            for a, b in ((ours.mean(), theirs.mean()), (ours.var(), theirs.var())):
                assert abs(float(a) - float(b)) < 0.03, f"moments {float(a)} and {float(b)}"

    return forward(lambda: function(fastdl, shape), lambda: function(torch, shape), [], check=check)


def _derive(function: Function, shape: tuple[int, int]) -> Sides:
    return forward(function, function, [normal(*shape)])


def _edit(function: Function, shape: tuple[int, int]) -> Sides:
    (x, y), (other_x, other_y) = both(normal(*shape), 1e-3 * normal(*shape, seed=1))

    def check() -> None:
        function(x, y), function(other_x, other_y)
        agree(x, other_x)

    theirs = partial(function, other_x, other_y)
    return Sides(lambda: function(x, y), {"torch": theirs}, check)
