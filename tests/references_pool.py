"""What pooling computes, in NumPy and float64, window by window."""

import itertools
import math

import numpy as np


def _each(value, count):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * count


def _windows(size, k, s, p, d, ceil_mode):
    """Per output place, the elements under its window, and the window's full extent."""
    room = size + 2 * p - d * (k - 1) - 1
    count = (-(-room // s) if ceil_mode else room // s) + 1
    if ceil_mode and (count - 1) * s >= size + p:
        count -= 1
    plan = []
    for i in range(count):
        start = i * s - p
        inside = [at for at in range(start, start + d * k, d) if 0 <= at < size]
        # The divisor of an average counts padding, but nothing beyond it.
        plan.append((inside, min(start + k, size + p) - start))
    return plan


def _adaptive_windows(size, count):
    bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    return [(list(range(first, last)), last - first) for first, last in bounds]


def _pool(x, plans, reduce):
    """reduce(window of x, its full extent) for each combination of windows."""
    dims = len(plans)
    y = np.zeros((*x.shape[:-dims], *map(len, plans)))
    for at in itertools.product(*[range(len(plan)) for plan in plans]):
        window, extent = x, 1
        for axis, (i, plan) in enumerate(zip(at, plans, strict=True)):
            window = np.take(window, plan[i][0], axis=axis - dims)
            extent *= plan[i][1]
        elements = math.prod(window.shape[-dims:])
        y[(..., *at)] = reduce(window.reshape(*x.shape[:-dims], elements), extent)
    return y


def _largest(x, plans, return_indices):
    """Maxima, and where they lie among the flattened pooled dimensions."""
    y = _pool(x, plans, lambda window, _: window.max(axis=-1))
    if not return_indices:
        return y
    dims = len(plans)
    places = np.arange(np.prod(x.shape[-dims:], dtype=int), dtype=np.float64)
    places = np.broadcast_to(places.reshape(x.shape[-dims:]), x.shape)
    both = np.stack([x, places], axis=len(x.shape) - dims)
    found = _pool(both, plans, lambda w, _: _place(w))
    return y, found[(..., 0, *[slice(None)] * dims)].astype(np.int64)


def _place(window):
    """Of [..., 2, elements], values and places: the place of the first largest, twice."""
    at = window[..., 0, :].argmax(axis=-1)[..., None]
    place = np.take_along_axis(window[..., 1, :], at, axis=-1)
    return np.repeat(place, 2, axis=-1)


def _max_pool(dims):
    def max_pool(
        x,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    ):
        options = (kernel_size, kernel_size if stride is None else stride, padding, dilation)
        each = zip(x.shape[-dims:], *[_each(o, dims) for o in options], strict=True)
        return _largest(x, [_windows(*e, ceil_mode) for e in each], return_indices)

    return max_pool


def _avg_pool(dims):
    def avg_pool(
        x,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        def average(window, extent):
            count = extent if count_include_pad else window.shape[-1]
            return window.sum(axis=-1) / (divisor_override or count)

        options = (kernel_size, kernel_size if stride is None else stride, padding, 1)
        each = zip(x.shape[-dims:], *[_each(o, dims) for o in options], strict=True)
        return _pool(x, [_windows(*e, ceil_mode) for e in each], average)

    return avg_pool


def _adaptive_plans(x, dims, output_size):
    wanted = _each(output_size, dims)
    sizes = zip(x.shape[-dims:], wanted, strict=True)
    return [_adaptive_windows(size, size if out is None else out) for size, out in sizes]


def _adaptive_avg_pool(dims):
    def adaptive_avg_pool(x, output_size):
        plans = _adaptive_plans(x, dims, output_size)
        return _pool(x, plans, lambda window, _: window.mean(axis=-1))

    return adaptive_avg_pool


def _adaptive_max_pool(dims):
    def adaptive_max_pool(x, output_size, return_indices=False):
        return _largest(x, _adaptive_plans(x, dims, output_size), return_indices)

    return adaptive_max_pool


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))


def _max_unpool(dims):
    def max_unpool(x, indices, kernel_size, stride=None, padding=0, output_size=None):
        options = (kernel_size, kernel_size if stride is None else stride, padding)
        each = zip(x.shape[-dims:], *[_each(o, dims) for o in options], strict=True)
        sizes = [(size - 1) * s - 2 * p + k for size, k, s, p in each]
        if output_size is not None:
            sizes = output_size[-dims:]
        lead = x.shape[:-dims]
        y = np.zeros((math.prod(lead), math.prod(sizes)))
        flat = (math.prod(lead), math.prod(x.shape[-dims:]))
        for plane, values, places in zip(y, x.reshape(flat), indices.reshape(flat), strict=True):
            for value, place in zip(values, places, strict=True):
                plane[place] = value
        return y.reshape(*lead, *sizes)

    return max_unpool


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))


# regions


def _five(boxes):
    """[K, 5] of boxes as one array or one per image."""
    if not isinstance(boxes, list):
        return boxes
    numbered = [np.column_stack([np.full(len(b), i), b]) for i, b in enumerate(boxes)]
    return np.concatenate(numbered) if numbered else np.zeros((0, 5))


def _bilinear(plane, y, x):
    """The value at (y, x) of planes [C, H, W]; up to a pixel outside that of the border."""
    height, width = plane.shape[1:]
    if height * width == 0 or not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(plane))
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = (1 - across) * plane[:, top, left] + across * plane[:, top, right]
    lower = (1 - across) * plane[:, bottom, left] + across * plane[:, bottom, right]
    return (1 - down) * upper + down * lower


def roi_align(x, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    boxes, (p, q) = _five(boxes), _each(output_size, 2)
    y = np.zeros((len(boxes), x.shape[1], p, q))
    for k, (image, *corners) in enumerate(boxes):
        left, top, right, bottom = np.asarray(corners) * spatial_scale - 0.5 * aligned
        height, width = bottom - top, right - left
        if not aligned:
            height, width = max(height, 1), max(width, 1)
        rows = sampling_ratio if sampling_ratio > 0 else int(np.ceil(height / p))
        columns = sampling_ratio if sampling_ratio > 0 else int(np.ceil(width / q))
        for i, j in np.ndindex(p, q):
            for r, c in itertools.product(range(rows), range(columns)):
                at = top + (i + (r + 0.5) / rows) * height / p
                y[k, :, i, j] += _bilinear(
                    x[int(image)], at, left + (j + (c + 0.5) / columns) * width / q
                )
        y[k] /= max(rows * columns, 1)
    return y


def roi_pool(x, boxes, output_size, spatial_scale=1.0):
    boxes, (p, q) = _five(boxes), _each(output_size, 2)
    y = np.zeros((len(boxes), x.shape[1], p, q))

    def bins(low, high, count, size):
        start, end = (int(np.copysign(np.floor(abs(v) + 0.5), v)) for v in (low, high))
        length = max(end - start + 1, 1)
        for i in range(count):
            first, last = start + i * length // count, start - (-(i + 1) * length // count)
            yield slice(min(max(first, 0), size), min(max(last, 0), size))

    for k, (image, *corners) in enumerate(boxes):
        left, top, right, bottom = np.asarray(corners) * spatial_scale
        for i, rows in enumerate(bins(top, bottom, p, x.shape[2])):
            for j, columns in enumerate(bins(left, right, q, x.shape[3])):
                window = x[int(image)][:, rows, columns]
                if window.shape[1] * window.shape[2]:
                    y[k, :, i, j] = window.max(axis=(1, 2))
    return y
