"""Rows of the case table: convolutions and transposed convolutions."""

import fastdl.functional as F
from tests import references_conv as ref
from tests.oprow import Op, Tolerance, call, large, uniform

TOLERANCE = Tolerance(
    factor=16,
    single=300,
    half=2,
    scale="largest",
    reason="the transforms of F(4x4, 3x3) enlarge the sums' rounding errors",
)


def rows():
    """All rows of this file."""
    return [conv1d(), conv2d(), conv3d(), *transposed()]


def convolution(name, *calls, **fields):
    fields = {
        "reference": ref.conv_transpose if "transpose" in name else ref.conv,
        "tolerance": TOLERANCE,
    } | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def conv1d():
    x = uniform(2, 3, 11)
    return convolution(
        "conv1d",
        call(x, uniform(4, 3, 3), uniform(4)),
        call(x, uniform(4, 3, 3)),
        call(x, uniform(2, 3, 2), uniform(2), stride=2, padding=1),
        call(x, uniform(2, 3, 3), padding=[3], dilation=[2], stride=[3]),
        call(x, uniform(2, 3, 4), uniform(2), padding="same"),
        call(x, uniform(2, 3, 3), padding="same", dilation=3),
        call(x, uniform(2, 3, 3), padding="valid"),
        call(uniform(4, 9), uniform(6, 2, 3), uniform(6), padding=1, groups=2),
        call(uniform(2, 4, 9), uniform(8, 1, 3), groups=4),
        call(uniform(0, 3, 7), uniform(4, 3, 3), uniform(4)),
        call(x, uniform(0, 3, 3), uniform(0)),
        call(uniform(2, 0, 5), uniform(3, 0, 3), uniform(3)),
        large(uniform(3, 20, 700), uniform(33, 20, 5), uniform(33), padding=2),
        sized=lambda n: call(
            uniform(max(1, n // 16384), 16, 1024), uniform(16, 16, 3), uniform(16), padding=1
        ),
        # A transposed sample lies as channels last, which has kernels of its own.
        follows_strides="result",
    )


def conv2d():
    x = uniform(2, 3, 7, 6)
    return convolution(
        "conv2d",
        call(x, uniform(4, 3, 3, 3), uniform(4)),
        call(x, uniform(4, 3, 3, 3)),
        call(x, uniform(5, 3, 1, 1), uniform(5)),
        call(x, uniform(2, 3, 3, 2), uniform(2), stride=2, padding=1),
        call(x, uniform(2, 3, 2, 3), stride=[1, 2], padding=[0, 2], dilation=[3, 1]),
        call(uniform(1, 4, 6, 5), uniform(6, 2, 3, 3), uniform(6), padding=1, groups=2),
        call(uniform(2, 4, 5, 5), uniform(4, 1, 3, 3), groups=4, padding=1),
        call(uniform(2, 4, 5, 5), uniform(8, 1, 2, 2), groups=4, stride=3),
        call(uniform(1, 1, 5, 5), uniform(1, 1, 5, 5), uniform(1)),
        call(uniform(1, 2, 4, 4), uniform(3, 2, 1, 1), stride=2, padding=3),
        call(uniform(1, 17, 5, 19), uniform(18, 17, 3, 3), padding=1),
        call(uniform(1, 9, 4, 6), uniform(2, 9, 2, 1), stride=[2, 1]),
        call(uniform(1, 2, 2, 3), uniform(3, 2, 3, 3), stride=4, padding=1),
        large(uniform(1, 2, 32, 33), uniform(18, 1, 1, 1), groups=2),
        large(uniform(1, 2, 34, 33), uniform(2, 1, 3, 1), groups=2),
        call(x, uniform(4, 3, 2, 4), uniform(4), padding="same"),
        call(x, uniform(4, 3, 3, 2), padding="same", dilation=[2, 3]),
        call(x, uniform(4, 3, 3, 3), padding="valid", stride=2),
        call(uniform(4, 6, 5), uniform(6, 2, 3, 3), uniform(6), padding=1, groups=2),
        call(uniform(0, 3, 7, 6), uniform(4, 3, 3, 3), uniform(4)),
        call(x, uniform(0, 3, 3, 3), uniform(0)),
        call(uniform(2, 0, 5, 5), uniform(3, 0, 3, 3), uniform(3)),
        large(uniform(3, 20, 21, 23), uniform(33, 20, 3, 3), uniform(33), padding=1),
        large(uniform(2, 3, 40, 41), uniform(16, 3, 7, 7), stride=2, padding=3),
        large(uniform(2, 24, 20, 21), uniform(24, 1, 5, 5), padding=2, groups=24),
        sized=lambda n: call(
            uniform(max(1, n // 16384), 16, 32, 32),
            uniform(16, 16, 3, 3),
            uniform(16),
            padding=1,
        ),
    )


def conv3d():
    x = uniform(2, 3, 5, 4, 6)
    return convolution(
        "conv3d",
        call(x, uniform(4, 3, 3, 3, 3), uniform(4)),
        call(x, uniform(4, 3, 2, 1, 3)),
        call(x, uniform(2, 3, 1, 1, 1), uniform(2)),
        call(x, uniform(2, 3, 3, 1, 1), uniform(2), stride=[2, 1, 1], padding=[1, 0, 0]),
        call(x, uniform(2, 3, 3, 2, 2), uniform(2), stride=2, padding=1),
        call(x, uniform(2, 3, 2, 2, 3), stride=[3, 1, 2], padding=[0, 2, 1], dilation=[2, 3, 1]),
        call(x, uniform(2, 3, 2, 3, 4), uniform(2), padding="same", dilation=[3, 1, 1]),
        call(uniform(4, 3, 5, 4), uniform(6, 2, 3, 3, 3), uniform(6), padding=1, groups=2),
        call(uniform(1, 4, 4, 5, 4), uniform(4, 1, 3, 3, 3), groups=4, padding="same"),
        call(uniform(1, 2, 2, 3, 3), uniform(3, 2, 3, 3, 3), uniform(3), stride=4, padding=1),
        call(uniform(0, 3, 3, 4, 5), uniform(4, 3, 2, 2, 2), uniform(4)),
        call(x, uniform(0, 3, 3, 3, 3), uniform(0)),
        call(uniform(2, 0, 3, 4, 5), uniform(3, 0, 2, 2, 2), uniform(3)),
        large(uniform(2, 20, 9, 14, 15), uniform(33, 20, 3, 3, 3), uniform(33), padding=1),
        sized=lambda n: call(
            uniform(max(1, n // 16384), 8, 8, 16, 16),
            uniform(8, 8, 3, 3, 3),
            uniform(8),
            padding=1,
        ),
        follows_strides="result",
    )


def transposed():
    x1, x2, x3 = uniform(2, 3, 6), uniform(2, 3, 5, 4), uniform(2, 3, 3, 2, 4)
    return [
        convolution(
            "conv_transpose1d",
            call(x1, uniform(3, 4, 3), uniform(4)),
            call(x1, uniform(3, 4, 3), None, 2, 1, 1),
            call(x1, uniform(3, 2, 2), uniform(2), stride=4, output_padding=3),
            call(x1, uniform(3, 2, 3), uniform(2), stride=2, dilation=4, output_padding=3),
            call(uniform(4, 6), uniform(4, 3, 3), uniform(6), groups=2, stride=2),
            call(uniform(0, 3, 6), uniform(3, 4, 3), uniform(4)),
            call(uniform(2, 0, 6), uniform(0, 4, 3), uniform(4)),
            call(uniform(2, 0, 6), uniform(0, 1, 3), uniform(4), groups=4),
            large(uniform(3, 20, 300), uniform(20, 33, 4), uniform(33), stride=2, padding=1),
            sized=lambda n: call(
                uniform(max(1, n // 16384), 16, 1024), uniform(16, 16, 3), uniform(16), padding=1
            ),
            follows_strides="result",
        ),
        convolution(
            "conv_transpose2d",
            call(x2, uniform(3, 4, 3, 3), uniform(4)),
            call(x2, uniform(3, 4, 3, 3), stride=2, padding=1, output_padding=1),
            call(x2, uniform(3, 2, 4, 4), uniform(2), stride=2, padding=1),
            call(x2, uniform(3, 2, 2, 3), uniform(2), [3, 2], [1, 0], [2, 1], 1, [1, 2]),
            call(x2, uniform(3, 2, 2, 2), uniform(2), stride=3),
            call(x2, uniform(3, 2, 3, 2), uniform(2), stride=4, output_padding=3),
            call(x2, uniform(3, 2, 3, 3), uniform(2), stride=2, dilation=5, output_padding=[4, 2]),
            call(x2, uniform(3, 2, 1, 1), uniform(2), stride=2, output_padding=1),
            call(x2, uniform(3, 2, 3, 3), stride=[1, 2], padding=3, dilation=[2, 3]),
            call(uniform(4, 3, 5), uniform(4, 3, 3, 3), uniform(6), groups=2, stride=2),
            call(uniform(2, 4, 5, 5), uniform(4, 1, 3, 3), uniform(4), groups=4, padding=1),
            call(uniform(2, 6, 5, 4), uniform(6, 1, 3, 3), uniform(3), groups=3, padding=1),
            call(uniform(2, 6, 5, 4), uniform(6, 1, 2, 3), uniform(3), groups=3, stride=3),
            call(uniform(2, 3, 5, 4), uniform(3, 2, 3, 3), uniform(6), groups=3, stride=2),
            call(uniform(0, 3, 5, 4), uniform(3, 4, 3, 3), uniform(4)),
            call(uniform(2, 0, 5, 4), uniform(0, 4, 3, 3), uniform(4)),
            call(uniform(2, 0, 5, 4), uniform(0, 1, 3, 3), uniform(4), groups=4),
            call(x2, uniform(3, 0, 3, 3), uniform(0)),
            large(uniform(3, 20, 13, 14), uniform(20, 33, 3, 3), uniform(33), padding=1),
            large(uniform(20, 9, 6, 6), uniform(9, 12, 2, 2), uniform(12), stride=4),
            large(uniform(2, 33, 11, 12), uniform(33, 20, 4, 4), uniform(20), stride=2, padding=1),
            large(uniform(2, 24, 20, 21), uniform(24, 1, 5, 5), uniform(24), 2, 2, 1, 24),
            sized=lambda n: call(
                uniform(max(1, n // 16384), 16, 32, 32),
                uniform(16, 16, 4, 4),
                uniform(16),
                stride=2,
                padding=1,
            ),
            follows_strides="gradient",  # the sum for the bias
        ),
        convolution(
            "conv_transpose3d",
            call(x3, uniform(3, 4, 3, 3, 3), uniform(4)),
            call(x3, uniform(3, 4, 2, 3, 3), stride=2, padding=1, output_padding=1),
            call(x3, uniform(3, 2, 2, 1, 1), uniform(2), stride=[2, 1, 1]),
            call(x3, uniform(3, 2, 1, 2, 2), uniform(2), [3, 2, 1], 0, [2, 1, 0]),
            call(x3, uniform(3, 2, 2, 2, 2), uniform(2), stride=2, dilation=4, output_padding=3),
            call(uniform(4, 2, 3, 3), uniform(4, 3, 3, 3, 3), uniform(6), groups=2, stride=2),
            call(uniform(0, 3, 3, 4, 5), uniform(3, 4, 2, 2, 2), uniform(4)),
            call(uniform(2, 0, 3, 4, 5), uniform(0, 4, 2, 2, 2), uniform(4)),
            large(uniform(2, 20, 5, 9, 8), uniform(20, 33, 3, 3, 3), uniform(33), stride=2),
            sized=lambda n: call(
                uniform(max(1, n // 16384), 8, 8, 16, 16),
                uniform(8, 8, 3, 3, 3),
                uniform(8),
                padding=1,
            ),
            follows_strides="result",
        ),
    ]
