"""What normalisation, similarity and dropout compute, in NumPy and float64."""

import numpy as np

from tests.references import batch_norm


def _channels(values, x):
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _affine(x, weight, bias):
    x = x if weight is None else x * _channels(weight, x)
    return x if bias is None else x + _channels(bias, x)


def rms_norm(x, normalized_shape, weight=None, eps=None):
    axes = tuple(range(x.ndim - len(np.atleast_1d(normalized_shape)), x.ndim))
    y = x / np.sqrt((x * x).mean(axes, keepdims=True) + (0 if eps is None else eps))
    return y if weight is None else y * weight


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    if x.size == 0:
        return x
    groups = x.reshape(x.shape[0], num_groups, -1)
    centred = groups - groups.mean(2, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(2, keepdims=True) + eps)
    return _affine(normal.reshape(x.shape), weight, bias)


def instance_norm(
    x, mean=None, var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    if use_input_stats:
        return group_norm(x, x.shape[1], weight, bias, eps)
    return batch_norm(x, mean, var, weight, bias, False, momentum, eps)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return y


def adaptive_instance_norm(x, style=None, mean=None, std=None, eps=1e-5):
    if x.size == 0:
        return x
    if style is not None:
        pixels = style.reshape(*style.shape[:2], -1)
        mean, std = pixels.mean(2), np.sqrt(pixels.var(2) + eps)
    each = (*x.shape[:2], *[1] * (x.ndim - 2))
    return instance_norm(x, eps=eps) * std.reshape(each) + mean.reshape(each)


def pixel_norm(x, eps=1e-8):
    return x / np.sqrt((x * x).mean(1, keepdims=True) + eps)


def _length(x, p, dim):
    axis = tuple(dim) if isinstance(dim, list) else dim
    if p == np.inf:
        return np.abs(x).max(axis, keepdims=True)
    return (np.abs(x) ** p).sum(axis, keepdims=True) ** (1 / p)


def normalize(x, p=2.0, dim=1, eps=1e-12):
    return x / np.maximum(_length(x, p, dim), eps) if x.size else x


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    lengths = (np.maximum(_length(x, 2, dim), eps) for x in (x1, x2))
    first, second = lengths
    return ((x1 / first) * (x2 / second)).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    lengths = _length(x1 - x2 + eps, p, -1)
    return lengths if keepdim else lengths[..., 0]
