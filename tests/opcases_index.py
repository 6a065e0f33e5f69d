"""Rows of the case table: reading and writing by index and by mask."""

import numpy as np

import fastdl.functional as F
from tests import references_index as ref
from tests.oprow import (
    EXACT,
    INTEGERS,
    Op,
    Tolerance,
    call,
    distinct,
    grid,
    index,
    large,
    mask,
    uniform,
)

ADDED = Tolerance(factor=8, half=4, scale="largest", reason="several terms may cancel")


def rows():
    """All rows of this file."""
    return [*mask_rows(), *read_rows(), *put_rows(), *write_rows()]


def mask_rows():
    return [
        Op(
            name="masked_fill",
            function=F.masked_fill,
            reference=ref.masked_fill,
            calls=(
                call(uniform(4, 3), mask(4, 3), 0.5),
                call(uniform(4, 3), mask(3), -2),
                call(uniform(3), mask(4, 3), 1),
                call(uniform(4, 3), mask(4, 3), uniform()),
                call(uniform(2, 5, 3), mask(2, 1, 3), uniform(5, 1)),
                call(uniform(), mask(), 3),
                call(uniform(0, 3), mask(0, 3), 3),
                large(uniform(300, 401), mask(300, 401), 0.25),
            ),
            sized=lambda n: call(uniform(n), mask(n), 0.5),
            tolerance=EXACT,
        ),
        Op(
            name="masked_select",
            function=F.masked_select,
            reference=ref.masked_select,
            calls=(
                call(uniform(4, 3), mask(4, 3)),
                call(uniform(4, 3), mask(3)),
                call(uniform(3), mask(4, 3)),
                call(uniform(2, 5, 3), mask(2, 1, 3)),
                call(uniform(), mask()),
                call(uniform(0, 3), mask(0, 3)),
                large(uniform(300, 401), mask(300, 401)),
            ),
            sized=lambda n: call(uniform(n), mask(n)),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="masked_scatter",
            function=F.masked_scatter,
            reference=ref.masked_scatter,
            calls=(
                call(uniform(4, 3), mask(4, 3), uniform(12)),
                call(uniform(4, 3), mask(3), uniform(4, 4)),
                call(uniform(3), mask(4, 3), uniform(2, 7)),
                call(uniform(2, 5, 3), mask(2, 1, 3), uniform(30)),
                call(uniform(), mask(), uniform(1)),
                call(uniform(0, 3), mask(0, 3), uniform(0)),
                large(uniform(300, 401), mask(300, 401), uniform(120_300)),
            ),
            sized=lambda n: call(uniform(n), mask(n), uniform(n)),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="nonzero",
            function=F.nonzero,
            reference=ref.nonzero,
            calls=(
                call(grid(4, 3)),
                call(mask(4, 3, 5)),
                call(grid(9), as_tuple=True),
                call(grid(4, 3), as_tuple=True),
                call(grid()),
                call(grid(), as_tuple=True),
                call(grid(3, 0, 2)),
                call(mask(0)),
                large(mask(300, 401)),
            ),
            sized=lambda n: call(mask(n)),
            tolerance=EXACT,
            integers=INTEGERS,
            differentiable=False,
        ),
        Op(
            name="argwhere",
            function=F.argwhere,
            reference=np.argwhere,
            calls=(call(grid(4, 3)), call(mask(4, 3, 5)), call(grid(0, 2)), large(mask(90_001))),
            sized=lambda n: call(mask(n)),
            tolerance=EXACT,
            integers=INTEGERS,
            differentiable=False,
        ),
    ]


def read_rows():
    return [
        Op(
            name="gather",
            function=F.gather,
            reference=ref.gather,
            calls=(
                call(uniform(5), 0, index(9, below=5)),
                call(uniform(4, 3), 0, index(2, 3, below=4)),
                call(uniform(4, 3), -1, index(4, 5, below=3)),
                call(uniform(2, 5, 3), 1, index(2, 4, 3, below=5)),
                call(uniform(4, 3), 0, index(7, 2, below=4)),
                call(uniform(4, 5, 3), 1, index(2, 6, 2, below=5)),
                call(uniform(0, 3), 1, index(0, 2, below=3)),
                call(uniform(4, 3), 1, index(4, 0, below=3)),
                large(uniform(300, 401), 1, index(300, 120, below=401)),
            ),
            sized=lambda n: call(uniform(n // 64, 64), 1, index(n // 64, 64, below=64)),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="index_select",
            function=F.index_select,
            reference=lambda x, dim, rows: np.take(x, np.atleast_1d(rows), axis=dim),
            calls=(
                call(uniform(5), 0, index(9, below=5)),
                call(uniform(4, 3), 0, index(6, below=4)),
                call(uniform(4, 3), -1, index(5, below=3)),
                call(uniform(2, 5, 3), 1, index(4, below=5)),
                call(uniform(4, 3), 0, index(below=4)),
                call(uniform(4, 3), 1, index(0, below=3)),
                call(uniform(4, 0), 0, index(3, below=4)),
                large(uniform(300, 401), 1, index(500, below=401)),
            ),
            sized=lambda n: call(uniform(n // 64, 64), 0, index(n // 64, below=n // 64)),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="take",
            function=F.take,
            reference=lambda x, at: x.reshape(-1)[at],
            calls=(
                call(uniform(5), index(9, below=5)),
                call(uniform(4, 3), index(2, 3, below=12)),
                call(uniform(2, 5, 3), index(below=30)),
                call(uniform(), index(2, below=1)),
                call(uniform(4, 3), index(0, 2, below=12)),
                large(uniform(300, 401), index(90_001, below=120_300)),
            ),
            sized=lambda n: call(uniform(n), index(n, below=n)),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="take_along_dim",
            function=F.take_along_dim,
            reference=ref.take_along_dim,
            calls=(
                call(uniform(5), index(9, below=5)),
                call(uniform(4, 3), index(2, 3, below=12)),
                call(uniform(4, 3), index(4, 5, below=3), dim=1),
                call(uniform(4, 3), index(1, 5, below=3), -1),
                call(uniform(1, 5, 3), index(2, 4, 1, below=5), 1),
                call(uniform(0, 3), index(0, 2, below=3), 1),
                large(uniform(300, 401), index(300, 120, below=401), 1),
            ),
            sized=lambda n: call(uniform(n // 64, 64), index(n // 64, 64, below=64), 1),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="one_hot",
            function=F.one_hot,
            reference=ref.one_hot,
            calls=(
                call(index(6, below=4), 4),
                call(index(6, below=4)),
                call(index(2, 3, below=4), num_classes=7),
                call(index(below=4), 5),
                call(index(0, below=4), 5),
                large(index(3000, below=40), 40),
            ),
            sized=lambda n: call(index(n // 64, below=64), 64),
            tolerance=EXACT,
            differentiable=False,
            dtypes=("float32", "float16"),
        ),
    ]


def put_rows():
    return [
        Op(
            name="index_put",
            function=F.index_put,
            reference=ref.index_put,
            calls=(
                call(uniform(5), [index(9, below=5)], uniform(9)),
                call(uniform(4, 3), [index(6, below=4)], uniform(3)),
                call(uniform(4, 3), [index(6, below=4)], uniform(6, 3), accumulate=True),
                call(uniform(4, 3), [index(6, below=4), index(6, below=3)], uniform(6), True),
                call(uniform(4, 3), [index(2, 1, below=4), index(5, below=3)], uniform(5)),
                call(uniform(4, 5, 3), [None, index(6, below=5)], uniform(6, 1), True),
                call(uniform(4, 5, 3), [index(2, below=4), None, index(2, below=3)], uniform(5)),
                call(uniform(4, 3), [mask(4, 3)], uniform()),
                call(uniform(4, 3), [mask(4)], 0.5, True),
                call(uniform(4, 3), [index(0, below=4)], uniform(0, 3), True),
                large(uniform(300, 401), [index(500, below=300)], uniform(500, 401)),
                large(uniform(300, 401), [index(500, below=300)], uniform(500, 401), True),
            ),
            sized=lambda n: call(
                uniform(n // 64, 64), [index(n // 64, below=n // 64)], uniform(n // 64, 64)
            ),
            tolerance=ADDED,
        ),
        Op(
            name="put",
            function=F.put,
            reference=ref.put,
            calls=(
                call(uniform(5), index(9, below=5), uniform(9)),
                call(uniform(4, 3), index(2, 3, below=12), uniform(6)),
                call(uniform(4, 3), index(2, 3, below=12), uniform(3, 2), accumulate=True),
                call(uniform(), index(2, below=1), uniform(2), True),
                call(uniform(), index(below=1), uniform()),
                call(uniform(4, 3), index(0, 2, below=12), uniform(0)),
                large(uniform(300, 401), index(90_001, below=120_300), uniform(90_001), True),
            ),
            sized=lambda n: call(uniform(n), index(n, below=n), uniform(n)),
            tolerance=ADDED,
            integers=INTEGERS,
        ),
    ]


def reduce_row():
    """Without ties: which of two equal extremes a finite difference moves would decide."""
    shapes = [
        (uniform, "sum", {}),
        (uniform, "sum", {"include_self": False}),
        (uniform, "mean", {}),
        (uniform, "mean", {"include_self": False}),
        (distinct, "amax", {}),
        (distinct, "amax", {"include_self": False}),
        (distinct, "amin", {}),
        (distinct, "amin", {"include_self": False}),
        (factors, "prod", {}),
        (factors, "prod", {"include_self": False}),
    ]
    calls = []
    for draw, reduce, more in shapes:
        calls += [
            call(draw(5), 0, index(9, below=5), draw(9), reduce, **more),
            call(draw(4, 5, 3), 1, index(2, 6, 2, below=5), draw(2, 6, 4), reduce, **more),
        ]
    return Op(
        name="scatter_reduce",
        function=F.scatter_reduce,
        reference=ref.scatter_reduce,
        calls=(
            *calls,
            call(uniform(2, 3), 1, index(2, 9, below=3), grid(2, 9), "prod"),
            call(grid(2, 3), 1, index(2, 9, below=3), grid(2, 9), "amax", gradient=False),
            call(uniform(0, 3), 1, index(0, 2, below=3), uniform(0, 2), "amax"),
            call(uniform(4, 3), 1, index(4, 0, below=3), uniform(4, 0), "mean", False),
            large(distinct(20, 900), 1, index(20, 2000, below=900), distinct(20, 2000), "amin"),
            large(uniform(20, 900), 1, index(20, 2000, below=900), uniform(20, 2000), "mean"),
        ),
        sized=lambda n: call(
            distinct(n // 64, 64), 1, index(n // 64, 64, below=64), distinct(n // 64, 64), "amax"
        ),
        tolerance=Tolerance(factor=8, half=24, scale="largest", reason="terms cancel"),
        integers=INTEGERS,
    )


def factors(*shape):
    """Near 1, so that products stay in range."""
    return uniform(*shape, low=0.6, high=1.4)


def write_rows():
    return [
        reduce_row(),
        Op(
            name="scatter",
            function=F.scatter,
            reference=ref.scatter,
            calls=(
                call(uniform(5), 0, index(9, below=5), uniform(9)),
                call(uniform(4, 3), 0, index(7, 3, below=4), uniform(7, 3)),
                call(uniform(4, 3), -1, index(4, 5, below=3), uniform(4, 5)),
                call(uniform(4, 5, 3), 1, index(2, 4, 3, below=5), uniform(3, 4, 4)),
                call(uniform(4, 3), 1, index(4, 2, below=3), 0.5),
                call(uniform(4, 3), 1, index(4, 2, below=3), uniform()),
                call(uniform(4, 3), 1, index(4, 1, below=3), uniform(4, 1), "multiply"),
                call(uniform(4, 3), 1, index(2, 1, below=3), 2, reduce="add"),
                call(uniform(0, 3), 1, index(0, 2, below=3), uniform(0, 2)),
                call(uniform(4, 3), 1, index(4, 0, below=3), uniform(4, 0)),
                large(uniform(300, 50), 1, index(300, 200, below=50), uniform(300, 200)),
            ),
            sized=lambda n: call(
                uniform(n // 64, 64), 1, index(n // 64, 64, below=64), uniform(n // 64, 64)
            ),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="scatter_add",
            function=F.scatter_add,
            reference=ref.scatter_add,
            calls=(
                call(uniform(5), 0, index(9, below=5), uniform(9)),
                call(uniform(4, 3), 0, index(7, 3, below=4), uniform(7, 3)),
                call(uniform(4, 3), -1, index(4, 5, below=3), uniform(4, 5)),
                call(uniform(2, 5, 3), 1, index(2, 4, 3, below=5), uniform(2, 4, 3)),
                call(
                    uniform(4, 5, 3), 1, index(2, 4, 3, below=5), uniform(3, 4, 4), note="smaller"
                ),
                call(uniform(0, 3), 1, index(0, 2, below=3), uniform(0, 2)),
                call(uniform(4, 3), 1, index(4, 0, below=3), uniform(4, 0)),
                large(uniform(300, 50), 1, index(300, 200, below=50), uniform(300, 200)),
            ),
            sized=lambda n: call(
                uniform(n // 64, 64), 1, index(n // 64, 64, below=64), uniform(n // 64, 64)
            ),
            tolerance=ADDED,
            integers=INTEGERS,
        ),
        Op(
            name="index_add",
            function=F.index_add,
            reference=ref.index_add,
            calls=(
                call(uniform(5), 0, index(9, below=5), uniform(9)),
                call(uniform(4, 3), 0, index(6, below=4), uniform(6, 3), alpha=-2),
                call(uniform(4, 3), -1, index(5, below=3), uniform(4, 5)),
                call(uniform(2, 5, 3), 1, index(4, below=5), uniform(2, 4, 3)),
                call(uniform(4, 3), 1, index(0, below=3), uniform(4, 0)),
                call(uniform(4, 0), 0, index(3, below=4), uniform(3, 0)),
                large(uniform(300, 401), 1, index(500, below=401), uniform(300, 500)),
            ),
            sized=lambda n: call(
                uniform(n // 64, 64), 0, index(n // 64, below=n // 64), uniform(n // 64, 64)
            ),
            tolerance=ADDED,
            integers=("int64", "int32"),
        ),
        Op(
            name="index_copy",
            function=F.index_copy,
            reference=ref.index_copy,
            calls=(
                call(uniform(5), 0, index(9, below=5), uniform(9)),
                call(uniform(4, 3), -1, index(5, below=3), uniform(4, 5)),
                call(uniform(2, 5, 3), 1, index(4, below=5), uniform(2, 4, 3)),
                call(uniform(4, 3), 1, index(0, below=3), uniform(4, 0)),
                large(uniform(300, 401), 1, index(500, below=401), uniform(300, 500)),
            ),
            sized=lambda n: call(
                uniform(n // 64, 64), 0, index(n // 64, below=n // 64), uniform(n // 64, 64)
            ),
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        Op(
            name="index_fill",
            function=F.index_fill,
            reference=ref.index_copy,
            calls=(
                call(uniform(5), 0, index(9, below=5), 2),
                call(uniform(4, 3), -1, index(5, below=3), uniform()),
                call(uniform(2, 5, 3), 1, index(4, below=5), 0.5),
                call(uniform(4, 3), 1, index(0, below=3), 1),
                large(uniform(300, 401), 1, index(500, below=401), 0.25),
            ),
            sized=lambda n: call(uniform(n // 64, 64), 0, index(n // 64, below=n // 64), 0.5),
            tolerance=EXACT,
        ),
    ]
