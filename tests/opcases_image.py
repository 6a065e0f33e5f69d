"""Rows of the case table: resizing and resampling of images, pixels and channels, boxes."""

import fastdl.functional as F
from tests import references_image as ref
from tests.oprow import (
    EXACT,
    FLOATS,
    INTEGERS,
    WIDE_FLOATS,
    Op,
    Tolerance,
    call,
    grid,
    index,
    large,
    uniform,
)


def rows():
    """All rows of this file."""
    return [*resizing_rows(), *pixel_rows(), *sampling_rows(), *box_rows()]


def functional(name, *calls, **fields):
    fields = {"reference": getattr(ref, name)} | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def side(n, channels):
    """The side of a square image of about n elements in all."""
    return max(2, int((n / channels) ** 0.5) // 2 * 2)


WEIGHTED = Tolerance(
    factor=32, half=3, scale="largest", reason="weights from positions, sums that cancel"
)


def resizing_rows():
    line, image, volume = uniform(2, 3, 7), uniform(2, 3, 5, 6), uniform(2, 2, 3, 4, 3)
    smooth = {"mode": "bilinear"}
    return [
        functional(
            "interpolate",
            call(image, scale_factor=2.0, mode="bilinear"),
            call(image, size=[10, 9]),
            call(image, size=7),
            call(image, scale_factor=[0.6, 2.5]),
            call(image, scale_factor=[1.7, 0.35], recompute_scale_factor=True),
            call(image, size=[10, 4], mode="nearest-exact"),
            call(image, scale_factor=1.7, mode="nearest-exact"),
            call(line, size=11),
            call(line, size=15, mode="linear"),
            call(line, scale_factor=0.45, mode="linear", align_corners=False),
            call(line, size=1, mode="linear", align_corners=True),
            call(uniform(2, 3, 1), size=4, mode="linear", align_corners=True),
            call(line, size=3, mode="area"),
            call(image, size=[10, 9], mode="bilinear", align_corners=True),
            call(image, size=[3, 11], mode="bilinear"),
            call(image, scale_factor=[1.3, 2.6], mode="bilinear"),
            call(image, scale_factor=[1.3, 2.6], mode="bilinear", recompute_scale_factor=True),
            call(image, size=[5, 6], mode="bilinear"),
            call(image, size=[5, 12], mode="bilinear"),
            call(image, size=[11, 9], mode="bicubic"),
            call(image, size=[11, 3], mode="bicubic", align_corners=True),
            call(image, size=[2, 9], mode="bilinear", antialias=True),
            call(image, size=[2, 3], mode="bilinear", antialias=True, align_corners=True),
            call(image, size=[2, 9], mode="bicubic", antialias=True),
            call(image, scale_factor=0.4, mode="bicubic", antialias=True),
            call(image, size=[2, 8], mode="area"),
            call(volume, size=[5, 3, 6]),
            call(volume, size=[5, 3, 6], mode="trilinear"),
            call(volume, size=[2, 6, 6], mode="trilinear", align_corners=True),
            call(volume, size=[2, 3, 2], mode="area"),
            call(uniform(0, 3, 5, 6), size=4, mode="bilinear"),
            call(uniform(2, 0, 5, 6), size=4, mode="bicubic"),
            large(uniform(3, 8, 61, 67), size=[117, 150], mode="bilinear"),
            large(uniform(3, 8, 61, 67), size=[33, 150], mode="bicubic"),
            large(uniform(2, 3, 161, 167), size=[33, 50], mode="area"),
            sized=lambda n: call(
                uniform(1, 16, side(n, 16), side(n, 16)), scale_factor=2.0, **smooth
            ),
            tolerance=WEIGHTED,
            dtypes=FLOATS,
        ),
        functional(
            "blur2d",
            call(image),
            call(image, stride=2),
            call(image, stride=[1, 3]),
            call(uniform(1, 1, 1, 4)),
            call(uniform(0, 3, 5, 6), stride=2),
            large(uniform(2, 16, 61, 67), stride=2),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16))),
            tolerance=Tolerance(factor=4, half=2, scale="largest"),
            dtypes=FLOATS,
        ),
    ]


def pixel_rows():
    moved = {"tolerance": EXACT, "integers": INTEGERS, "dtypes": FLOATS}
    return [
        functional(
            "pixel_shuffle",
            call(uniform(2, 12, 3, 4), 2),
            call(uniform(9, 2, 3), 3),
            call(uniform(2, 2, 4, 1, 3), 2),
            call(uniform(2, 3, 3, 4), 1),
            call(uniform(0, 4, 3, 3), 2),
            call(uniform(2, 0, 3, 3), 2),
            large(uniform(2, 64, 33, 35), 2),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16)), 2),
            **moved,
        ),
        functional(
            "pixel_unshuffle",
            call(uniform(2, 3, 6, 4), 2),
            call(uniform(2, 3, 6), 3),
            call(uniform(2, 2, 1, 4, 6), 2),
            call(uniform(0, 4, 6, 6), 2),
            call(uniform(2, 3, 0, 6), 2),
            large(uniform(2, 16, 66, 70), 2),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16)), 2),
            **moved,
        ),
        functional(
            "depth_to_space",
            call(uniform(2, 12, 3, 4), 2),
            call(uniform(2, 12, 3, 4), 2, mode="CRD"),
            call(uniform(2, 16, 2, 3), 2, mode="darknet"),
            call(uniform(9, 2, 3), 3),
            call(uniform(0, 4, 3, 3), 2),
            large(uniform(2, 64, 33, 35), 2),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16)), 2),
            **moved,
        ),
        functional(
            "space_to_depth",
            call(uniform(2, 3, 6, 4), 2),
            call(uniform(2, 3, 6, 4), 2, mode="CRD"),
            call(uniform(2, 8, 4, 6), 2, mode="darknet"),
            call(uniform(2, 3, 6), 3),
            call(uniform(0, 4, 6, 6), 2),
            large(uniform(2, 16, 66, 70), 2),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16)), 2),
            **moved,
        ),
        functional(
            "channel_shuffle",
            call(uniform(2, 6, 3, 4), 2),
            call(uniform(2, 6, 3), 3),
            call(uniform(2, 6), 2),
            call(uniform(0, 6, 3, 3), 3),
            call(uniform(2, 0, 3, 3), 3),
            large(uniform(2, 64, 33, 35), 4),
            sized=lambda n: call(uniform(1, 16, side(n, 16), side(n, 16)), 4),
            **moved,
        ),
    ]


def sampling_rows():
    image, near = uniform(2, 3, 5, 6), uniform(2, 4, 3, 2, low=-1.4, high=1.4)
    volume, space = uniform(2, 2, 3, 4, 5), uniform(2, 2, 3, 2, 3, low=-1.4, high=1.4)
    far = uniform(2, 4, 3, 2, low=-9, high=9)
    options = [
        call(
            image, far if corners else near, mode=mode, padding_mode=padding, align_corners=corners
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    ]
    return [
        functional(
            "affine_grid",
            call(uniform(2, 2, 3), [2, 3, 4, 5]),
            call(uniform(2, 2, 3), [2, 3, 4, 5], align_corners=True),
            call(uniform(2, 2, 3), [2, 3, 1, 5], align_corners=True),
            call(uniform(1, 3, 4), [1, 2, 3, 4, 5]),
            call(uniform(1, 3, 4), [1, 2, 3, 1, 5], align_corners=True),
            call(uniform(0, 2, 3), [0, 3, 4, 5]),
            call(uniform(2, 2, 3), [2, 3, 0, 5]),
            large(uniform(3, 2, 3), [3, 1, 130, 170]),
            sized=lambda n: call(uniform(1, 2, 3), [1, 1, side(n, 2), side(n, 2)]),
            tolerance=Tolerance(factor=4, half=3, scale="largest"),
            follows_strides="gradient",
            dtypes=FLOATS,
        ),
        functional(
            "grid_sample",
            call(image, near),
            *options,
            call(uniform(2, 3, 1, 1), far, padding_mode="reflection", align_corners=True),
            call(uniform(2, 3, 1, 1), far, mode="bicubic", padding_mode="reflection"),
            call(
                uniform(2, 3, 1, 2),
                far,
                mode="bicubic",
                padding_mode="reflection",
                align_corners=True,
            ),
            call(volume, space),
            call(volume, space, padding_mode="reflection"),
            call(volume, space, padding_mode="border", align_corners=True),
            call(volume, space, mode="nearest", padding_mode="border"),
            call(uniform(0, 3, 5, 6), uniform(0, 4, 3, 2)),
            call(uniform(2, 0, 5, 6), uniform(2, 4, 3, 2)),
            call(image, uniform(2, 0, 3, 2)),
            large(uniform(2, 9, 31, 33), uniform(2, 15, 25, 2, low=-1.2, high=1.2)),
            large(
                uniform(2, 9, 31, 33),
                uniform(2, 30, 35, 2, low=-1.2, high=1.2),
                mode="bicubic",
                padding_mode="border",
            ),
            sized=lambda n: call(
                uniform(1, 16, side(n, 16), side(n, 16)),
                uniform(1, side(n, 16), side(n, 16), 2, low=-1.1, high=1.1),
            ),
            tolerance=Tolerance(
                factor=128,
                scale="one",
                reason="a place in pixels is rounded, and the image is steep between two of them",
            ),
            dtypes=WIDE_FLOATS,
        ),
    ]


def box_rows():
    def boxes(n):
        return uniform(n, 4, low=0, high=2), uniform(n, low=0, high=1)

    exact = {"tolerance": EXACT, "differentiable": False, "dtypes": WIDE_FLOATS}
    return [
        functional(
            "nms",
            call(*boxes(40), 0.1),
            call(*boxes(40), 0.0),
            call(*boxes(40), 1.0),
            call(uniform(30, 4, low=0, high=2), grid(30), 0.2),
            call(*boxes(1), 0.5),
            call(*boxes(0), 0.5),
            call(*boxes(130), 0.3),
            large(*boxes(500), 0.6),
            sized=lambda n: call(*boxes(4 * max(1, int(n**0.5))), 0.5),
            **exact,
        ),
        functional(
            "batched_nms",
            call(*boxes(60), index(60, below=3), 0.1),
            call(*boxes(60), index(60, below=60), 0.0),
            call(*boxes(0), index(0, below=1), 0.5),
            large(*boxes(500), index(500, below=7), 0.4),
            sized=lambda n: call(
                *boxes(4 * max(1, int(n**0.5))), index(4 * max(1, int(n**0.5)), below=5), 0.5
            ),
            **exact,
        ),
    ]
