"""float64 NumPy references of what sorts and counts."""

import numpy as np


def order(x, dim, descending=False):
    """Indices that sort stably, NaN as the largest."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    backwards = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return np.flip(x.shape[dim] - 1 - backwards, dim)


def at_least_1d(f):
    def g(x, *args, **kwargs):
        if x.ndim:
            return f(x, *args, **kwargs)
        found = f(x.reshape(1), *args, **kwargs)
        return tuple(r.reshape(()) for r in found)

    return g


@at_least_1d
def sort(x, dim=-1, descending=False, stable=False):
    index = order(x, dim, descending)
    return np.take_along_axis(x, index, dim), index


def argsort(x, dim=-1, descending=False, stable=False):
    return sort(x, dim, descending)[1]


@at_least_1d
def topk(x, k, dim=-1, largest=True, sorted=True):
    values, index = sort(x, dim, largest)
    first = np.arange(k)
    return np.take(values, first, dim), np.take(index, first, dim)


def median(x, dim=None, keepdim=False, skip_nan=False):
    if dim is None:
        return median(x.reshape(-1), 0, False, skip_nan)[0]
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    values, index = sort(x, dim)
    numbers = np.sum(~np.isnan(values), axis=dim, keepdims=True)
    n = x.shape[dim]
    if skip_nan:
        at = np.maximum(numbers - 1, 0) // 2
    else:
        at = np.where(numbers < n, np.minimum(numbers, n - 1), (n - 1) // 2)
    both = np.take_along_axis(values, at, dim), np.take_along_axis(index, at, dim)
    return both if keepdim else tuple(np.squeeze(b, dim) for b in both)


def nanmedian(x, dim=None, keepdim=False):
    return median(x, dim, keepdim, skip_nan=True)


def searchsorted(bounds, x, right=False):
    """By counting."""
    below = np.less_equal if right else np.less
    rows = bounds if bounds.ndim == 1 else bounds[..., None, :]
    return np.sum(below(rows, x[..., None]), axis=-1)


def histc(x, bins=100, min=0.0, max=0.0):
    low, high = (x.min(), x.max()) if min == max and x.size else (min, max)
    if low == high:
        low, high = low - 1, high + 1
    return np.histogram(x, bins, (low, high))[0].astype(np.float64)


def unique(x, sorted=True, return_inverse=False, return_counts=False, dim=None):
    if dim is None or x.ndim == 0:
        flat = x.reshape(-1)
        place = order(flat, 0)
        ordered = flat[place]
        starts = np.append(True, ordered[1:] != ordered[:-1])[: flat.size]
        group = np.cumsum(starts) - 1
        values, counts = ordered[starts], np.bincount(group)
        inverse = np.empty(x.shape, np.int64)
        inverse.reshape(-1)[place] = group
    else:
        values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
        inverse = inverse.reshape(x.shape[dim])
    found = [values]
    if return_inverse:
        found.append(inverse)
    if return_counts:
        found.append(counts)
    return tuple(found) if len(found) > 1 else values


def histogram(x, bins, range=None, weight=None, density=False):
    weights = None if weight is None else weight.reshape(-1)
    hist, edges = np.histogram(x.reshape(-1), bins, range, density, weights)
    return hist.astype(np.float64), edges
