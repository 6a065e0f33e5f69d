"""ONNX's convolutions and pooling in terms of `fastdl.functional`."""

from __future__ import annotations

import numpy as np

import fastdl
import fastdl.functional as F
from tests.onnx_common import reject


def window(x, kernel, attributes):
    """(padding per side, strides, dilations) of a window over the last dimensions."""
    n = len(kernel)
    strides, dilations = attributes.get("strides", [1] * n), attributes.get("dilations", [1] * n)
    pads = attributes.get("pads", [0] * 2 * n)
    auto = attributes.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        pads = [0] * 2 * n
        for i in range(n):
            size = x.shape[i - n]
            out = -(-size // strides[i])
            total = max(0, (out - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - size)
            small = total // 2
            pads[i] = small if auto == "SAME_UPPER" else total - small
            pads[n + i] = total - pads[i]
    return pads, strides, dilations


def with_pads(x, pads, value, always=False):
    """Padded by numpy's hand where the two sides differ, and the padding that is left."""
    n = len(pads) // 2
    if pads[:n] == pads[n:] and not always:
        return x, pads[:n]
    around = [v for i in reversed(range(n)) for v in (pads[i], pads[n + i])]
    return F.pad(x, around, value=value), [0] * n


def conv(inputs, attributes):
    x, w, *bias = inputs
    kernel = list(w.shape[2:])
    pads, strides, dilations = window(x, kernel, attributes)
    x, padding = with_pads(x, pads, 0.0)
    function = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    return function(x, w, *bias, stride=strides, padding=padding, dilation=dilations,
                    groups=attributes.get("group", 1))  # fmt: skip


def conv_transpose(inputs, attributes):
    x, w, *bias = inputs
    n = w.ndim - 2
    strides, dilations = attributes.get("strides", [1] * n), attributes.get("dilations", [1] * n)
    extra = attributes.get("output_padding", [0] * n)
    full = [strides[i] * (x.shape[2 + i] - 1) + extra[i] + dilations[i] * (w.shape[2 + i] - 1) + 1
            for i in range(n)]  # fmt: skip
    pads = attributes.get("pads", [0] * 2 * n)
    auto = attributes.get("auto_pad", "NOTSET")
    shape = attributes.get("output_shape")
    if auto.startswith("SAME"):
        shape = shape or [x.shape[2 + i] * strides[i] for i in range(n)]
    if shape:
        totals = [full[i] - shape[-n:][i] for i in range(n)]
        small = [t // 2 for t in totals]
        large = [t - s for t, s in zip(totals, small, strict=True)]
        pads = small + large if auto == "SAME_UPPER" else large + small
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
    # The whole result, of which `pads` are cut: sides may differ, and may be below 0.
    y = function(x, w, *bias, stride=strides, groups=attributes.get("group", 1),
                 dilation=dilations)  # fmt: skip
    cuts = []
    for i in reversed(range(n)):
        cuts += [-pads[i], -pads[n + i] + full[i] - y.shape[2 + i]]
    reject(bool(bias) and any(c > 0 for c in cuts), "padding beyond the result, with a bias")
    return F.pad(y, cuts) if any(cuts) else y


def max_pool(inputs, attributes):
    x, kernel = inputs[0], attributes["kernel_shape"]
    reject(not x.dtype.is_floating_point, f"dtype {x.dtype.name} of a pooling")
    reject(attributes.get("storage_order"), "indices in column-major order")
    pads, strides, dilations = window(x, kernel, attributes)
    n = len(kernel)
    wide = any(2 * p > k for p, k in zip(pads, kernel * 2, strict=True))
    if pads[:n] != pads[n:] or wide:
        x, pads = with_pads(x, pads, float("-inf"), always=True)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
    y, where = function(x, kernel, strides, pads[:n], dilations, return_indices=True,
                        ceil_mode=bool(attributes.get("ceil_mode")))  # fmt: skip
    planes = int(np.prod(x.shape[:2]))
    size = int(np.prod(x.shape[2:]))
    shape = [*x.shape[:2], *[1] * n]
    return y, where + fastdl.arange(planes).reshape(shape) * size


def average_pool(inputs, attributes):
    x, kernel = inputs[0], attributes["kernel_shape"]
    pads, strides, dilations = window(x, kernel, attributes)
    n = len(kernel)
    counts = bool(attributes.get("count_include_pad"))
    reject(any(d != 1 for d in dilations), "dilation of an average")
    reject(pads[:n] != pads[n:] and not counts, "an average of uneven padding that does not count")
    ceil = bool(attributes.get("ceil_mode"))
    reject(ceil and pads[:n] != pads[n:], "an average of uneven padding, rounded up")
    x, padding = with_pads(x, pads, 0.0)
    reject(any(2 * p > k for p, k in zip(padding, kernel, strict=True)), "padding above half")
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[n - 1]
    return function(x, kernel, strides, padding, ceil, counts)


def lp_pool(inputs, attributes):
    x, kernel = inputs[0], attributes["kernel_shape"]
    pads, strides, dilations = window(x, kernel, attributes)
    reject(any(d != 1 for d in dilations), "dilation of a norm")
    n = len(kernel)
    around = [v for i in reversed(range(n)) for v in (pads[i], pads[n + i])]
    function = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[n - 1]
    return function(F.pad(F.abs(x), around), float(attributes.get("p", 2)), kernel, strides)
