"""ONNX's convolutions and pooling in terms of `fastdl.functional`."""

from __future__ import annotations

import math

import fastdl
import fastdl.functional as F
from tests.onnx_common import numbers, reject


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
    """Padded beforehand where the two sides differ, and the padding that is left."""
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


def deform_conv(inputs, attributes):
    x, w, offset, bias, mask = [*inputs, None, None][:5]
    pads, strides, dilations = window(x, list(w.shape[2:]), attributes)
    x, padding = with_pads(x, pads, 0.0)
    return F.deform_conv2d(x, offset, w, bias, strides, padding, dilations, mask)


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
    pads, strides, dilations = window(x, kernel, attributes)
    n = len(kernel)
    wide = any(2 * p > k for p, k in zip(pads, kernel * 2, strict=True))
    if pads[:n] != pads[n:] or wide:
        x, pads = with_pads(x, pads, float("-inf"), always=True)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
    y, where = function(x, kernel, strides, pads[:n], dilations, return_indices=True,
                        ceil_mode=bool(attributes.get("ceil_mode")))  # fmt: skip
    if attributes.get("storage_order"):  # of the plane, column by column
        reject(n != 2, "indices in column-major order")
        rows, columns = x.shape[2:]
        where = where % columns * rows + F.floor_divide(where, columns).long()
    return y, where + first_of_planes(x.shape, math.prod(x.shape[2:]))


def first_of_planes(shape, size):
    """Which element of all is the first of each plane of so many."""
    planes = fastdl.arange(shape[0] * shape[1])
    return planes.reshape([*shape[:2], *[1] * (len(shape) - 2)]) * size


def max_unpool(inputs, attributes):
    x, where, *shape = inputs
    kernel, n = attributes["kernel_shape"], x.ndim - 2
    pads, strides = attributes.get("pads", [0] * 2 * n), attributes.get("strides", [1] * n)
    reject(pads[:n] != pads[n:], "uneven padding of MaxUnpool")
    size = [(m - 1) * s - 2 * p + k for m, s, p, k in zip(x.shape[2:], strides, pads, kernel,
            strict=False)]  # fmt: skip
    where = where - first_of_planes(x.shape, math.prod(size))
    function = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[n - 1]
    y = function(x, where, kernel, strides, pads[:n])
    if not shape:
        return y
    more = [a - b for a, b in zip(numbers(shape[0]), y.shape, strict=True)]
    return F.pad(y, [v for m in reversed(more[2:]) for v in (0, m)])


def average_pool(inputs, attributes):
    x, kernel = inputs[0], attributes["kernel_shape"]
    pads, strides, dilations = window(x, kernel, attributes)
    n = len(kernel)
    counts, ceil = (bool(attributes.get(k)) for k in ("count_include_pad", "ceil_mode"))
    wide = any(2 * p > k for p, k in zip(pads, kernel * 2, strict=True))
    if pads[:n] == pads[n:] and not wide and set(dilations) == {1}:
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[n - 1]
        return pool(x, kernel, strides, pads[:n], ceil, counts)
    padded, _ = with_pads(x, pads, 0.0, always=True)
    counted, _ = with_pads(x * 0 + 1, pads, 1.0 if counts else 0.0, always=True)
    sums, elements = (window_sums(t, kernel, strides, dilations, ceil) for t in (padded, counted))
    return sums / elements


def lp_pool(inputs, attributes):
    x, kernel, p = F.abs(inputs[0]), attributes["kernel_shape"], float(attributes.get("p", 2))
    pads, strides, dilations = window(x, kernel, attributes)
    padded, _ = with_pads(x, pads, 0.0, always=True)
    if set(dilations) != {1}:
        return F.pow(window_sums(F.pow(padded, p), kernel, strides, dilations, False), 1 / p)
    function = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[len(kernel) - 1]
    return function(padded, p, kernel, strides)


def window_sums(x, kernel, strides, dilations, ceil):
    """The sums over windows, with gaps as a convolution has them and pooling has not."""
    n, channels = len(kernel), x.shape[1]
    more = [0] * n
    for i in range(n):
        steps = x.shape[i - n] - dilations[i] * (kernel[i] - 1) - 1
        more[i] = -steps % strides[i] if ceil else 0
    x = F.pad(x, [v for m in reversed(more) for v in (0, m)])
    function = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    ones = fastdl.ones((channels, 1, *kernel)).to(x.dtype)
    return function(x, ones, stride=strides, dilation=dilations, groups=channels)


OPERATORS = {
    "Conv": conv, "DeformConv": deform_conv, "ConvTranspose": conv_transpose,
    "MaxPool": max_pool, "MaxUnpool": max_unpool, "AveragePool": average_pool, "LpPool": lp_pool,
}  # fmt: skip
