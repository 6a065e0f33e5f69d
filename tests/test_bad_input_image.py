"""Bad arguments of the functions on images: a typed error, never a crash."""

import itertools

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, OutOfMemoryError, ShapeError

X = fastdl.ones((2, 4, 6, 6))
GRID, THETA = fastdl.zeros((2, 3, 3, 2)), fastdl.zeros((2, 2, 3))
BOXES = fastdl.ones((3, 4))
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
    "grid_sample rank": (lambda: F.grid_sample(X[0], GRID), ShapeError, ["[4, 6, 6]"]),
    "grid_sample batch": (lambda: F.grid_sample(X[:1], GRID), ShapeError, ["[2, 3, 3, 2]"]),
    "grid_sample coordinates": (
        lambda: F.grid_sample(X, fastdl.ones((2, 3, 3, 3))),
        ShapeError,
        ["[2, 3, 3, 3]"],
    ),
    "grid_sample dtypes": (lambda: F.grid_sample(X, GRID.double()), DTypeError, ["float64"]),
    "grid_sample no pixel": (lambda: F.grid_sample(X[..., :0], GRID), ShapeError, ["0 pixels"]),
    "grid_sample mode": (lambda: F.grid_sample(X, GRID, "cubic"), ArgumentError, ["cubic"]),
    "grid_sample padding": (
        lambda: F.grid_sample(X, GRID, padding_mode="mirror"),
        ArgumentError,
        ["mirror"],
    ),
    "grid_sample cubic volume": (
        lambda: F.grid_sample(X[:, :, None], fastdl.ones((2, 3, 3, 3, 3)), "bicubic"),
        ArgumentError,
        ["bicubic"],
    ),
    "affine_grid size": (lambda: F.affine_grid(THETA, [2, 3, 4]), ShapeError, ["[2, 3, 4]"]),
    "affine_grid batch": (lambda: F.affine_grid(THETA, [3, 1, 4, 4]), ShapeError, ["[3, 1, 4, 4]"]),
    "affine_grid rows": (lambda: F.affine_grid(THETA, [2, 1, 4, 4, 4]), ShapeError, []),
    "affine_grid negative": (lambda: F.affine_grid(THETA, [2, 1, -4, 4]), ArgumentError, ["-4"]),
    "affine_grid huge": (
        lambda: F.affine_grid(THETA, [2, 1, 2**24, 2**12]),
        (ShapeError, OutOfMemoryError),
        [],
    ),
    "nms boxes": (lambda: F.nms(X, X[0, 0, 0], 0.5), ShapeError, ["[N, 4]"]),
    "nms scores": (lambda: F.nms(BOXES, BOXES[:2, 0], 0.5), ShapeError, ["float32[2]"]),
    "nms dtypes": (lambda: F.nms(BOXES, BOXES[:, 0].double(), 0.5), DTypeError, ["float64"]),
    "nms threshold": (lambda: F.nms(BOXES, BOXES[:, 0], 1.5), ArgumentError, ["1.5"]),
    "nms threshold nan": (
        lambda: F.nms(BOXES, BOXES[:, 0], float("nan")),
        ArgumentError,
        ["nan"],
    ),
    "batched_nms classes": (
        lambda: F.batched_nms(BOXES, BOXES[:, 0], BOXES[:, 0], 0.5),
        DTypeError,
        ["idxs is float32"],
    ),
    "box_iou coordinates": (lambda: F.box_iou(BOXES[:, :3], BOXES), ShapeError, ["float32[3, 3]"]),
    "box_iou dtypes": (lambda: F.box_iou(BOXES, BOXES.double()), DTypeError, ["float64"]),
    "generalized_box_iou integers": (
        lambda: F.generalized_box_iou(BOXES.long(), BOXES.long()),
        DTypeError,
        ["int64"],
    ),
    "box_area coordinates": (lambda: F.box_area(X), ShapeError, ["[2, 4, 6, 6]"]),
    "box_convert format": (
        lambda: F.box_convert(BOXES, "xyxy", "yxyx"),
        ArgumentError,
        ["yxyx", "xywh"],
    ),
    "clip_boxes_to_image size": (
        lambda: F.clip_boxes_to_image(BOXES, (3, 4, 5)),
        ArgumentError,
        ["3 numbers"],
    ),
    "clip_boxes_to_image negative": (
        lambda: F.clip_boxes_to_image(BOXES, (-3, 4)),
        ArgumentError,
        ["-3"],
    ),
    "box_encode weights": (
        lambda: F.box_encode(BOXES, BOXES, (1, 1, 1)),
        ArgumentError,
        ["(1, 1, 1)"],
    ),
    "box_decode weights": (
        lambda: F.box_decode(BOXES, BOXES, (1, 1, 0, 1)),
        ArgumentError,
        ["(1, 1, 0, 1)"],
    ),
    "yolo_decode anchors": (
        lambda: F.yolo_decode(X[..., :4], fastdl.ones((5, 2))),
        ShapeError,
        ["float32[5, 2]"],
    ),
    "yolo_decode rank": (lambda: F.yolo_decode(BOXES, BOXES[:, :2]), ShapeError, ["A, 4]"]),
    "box_decode clamp": (lambda: F.box_decode(BOXES, BOXES, clamp=0.0), ArgumentError, ["clamp"]),
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


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grids_of_any_value(mode, padding):
    """No coordinate reads outside of the image; what is far away has finite gradients."""
    odd = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 2.0**31, -(2.0**31), 3e9, 0.0, 1.0])
    points = np.array(list(itertools.product(odd, odd))).reshape(1, 10, 10, 2)
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 5))
    for corners, dtype in itertools.product((False, True), ("float32", "float64")):
        leaves = [fastdl.tensor(a).to(dtype).requires_grad_() for a in (x, points)]
        y = F.grid_sample(*leaves, mode, padding, corners)
        assert np.isfinite(y.detach().numpy()).all()
        if mode != "bicubic":
            assert np.abs(y.detach().numpy()).max() <= np.abs(x).max() + 1e-6
        for again in (False, True):
            for g in fastdl.autograd.grad(y.sum(), leaves, create_graph=again, retain_graph=True):
                assert np.isfinite(g.detach().numpy()).all()
        nan = F.grid_sample(leaves[0], leaves[1][:, :1, :1], mode, padding, corners)
        first = fastdl.tensor(np.full((1, 1, 1, 2), -1.0)).to(dtype)
        corner = F.grid_sample(leaves[0], first, mode, padding, corners)
        np.testing.assert_array_equal(nan.detach().numpy(), corner.detach().numpy())
