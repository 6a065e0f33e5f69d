"""Rows of the case table: deformable convolution."""

import fastdl.functional as F
from tests import references_deformable as ref
from tests.oprow import WIDE_FLOATS, Op, Tolerance, call, large, uniform


def operands(n, c, h, w, k, kernel, runs=1, groups=1, stride=1, padding=0, dilation=1):
    """Input, offset and weight; the offsets lie between pixels, where the gradient is smooth."""
    r, s = kernel
    p = (h + 2 * padding - dilation * (r - 1) - 1) // stride + 1
    q = (w + 2 * padding - dilation * (s - 1) - 1) // stride + 1
    return (
        uniform(n, c, h, w),
        uniform(n, 2 * runs * r * s, p, q, low=0.1, high=0.9),
        uniform(k, c // groups, r, s),
    ), uniform(n, runs * r * s, p, q, low=0.0, high=1.0)


def rows():
    plain, mask = operands(2, 3, 5, 6, 4, (3, 2))
    strided, _ = operands(1, 4, 7, 6, 6, (2, 3), runs=2, groups=2, stride=2, padding=1, dilation=2)
    point, one = operands(1, 2, 1, 1, 2, (1, 1))
    many, _ = operands(2, 8, 20, 21, 8, (3, 3), padding=1)
    none, _ = operands(0, 2, 4, 4, 3, (3, 3))
    return [
        Op(
            name="deform_conv2d",
            function=F.deform_conv2d,
            reference=ref.deform_conv2d,
            calls=(
                call(*plain),
                call(*plain, uniform(4), mask=None),
                call(*plain, uniform(4), 1, 0, 1, mask),
                call(*strided, None, 2, 1, 2),
                call(*strided, uniform(6), [2, 2], [1, 1], [2, 2]),
                call(*point, uniform(2), 1, 0, 1, one),
                call(*none),
                large(*many, None, 1, 1),
            ),
            sized=lambda n: call(
                *operands(1, 16, max(3, n // 1024), 64, 16, (3, 3), padding=1)[0], None, 1, 1
            ),
            tolerance=Tolerance(
                factor=64,
                scale="largest",
                single=256,
                reason="sums of 72 terms that cancel, at places that are rounded in the grid",
            ),
            dtypes=WIDE_FLOATS,
            follows_strides="result",
        )
    ]
