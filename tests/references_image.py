"""What the functions on images compute, in NumPy and float64, element by element."""

import itertools
import math

import numpy as np

# resizing


def _cubic(x, a):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def _weights(n, m, mode, scale, align_corners, antialias):
    """[m, n]: how much of each input is in each output."""
    out = np.zeros((m, n))
    step = (n - 1) / (m - 1) if m > 1 else 0.0
    if not align_corners:
        step = 1 / scale if scale else n / m
    for j in range(m):
        if mode in ("nearest", "nearest-exact"):
            half = 0.5 if mode == "nearest-exact" else 0.0
            source = (j + half) / scale if scale else (j + half) * n / m
            out[j, min(math.floor(source), n - 1)] = 1
        elif mode == "area":
            first, last = j * n // m, -(-(j + 1) * n // m)
            out[j, first:last] = 1 / (last - first)
        elif antialias:
            wide = max(step, 1.0)
            reach = (2 if mode == "bicubic" else 1) * wide
            centre = step * (j + 0.5)
            first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), n)
            for i in range(first, last):
                x = (i - centre + 0.5) / wide
                out[j, i] = _cubic(x, -0.5) if mode == "bicubic" else max(0.0, 1 - abs(x))
            out[j] /= out[j].sum()
        else:
            at = j * step if align_corners else (j + 0.5) * step - 0.5
            if mode == "bicubic":
                first = math.floor(at)
                for k in range(-1, 3):
                    out[j, min(max(first + k, 0), n - 1)] += _cubic(at - first - k, -0.75)
            else:
                at = min(max(at, 0), n - 1)
                first = math.floor(at)
                out[j, first] += 1 - (at - first)
                out[j, min(first + 1, n - 1)] += at - first
    return out


def interpolate(
    x,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    axes = x.ndim - 2
    for i in range(axes):
        n, scale = x.shape[i + 2], None
        if size is None:
            factor = scale_factor[i] if isinstance(scale_factor, (list, tuple)) else scale_factor
            m = math.floor(n * factor)
            scale = None if recompute_scale_factor else factor
        else:
            m = size[i] if isinstance(size, (list, tuple)) else size
        weights = _weights(n, m, mode, scale, align_corners, antialias)
        x = np.moveaxis(np.tensordot(weights, x, axes=(1, i + 2)), 0, i + 2)
    return x


def blur2d(x, stride=1):
    steps = stride if isinstance(stride, (list, tuple)) else (stride, stride)
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros_like(x)
    for r, row in enumerate([0.25, 0.5, 0.25]):
        for c, column in enumerate([0.25, 0.5, 0.25]):
            out += row * column * padded[:, :, r : r + height, c : c + width]
    return out[:, :, :: steps[0], :: steps[1]]


# pixels and channels


def depth_to_space(x, block, mode="DCR"):
    *lead, channels, height, width = x.shape
    out = channels // block**2
    if mode == "darknet":
        wide = depth_to_space(x.reshape(*lead, out, height * block, width * block), block)
        return wide.reshape(*lead, out, height * block, width * block)
    y = np.empty((*lead, out, height * block, width * block), x.dtype)
    for c, i, j in itertools.product(range(out), range(block), range(block)):
        dcr, crd = (i * block + j) * out + c, c * block**2 + i * block + j
        y[..., c, i::block, j::block] = x[..., dcr if mode == "DCR" else crd, :, :]
    return y


def space_to_depth(x, block, mode="DCR"):
    *lead, channels, height, width = x.shape
    shape = (*lead, channels * block**2, height // block, width // block)
    if mode == "darknet":
        return _darknet_reorg(x.reshape(-1, channels, height, width), block).reshape(shape)
    y = np.empty(shape, x.dtype)
    for c, i, j in itertools.product(range(channels), range(block), range(block)):
        dcr, crd = (i * block + j) * channels + c, c * block**2 + i * block + j
        y[..., dcr if mode == "DCR" else crd, :, :] = x[..., c, i::block, j::block]
    return y


def _darknet_reorg(x, stride):
    """Darknet's loop over flat memory."""
    batch, channels, height, width = x.shape
    flat, out = x.reshape(-1), np.empty(x.size, x.dtype)
    fewer = channels // stride**2
    for b, k, j, i in np.ndindex(batch, channels, height, width):
        offset = k // fewer
        row, column = j * stride + offset // stride, i * stride + offset % stride
        source = column + width * stride * (row + height * stride * (k % fewer + fewer * b))
        out[i + width * (j + height * (k + channels * b))] = flat[source]
    return out


def pixel_shuffle(x, factor):
    return depth_to_space(x, factor, "CRD")


def pixel_unshuffle(x, factor):
    return space_to_depth(x, factor, "CRD")


def channel_shuffle(x, groups):
    each = x.shape[1] // groups
    order = [g * each + c for c in range(each) for g in range(groups)]
    return x[:, order]
