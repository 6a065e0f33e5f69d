"""The reference of deformable convolution: place by place, in float64."""

import itertools

import numpy as np


def pixel(image, y, x):
    """Planes [C, H, W] at a point between pixels; 0 outside."""
    top, left = int(np.floor(y)), int(np.floor(x))
    total = np.zeros(image.shape[0])
    for i, j in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= i < image.shape[1] and 0 <= j < image.shape[2]:
            total += image[:, i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def deform_conv2d(x, offset, weight, bias=None, stride=1, padding=0, dilation=1, mask=None):
    n, channels = x.shape[:2]
    outputs, depth, r, s = weight.shape
    p, q = offset.shape[2:]
    step, pad, gap = (v if isinstance(v, list) else [v, v] for v in (stride, padding, dilation))
    runs, groups = offset.shape[1] // (2 * r * s), channels // depth
    columns = np.zeros((n, channels, r, s, p, q))
    for at in itertools.product(*map(range, (n, runs, r, s, p, q))):
        sample, run, a, b, i, j = at
        k = (run * r + a) * s + b
        y = i * step[0] - pad[0] + a * gap[0] + offset[sample, 2 * k, i, j]
        z = j * step[1] - pad[1] + b * gap[1] + offset[sample, 2 * k + 1, i, j]
        own = slice(run * channels // runs, (run + 1) * channels // runs)
        scale = 1 if mask is None else mask[sample, k, i, j]
        columns[sample, own, a, b, i, j] = scale * pixel(x[sample, own], y, z)
    out = np.einsum(
        "gkdrs,ngdrspq->ngkpq",
        weight.reshape(groups, outputs // groups, depth, r, s),
        columns.reshape(n, groups, depth, r, s, p, q),
    ).reshape(n, outputs, p, q)
    return out if bias is None else out + bias[:, None, None]
