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


# sampling


def affine_grid(theta, size, align_corners=False):
    def steps(n):
        if align_corners:
            return np.linspace(-1, 1, n) if n > 1 else np.zeros(n)
        return (2 * np.arange(n) + 1) / n - 1 if n else np.zeros(0)

    axes = np.meshgrid(*[steps(n) for n in size[2:]], indexing="ij")
    points = np.stack([*axes[::-1], np.ones(size[2:])], -1)
    return np.einsum("ndk,...k->n...d", theta, points).reshape(len(theta), *size[2:], len(size) - 2)


def _place(g, n, align_corners):
    g = -1.0 if math.isnan(g) else g
    at = (g + 1) / 2 * (n - 1) if align_corners else ((g + 1) * n - 1) / 2
    return min(max(at, -(2.0**30)), 2.0**30)


def _mirror(at, n, align_corners):
    """Walks back and forth between the borders."""
    low, high = (0.0, n - 1.0) if align_corners else (-0.5, n - 0.5)
    if low == high:
        return 0.0
    at = (at - low) % (2 * (high - low))
    return low + (at if at <= high - low else 2 * (high - low) - at)


def _axis(g, n, mode, padding, align_corners):
    """[(pixel or None, weight)] along one axis."""
    at = _place(g, n, align_corners)
    if mode != "bicubic" and padding == "reflection":
        at = _mirror(at, n, align_corners)
    if mode != "bicubic" and padding != "zeros":
        at = min(max(at, 0), n - 1)
    if mode == "nearest":
        taps = [(int(np.rint(at)), 1.0)]
    elif mode == "bilinear":
        first = math.floor(at)
        taps = [(first, 1 - (at - first)), (first + 1, at - first)]
    else:
        first = math.floor(at)
        taps = [(first + k, _cubic(at - first - k, -0.75)) for k in range(-1, 3)]
    out = []
    for i, weight in taps:
        if mode == "bicubic" and padding == "reflection":
            i = int(np.rint(_mirror(i, n, align_corners)))
        if mode == "bicubic" and padding != "zeros":
            i = min(max(i, 0), n - 1)
        out.append((i if 0 <= i < n else None, weight))
    return out


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    sizes = x.shape[:1:-1]  # of x, y and z
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for at in np.ndindex(grid.shape[:-1]):
        axes = [
            _axis(g, n, mode, padding_mode, align_corners)
            for g, n in zip(grid[at], sizes, strict=True)
        ]
        for taps in itertools.product(*axes):
            if any(i is None for i, _ in taps):
                continue
            pixel = tuple(i for i, _ in taps[::-1])
            weight = math.prod(w for _, w in taps)
            y[(at[0], slice(None), *at[1:])] += weight * x[(at[0], slice(None), *pixel)]
    return y


# boxes


def overlaps(a, b):
    """Intersection over union of two boxes, and its generalised form (Rezatofighi et al., 2019)."""

    def area(x1, y1, x2, y2):
        return (x2 - x1) * (y2 - y1)

    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = area(*a) + area(*b) - shared
    hull = area(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    iou = shared / union if union else math.nan
    return iou, iou - (hull - union) / hull if hull else math.nan


def batched_nms(boxes, scores, idxs, iou_threshold):
    order = sorted(range(len(scores)), key=lambda i: (not math.isnan(scores[i]), -scores[i], i))
    kept = []
    for i in order:
        if all(
            idxs[i] != idxs[k] or not overlaps(boxes[k], boxes[i])[0] > iou_threshold for k in kept
        ):
            kept.append(i)
    return np.array(kept, np.int64)


def nms(boxes, scores, iou_threshold):
    return batched_nms(boxes, scores, np.zeros(len(scores)), iou_threshold)
