"""What the functions of `opcases_move` compute, in NumPy and float64, written for clarity alone."""

import itertools

import numpy as np


def split(x, sizes, dim=0):
    n = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, n - at) for at in range(0, n, sizes)] if n else [0]
    ends = np.cumsum([0, *sizes])
    return tuple(np.take(x, range(a, b), axis=dim) for a, b in itertools.pairwise(ends))


def chunk(x, chunks, dim=0):
    n = x.shape[dim]
    return split(x, -(-n // chunks), dim) if n else split(x, [0] * chunks, dim)


def unbind(x, dim=0):
    return tuple(np.take(x, i, axis=dim) for i in range(x.shape[dim]))


def repeat_interleave(x, repeats, dim=None):
    return np.repeat(x, repeats, axis=dim)


def meshgrid(tensors, indexing="ij"):
    return tuple(np.meshgrid(*tensors, indexing=indexing))


def unflatten(x, dim, sizes):
    dim %= x.ndim
    return x.reshape([*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


def pad(x, pad, mode="constant", value=None):
    """Element i of the result reads element i - before, wherever its mode finds that."""
    for k in range(len(pad) // 2):
        axis, (before, after) = x.ndim - 1 - k, pad[2 * k : 2 * k + 2]
        if mode == "circular":  # goes round what is left
            x = np.take(x, range(max(-before, 0), x.shape[axis] + min(after, 0)), axis=axis)
            before, after = max(before, 0), max(after, 0)
        n = x.shape[axis]
        i = np.arange(-before, n + after)
        outside = (i < 0) | (i >= n)
        if mode == "reflect":
            i = (n - 1) - np.abs((n - 1) - np.abs(i))
        elif mode == "circular":
            i = i % max(n, 1)
        elif mode == "replicate":
            i = np.clip(i, 0, n - 1)
        if mode == "constant":
            shape = [len(i) if d == axis else size for d, size in enumerate(x.shape)]
            y = np.full(shape, value or 0, dtype=x.dtype)
            at = [slice(None)] * x.ndim
            at[axis] = ~outside
            y[tuple(at)] = np.take(x, i[~outside], axis=axis)
            x = y
        else:
            x = np.take(x, i, axis=axis)
    return x


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _windows(height, width, kernel_size, dilation, padding, stride):
    """For each window, the rows and columns of the padded image that it has."""
    (r, s), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (kernel_size, dilation, padding, stride))
    for top in range(0, height + 2 * ph - dh * (r - 1), sh):
        for left in range(0, width + 2 * pw - dw * (s - 1), sw):
            yield np.ix_(range(top, top + dh * r, dh), range(left, left + dw * s, dw))


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    ph, pw = _pair(padding)
    wide = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(ph, ph), (pw, pw)])
    columns = [
        wide[(..., *at)].reshape(*x.shape[:-3], int(np.prod([x.shape[-3], *map(len, _flat(at))])))
        for at in _windows(*x.shape[-2:], kernel_size, dilation, padding, stride)
    ]
    return np.stack(columns, axis=-1)


def _flat(at):
    return [index.reshape(-1) for index in at]


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    (h, w), (ph, pw), (r, s) = map(_pair, (output_size, padding, kernel_size))
    channels = x.shape[-2] // (r * s)
    y = np.zeros((*x.shape[:-2], channels, h + 2 * ph, w + 2 * pw))
    for i, at in enumerate(_windows(h, w, kernel_size, dilation, padding, stride)):
        y[(..., *at)] += x[..., i].reshape(*x.shape[:-2], channels, r, s)
    return y[..., ph : ph + h, pw : pw + w]


def addmm(x, a, b, beta=1.0, alpha=1.0):
    return beta * x + alpha * (a @ b)
