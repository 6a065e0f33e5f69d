"""Convolutions with bad arguments: typed errors that say what is wrong."""

import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, DTypeError, Error, ShapeError

X1, W1 = fastdl.ones((2, 4, 8)), fastdl.ones((6, 4, 3))
X2, W2 = fastdl.ones((2, 4, 8, 8)), fastdl.ones((6, 4, 3, 3))
X3, W3 = fastdl.ones((2, 4, 5, 6, 7)), fastdl.ones((6, 4, 3, 3, 3))
T1, T2, T3 = fastdl.ones((4, 6, 3)), fastdl.ones((4, 6, 3, 3)), fastdl.ones((4, 6, 3, 3, 3))
HUGE = 2**24

CONVOLUTIONS = [(F.conv1d, X1, W1), (F.conv2d, X2, W2), (F.conv3d, X3, W3)]
TRANSPOSED = [
    (F.conv_transpose1d, X1, T1),
    (F.conv_transpose2d, X2, T2),
    (F.conv_transpose3d, X3, T3),
]

# options -> (error, what the message shows)
OPTIONS = [
    ({"stride": 0}, ArgumentError, "stride is 0"),
    ({"stride": 2**55}, ArgumentError, "stride"),
    ({"dilation": -1}, ArgumentError, "dilation is -1"),
    ({"padding": -1}, ArgumentError, "padding is -1"),
    ({"padding": HUGE + 1}, ArgumentError, "padding is 16777217"),
    ({"groups": 0}, ArgumentError, "groups is 0"),
    ({"groups": 2**62}, ShapeError, ""),
    ({"bias": fastdl.ones((5,))}, ShapeError, "[5]"),
    ({"bias": fastdl.ones((6,)).double()}, DTypeError, "float64"),
]


def refused(kind, shown, function, *args, **options):
    with pytest.raises(kind) as caught:
        function(*args, **options)
    error = caught.value
    assert isinstance(error, Error)
    assert error.op == function.__name__
    assert error.remedy
    assert shown in str(error)


@pytest.mark.parametrize(("function", "x", "w"), CONVOLUTIONS + TRANSPOSED)
@pytest.mark.parametrize(("options", "kind", "shown"), OPTIONS)
def test_options(function, x, w, options, kind, shown):
    refused(kind, shown, function, x, w, **options)


@pytest.mark.parametrize(("function", "x", "w"), CONVOLUTIONS)
def test_convolutions(function, x, w):
    rank = w.ndim - 2
    refused(ArgumentError, "'same' and stride 2", function, x, w, padding="same", stride=2)
    refused(ArgumentError, "unknown padding 'full'", function, x, w, padding="full")
    refused(ArgumentError, "unknown padding ''", function, x, w, padding="")
    refused(ShapeError, "reaches over", function, x, fastdl.ones((6, 4, *[9] * rank)))
    refused(ShapeError, "reaches over", function, x, w, dilation=HUGE)
    refused(ShapeError, "kernel is empty", function, x, fastdl.ones((6, 4, *[3] * (rank - 1), 0)))
    refused(
        ShapeError, "kernel is empty", function, x, fastdl.ones((6, 4, *[0] * rank)), padding="same"
    )
    refused(
        ShapeError, "7 output channels", function, x, fastdl.ones((7, 2, *[3] * rank)), groups=2
    )
    refused(
        ShapeError, "channels / groups is 4 / 1 = 4", function, x, fastdl.ones((6, 3, *[3] * rank))
    )
    refused(ShapeError, "dimension", function, x[0, 0], w)
    refused(ShapeError, "dimensions", function, x[None], w)
    refused(DTypeError, "int64", function, x.long(), w.long())
    with pytest.raises(TypeError, match="padding"):
        function(x, w, padding=[1] * (rank + 1))
    # A batch of none, and a kernel that no memory holds.
    tall = fastdl.zeros((0, 4, 2**40, *[3] * (rank - 1)))
    refused(ShapeError, "", function, x, tall, padding="same", dilation=HUGE)


@pytest.mark.parametrize(("function", "x", "w"), TRANSPOSED)
def test_transposed(function, x, w):
    rank = w.ndim - 2
    refused(ArgumentError, "output_padding is 1", function, x, w, output_padding=1)
    refused(ArgumentError, "output_padding is 2", function, x, w, output_padding=2, stride=2)
    refused(ArgumentError, "output_padding is -1", function, x, w, output_padding=-1)
    refused(ShapeError, "would have the size 0", function, x[..., :2], w, padding=2)
    refused(ShapeError, "would have the size -", function, x, w, padding=HUGE)
    refused(ShapeError, "kernel is empty", function, x, fastdl.ones((4, 6, *[0] * rank)))
    refused(ShapeError, "is empty", function, x[..., :0], w)
    refused(ShapeError, "divide", function, x, w, groups=3)
    refused(
        ShapeError,
        "of weight is 4, but channels is 5",
        function,
        fastdl.ones((2, 5, *x.shape[2:])),
        w,
    )
    wide = fastdl.zeros((0, 4, 2**40, *[3] * (rank - 1)))
    refused(ShapeError, "overflows", function, wide, w, stride=HUGE)
    with pytest.raises(TypeError, match="padding"):
        function(x, w, padding="same")


def test_modules():
    for layer in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        for options in (
            {"stride": 2, "padding": "same"},
            {"padding": "full"},
            {"groups": 3},
            {"stride": (1,) * 4},
            {"padding_mode": "mirror"},
        ):
            with pytest.raises(ArgumentError, match=layer.__name__):
                layer(4, 6, 3, **options)
        with pytest.raises(ArgumentError, match="kernel_size is 0"):
            layer(4, 6, 0)
    for rank, layer in enumerate((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), 1):
        with pytest.raises(ArgumentError, match="padding"):
            layer(4, 6, 3, padding="same")
        with pytest.raises(ArgumentError, match="padding_mode"):
            layer(4, 6, 3, padding_mode="reflect")
        conv, x = layer(4, 6, 3, stride=2), fastdl.ones((2, 4, *[5] * rank))
        for size in ([10] * rank, [13] * rank, [11] * (rank + 1)):
            with pytest.raises(ArgumentError, match="output_size"):
                conv(x, size)
