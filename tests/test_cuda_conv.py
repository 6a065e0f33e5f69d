"""Convolution on CUDA, channels last on tensor cores, against channels first in float64.

The host model has four multiprocessors: these shapes reach tiles of 64 and 128, sums in parts,
tails of positions, taps and channels, strides, dilations and padding.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

# Of the largest sum of absolute products (tests/test_cuda_gemm.py).
ERROR = {"float16": 6e-4, "bfloat16": 5e-3, "float32": 2e-6, "high": 2e-3}

# x [n, c, h, w], weight [k, c, r, s], stride, padding, dilation
SHAPES = [
    ((2, 16, 9, 7), (24, 16, 3, 3), 1, 1, 1),
    ((1, 8, 11, 10), (16, 8, 3, 2), 2, 1, 1),
    ((1, 24, 12, 9), (8, 24, 3, 3), (2, 3), (0, 2), (2, 1)),
    ((2, 32, 6, 6), (16, 32, 1, 1), 2, 0, 1),
    ((1, 8, 5, 6), (8, 8, 5, 5), 1, 4, 1),
    ((4, 16, 17, 17), (136, 16, 3, 3), 1, 1, 1),
]


@pytest.fixture
def high():
    fastdl.set_float32_matmul_precision("high")
    yield
    fastdl.set_float32_matmul_precision("highest")


def image(values, dtype, last):
    x = fastdl.tensor(values.astype("float32"), device="cuda").to(getattr(fastdl, dtype))
    if last:
        x = x.contiguous(fastdl.channels_last)
    return x


def wide(x):
    return x.to(fastdl.float64).cpu().numpy()


def products(x, w, b, g, options):
    """The output and all gradients."""
    leaves = [v.requires_grad_() for v in (x, w, b)]
    y = F.conv2d(*leaves, *options)
    y.backward(g)
    return [y.detach(), *(v.grad for v in leaves)]


def check(shape, dtype, tolerance):
    x_shape, w_shape, *options = shape
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in (x_shape, w_shape, w_shape[:1]))
    x, w, b = image(x, dtype, True), image(w, dtype, False), image(b, dtype, False)
    g = image(rng.standard_normal(F.conv2d(x, w, b, *options).shape), dtype, True)
    arrays = [wide(v) for v in (x, w, b, g)]
    found = products(x, w, b, g, options)
    exact = products(*(fastdl.tensor(v) for v in arrays), options)
    sizes = products(*(fastdl.tensor(np.abs(v)) for v in arrays), options)
    for got, want, size in zip(found, exact, sizes, strict=True):
        bound = tolerance * np.abs(size.numpy()).max()
        assert np.abs(wide(got) - want.numpy()).max() <= bound
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_all_three_products(shape, dtype, high):
    y, dx, *_ = check(shape, dtype, ERROR["high" if dtype == "float32" else dtype])
    if min(shape[0][2:]) > 1:
        assert y.is_contiguous(fastdl.channels_last)
        assert dx.is_contiguous(fastdl.channels_last)


def test_three_tf32_products():
    check(((1, 64, 12, 12), (72, 64, 3, 3), 1, 1, 1), "float32", ERROR["float32"])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_fused(shape, last, dtype, high):
    x_shape, w_shape, stride, padding, dilation = shape
    rng = np.random.default_rng(1)
    x, w, b = (rng.standard_normal(s) for s in (x_shape, w_shape, w_shape[:1]))
    x, w, b = image(x, dtype, last), image(w, dtype, False), image(b, dtype, False)
    plain = F.conv2d(*(fastdl.tensor(wide(v)) for v in (x, w, b)), stride, padding, dilation)
    residual = image(rng.standard_normal(plain.shape), dtype, last)
    for before in (None, residual):
        for activation in ("none", "relu", "leaky_relu"):
            want = plain.numpy() + (0 if before is None else wide(before))
            if activation != "none":
                want = np.where(want < 0, want * (0 if activation == "relu" else 0.25), want)
            got = _core.conv2d_fused(
                x, w, b, before, activation, 0.25, stride, padding, dilation, 1
            )
            assert np.abs(wide(got) - want).max() <= 2e-3 * 50


def test_channels_that_are_no_vectors_take_the_other_kernels():
    check(((1, 6, 7, 7), (10, 6, 3, 3), 1, 1, 1), "float16", ERROR["float16"])
