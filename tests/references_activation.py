"""Activations composed of others, in NumPy and float64."""

import numpy as np

from tests.references import sigmoid


def step(x, threshold=0.0):
    return np.where(x >= threshold, 1.0, 0.0)


def bipolar_sigmoid(x):
    return -np.expm1(-x) / (1 + np.exp(-x))


def clipped_relu(x, ceiling=6.0):
    return np.minimum(np.maximum(x, 0), ceiling)


def prelu(x, weight):
    spread = weight.reshape(1, -1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight.reshape(())
    return np.where(x > 0, x, spread * x)


def glu(x, dim=-1):
    a, b = np.split(x, 2, axis=dim)
    return a * sigmoid(b)


def maxout(x, pieces, dim=1):
    at = dim % x.ndim
    shape = (*x.shape[:at], x.shape[at] // pieces, pieces, *x.shape[at + 1 :])
    return x.reshape(shape).max(at + 1)
