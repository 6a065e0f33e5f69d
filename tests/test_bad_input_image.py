"""Bad arguments of the functions on images: a typed error, never a crash."""

import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, OutOfMemoryError, ShapeError

X = fastdl.ones((2, 4, 6, 6))
HUGE = 2**62

# name -> (call, error, what the message shows besides)
CASES = {
    "interpolate to nothing": (lambda: F.interpolate(X), ArgumentError, ["size"]),
    "interpolate twice": (
        lambda: F.interpolate(X, size=3, scale_factor=2.0),
        ArgumentError,
        ["either"],
    ),
    "interpolate size 0": (lambda: F.interpolate(X, size=0), ArgumentError, ["size is 0"]),
    "interpolate size -1": (lambda: F.interpolate(X, size=[3, -1]), ArgumentError, ["-1"]),
    "interpolate size huge": (lambda: F.interpolate(X, size=HUGE), ArgumentError, ["size"]),
    "interpolate size enormous": (
        lambda: F.interpolate(fastdl.ones((2, 4, 6, 6, 6)), size=2**24),
        (ShapeError, OutOfMemoryError),
        [],
    ),
    "interpolate three sizes": (
        lambda: F.interpolate(X, size=[3, 3, 3]),
        ArgumentError,
        ["3 values", "2 dimensions"],
    ),
    "interpolate factor 0": (lambda: F.interpolate(X, scale_factor=0.0), ArgumentError, ["0"]),
    "interpolate factor small": (
        lambda: F.interpolate(X, scale_factor=0.1),
        ArgumentError,
        ["0.1", "6 elements"],
    ),
    "interpolate factor -1": (lambda: F.interpolate(X, scale_factor=-1), ArgumentError, ["-1"]),
    "interpolate factor nan": (
        lambda: F.interpolate(X, scale_factor=float("nan")),
        ArgumentError,
        ["nan"],
    ),
    "interpolate factor inf": (
        lambda: F.interpolate(X, scale_factor=[1.0, float("inf")]),
        ArgumentError,
        ["inf"],
    ),
    "interpolate mode": (lambda: F.interpolate(X, 3, mode="cubic"), ArgumentError, ["bicubic"]),
    "interpolate mode and rank": (
        lambda: F.interpolate(X, 3, mode="linear"),
        ArgumentError,
        ["3 dimensions"],
    ),
    "interpolate corners": (
        lambda: F.interpolate(X, 3, align_corners=True),
        ArgumentError,
        ["align_corners"],
    ),
    "interpolate antialias": (
        lambda: F.interpolate(X, 3, antialias=True),
        ArgumentError,
        ["antialias"],
    ),
    "interpolate recompute": (
        lambda: F.interpolate(X, 3, recompute_scale_factor=True),
        ArgumentError,
        ["recompute_scale_factor"],
    ),
    "interpolate no pixel": (
        lambda: F.interpolate(fastdl.ones((2, 4, 0, 6)), 3),
        ShapeError,
        ["[2, 4, 0, 6]"],
    ),
    "interpolate rank": (lambda: F.interpolate(X[0, 0], 3), ShapeError, ["[6, 6]"]),
    "interpolate integers": (lambda: F.interpolate(X.long(), 3), DTypeError, ["int64"]),
    "blur2d stride 0": (lambda: F.blur2d(X, stride=0), ArgumentError, ["stride is 0"]),
    "blur2d no pixel": (lambda: F.blur2d(X[:, :, :0]), ShapeError, ["[2, 4, 0, 6]"]),
    "pixel_shuffle factor 0": (lambda: F.pixel_shuffle(X, 0), ArgumentError, ["is 0"]),
    "pixel_shuffle factor -2": (lambda: F.pixel_shuffle(X, -2), ArgumentError, ["-2"]),
    "pixel_shuffle factor huge": (lambda: F.pixel_shuffle(X, HUGE), ArgumentError, []),
    "pixel_shuffle channels": (
        lambda: F.pixel_shuffle(X, 3),
        ShapeError,
        ["pixel_shuffle", "4 channels", "9"],
    ),
    "pixel_shuffle of no channel": (
        lambda: F.pixel_shuffle(fastdl.ones((0, 2**40, 2**20)), 2**24),
        ShapeError,
        ["overflows"],
    ),
    "pixel_shuffle rank": (lambda: F.pixel_shuffle(X[0, 0], 2), ShapeError, ["[6, 6]"]),
    "pixel_unshuffle rows": (lambda: F.pixel_unshuffle(X, 4), ShapeError, ["6 rows", "4"]),
    "space_to_depth order": (lambda: F.space_to_depth(X, 2, "RCD"), ArgumentError, ["RCD"]),
    "space_to_depth darknet": (
        lambda: F.space_to_depth(X, 3, "darknet"),
        ShapeError,
        ["4 channels"],
    ),
    "channel_shuffle groups 0": (lambda: F.channel_shuffle(X, 0), ArgumentError, ["is 0"]),
    "channel_shuffle groups 3": (lambda: F.channel_shuffle(X, 3), ShapeError, ["4 channels"]),
    "channel_shuffle groups huge": (lambda: F.channel_shuffle(X, HUGE), ShapeError, []),
}


@pytest.mark.parametrize("name", CASES)
def test_typed_error(name):
    call, kind, shown = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.op
    assert caught.value.remedy
    for part in shown:
        assert part in str(caught.value), caught.value
