"""Boxes of object detection: (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2, unless said otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import composed
from fastdl.errors import ArgumentError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = [
    "box_area",
    "box_convert",
    "box_decode",
    "box_encode",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "yolo_decode",
]

FORMATS = "one of xyxy xywh cxcywh"
PAIRS = "boxes1: floating [N, 4]; boxes2: like boxes1 [M, 4]"


@composed("boxes: floating [..., 4]")
def box_area(boxes: ArrayLike) -> Tensor:
    """Width times height: [..., 4] gives [...]. Raises ShapeError for other than 4 coordinates."""
    x1, y1, x2, y2 = _columns(boxes)
    return (x2 - x1) * (y2 - y1)


@composed(f"boxes: floating [..., 4]; in_fmt: {FORMATS}; out_fmt: {FORMATS}")
def box_convert(boxes: ArrayLike, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes [..., 4] in another format.

    ``xyxy``: corners (x1, y1, x2, y2); ``xywh``: a corner and the sizes (x1, y1, width, height);
    ``cxcywh``: the centre and the sizes. Raises ArgumentError for another format.
    """
    a, b, c, d = _columns(boxes)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return _core.stack([a, b, c, d], -1)


@composed("boxes: floating [..., 4]; size: 0..")
def clip_boxes_to_image(boxes: ArrayLike, size: Sequence[int]) -> Tensor:
    """Boxes [..., 4] cut off at the borders of an image of `size` (height, width).

    The gradient of a coordinate that was cut off is 0. Raises ShapeError for other than 4
    coordinates, ArgumentError for a negative size.
    """
    if len(size) != 2:
        raise ArgumentError(
            "clip_boxes_to_image", f"size has {len(size)} numbers", {}, "pass (height, width)"
        )
    height, width = size
    return _core.stack(
        [
            _core.clamp(c, 0, limit)
            for c, limit in zip(_columns(boxes), (width, height, width, height), strict=True)
        ],
        -1,
    )


@composed(PAIRS)
def box_iou(boxes1: ArrayLike, boxes2: ArrayLike) -> Tensor:
    """Intersection over union of all pairs: [N, 4] and [M, 4] give [N, M], from 0 to 1.

    It is NaN for two boxes without area. Raises ShapeError for other than 4 coordinates.
    """
    shared, union = _shared_and_union(boxes1, boxes2)
    return shared / union


@composed(PAIRS)
def generalized_box_iou(boxes1: ArrayLike, boxes2: ArrayLike) -> Tensor:
    """Generalized intersection over union of all pairs (Rezatofighi et al., 2019).

    [N, 4] and [M, 4] give [N, M]: IoU minus the share of the smallest enclosing box that the two do
    not cover, from -1 to 1. Its gradient draws boxes together that do not overlap. It is NaN where
    two boxes together have no area. Raises ShapeError for other than 4 coordinates.
    """
    shared, union = _shared_and_union(boxes1, boxes2)
    (x1, y1, x2, y2), (u1, v1, u2, v2) = _as_pairs(boxes1, boxes2)
    width = _core.maximum(x2, u2) - _core.minimum(x1, u1)
    height = _core.maximum(y2, v2) - _core.minimum(y1, v1)
    hull = width * height
    return shared / union - (hull - union) / hull


@composed("boxes: floating [..., 4]; anchors: like boxes [..., 4]")
def box_encode(
    boxes: ArrayLike, anchors: ArrayLike, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """Boxes relative to anchors, (dx, dy, dw, dh), as Faster R-CNN regresses them.

    dx is the distance of the centres in widths of the anchor, dw the logarithm of the ratio of
    widths, each times its weight (Ren et al., 2015; weights (10, 10, 5, 5) in the second stage of
    Fast R-CNN's code). [..., 4] and anchors that broadcast against it give [..., 4].
    """
    _check_weights("box_encode", weights)
    x, y, width, height = _columns(box_convert(boxes, "xyxy", "cxcywh"))
    u, v, across, down = _columns(box_convert(anchors, "xyxy", "cxcywh"))
    parts = [
        (x - u) / across,
        (y - v) / down,
        _core.log(width / across),
        _core.log(height / down),
    ]
    return _core.stack([p * float(w) for p, w in zip(parts, weights, strict=True)], -1)


@composed("deltas: floating [..., 4]; anchors: like deltas [..., 4]; clamp: above 0")
def box_decode(
    deltas: ArrayLike,
    anchors: ArrayLike,
    weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
    clamp: float = math.log(1000 / 16),
) -> Tensor:
    """Undo `box_encode`: (dx, dy, dw, dh) and anchors (x1, y1, x2, y2) give boxes (x1, y1, x2, y2).

    dw and dh, divided by their weights, are cut off at `clamp`, so that no exponential overflows
    (log(1000 / 16) in Detectron, Girshick et al., 2018). [..., 4] and anchors that broadcast
    against it give [..., 4].
    """
    _check_weights("box_decode", weights)
    u, v, across, down = _columns(box_convert(anchors, "xyxy", "cxcywh"))
    dx, dy, dw, dh = (c / float(w) for c, w in zip(_columns(deltas), weights, strict=True))
    parts = [
        dx * across + u,
        dy * down + v,
        _core.exp(_core.clamp(dw, None, clamp)) * across,
        _core.exp(_core.clamp(dh, None, clamp)) * down,
    ]
    return box_convert(_core.stack(parts, -1), "cxcywh", "xyxy")


@composed(
    "predictions: floating [..., H, W, A, 4]; anchors: like predictions [A, 2]; stride: above 0"
)
def yolo_decode(predictions: ArrayLike, anchors: ArrayLike, stride: float = 1.0) -> Tensor:
    """YOLOv2's predictions (tx, ty, tw, th) as boxes (x1, y1, x2, y2) (Redmon and Farhadi, 2017).

    predictions[..., H, W, A, 4] has A boxes for each cell of a grid of H rows and W columns, and
    anchors[A, 2] their widths and heights in cells. The centre of a box of cell (i, j) is at
    (j + sigmoid(tx), i + sigmoid(ty)), its sizes are the anchor's times exp(tw) and exp(th); all of
    it times `stride`, the pixels of a cell (default 1: the result is in cells). Gives
    [..., H, W, A, 4].
    """
    tx, ty, tw, th = _columns(predictions)
    rows, columns = tx.shape[-3:-1]
    across, down = (_core.squeeze(_core.narrow(anchors, -1, i, 1), -1) for i in range(2))
    parts = [
        _core.sigmoid(tx) + _core.arange(columns, dtype=tx.dtype, device=tx.device).unsqueeze(1),
        _core.sigmoid(ty) + _core.arange(rows, dtype=tx.dtype, device=tx.device).reshape(-1, 1, 1),
        _core.exp(tw) * across,
        _core.exp(th) * down,
    ]
    return box_convert(_core.stack(parts, -1) * float(stride), "cxcywh", "xyxy")


def _columns(boxes: ArrayLike) -> tuple[Tensor, ...]:
    return tuple(_core.squeeze(_core.narrow(boxes, -1, i, 1), -1) for i in range(4))


def _as_pairs(
    boxes1: ArrayLike, boxes2: ArrayLike
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Coordinates that broadcast to [N, M]."""
    return tuple(c.unsqueeze(1) for c in _columns(boxes1)), _columns(boxes2)


def _shared_and_union(boxes1: ArrayLike, boxes2: ArrayLike) -> tuple[Tensor, Tensor]:
    (x1, y1, x2, y2), (u1, v1, u2, v2) = _as_pairs(boxes1, boxes2)
    width = _core.relu(_core.minimum(x2, u2) - _core.maximum(x1, u1))
    height = _core.relu(_core.minimum(y2, v2) - _core.maximum(y1, v1))
    shared = width * height
    union = box_area(boxes1).unsqueeze(1) + box_area(boxes2) - shared
    return shared, union


def _check_weights(op: str, weights: Sequence[float]) -> None:
    if len(weights) != 4 or not all(w > 0 for w in weights):
        raise ArgumentError(op, f"weights are {tuple(weights)}", {}, "pass 4 numbers above 0")
