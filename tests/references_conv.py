"""Convolutions of any number of spatial dimensions, tap by tap, by NumPy in float64."""

import numpy as np


def _spread(value, rank):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def _taps(kernel, dilation):
    """Each tap, and its distance from the first one."""
    for tap in np.ndindex(*kernel):
        yield tap, tuple(t * d for t, d in zip(tap, dilation, strict=True))


def _steps(starts, counts, strides):
    return tuple(
        slice(a, a + s * (n - 1) + 1, s) for a, n, s in zip(starts, counts, strides, strict=True)
    )


def _zeros(padding, kernel, dilation):
    """Zeros before and behind in every dimension."""
    if padding == "valid":
        padding = 0
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    return [(p, p) for p in _spread(padding, len(kernel))]


def _with_bias(y, bias, rank):
    return y if bias is None else y + bias.reshape(-1, *(1,) * rank)


def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    rank, kernel = weight.ndim - 2, weight.shape[2:]
    if x.ndim == rank + 1:
        return conv(x[None], weight, bias, stride, padding, dilation, groups)[0]
    stride, dilation = _spread(stride, rank), _spread(dilation, rank)
    n, c, k = *x.shape[:2], weight.shape[0]
    padded = np.pad(x, [(0, 0), (0, 0), *_zeros(padding, kernel, dilation)])
    sizes = [
        (size - d * (taps - 1) - 1) // s + 1
        for size, d, taps, s in zip(padded.shape[2:], dilation, kernel, stride, strict=True)
    ]
    xs = padded.reshape(n, groups, c // groups, *padded.shape[2:])
    ws = weight.reshape(groups, k // groups, c // groups, *kernel)
    y = np.zeros((n, groups, k // groups, *sizes))
    for tap, start in _taps(kernel, dilation):
        seen = xs[(..., *_steps(start, sizes, stride))]
        y += np.einsum("ngc...,gkc->ngk...", seen, ws[(..., *tap)])
    return _with_bias(y.reshape(n, k, *sizes), bias, rank)


def conv_transpose(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    rank, kernel = weight.ndim - 2, weight.shape[2:]
    if x.ndim == rank + 1:
        whole = conv_transpose(
            x[None], weight, bias, stride, padding, output_padding, groups, dilation
        )
        return whole[0]
    stride, dilation = _spread(stride, rank), _spread(dilation, rank)
    padding, output_padding = _spread(padding, rank), _spread(output_padding, rank)
    n, c, k = *x.shape[:2], weight.shape[1] * groups
    sizes = x.shape[2:]
    full = [
        (size - 1) * s + d * (taps - 1) + 1 + more
        for size, s, d, taps, more in zip(
            sizes, stride, dilation, kernel, output_padding, strict=True
        )
    ]
    xs = x.reshape(n, groups, c // groups, *sizes)
    ws = weight.reshape(groups, c // groups, k // groups, *kernel)
    y = np.zeros((n, groups, k // groups, *full))
    for tap, start in _taps(kernel, dilation):
        y[(..., *_steps(start, sizes, stride))] += np.einsum(
            "ngc...,gck->ngk...", xs, ws[(..., *tap)]
        )
    inside = tuple(slice(p, size - p) for p, size in zip(padding, full, strict=True))
    return _with_bias(y.reshape(n, k, *full)[(..., *inside)], bias, rank)
