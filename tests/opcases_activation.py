"""Rows of the case table: activations composed of others."""

from functools import partial

import fastdl.functional as F
from tests import references_activation as ref
from tests.oprow import EXACT, FLOATS, Op, Tolerance, call, distinct, large, uniform

FEW = Tolerance(factor=8, half=4, reason="a few rounded operations")


def functional(name, *calls, **fields):
    fields = {"tolerance": FEW, "dtypes": FLOATS, "reference": getattr(ref, name)} | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def elementwise(name, *options, **fields):
    return functional(
        name,
        *[call(distinct(3, 5), **o) for o in (options or ({},))],
        call(distinct(7)),
        call(distinct(0, 3)),
        large(distinct(70_001)),
        sized=lambda n: call(uniform(n)),
        **fields,
    )


def rows():
    """All rows of this file."""
    along = partial(uniform, low=-3.0, high=3.0)
    return [
        elementwise("step", {}, {"threshold": 0.5}, tolerance=EXACT),
        elementwise("bipolar_sigmoid"),
        elementwise("clipped_relu", {}, {"ceiling": 1.0}, tolerance=EXACT),
        functional(
            "prelu",
            call(distinct(4, 3), uniform(1)),
            call(distinct(2, 3, 4), uniform(3)),
            call(distinct(5), uniform(1)),
            call(distinct(), uniform(1)),
            call(uniform(0, 3, 2), uniform(3)),
            large(distinct(40, 7, 301), uniform(7)),
            sized=lambda n: call(uniform(max(1, n // 64), 64), uniform(64)),
            follows_strides="gradient",
        ),
        functional(
            "glu",
            call(along(3, 4)),
            call(along(2, 6, 3), 1),
            call(along(6)),
            call(uniform(0, 4)),
            large(along(300, 202)),
            sized=lambda n: call(uniform(max(1, n // 64), 64)),
        ),
        functional(
            "maxout",
            call(distinct(3, 6), 2),
            call(distinct(2, 6, 4), 3),
            call(distinct(8), 4, dim=-1),
            call(uniform(0, 6), 2),
            call(distinct(2, 5), 1),
            large(distinct(300, 201), 3),
            sized=lambda n: call(uniform(max(1, n // 64), 64), 4),
            tolerance=EXACT,
        ),
    ]
