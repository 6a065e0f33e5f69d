"""Rows of the case table: sorting, searching, counting."""

import numpy as np

import fastdl.functional as F
from tests import references_sort as ref
from tests.oprow import (
    EXACT,
    INTEGERS,
    Op,
    Tolerance,
    call,
    constant,
    distinct,
    grid,
    index,
    large,
    special,
    uniform,
)

SUMMED = Tolerance(factor=8, half=4, scale="largest", reason="several terms may cancel")
PLAIN = {"gradient": False}


def rows():
    """All rows of this file."""
    return [*order_rows(), *search_rows(), *counting_rows()]


def order_rows():
    shapes = [
        call(distinct(7)),
        call(distinct()),
        call(distinct(3, 5), 0),
        call(distinct(3, 5), dim=-1, descending=True),
        call(distinct(2, 3, 4, 5), 1, True, True),
        call(distinct(2, 130), 1),
        call(grid(4, 37), descending=True, stable=True, **PLAIN),
        call(grid(3, 900), **PLAIN),
        call(grid(1000, 2), 0, **PLAIN),
        call(special(3, 45), note="special", gradient=False, wide_only=True),
        call(special(45), descending=True, note="special", gradient=False, wide_only=True),
        call(distinct(0)),
        call(distinct(2, 0, 3), 1),
        call(distinct(0, 3), 1),
        large(distinct(70_001)),
        large(distinct(300_001), descending=True),
        large(distinct(300, 401), 0),
    ]
    chosen = [
        call(distinct(7), 3),
        call(distinct(), 1),
        call(distinct(3, 5), 2, 0),
        call(distinct(3, 5), 5, dim=-1, largest=False),
        call(distinct(2, 30, 3), 2, 1),
        call(distinct(2, 500), 3, 1, False, True),
        call(grid(4, 900), 20, **PLAIN),
        call(special(3, 45), 20, note="special", gradient=False, wide_only=True),
        call(special(45), 5, largest=False, note="special", gradient=False, wide_only=True),
        call(distinct(0), 0),
        call(distinct(2, 0, 3), 0, 1),
        call(distinct(0, 3), 2, 1),
        call(distinct(4, 3), 0),
        large(distinct(70_001), 100),
        large(grid(300_001, low=-900, high=900), 1000, largest=False),
        large(distinct(300, 401), 7),
    ]
    middle = [
        call(distinct(7)),
        call(distinct()),
        call(distinct(8)),
        call(distinct(3, 5), 0),
        call(distinct(3, 6), dim=-1, keepdim=True),
        call(grid(4, 37), 1, **PLAIN),
        call(special(3, 45), 1, note="special", gradient=False, wide_only=True),
        call(special(45), note="special", gradient=False, wide_only=True),
        call(distinct(0, 3), 1),
        large(distinct(300, 401), 1),
    ]
    common = {"tolerance": EXACT, "integers": INTEGERS}

    def sized(*args):
        return lambda n: call(distinct(max(1, n // 512), 512), *args)

    def row(name, calls, *args, **fields):
        function, reference = getattr(F, name), getattr(ref, name)
        return Op(
            name=name,
            function=function,
            reference=reference,
            calls=tuple(calls),
            sized=sized(*args),
            **common,
            **fields,
        )

    return [
        row("sort", shapes),
        row("argsort", shapes, differentiable=False),
        row("topk", chosen, 5),
        row("median", middle, 1),
        row("nanmedian", middle, 1),
    ]


def ascending(bounds):
    """Of bounds, which rows draw in any order."""
    return np.sort(bounds, -1) if isinstance(bounds, np.ndarray) else F.sort(bounds)[0]


def edges(bins):
    return bins if isinstance(bins, int) else ascending(bins)


def search_rows():
    calls = [
        ((9,), (7,), {}),
        ((9,), (), {"right": True}),
        ((5,), (3, 4), {"right": True}),
        ((3, 6), (3, 4), {}),
        ((2, 3, 6), (2, 3, 5), {"right": True}),
        ((0,), (4,), {}),
        ((4,), (0, 2), {}),
        ((2, 0), (2, 3), {}),
    ]
    common = {"tolerance": EXACT, "integers": INTEGERS, "differentiable": False}
    between = [call(grid(*b, low=-9, high=9), grid(*x, low=-9, high=9), **o) for b, x, o in calls]
    buckets = [
        call(grid(*x, low=-9, high=9), grid(*b, low=-9, high=9), **o)
        for b, x, o in calls
        if len(b) == 1
    ]
    return [
        Op(
            name="searchsorted",
            function=lambda bounds, x, **o: F.searchsorted(ascending(bounds), x, **o),
            reference=lambda bounds, x, **o: ref.searchsorted(ascending(bounds), x, **o),
            calls=(*between, large(uniform(101), uniform(300, 301))),
            sized=lambda n: call(uniform(1000), uniform(n)),
            **common,
        ),
        Op(
            name="bucketize",
            function=lambda x, bounds, **o: F.bucketize(x, ascending(bounds), **o),
            reference=lambda x, bounds, **o: ref.searchsorted(ascending(bounds), x, **o),
            calls=(*buckets, large(uniform(300, 301), uniform(101))),
            sized=lambda n: call(uniform(n), uniform(1000)),
            **common,
        ),
    ]


def counting_rows():
    every = {"return_inverse": True, "return_counts": True}
    return [
        Op(
            name="bincount",
            function=F.bincount,
            reference=lambda x, weights=None, minlength=0: np.bincount(x, weights, minlength),
            calls=(
                call(index(9, below=5), **PLAIN),
                call(index(9, below=5), None, 12, **PLAIN),
                call(index(40, below=5), uniform(40)),
                call(index(7, below=300), uniform(7), minlength=301),
                call(index(0, below=5), **PLAIN),
                call(index(0, below=5), uniform(0), 3),
                large(index(70_001, below=501)),
                large(index(70_001, below=50), uniform(70_001)),
            ),
            sized=lambda n: call(index(n, below=1000)),
            tolerance=SUMMED,
        ),
        Op(
            name="histc",
            function=F.histc,
            reference=ref.histc,
            calls=(
                call(uniform(37), 5),
                call(uniform(3, 40), bins=7, min=-1.0, max=1.5),
                call(uniform(200)),
                call(grid(50), 4, -2.0, 2.0),
                call(special(45), 6, -1.5, 2.0, note="special", wide_only=True),
                call(uniform(1), 3),
                call(uniform(0), 3),
                large(uniform(300, 301), 50),
                large(uniform(3001), 60_000, -2.0, 2.0),
            ),
            sized=lambda n: call(uniform(n), 100, -2.0, 2.0),
            tolerance=EXACT,
            differentiable=False,
        ),
        Op(
            name="histogram",
            function=lambda x, bins, *a, **o: F.histogram(x, edges(bins), *a, **o),
            reference=lambda x, bins, *a, **o: ref.histogram(x, edges(bins), *a, **o),
            calls=(
                call(uniform(37), 5, wide_only=True, **PLAIN),
                call(uniform(3, 40), 7, (-1.0, 1.5), density=True, wide_only=True, **PLAIN),
                call(grid(50), 4, (-2.0, 2.0), **PLAIN),
                call(grid(5, 10), 8, (-2.0, 2.0), uniform(5, 10)),
                call(grid(5, 10), 4, (-2.0, 2.0), uniform(5, 10, low=0.5), True),
                call(grid(40), constant(uniform(4)), density=True, **PLAIN),
                call(grid(4, 9), constant(uniform(5)), None, uniform(4, 9)),
                call(special(45), 6, (-1.5, 2.0), note="special", gradient=False, wide_only=True),
                call(grid(0), 3, (0.0, 1.0), **PLAIN),
                call(grid(0), 3, None, uniform(0)),
                large(grid(300, 301), 40, (-2.5, 2.5)),
            ),
            sized=lambda n: call(grid(n), 40, (-2.5, 2.5)),
            tolerance=SUMMED,
        ),
        Op(
            name="unique",
            function=F.unique,
            reference=ref.unique,
            calls=(
                call(grid(37)),
                call(grid(), **every),
                call(grid(5, 19), **every),
                call(grid(5, 19), True, True),
                call(grid(5, 19), return_counts=True),
                call(grid(40, 2, low=0, high=2), dim=0, **every),
                call(grid(2, 40, low=0, high=2), dim=-1, **every),
                call(grid(2, 9, 3, low=0, high=1), dim=1, **every),
                call(special(45), note="special", wide_only=True, **every),
                call(grid(0), **every),
                call(grid(0, 3), dim=0, **every),
                large(grid(70_001, low=-900, high=900), **every),
            ),
            sized=lambda n: call(grid(n, low=-900, high=900), **every),
            tolerance=EXACT,
            integers=INTEGERS,
            differentiable=False,
        ),
    ]
