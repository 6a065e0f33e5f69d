"""ONNX's operators of images and boxes in terms of `fastdl.functional`."""

from __future__ import annotations

import math

import numpy as np

import fastdl
import fastdl.functional as F
from tests.onnx_common import numbers, reject, scalar

NAMES = {"linear": ("linear", "bilinear", "trilinear"), "cubic": ("", "bicubic", "")}


def resize(inputs, attributes):
    x, roi, scales, sizes = [*inputs, None, None, None][:4]
    axes = [a % x.ndim for a in attributes.get("axes", range(x.ndim))]
    given = [x.shape[a] for a in axes]
    if sizes is not None and sizes.numel():
        wanted = numbers(sizes)
        ratios = [n / m for n, m in zip(wanted, given, strict=True)]
        policy = attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            ratios = [(min if policy == "not_larger" else max)(ratios)] * len(axes)
            wanted = [math.floor(n * ratios[0] + 0.5) for n in given]
    else:
        ratios = scales.double().tolist()
        wanted = [math.floor(n * s) for n, s in zip(given, ratios, strict=True)]
    size, scale, window = list(x.shape), [1.0] * x.ndim, [(0.0, 1.0)] * x.ndim
    for i, axis in enumerate(axes):
        size[axis], scale[axis] = wanted[i], ratios[i]
        if roi is not None and roi.numel():
            window[axis] = (roi.tolist()[i], roi.tolist()[len(axes) + i])
    reject(size[:2] != list(x.shape[:2]), "Resize of batch or channels")
    return resized(x, size[2:], scale[2:], window[2:], attributes)


def resized(x, size, scale, window, attributes):
    """By `interpolate` where that has the option, else by `grid_sample`."""
    mode = attributes.get("mode", "nearest")
    where = attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = attributes.get("nearest_mode", "round_prefer_floor")
    reject(attributes.get("antialias"), "antialias that repeats the border, as PyTorch's does not")
    reject(attributes.get("cubic_coeff_a", -0.75) != -0.75, "another cubic than PyTorch's")
    reject(attributes.get("exclude_outside"), "exclude_outside of Resize")
    exact = all(abs(n * s - m) < 1e-6 for n, s, m in zip(x.shape[2:], scale, size, strict=True))
    if mode == "nearest" and (where, rounding) == ("asymmetric", "floor"):
        return F.interpolate(x, size, mode="nearest")
    if mode != "nearest" and where == "half_pixel":
        given = (size, None) if exact else (None, scale)
        return F.interpolate(x, *given, mode=NAMES[mode][x.ndim - 3])
    if mode != "nearest" and where == "align_corners" and exact:
        return F.interpolate(x, size, mode=NAMES[mode][x.ndim - 3], align_corners=True)
    at = [
        positions(n, m, s, w, where)
        for n, m, s, w in zip(x.shape[2:], size, scale, window, strict=True)
    ]
    if mode == "nearest":
        at = [ROUNDINGS[rounding](a) for a in at]
    y = by_grid(x, at, {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[mode])
    if where == "tf_crop_and_resize":
        beyond = [(a < 0) | (a > n - 1) for a, n in zip(at, x.shape[2:], strict=True)]
        beyond = fastdl.tensor(np.logical_or.reduce(np.meshgrid(*beyond, indexing="ij")))
        y = F.where(beyond, attributes.get("extrapolation_value", 0.0), y)
    return y


def positions(n, m, scale, window, where):
    """Where outputs 0 to m - 1 lie among n inputs."""
    j, length = np.arange(m), scale * n
    start, end = (b * (n - 1) for b in window)
    if where == "align_corners":
        return j * (n - 1) / (length - 1) if length != 1 else 0.0 * j
    if where == "asymmetric":
        return j / scale
    if where == "tf_crop_and_resize":
        offset = j * (end - start) / (length - 1) if length != 1 else (end - start) / 2 + 0 * j
        return start + offset
    if where == "pytorch_half_pixel" and m == 1:
        return 0.0 * j
    offset = n / 2 * (1 - m / length) if where == "half_pixel_symmetric" else 0.0
    return offset + (j + 0.5) / scale - 0.5


ROUNDINGS = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda a: np.ceil(a - 0.5),
    "round_prefer_ceil": lambda a: np.floor(a + 0.5),
}


def by_grid(x, at, mode):
    """The images at the grid of positions along each dimension."""
    reject(x.ndim != 4, "Resize of other than images, by this rule")
    rows, columns = (2 * a / max(n - 1, 1) - 1 for a, n in zip(at, x.shape[2:], strict=True))
    across, down = np.meshgrid(columns, rows)
    grid = fastdl.tensor(np.stack([across, down], -1)).unsqueeze(0)
    y = F.grid_sample(x.double(), grid.expand([x.shape[0], *grid.shape[1:]]), mode, "border", True)
    return y.to(x.dtype)


def upsample(inputs, attributes):
    return resize([inputs[0], None, inputs[1]], {
        "mode": attributes.get("mode", "nearest"), "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric"})  # fmt: skip


def grid_sample(inputs, attributes):
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(*2 * (attributes.get("mode", "linear"),))
    return F.grid_sample(inputs[0], inputs[1], mode, attributes.get("padding_mode", "zeros"),
                         bool(attributes.get("align_corners", 0)))  # fmt: skip


def col2im(inputs, attributes):
    x, image, block = inputs[0], numbers(inputs[1]), numbers(inputs[2])
    reject(len(image) != 2, "fold of other than images")
    pads = attributes.get("pads", [0] * 4)
    # The padded image, of which the inside is wanted: sides may differ.
    whole = [n + pads[i] + pads[2 + i] for i, n in enumerate(image)]
    y = F.fold(x, whole, block, attributes.get("dilations", 1), 0, attributes.get("strides", 1))
    return y.narrow(2, pads[0], image[0]).narrow(3, pads[1], image[1])


def center_crop_pad(inputs, attributes):
    x, sizes = inputs[0], numbers(inputs[1])
    for axis, size in zip(attributes.get("axes", range(x.ndim)), sizes, strict=True):
        missing = size - x.shape[axis]
        if missing < 0:
            x = x.narrow(axis, -missing // 2, size)
        around = [0] * 2 * x.ndim
        last = x.ndim - 1 - axis % x.ndim
        around[2 * last : 2 * last + 2] = [max(missing, 0) // 2, -(-max(missing, 0) // 2)]
        x = F.pad(x, around)
    return x


def non_max_suppression(inputs, attributes):
    boxes, scores, most, iou, least = [*inputs, None, None, None][:5]
    most = 0 if most is None else int(scalar(most))
    iou = 0.0 if iou is None else scalar(iou)
    chosen = []
    for n in range(boxes.shape[0]):
        if attributes.get("center_point_box"):
            corners = F.box_convert(boxes[n], "cxcywh", "xyxy")
        else:  # two opposite corners (y, x) each
            first, second = boxes[n].chunk(2, -1)
            corners = F.cat([F.minimum(first, second), F.maximum(first, second)], -1)
        for c in range(scores.shape[1]):
            own = scores[n, c]
            kept = fastdl.arange(own.shape[0])
            if least is not None:
                kept = F.masked_select(kept, own > least)
            kept = kept[F.nms(corners[kept], own[kept], iou)][:most]
            place = fastdl.tensor([[n, c]]).expand([kept.shape[0], 2])
            chosen.append(F.cat([place, kept.unsqueeze(1)], 1))
    return F.cat(chosen)


def roi_align(inputs, attributes):
    x, boxes, image = inputs
    reject(attributes.get("mode", "avg") != "avg", "maxima of RoiAlign")
    boxes = F.cat([image.to(boxes.dtype).unsqueeze(1), boxes], 1)
    size = [attributes.get(f"output_{side}", 1) for side in ("height", "width")]
    aligned = attributes.get("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    return F.roi_align(x, boxes, size, attributes.get("spatial_scale", 1.0),
                       attributes.get("sampling_ratio", 0), aligned)  # fmt: skip


OPERATORS = {
    "Resize": resize, "Upsample": upsample, "GridSample": grid_sample, "Col2Im": col2im,
    "AffineGrid": lambda i, a: F.affine_grid(
        i[0], numbers(i[1]), bool(a.get("align_corners", 0))),
    "CenterCropPad": center_crop_pad, "NonMaxSuppression": non_max_suppression,
    "RoiAlign": roi_align,
    "DepthToSpace": lambda i, a: F.depth_to_space(i[0], a["blocksize"], a.get("mode", "DCR")),
    "SpaceToDepth": lambda i, a: F.space_to_depth(i[0], a["blocksize"], a.get("mode", "DCR")),
}  # fmt: skip
