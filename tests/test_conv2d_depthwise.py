"""Depthwise 3x3 convolution, whose kernel has no copy: every edge of a register and of a plane."""

import numpy as np
import pytest

import fastdl
from fastdl import functional as F

# Rows of a part of a register, of one and of several: of 4, 8 and 16 lanes of float32.
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 17, 31, 32, 33, 34, 47, 48, 65)


def taps(stride, pad_h, p, q):
    """Where each tap of the filter reads in an image with its padding."""
    for r in range(3):
        for s in range(3):
            rows = slice(r, r + (p - 1) * stride + 1, stride)
            yield r, s, np.s_[..., rows, slice(s, s + (q - 1) * stride + 1, stride)]


def definition(x, w, dy, stride, pad_h):
    """y and the gradients by x and w, in float64; w has `c * multiplier` filters."""
    m = w.shape[0] // x.shape[1]
    xp = np.repeat(np.pad(x.astype(float), ((0, 0), (0, 0), (pad_h, pad_h), (1, 1))), m, axis=1)
    y, dxp, dw = np.zeros(dy.shape), np.zeros_like(xp), np.zeros(w.shape)
    for r, s, at in taps(stride, pad_h, *dy.shape[2:]):
        filters = w[None, :, 0, r, s, None, None].astype(float)
        y += filters * xp[at]
        dxp[at] += filters * dy
        dw[:, 0, r, s] = (xp[at] * dy).sum((0, 2, 3))
    dx = dxp[:, :, pad_h : pad_h + x.shape[2], 1:-1]
    n, c, h, wide = x.shape
    return y, dx.reshape(n, c, m, h, wide).sum(2), dw


def draw(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(n, c, m, h, wide, stride, pad_h, dtype, layout=fastdl.contiguous_format):
    """Forward and both gradients against the definition."""
    x, w = draw(n, c, h, wide, dtype=dtype), draw(c * m, 1, 3, 3, seed=1, dtype=dtype)
    p, q = (h + 2 * pad_h - 3) // stride + 1, (wide - 1) // stride + 1
    dy = draw(n, c * m, p, q, seed=2, dtype=dtype)
    xs, ws, gs = (fastdl.tensor(a).contiguous(memory_format=layout) for a in (x, w, dy))
    xs.requires_grad = ws.requires_grad = True
    y = F.conv2d(xs, ws, None, stride, (pad_h, 1), 1, c)
    dx, dw = fastdl.autograd.grad(y, [xs, ws], gs)
    error = 1e-6 if dtype == "float32" else 1e-14
    for got, want in zip((y.detach(), dx, dw), definition(x, w, dy, stride, pad_h), strict=True):
        limit = error * 10 * max(1.0, abs(want).max())
        np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=limit)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("wide", WIDTHS)
def test_every_width(wide, stride, dtype):
    for h in (1, 2, 3, 6, 7):
        check(3, 3, 1, h, wide, stride, 1, dtype)  # an odd number of planes, and of samples


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", WIDTHS[1:])
def test_channels_last(channels, stride, dtype):
    for h, wide, pad_h in ((1, 1, 1), (2, 3, 1), (5, 4, 0), (4, 7, 2), (6, 2, 1), (3, 8, 3)):
        check(2, channels, 1, h, wide, stride, pad_h, dtype, fastdl.channels_last)


@pytest.mark.parametrize("pad_w", [0, 1, 2, 3])
def test_columns_of_padding_channels_last(pad_w):
    """In terms of the same image with its columns of padding written out."""
    x, w = draw(2, 20, 6, 9), fastdl.tensor(draw(20, 1, 3, 3, seed=1))
    for stride in (1, 2):
        results = []
        for pad, image in ((pad_w, x), (0, np.pad(x, ((0, 0),) * 3 + ((pad_w, pad_w),)))):
            xs = fastdl.tensor(image).contiguous(memory_format=fastdl.channels_last)
            xs.requires_grad = True
            y = F.conv2d(xs, w, None, stride, (1, pad), 1, 20)
            (dx,) = fastdl.autograd.grad(y, [xs], fastdl.ones(y.shape))
            columns = slice(pad_w - pad, pad_w - pad + 9)
            results.append((y.detach().numpy(), dx.numpy()[..., columns]))
        for got, want in zip(*results, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pad_h", [0, 1, 2, 3])
def test_rows_of_padding(pad_h, stride):
    for h, wide in ((3, 5), (4, 20), (9, 7), (10, 40)):
        check(2, 4, 1, h, wide, stride, pad_h, "float32")


@pytest.mark.parametrize("stride", [1, 2])
def test_bands_of_rows(stride):
    check(1, 2, 1, 150, 150, stride, 1, "float32")
    check(1, 2, 1, 2100, 7, stride, 1, "float32")


@pytest.mark.parametrize("stride", [1, 2])
def test_multiplier(stride):
    for wide in (7, 20):
        check(2, 3, 3, 8, wide, stride, 1, "float32")


@pytest.mark.parametrize("size", [7, 8, 14, 28])
@pytest.mark.parametrize("stride", [1, 2])
def test_bits_do_not_depend_on_neighbours_or_threads(size, stride):
    """Two planes may share a register; which two is a matter of where a chunk begins."""
    x, w = fastdl.tensor(draw(5, 160, size, size)), fastdl.tensor(draw(160, 1, 3, 3, seed=1))

    def run(a, b):
        return F.conv2d(a, b, None, stride, 1, 1, b.shape[0]).numpy()

    whole, before = run(x, w), fastdl.get_num_threads()
    try:
        for threads in (1, 2, 3):
            fastdl.set_num_threads(threads)
            np.testing.assert_array_equal(run(x, w), whole)
    finally:
        fastdl.set_num_threads(before)
    part = run(x[:, 1:4].contiguous(), w[1:4].contiguous())
    np.testing.assert_array_equal(part, whole[:, 1:4])


@pytest.mark.parametrize("layout", [fastdl.contiguous_format, fastdl.channels_last], ids=str)
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("size", [5, 7, 13, 16, 40])
@pytest.mark.parametrize("stride", [1, 2])
def test_fused_epilogue(size, stride, with_residual, layout):
    x, w, b = (fastdl.tensor(draw(*s)) for s in ((3, 5, 6, size), (5, 1, 3, 3), (5,)))
    x = x.contiguous(memory_format=layout)
    plain = F.conv2d(x, w, None, stride, 1, 1, 5).numpy() + b.numpy()[:, None, None]
    residual = fastdl.tensor(draw(*plain.shape, seed=4)) if with_residual else None
    got = fastdl._core.conv2d_fused(x, w, b, residual, "leaky_relu", 0.5, stride, 1, 1, 5)
    if residual is not None:
        plain = plain + residual.numpy()
    expected = np.where(plain < 0, 0.5 * plain, plain)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("wide", [5, 7, 11, 16, 19, 33])
def test_an_infinity_meets_no_result_beyond_a_row(wide, stride):
    """The last column has no result to its right, whose lane there may be in a register."""
    x = draw(4, 3, 5, wide)
    x[:, :, 2, -1] = np.inf
    w = fastdl.tensor(draw(3, 1, 3, 3), requires_grad=True)
    y = F.conv2d(fastdl.tensor(x), w, None, stride, 1, 1, 3)
    (dw,) = fastdl.autograd.grad(y, [w], fastdl.tensor(np.ones(y.shape, "float32")))
    # Column w - 1 is seen by the result there from the middle, by the one before from the left
    # of it; at stride 2 by one of them alone.
    seen = [not np.isfinite(dw.numpy()[..., s]).all() for s in range(3)]
    last = (wide - 1) % stride == 0
    assert seen == [False, last, stride == 1 or not last]


@pytest.mark.parametrize("layout", [fastdl.contiguous_format, fastdl.channels_last], ids=str)
def test_results_past_the_caches(layout):
    """Large ones, whose lines are whole: the same bits as a sample alone."""
    x, w = fastdl.tensor(draw(14, 64, 112, 112)), fastdl.tensor(draw(64, 1, 3, 3, seed=1))
    x = x.contiguous(memory_format=layout)
    whole = F.conv2d(x, w, None, 1, 1, 1, 64).numpy()
    for sample in (0, 13):
        alone = F.conv2d(
            x[sample : sample + 1].contiguous(memory_format=layout), w, None, 1, 1, 1, 64
        ).numpy()
        np.testing.assert_array_equal(alone[0], whole[sample])
