"""Rows of the case table: normalisation beside batch and layer norm, similarity, dropout, noise."""

from functools import partial

import numpy as np

import fastdl
import fastdl.functional as F
from tests import references_norm as ref
from tests.oprow import (
    FLOATS,
    WIDE_FLOATS,
    Op,
    Tolerance,
    call,
    constant,
    distinct,
    large,
    uniform,
)


def rows():
    """All rows of this file."""
    return [*normalisation_rows(), *similarity_rows(), *dropout_rows()]


def functional(name, *calls, **fields):
    fields = {"reference": getattr(ref, name, None), "dtypes": WIDE_FLOATS} | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


STATISTICS = Tolerance(factor=32, half=8, scale="largest", reason="statistics of 6,000 values")


def normalisation_rows():
    x, c6 = uniform(2, 6, 3, 5), uniform(6)
    seen = constant(c6), constant(uniform(6, low=0.5, high=2))
    scalar = Tolerance(factor=16, half=8, reason="a power by exponential and logarithm")
    return [
        functional(
            "group_norm",
            call(x, 2, c6, c6),
            call(x, 3),
            call(x, 6, c6, None),
            call(x, 1, None, c6, eps=0.1),
            call(uniform(5, 6), 2, c6, c6),
            call(uniform(2, 6, 33), 3, c6, c6),
            call(uniform(1, 4, 2, 3, 2), 4, uniform(4), uniform(4)),
            call(uniform(40, 6, 2), 3, c6, c6),
            call(uniform(0, 6, 3), 2, c6, c6),
            call(uniform(2, 6, 0), 2, c6, c6),
            large(uniform(3, 32, 31, 32), 8, uniform(32), uniform(32)),
            large(uniform(70, 64, 5, 5), 32, uniform(64), uniform(64)),
            large(uniform(401, 112), 7, uniform(112), uniform(112)),
            sized=lambda n: call(
                uniform(max(1, n // 16384), 16, 32, 32), 4, uniform(16), uniform(16)
            ),
            tolerance=STATISTICS,
            dtypes=FLOATS,
        ),
        functional(
            "instance_norm",
            call(x, None, None, c6, c6),
            call(x),
            call(uniform(3, 6, 17), None, None, c6, None, eps=0.1),
            call(uniform(1, 6, 2, 3, 2), None, None, None, c6),
            call(x, *seen, c6, c6, False),
            call(uniform(3, 6, 4), *seen, use_input_stats=False),
            call(uniform(0, 6, 3), None, None, c6, c6),
            large(uniform(6, 33, 31, 32), None, None, uniform(33), uniform(33)),
            large(uniform(9, 130, 7, 7), None, None, uniform(130), uniform(130)),
            sized=lambda n: call(
                uniform(max(1, n // 16384), 16, 32, 32), None, None, uniform(16), uniform(16)
            ),
            tolerance=STATISTICS,
            dtypes=FLOATS,
        ),
        functional(
            "rms_norm",
            call(uniform(4, 5), 5, uniform(5)),
            call(uniform(4, 5), 5),
            call(uniform(3, 2, 17), [2, 17], uniform(2, 17), eps=0.1),
            call(uniform(2, 3, 33), [33], uniform(33)),
            call(uniform(0, 5), 5, uniform(5)),
            large(uniform(401, 112), 112, uniform(112)),
            large(uniform(5, 3, 1100), [3, 1100], uniform(3, 1100)),
            sized=lambda n: call(uniform(max(1, n // 256), 256), 256, uniform(256)),
            tolerance=STATISTICS,
            dtypes=FLOATS,
        ),
        functional(
            "local_response_norm",
            call(uniform(2, 7, 3, 5), 5, 0.7),
            call(uniform(2, 7, 3, 5), 4, 0.7, 0.6, 2.0),
            call(uniform(3, 6), 3, 0.5),
            call(uniform(1, 5, 35), 1, 0.3, beta=2.0),
            call(uniform(2, 3, 2, 3, 2), 9, 1.0, k=0.5),
            call(uniform(0, 6, 3), 3),
            call(uniform(2, 0, 3), 3),
            large(uniform(3, 33, 31, 32), 5, 0.7),
            large(uniform(5, 70, 13), 7, 0.7),
            sized=lambda n: call(uniform(max(1, n // 16384), 16, 32, 32), 5, 0.7),
            tolerance=scalar,
            dtypes=FLOATS,
        ),
        functional(
            "adaptive_instance_norm",
            call(x, uniform(2, 6, 4, 4)),
            call(x, x, eps=0.1),
            call(uniform(2, 3, 17), uniform(2, 3, 9)),
            call(x, None, uniform(2, 6), uniform(2, 6, low=0.5)),
            call(uniform(0, 3, 4), uniform(0, 3, 4)),
            large(uniform(3, 33, 31, 32), uniform(3, 33, 9, 9)),
            sized=lambda n: (
                call(uniform(max(1, n // 16384), 16, 32, 32), uniform(1, 16, 8, 8))
                if n < 32768
                else call(uniform(n // 16384, 16, 32, 32), uniform(n // 16384, 16, 8, 8))
            ),
            tolerance=STATISTICS,
            dtypes=FLOATS,
        ),
        functional(
            "pixel_norm",
            call(x),
            call(uniform(5, 6), eps=0.1),
            call(uniform(2, 3, 9)),
            call(uniform(0, 3, 4)),
            large(uniform(3, 33, 31, 32)),
            sized=lambda n: call(uniform(max(1, n // 16384), 16, 32, 32)),
            tolerance=STATISTICS,
            dtypes=FLOATS,
        ),
    ]


def similarity_rows():
    terms = Tolerance(factor=32, half=8, scale="largest", reason="sums of up to 300 terms")
    d = distinct(3, 4, 5)
    return [
        functional(
            "normalize",
            call(d),
            call(d, 1, -1),
            call(d, 3.0, 0, 0.1),
            call(d, dim=[1, 2]),
            call(d, float("inf"), 2),
            call(uniform(0, 4)),
            large(uniform(300, 301)),
            sized=lambda n: call(uniform(max(1, n // 256), 256)),
            tolerance=terms,
            dtypes=FLOATS,
        ),
        functional(
            "cosine_similarity",
            call(d, distinct(3, 4, 5)),
            call(d, distinct(5), -1),
            call(d, distinct(3, 4, 5), 0, 10.0),
            call(uniform(0, 4), uniform(0, 4)),
            large(uniform(300, 301), uniform(300, 301)),
            sized=lambda n: call(uniform(max(1, n // 256), 256), uniform(max(1, n // 256), 256)),
            tolerance=Tolerance(factor=32, half=8, scale="one", reason="sums of up to 300 terms"),
            dtypes=FLOATS,
            follows_strides="gradient",
        ),
        functional(
            "pairwise_distance",
            call(d, distinct(3, 4, 5)),
            call(d, distinct(5), 1),
            call(d, distinct(4, 5), 3.0, 0.1, True),
            call(d, distinct(3, 4, 5), float("inf")),
            call(uniform(0, 4), uniform(0, 4)),
            large(uniform(300, 301), uniform(300, 301)),
            sized=lambda n: call(uniform(max(1, n // 256), 256), uniform(max(1, n // 256), 256)),
            tolerance=terms,
            dtypes=FLOATS,
            follows_strides="gradient",
        ),
    ]


# What becomes of the elements; the draws themselves are tested in test_nn_norm.py.
FLOOR = -1.7580993408473766


def _seeded(function, *args, **kwargs):
    return function(*args, generator=fastdl.Generator(7), **kwargs)


def _mask(function, shape, *args):
    """Which elements stay, of a function that zeroes the others."""
    return _seeded(function, fastdl.ones(shape, dtype="float64"), *args).numpy() != 0


def _dropped_slices(function, x, p=0.5, training=True):
    if not training or p == 0:
        return x
    return x * _mask(function, x.shape, p) / (1 - p) if p < 1 else 0 * x


def _alpha_dropped(lead, x, p=0.5, training=False):
    if not training or p == 0:
        return x
    if p == 1:
        return 0 * x
    shape = x.shape if lead is None else (*x.shape[:lead], *[1] * (x.ndim - lead))
    keep = _mask(F.dropout, shape, p)
    scale = ((1 - p) * (1 + p * FLOOR**2)) ** -0.5
    return scale * np.where(keep, x, FLOOR) - scale * p * FLOOR


def _noise(shape, mean, std):
    zeros = fastdl.zeros(shape, dtype="float64")
    return zeros.normal_(mean, std, generator=fastdl.Generator(7)).numpy()


def _noisy(x, std, training=True):
    return x + _noise(x.shape, 0, std) if training and std else x


def _multiplied(x, p=0.5, training=True):
    return x * _noise(x.shape, 1, np.sqrt(p / (1 - p))) if training and p else x


def _depth(x, p, mode, training=True):
    if not training or p == 0:
        return x
    shape = (x.shape[0] if mode == "row" else 1, *[1] * (x.ndim - 1))
    return x * _mask(F.dropout, shape, p) / (1 - p) if p < 1 else 0 * x


def dropout_rows():
    scaled = Tolerance(factor=1, half=1, reason="the scale 1 / (1 - p) is rounded first")
    shifted = Tolerance(factor=4, half=4, scale="one", reason="an affine function of a difference")
    noisy = Tolerance(
        factor=8, half=4, scale="one", single=2.0**9, reason="float32 has noise of its own"
    )

    def row(name, *calls, sized, reference, tolerance=scaled, **fields):
        return Op(
            name=name,
            function=partial(_seeded, getattr(F, name)),
            reference=reference,
            calls=calls,
            sized=sized,
            tolerance=tolerance,
            **fields,
        )

    images = uniform(2, 3, 4, 5)
    slices = [
        row(
            name,
            call(uniform(*shape), 0.4),
            call(uniform(*other)),
            call(uniform(*shape), 0.3, training=False),
            call(uniform(*shape), 0),
            call(uniform(*shape), 1.0),
            call(uniform(0, *shape[1:]), 0.4),
            large(uniform(300, 30, *shape[2:]), 0.4),
            sized=lambda n, tail=shape[2:]: call(uniform(max(2, n // 64), 9, *tail), 0.4),
            reference=partial(_dropped_slices, getattr(F, name)),
        )
        for name, shape, other in (
            ("dropout1d", (5, 9, 7), (9, 7)),
            ("dropout2d", (3, 9, 4, 5), (5, 9, 7)),
            ("dropout3d", (3, 5, 2, 3, 2), (9, 2, 3, 2)),
        )
    ]
    return [
        *slices,
        row(
            "alpha_dropout",
            call(uniform(33), 0.4, True),
            call(images, training=True),
            call(uniform(9), 0.3),
            call(uniform(9), 1.0, True),
            call(uniform(0, 3), 0.4, True),
            large(uniform(70_001), 0.4, True),
            sized=lambda n: call(uniform(n), 0.4, True),
            reference=partial(_alpha_dropped, None),
            tolerance=shifted,
        ),
        row(
            "feature_alpha_dropout",
            call(images, 0.4, True),
            call(uniform(5, 9), training=True),
            call(images),
            call(images, 1.0, True),
            call(uniform(0, 3, 4), 0.4, True),
            large(uniform(300, 30, 9), 0.4, True),
            sized=lambda n: call(uniform(max(2, n // 64), 64), 0.4, True),
            reference=partial(_alpha_dropped, 2),
            tolerance=shifted,
        ),
        row(
            "gaussian_noise",
            call(images, 0.4),
            call(uniform(33), 2.0),
            call(uniform(9), 0.3, training=False),
            call(uniform(9), 0.0),
            call(uniform(0, 3), 0.4),
            large(uniform(70_001), 0.4),
            sized=lambda n: call(uniform(n), 0.4),
            reference=_noisy,
            tolerance=noisy,
        ),
        row(
            "gaussian_dropout",
            call(images, 0.4),
            call(uniform(33)),
            call(uniform(9), 0.3, training=False),
            call(uniform(9), 0.0),
            call(uniform(0, 3), 0.4),
            large(uniform(70_001), 0.4),
            sized=lambda n: call(uniform(n), 0.4),
            reference=_multiplied,
            tolerance=noisy,
        ),
        row(
            "stochastic_depth",
            call(uniform(9, 3, 4), 0.4, "row"),
            call(uniform(9, 3, 4), 0.4, "batch"),
            call(images, 0.4, "row", training=False),
            call(images, 1.0, "batch"),
            call(uniform(0, 3), 0.4, "row"),
            large(uniform(300, 300), 0.4, "row"),
            sized=lambda n: call(uniform(max(2, n // 64), 64), 0.4, "row"),
            reference=_depth,
        ),
    ]
