"""Rows of the case table: pooling."""

from dataclasses import dataclass, replace

import numpy as np

import fastdl.functional as F
from tests import references_pool as ref
from tests.oprow import EXACT, FLOATS, Array, Op, Tolerance, call, distinct, index, large, uniform


def rows():
    """All rows of this file."""
    return [*window_rows(), *unpool_rows(), *adaptive_rows(), *region_rows()]


def functional(name, *calls, **fields):
    fields = {"reference": getattr(ref, name), "dtypes": FLOATS} | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def means(terms):
    return Tolerance(
        factor=8, half=2, scale="largest", reason=f"sums of up to {terms} terms that cancel"
    )


def images(n):
    return uniform(max(1, n // 16384), 16, 32, 32)


def rows_of(n):
    return uniform(max(1, n // 4096), 8, 512)


def volumes(n):
    return uniform(max(1, n // 16384), 2, 16, 16, 32)


# windows


def window_rows():
    x, row, volume = uniform(2, 3, 7, 6), uniform(2, 3, 9), uniform(2, 2, 5, 6, 4)
    pooled, pooled_row = distinct(2, 3, 7, 6), distinct(2, 3, 9)
    pooled_volume = distinct(2, 2, 5, 6, 4)
    return [
        functional(
            "max_pool1d",
            call(pooled_row, 2),
            call(pooled_row, 3, 2, 1, ceil_mode=True, return_indices=True),
            call(pooled_row, 2, 1, 0, 3),
            call(distinct(3, 5), [5]),
            call(distinct(2, 0, 5), 2),
            call(distinct(0, 3, 5), 2, return_indices=True),
            large(distinct(40, 8, 301), 5, 3, 2),
            sized=lambda n: call(rows_of(n), 2),
            tolerance=EXACT,
        ),
        functional(
            "max_pool2d",
            call(pooled, 2),
            call(pooled, [3, 2], stride=1, padding=1),
            call(pooled, 3, 2, 1, ceil_mode=True),
            call(pooled, 3, 2, 1, ceil_mode=True, return_indices=True),
            call(pooled, 2, stride=3, ceil_mode=True),
            call(pooled, 2, 1, 0, 2),
            call(pooled, [3, 2], 1, 1, 2, return_indices=True),
            call(distinct(3, 5, 5), 5),
            call(distinct(1, 1, 9, 35), 2, [1, 2]),
            call(distinct(0, 3, 7, 6), 2),
            call(distinct(2, 0, 7, 6), 2),
            large(distinct(4, 16, 41, 43), 3, 2, 1),
            large(distinct(1, 2, 40, 43), 17, 2, 1, return_indices=True),
            sized=lambda n: call(images(n), 2),
            tolerance=EXACT,
        ),
        functional(
            "max_pool3d",
            call(pooled_volume, 2),
            call(pooled_volume, [3, 2, 1], 1, [1, 1, 0]),
            call(pooled_volume, 3, 2, 1, ceil_mode=True, return_indices=True),
            call(pooled_volume, 2, 1, 0, [2, 3, 1], return_indices=True),
            call(distinct(3, 4, 5, 3), [4, 5, 3]),
            call(distinct(2, 0, 5, 4, 4), 2),
            call(distinct(0, 2, 5, 4, 4), 2, return_indices=True),
            large(distinct(2, 8, 11, 31, 33), 3, 2, 1, return_indices=True),
            sized=lambda n: call(volumes(n), 2),
            tolerance=EXACT,
        ),
        functional(
            "avg_pool1d",
            call(row, 2),
            call(row, 3, 2, 1, True, False),
            call(row, 2, 3, ceil_mode=True),
            call(uniform(3, 5), [5]),
            call(uniform(2, 0, 5), 2),
            large(uniform(40, 8, 301), 5, 3, 2),
            sized=lambda n: call(rows_of(n), 2),
            tolerance=means(5),
        ),
        functional(
            "avg_pool2d",
            call(x, 2),
            call(x, [3, 2], stride=1, padding=1),
            call(x, 3, 2, 1, ceil_mode=True),
            call(x, 3, 2, 1, True, False),
            call(x, 2, stride=3, ceil_mode=True),
            call(x, 3, 1, 1, count_include_pad=False),
            call(x, 3, 2, 1, divisor_override=5),
            call(x, 2, divisor_override=3),
            call(uniform(3, 5, 5), 5),
            call(uniform(3, 5, 5), 5, divisor_override=7),
            call(uniform(1, 1, 9, 35), 2, [1, 2]),
            call(uniform(0, 3, 7, 6), 2),
            large(uniform(4, 16, 41, 43), 3, 2, 1),
            sized=lambda n: call(images(n), 2),
            tolerance=means(25),
        ),
        functional(
            "avg_pool3d",
            call(volume, 2),
            call(volume, [3, 2, 1], 1, [1, 1, 0]),
            call(volume, 3, 2, 1, ceil_mode=True),
            call(volume, 3, 2, 1, True, False),
            call(volume, [3, 2, 2], 2, 1, divisor_override=5),
            call(uniform(3, 4, 5, 3), [4, 5, 3]),
            call(uniform(2, 0, 5, 4, 4), 2),
            large(uniform(2, 8, 11, 31, 33), 3, 2, 1),
            sized=lambda n: call(volumes(n), 2),
            tolerance=means(60),
        ),
    ]


def unpool_rows():
    """Indices are drawn, so that some occur twice."""
    return [
        functional(
            "max_unpool1d",
            call(uniform(2, 3, 4), index(2, 3, 4, below=8), 2),
            call(uniform(3, 4), index(3, 4, below=9), 3, 2, 0, [10]),
            call(uniform(2, 3, 4), index(2, 3, 4, below=7), 3, 2, 1),
            call(uniform(0, 3, 4), index(0, 3, 4, below=8), 2),
            large(uniform(40, 8, 301), index(40, 8, 301, below=602), 2),
            sized=lambda n: call(rows_of(n), replace(rows_of(n), high=1024, kind="index"), 2),
            tolerance=EXACT,
        ),
        functional(
            "max_unpool2d",
            call(uniform(2, 3, 4, 3), index(2, 3, 4, 3, below=48), 2),
            call(uniform(3, 4, 3), index(3, 4, 3, below=9), [3, 2], [2, 3], [1, 0]),
            call(uniform(2, 3, 4, 3), index(2, 3, 4, 3, below=54), 2, output_size=[9, 6]),
            call(uniform(2, 3, 2, 2), index(2, 3, 2, 2, below=3), 2, output_size=[2, 3, 5, 5]),
            call(uniform(0, 3, 4, 3), index(0, 3, 4, 3, below=48), 2),
            large(uniform(4, 16, 41, 43), index(4, 16, 41, 43, below=4 * 41 * 43), 2),
            sized=lambda n: call(images(n), replace(images(n), high=4096, kind="index"), 2),
            tolerance=EXACT,
        ),
        functional(
            "max_unpool3d",
            call(uniform(2, 2, 3, 2, 4), index(2, 2, 3, 2, 4, below=192), 2),
            call(uniform(2, 3, 2, 4), index(2, 3, 2, 4, below=45), [1, 3, 2], [1, 2, 1], [0, 1, 0]),
            call(uniform(0, 2, 3, 2, 4), index(0, 2, 3, 2, 4, below=192), 2),
            large(uniform(2, 8, 9, 21, 13), index(2, 8, 9, 21, 13, below=8 * 9 * 21 * 13), 2),
            sized=lambda n: call(volumes(n), replace(volumes(n), high=65536, kind="index"), 2),
            tolerance=EXACT,
        ),
    ]


# windows of a given number


def adaptive_rows():
    def calls(draw, *more):
        return [
            call(draw(2, 3, 7, 6), [3, 4]),
            call(draw(2, 3, 7, 6), 5),
            call(draw(2, 3, 7, 6), [None, 9]),
            call(draw(3, 6, 6), [2, 3]),
            call(draw(2, 3, 7, 6), 1),
            call(draw(2, 3, 7, 6), None),
            call(draw(1, 2, 5, 2), [11, 7]),
            call(draw(0, 3, 7, 6), 3),
            call(draw(2, 0, 7, 6), 3),
            large(draw(4, 16, 41, 43), [7, 5]),
            *more,
        ]

    def rows_calls(draw, *more):
        return [
            call(draw(2, 3, 9), 4),
            call(draw(2, 3, 9), [3]),
            call(draw(3, 5), 12),
            call(draw(2, 3, 9), None),
            call(draw(2, 0, 9), 2),
            large(draw(40, 8, 301), 37),
            *more,
        ]

    def volume_calls(draw, *more):
        return [
            call(draw(2, 2, 5, 6, 4), [3, 4, 2]),
            call(draw(2, 2, 5, 6, 4), 2),
            call(draw(2, 5, 6, 4), [None, 1, 7]),
            call(draw(2, 2, 5, 6, 4), 1),
            call(draw(0, 2, 5, 6, 4), 2),
            large(draw(2, 8, 11, 31, 33), [4, 7, 5]),
            *more,
        ]

    averages = {"tolerance": means(300)}
    maxima = {"tolerance": EXACT}
    indexed = {"return_indices": True}
    return [
        functional(
            "adaptive_avg_pool1d",
            *rows_calls(uniform),
            sized=lambda n: call(rows_of(n), 37),
            **averages,
        ),
        functional(
            "adaptive_avg_pool2d",
            *calls(uniform),
            sized=lambda n: call(images(n), [7, 6]),
            **averages,
        ),
        functional(
            "adaptive_avg_pool3d",
            *volume_calls(uniform),
            sized=lambda n: call(volumes(n), [5, 7, 6]),
            **averages,
        ),
        functional(
            "adaptive_max_pool1d",
            *rows_calls(distinct, call(distinct(2, 3, 9), 4, **indexed)),
            sized=lambda n: call(rows_of(n), 37),
            **maxima,
        ),
        functional(
            "adaptive_max_pool2d",
            *calls(
                distinct,
                call(distinct(2, 3, 7, 6), [3, 4], **indexed),
                call(distinct(2, 3, 8, 6), [4, 3], **indexed),
                call(distinct(1, 2, 5, 2), [11, 7], **indexed),
            ),
            sized=lambda n: call(images(n), [7, 6]),
            **maxima,
        ),
        functional(
            "adaptive_max_pool3d",
            *volume_calls(distinct, call(distinct(2, 2, 5, 6, 4), [3, 4, 2], **indexed)),
            sized=lambda n: call(volumes(n), [5, 7, 6]),
            **maxima,
        ),
    ]


# regions


@dataclass(frozen=True)
class Boxes(Array):
    """Boxes [K, 5] in up to `high` images, or [L, 4]: corners from -3 to 12.

    kind: ``eighths`` for exact borders, ``anywhere`` for samples that lie on none.
    """

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        count, numbers = self.shape
        corners = rng.uniform(-3, 12, (count, 2, 2))
        if self.kind == "eighths":
            corners = np.round(8 * corners) / 8
        corners = np.sort(corners, axis=1).reshape(count, 4)
        if numbers == 4:
            return corners
        return np.column_stack([rng.integers(0, int(self.high), count), corners])


def anywhere(count, numbers=5):
    return Boxes((count, numbers), 0, 2, "anywhere", grad=False)


def eighths(count, numbers=5):
    return Boxes((count, numbers), 0, 2, "eighths", grad=False)


def region_rows():
    x, pooled = uniform(2, 3, 9, 8), distinct(2, 3, 9, 8)
    return [
        functional(
            "roi_align",
            call(x, anywhere(4), 3),
            call(x, anywhere(4), [2, 3], 0.5, 2),
            call(x, anywhere(3), [3, 2], 1.0, -1, True),
            call(x, anywhere(3), 2, 2.0, 3, aligned=True),
            call(x, [anywhere(2, 4), anywhere(1, 4)], 2, 0.25),
            call(x, anywhere(0), 3),
            call(uniform(2, 0, 5, 5), anywhere(2), 2),
            call(uniform(2, 2, 0, 5), anywhere(2), 2),
            large(uniform(2, 40, 33, 37), anywhere(60), 7, 1.0, 2),
            sized=lambda n: call(uniform(2, max(1, n // 2048), 32, 32), anywhere(8), 7),
            tolerance=Tolerance(
                factor=32,
                half=2,
                scale="largest",
                reason="means of up to 200 samples of four elements each",
            ),
        ),
        functional(
            "roi_pool",
            call(pooled, eighths(4), 3),
            call(pooled, eighths(4), [2, 3], 0.5),
            call(pooled, eighths(3), [5, 7], 2.0),
            call(pooled, [eighths(2, 4), eighths(1, 4)], 2, 0.25),
            call(pooled, eighths(0), 3),
            call(distinct(2, 0, 5, 5), eighths(2), 2),
            call(distinct(2, 2, 0, 5), eighths(2), 2),
            large(distinct(2, 40, 33, 37), eighths(60), 7),
            sized=lambda n: call(uniform(2, max(1, n // 2048), 32, 32), eighths(8), 7),
            tolerance=EXACT,
        ),
    ]
