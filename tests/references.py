"""What every op computes, in NumPy and float64, written for clarity alone."""

import math

import numpy as np

# elementwise


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


_erf, _erfc = np.vectorize(math.erf, otypes=[float]), np.vectorize(math.erfc, otypes=[float])


def erf(x):
    return _erf(x) if x.size else x


def erfc(x):
    return _erfc(x) if x.size else x


def logsigmoid(x):
    return -np.logaddexp(0, -x)


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))


def silu(x):
    return x * sigmoid(x)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * erfc(-x / np.sqrt(2))


def mish(x):
    return x * np.tanh(np.logaddexp(0, x))


def softsign(x):
    return x / (1 + np.abs(x))


def hardswish(x):
    return x * np.clip(x + 3, 0, 6) / 6


def leaky_relu(x, negative_slope=0.01):
    return np.where(x > 0, x, negative_slope * x)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(x))


def celu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(x / alpha))


def hardtanh(x, min_val=-1.0, max_val=1.0):
    return np.clip(x, min_val, max_val)


def hardsigmoid(x, alpha=1 / 6, beta=0.5):
    return np.clip(alpha * x + beta, 0, 1)


def threshold(x, threshold, value):
    return np.where(x <= threshold, value, x)


def hardshrink(x, lambd=0.5):
    return np.where(np.abs(x) <= lambd, 0, x)


def softshrink(x, lambd=0.5):
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, 0 * x))


def clamp(x, min=None, max=None):
    return np.clip(x, min, max)


def relu(x):
    return np.where(np.isnan(x), x, np.maximum(x, 0)).astype(x.dtype)


def divide(a, b):
    """True division; integers give what float32 holds."""
    return np.true_divide(a, b)


# reductions


def _axes(dim):
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def total(x, dim=None, keepdim=False):
    kind = np.int64 if x.dtype.kind in "iub" else None
    return np.sum(x, axis=_axes(dim), keepdims=keepdim, dtype=kind)


def mean(x, dim=None, keepdim=False):
    ones = np.sum(np.ones(x.shape), axis=_axes(dim), keepdims=keepdim)
    return np.sum(x, axis=_axes(dim), keepdims=keepdim) / ones


def var(x, dim=None, correction=1, keepdim=False):
    ones = np.sum(np.ones(x.shape), axis=_axes(dim), keepdims=keepdim)
    squares = np.square(x - mean(x, dim, True))
    return np.sum(squares, axis=_axes(dim), keepdims=keepdim) / np.maximum(ones - correction, 0)


def std(x, dim=None, correction=1, keepdim=False):
    return np.sqrt(var(x, dim, correction, keepdim))


def product(x, dim=None, keepdim=False):
    return np.prod(x, axis=_axes(dim), keepdims=keepdim)


def norm(x, p=2.0, dim=None, keepdim=False):
    a, over = np.abs(x), {"axis": _axes(dim), "keepdims": keepdim}
    if np.isinf(p):
        return np.max(a, **over) if p > 0 else np.min(a, **over)
    return np.sum(x != 0, **over) * 1.0 if p == 0 else np.sum(a**p, **over) ** (1 / p)


def cumsum(x, dim):
    return np.cumsum(x, axis=dim) if x.ndim else x


def cumprod(x, dim):
    return np.cumprod(x, axis=dim) if x.ndim else x


def _running_extreme(x, dim, better):
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    lanes = np.moveaxis(x, dim, 0)
    at = np.zeros(lanes.shape, np.int64)
    for i in range(1, len(lanes)):
        before = np.take_along_axis(lanes, at[i - 1 : i], 0)[0]
        with np.errstate(invalid="ignore"):
            at[i] = np.where(better(lanes[i], before) | (lanes[i] != lanes[i]), i, at[i - 1])
    return np.take_along_axis(x, np.moveaxis(at, 0, dim), dim), np.moveaxis(at, 0, dim)


def cummax(x, dim):
    return _running_extreme(x, dim, np.greater_equal)


def cummin(x, dim):
    return _running_extreme(x, dim, np.less_equal)


def logsumexp(x, dim=None, keepdim=False):
    if x.size == 0:
        return np.log(np.sum(x, axis=_axes(dim), keepdims=keepdim))
    top = np.max(x, axis=_axes(dim), keepdims=True)
    y = np.log(np.sum(np.exp(x - top), axis=_axes(dim), keepdims=True)) + top
    return y if keepdim else np.squeeze(y, _axes(dim))


def any_of(x, dim=None, keepdim=False):
    return np.any(x, axis=_axes(dim), keepdims=keepdim)


def all_of(x, dim=None, keepdim=False):
    return np.all(x, axis=_axes(dim), keepdims=keepdim)


def amax(x, dim=None, keepdim=False):
    return np.max(x, axis=_axes(dim), keepdims=keepdim)


def amin(x, dim=None, keepdim=False):
    return np.min(x, axis=_axes(dim), keepdims=keepdim)


def argmax(x, dim=None, keepdim=False):
    return np.argmax(x, axis=dim, keepdims=keepdim)


def argmin(x, dim=None, keepdim=False):
    return np.argmin(x, axis=dim, keepdims=keepdim)


def maximum_of(x, dim=None, keepdim=False):
    if dim is None:
        return amax(x, None, keepdim)
    return amax(x, dim, keepdim), argmax(x, dim, keepdim)


def minimum_of(x, dim=None, keepdim=False):
    if dim is None:
        return amin(x, None, keepdim)
    return amin(x, dim, keepdim), argmin(x, dim, keepdim)


# shapes and indices


def flatten(x, start_dim=0, end_dim=-1):
    if x.ndim == 0:
        return x.reshape(1)
    first, last = start_dim % x.ndim, end_dim % x.ndim
    joined = math.prod(x.shape[first : last + 1])
    return x.reshape(*x.shape[:first], joined, *x.shape[last + 1 :])


def squeeze(x, dim=None):
    if dim is not None and x.shape[dim] != 1:
        return x
    return np.squeeze(x, dim)


def expand(x, shape):
    lead = len(shape) - x.ndim
    sizes = [x.shape[i - lead] if n == -1 else n for i, n in enumerate(shape)]
    return np.broadcast_to(x, sizes)


def narrow(x, dim, start, length):
    return np.take(x, range(start, start + length), axis=dim)


# networks


def linear(x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias


def batch_norm(
    x,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    residual=None,
    activation="none",
    slope=0.01,
):
    def spread(v):
        return v.reshape(1, -1, *[1] * (x.ndim - 2))

    axes = tuple(i for i in range(x.ndim) if i != 1)
    m, v = (x.mean(axes), x.var(axes)) if training else (running_mean, running_var)
    y = (x - spread(m)) / np.sqrt(spread(v) + eps)
    y = y if weight is None else y * spread(weight)
    y = y if bias is None else y + spread(bias)
    y = y if residual is None else y + residual
    if activation == "none":
        return y
    return np.where(y < 0, y * (slope if activation == "leaky_relu" else 0), y)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = tuple(range(x.ndim - len(np.atleast_1d(normalized_shape)), x.ndim))
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _shifted(x, dim):
    return x - np.max(x, axis=dim, keepdims=True) if x.size else x


def log_softmax(x, dim):
    y = _shifted(x, dim)
    return y - np.log(np.sum(np.exp(y), axis=dim, keepdims=True))


def softmax(x, dim):
    powers = np.exp(_shifted(x, dim))
    return powers / np.sum(powers, axis=dim, keepdims=True)


def lstm(x, h, c, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    outputs = np.zeros((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[0]):
        z = linear(x[t], weight_ih, bias_ih) + linear(h, weight_hh, bias_hh)
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs[t] = h
    return outputs, h, c


def gru(x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    outputs = np.zeros((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[0]):
        by_x = np.split(linear(x[t], weight_ih, bias_ih), 3, axis=1)
        by_h = np.split(linear(h, weight_hh, bias_hh), 3, axis=1)
        r, z = (sigmoid(by_x[k] + by_h[k]) for k in (0, 1))
        n = np.tanh(by_x[2] + r * by_h[2])
        h = (1 - z) * n + z * h
        outputs[t] = h
    return outputs, h


# optimisers, one step; they return the new parameter and state


def sgd(p, g, buffer, *, lr, momentum, dampening, weight_decay, nesterov, first_step):
    g = g + weight_decay * p
    if momentum:
        buffer = g if first_step else momentum * buffer + (1 - dampening) * g
        g = g + momentum * buffer if nesterov else buffer
    return p - lr * g, buffer


def adam(p, g, m, v, *, step, lr, beta1, beta2, eps, weight_decay, decoupled):
    p = p * (1 - lr * weight_decay) if decoupled else p
    g = g if decoupled else g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    unbiased_m, unbiased_v = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * unbiased_m / (np.sqrt(unbiased_v) + eps), m, v
