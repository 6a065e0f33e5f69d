"""Rows of the case table: products, normalisation, recurrent layers."""

from functools import partial

import fastdl
import fastdl.functional as F
from tests import references as ref
from tests.oprow import (
    FLOATS,
    WIDE_FLOATS,
    Op,
    Tolerance,
    call,
    constant,
    large,
    uniform,
)


def rows():
    """All rows of this file."""
    return [*product_rows(), *layer_rows()]


def functional(name, *calls, **fields):
    fields = {"reference": getattr(ref, name, None), "dtypes": WIDE_FLOATS} | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def sums(factor, terms):
    return Tolerance(
        factor=factor, half=2, scale="largest", reason=f"sums of up to {terms} terms that cancel"
    )


# products


def product_rows():
    return [
        functional(
            "matmul",
            call(uniform(3, 4), uniform(4, 5)),
            call(uniform(5), uniform(5)),
            call(uniform(3, 4), uniform(4)),
            call(uniform(4), uniform(4, 5)),
            call(uniform(2, 3, 4), uniform(4, 5)),
            call(uniform(2, 1, 3, 4), uniform(5, 4, 2)),
            call(uniform(4), uniform(2, 4, 3)),
            call(uniform(1, 7), uniform(7, 1)),
            call(uniform(7, 33), uniform(33, 19)),
            call(uniform(0, 4), uniform(4, 3)),
            call(uniform(3, 0), uniform(0, 4)),
            call(uniform(2, 3, 4), uniform(2, 4, 0)),
            call(uniform(0, 3, 4), uniform(4, 5)),
            large(uniform(129, 131), uniform(131, 137)),
            large(uniform(5, 33, 65), uniform(5, 65, 17)),
            large(uniform(2, 3000), uniform(3000, 3)),
            large(uniform(2, 3, 1100), uniform(2, 1100, 5)),
            large(uniform(128, 20, 4), uniform(128, 4, 4)),
            large(uniform(128, 3, 5), uniform(128, 5, 7)),
            reference=lambda a, b: a @ b,
            sized=lambda n: call(*[uniform(max(1, int(n**0.5)), max(1, int(n**0.5)))] * 2),
            tolerance=sums(16, 3000),
            follows_strides="result",
            dtypes=FLOATS,
        ),
        functional(
            "linear",
            call(uniform(3, 4), uniform(5, 4), uniform(5)),
            call(uniform(3, 4), uniform(5, 4)),
            call(uniform(4), uniform(5, 4), uniform(5)),
            call(uniform(2, 3, 7), uniform(17, 7), uniform(17)),
            call(uniform(1, 33), uniform(1, 33), uniform(1)),
            call(uniform(0, 4), uniform(5, 4), uniform(5)),
            call(uniform(3, 0), uniform(5, 0), uniform(5)),
            call(uniform(3, 4), uniform(0, 4), uniform(0)),
            large(uniform(67, 401), uniform(123, 401), uniform(123)),
            large(uniform(3, 1100), uniform(5, 1100), uniform(5)),
            sized=lambda n: call(uniform(n // 64, 64), uniform(64, 64), uniform(64)),
            tolerance=sums(16, 401),
            follows_strides="result",
            dtypes=FLOATS,
        ),
    ]


# layers


def layer_rows():
    x, c3 = uniform(4, 3, 5), uniform(3)
    seen = constant(uniform(3)), constant(uniform(3, low=0.5, high=2))
    normal = Tolerance(factor=32, half=8, scale="largest", reason="statistics of 6,000 values")
    bounded = Tolerance(factor=8, half=4, reason="exp of a difference, divided by their sum")
    logs = Tolerance(factor=8, half=4, scale="one", reason="a difference of logarithms near 0")

    def sequence(t, n, i, h, bias=True, gates=4, states=2):
        scale = {"low": -0.7, "high": 0.7}
        rows = gates * h
        shapes = [(t, n, i), *[(n, h)] * states, (rows, i), (rows, h)] + [(rows,)] * 2 * bias
        return [uniform(*s, **scale) for s in shapes]

    units = partial(sequence, gates=3, states=1)

    def dropped(x, p=0.5, training=True):
        return F.dropout(x, p, training, fastdl.Generator(7))

    def dropped_reference(x, p=0.5, training=True):
        # Which elements stay is tested in test_random.py; here, what becomes of them.
        return x * dropped(fastdl.ones(x.shape, dtype="float64"), p, training).numpy()

    return [
        functional(
            "batch_norm",
            call(x, None, None, uniform(3), c3, True),
            call(x, None, None, None, None, training=True),
            call(uniform(6, 3), None, None, uniform(3), None, training=True, eps=0.1),
            call(uniform(2, 3, 4, 5), None, None, None, c3, True),
            call(x, *seen, uniform(3), c3),
            call(uniform(2, 3, 4, 5), *seen),
            call(uniform(1, 3), *seen, uniform(3), None),
            call(uniform(0, 3, 4), *seen, uniform(3), c3),
            call(uniform(2, 3, 33), None, None, uniform(3), c3, True),
            call(x, None, None, uniform(3), c3, True, 0.1, 1e-5, uniform(4, 3, 5)),
            call(x, None, None, uniform(3), c3, True, activation="relu"),
            call(x, *seen, uniform(3), c3, False, 0.1, 0.1, uniform(4, 3, 5), "relu"),
            call(
                *(uniform(5, 3), None, None, uniform(3), None, True, 0.1, 1e-5, uniform(5, 3)),
                activation="leaky_relu",
                slope=0.2,
            ),
            call(uniform(2, 9, 3, 19), None, None, None, None, True, activation="leaky_relu"),
            large(uniform(6, 33, 31, 32), None, None, uniform(33), uniform(33), True),
            large(uniform(700, 70), None, None, uniform(70), uniform(70), True),
            large(
                *(uniform(3, 33, 31, 32), None, None, uniform(33), uniform(33), True, 0.1, 1e-5),
                uniform(3, 33, 31, 32),
                "relu",
            ),
            sized=lambda n: call(
                uniform(max(2, n // 16384), 16, 32, 32), None, None, uniform(16), uniform(16), True
            ),
            tolerance=normal,
            dtypes=FLOATS,
        ),
        functional(
            "layer_norm",
            call(uniform(4, 5), 5, uniform(5), uniform(5)),
            call(uniform(4, 5), 5),
            call(uniform(7), 7, uniform(7), None),
            call(uniform(3, 2, 17), [2, 17], None, uniform(2, 17), eps=0.1),
            call(uniform(2, 3, 33), [33], uniform(33), uniform(33)),
            call(uniform(0, 5), 5, uniform(5), uniform(5)),
            large(uniform(401, 112), 112, uniform(112), uniform(112)),
            large(uniform(5, 3, 1100), [3, 1100], uniform(3, 1100), uniform(3, 1100)),
            sized=lambda n: call(uniform(max(1, n // 256), 256), 256, uniform(256), uniform(256)),
            tolerance=normal,
            dtypes=FLOATS,
        ),
        Op(
            name="dropout",
            function=dropped,
            reference=dropped_reference,
            calls=(
                call(uniform(33), 0.4),
                call(uniform(3, 17)),
                call(uniform(9), 0.3, training=False),
                call(uniform(9), 0),
                call(uniform(9), 1.0),
                call(uniform(0, 3), 0.4),
                large(uniform(70_001), 0.4),
            ),
            sized=lambda n: call(uniform(n), 0.4),
            tolerance=Tolerance(factor=1, half=1, reason="the scale 1 / (1 - p) is rounded first"),
        ),
        *[
            functional(
                name,
                call(uniform(7), 0),
                call(uniform(3, 5), -1),
                call(uniform(3, 5), 0),
                call(uniform(2, 19, 3), 1),
                call(uniform(2, 3, 33), 2),
                call(uniform(3, 1), 1),
                call(uniform(0, 3), 1),
                call(uniform(3, 0), 0),
                call(uniform(5, 9, low=-200, high=200), 1, note="wide", gradient=False),
                large(uniform(300, 401), 1),
                large(uniform(5, 101, 97), 1),
                large(uniform(37, 50), 1),  # rows in groups of 16, the last of 5
                large(uniform(3, 4099), 1),  # too long to be kept
                sized=lambda n: call(uniform(max(1, n // 512), 512), 1),
                tolerance=tolerance,
                dtypes=FLOATS,
            )
            for name, tolerance in (("softmax", bounded), ("log_softmax", logs))
        ],
        functional(
            "lstm",
            call(*sequence(3, 2, 4, 3)),
            call(*sequence(2, 1, 1, 1)),
            call(*sequence(2, 3, 2, 5, bias=False)),
            call(*sequence(1, 2, 3, 17)),
            large(*sequence(2, 2, 3, 66)),
            large(*sequence(2, 1, 1, 130)),
            call(*sequence(0, 2, 3, 4)),
            call(*sequence(3, 0, 3, 4)),
            large(*sequence(6, 5, 33, 40)),
            large(*sequence(3, 35, 20, 36)),
            sized=lambda n: call(*sequence(8, 8, max(1, n // 256), 32)),
            tolerance=sums(32, 73),
            dtypes=FLOATS,
        ),
        functional(
            "gru",
            call(*units(3, 2, 4, 3)),
            call(*units(2, 1, 1, 1)),
            call(*units(2, 3, 2, 5, bias=False)),
            call(*units(1, 2, 3, 17)),
            large(*units(2, 2, 3, 66)),
            large(*units(2, 1, 1, 130)),
            call(*units(0, 2, 3, 4)),
            call(*units(3, 0, 3, 4)),
            large(*units(6, 5, 33, 40)),
            large(*units(3, 35, 20, 36)),
            sized=lambda n: call(*units(8, 8, max(1, n // 256), 32)),
            tolerance=sums(32, 73),
            dtypes=FLOATS,
        ),
    ]
