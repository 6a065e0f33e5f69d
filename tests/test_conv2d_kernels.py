"""Convolution's kernels against its definition, in both layouts: shapes that take each path."""

from itertools import product

import numpy as np
import pytest

import fastdl
from fastdl import functional as F


@pytest.fixture(autouse=True)
def without_winograd():
    """Its error is larger, and tests/test_conv2d.py has it: here a product is a product."""
    fastdl.set_winograd(False)
    yield
    fastdl.set_winograd(True)


def padded(x, ph, pw):
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))


def reference(x, w, dy_of, stride, padding, dilation, groups):
    """y, dx, dw and db by the definition, tap by tap, in float64."""
    n, c, h, wide = x.shape
    k, cg, r, s = w.shape
    kg = k // groups
    xp = padded(x.astype(np.float64), *padding)
    p = (xp.shape[2] - (r - 1) * dilation[0] - 1) // stride[0] + 1
    q = (xp.shape[3] - (s - 1) * dilation[1] - 1) // stride[1] + 1
    w = w.astype(np.float64).reshape(groups, kg, cg, r, s)

    def window(a, i, j):
        top, left = i * dilation[0], j * dilation[1]
        return a[
            :,
            :,
            top : top + (p - 1) * stride[0] + 1 : stride[0],
            left : left + (q - 1) * stride[1] + 1 : stride[1],
        ]

    y = np.zeros((n, groups, kg, p, q))
    for i, j in product(range(r), range(s)):
        view = window(xp, i, j).reshape(n, groups, cg, p, q)
        y += np.einsum("gkc,ngcpq->ngkpq", w[:, :, :, i, j], view)
    dy = dy_of(n, k, p, q).astype(np.float64).reshape(y.shape)
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i, j in product(range(r), range(s)):
        view = window(xp, i, j).reshape(n, groups, cg, p, q)
        dw[:, :, :, i, j] = np.einsum("ngkpq,ngcpq->gkc", dy, view)
        window(dxp, i, j)[...] += np.einsum("gkc,ngkpq->ngcpq", w[:, :, :, i, j], dy).reshape(
            n, c, p, q
        )
    dx = dxp[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + wide]
    return y.reshape(n, k, p, q), dx, dw.reshape(k, cg, r, s), dy.sum((0, 3, 4)).reshape(k)


def close(got, want, terms):
    # Sums of `terms` products of standard normal numbers.
    scale = 4e-7 * max(terms, 16) ** 0.5 * 6
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=scale)


# n, c, k, (h, w), (r, s), stride, padding, dilation, groups
SHAPES = [
    # lanes of x: channels that fill one register, two, and more; several strips and chunks
    (2, 33, 20, (9, 11), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (3, 64, 40, (14, 14), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 48, 24, (15, 17), (3, 3), (2, 2), (1, 1), (1, 1), 1),
    (1, 40, 30, (23, 60), (3, 2), (1, 2), (2, 0), (2, 1), 1),
    (1, 16, 18, (70, 70), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (9, 32, 40, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 40, 70, (9, 9), (1, 1), (2, 2), (0, 0), (1, 1), 1),
    (3, 70, 90, (13, 13), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 40, 36, (6, 6), (1, 1), (1, 1), (2, 1), (1, 1), 1),
    # lanes of dy: few channels of x, or 1x1 with fewer filters than channels
    (2, 3, 40, (33, 35), (7, 7), (2, 2), (3, 3), (1, 1), 1),
    (2, 6, 16, (14, 14), (5, 5), (1, 1), (0, 0), (1, 1), 1),
    (2, 90, 40, (13, 13), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 5, 33, (40, 41), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    # inner products
    (4, 1, 6, (28, 28), (5, 5), (1, 1), (2, 2), (1, 1), 1),
    # groups
    (2, 60, 44, (9, 10), (3, 3), (1, 1), (1, 1), (1, 1), 2),
    (2, 12, 8, (9, 10), (3, 3), (2, 1), (1, 1), (1, 1), 4),
    # depthwise: rows of one register and several, strips, strides, filters, multipliers
    (2, 20, 20, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1), 20),
    (1, 37, 37, (14, 30), (3, 3), (1, 1), (1, 1), (1, 1), 37),
    (2, 40, 40, (29, 33), (3, 3), (2, 2), (1, 1), (1, 1), 40),
    (1, 18, 18, (30, 36), (3, 3), (2, 2), (0, 0), (1, 1), 18),
    (1, 4, 4, (112, 113), (3, 3), (1, 1), (1, 1), (1, 1), 4),
    (1, 3, 3, (130, 70), (5, 5), (2, 2), (2, 2), (1, 1), 3),
    (1, 17, 17, (12, 13), (5, 4), (3, 2), (2, 5), (1, 1), 17),
    (1, 5, 5, (12, 40), (3, 3), (1, 1), (2, 2), (2, 3), 5),
    (1, 5, 5, (12, 23), (3, 3), (2, 3), (4, 6), (2, 1), 5),
    (2, 6, 18, (9, 20), (3, 3), (2, 2), (1, 1), (1, 1), 6),
    (2, 6, 12, (9, 20), (3, 3), (1, 1), (1, 1), (1, 1), 6),
    (1, 3, 3, (2, 2), (1, 1), (2, 2), (0, 0), (1, 1), 3),
    (1, 3, 3, (1, 1), (3, 3), (1, 1), (1, 1), (1, 1), 3),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_and_gradients(shape, last, dtype):
    n, c, k, size, kernel, stride, padding, dilation, groups = shape
    rng = np.random.default_rng(7)
    draw = lambda *dims: rng.standard_normal(dims).astype(dtype)  # noqa: E731
    x, w, b = draw(n, c, *size), draw(k, c // groups, *kernel), draw(k)
    dys = []

    def dy_of(*dims):
        dys.append(draw(*dims))
        return dys[-1]

    y, dx, dw, db = reference(x, w, dy_of, stride, padding, dilation, groups)
    xs, ws, bs = (fastdl.tensor(a) for a in (x, w, b))
    gs = fastdl.tensor(dys[0])
    if last:
        xs = xs.contiguous(memory_format=fastdl.channels_last)
        gs = gs.contiguous(memory_format=fastdl.channels_last)
    for t in (xs, ws, bs):
        t.requires_grad = True
    out = F.conv2d(xs, ws, bs, stride, padding, dilation, groups)
    got_x, got_w, got_b = fastdl.autograd.grad(out, [xs, ws, bs], gs)
    close(out.detach().numpy(), y + b.reshape(1, k, 1, 1), w[0].size)
    close(got_x.numpy(), dx, kernel[0] * kernel[1] * k // groups)
    close(got_w.numpy(), dw, n * y.shape[2] * y.shape[3])
    close(got_b.numpy(), db, n * y.shape[2] * y.shape[3])


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[7], SHAPES[9], SHAPES[17]], ids=str)
def test_same_bits_at_any_number_of_threads(shape):
    n, c, k, size, kernel, stride, padding, dilation, groups = shape
    rng = np.random.default_rng(8)
    x = fastdl.tensor(rng.standard_normal((6 * n, c, *size)).astype("float32"))
    w = fastdl.tensor(rng.standard_normal((k, c // groups, *kernel)).astype("float32"))
    b = fastdl.tensor(np.zeros(k, "float32"))
    for t in (x, w, b):
        t.requires_grad = True
    before = fastdl.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            fastdl.set_num_threads(threads)
            y = F.conv2d(x, w, b, stride, padding, dilation, groups)
            grads = fastdl.autograd.grad(y, [x, w, b], y.detach())
            results.append([a.numpy().tobytes() for a in (y.detach(), *grads)])
    finally:
        fastdl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_an_infinity_spoils_only_the_taps_that_see_it():
    """Rows and their tails are masked, so that zeros never meet what lies beyond a row."""
    rng = np.random.default_rng(9)
    for c, k, groups in ((64, 20, 1), (6, 32, 1), (20, 20, 20)):
        x = rng.standard_normal((1, c, 9, 9)).astype("float32")
        x[0, :, 4, 8] = np.inf  # last column: the left tap of column 9, which there is not
        w = fastdl.tensor(rng.standard_normal((k, c // groups, 3, 3)).astype("float32"))
        w.requires_grad = True
        y = F.conv2d(fastdl.tensor(x), w, None, 1, 0, 1, groups)
        (dw,) = fastdl.autograd.grad(y, [w], fastdl.tensor(np.ones(y.shape, "float32")))
        seen = np.isfinite(dw.numpy()).all((0, 1))
        assert seen[:, :2].all()
        assert not seen[:, 2].any()
