"""Convolutions that Hopper's tensor cores compute, through the ops: layouts, gradients, epilogues.

Operands are small multiples of a half, so that every sum is exact in float32 and results can be
compared bit by bit with those of float64, rounded once. Tiles, parts and refusals are tested
without the ops by tests/simt/wrappers/conv2d_wgmma.cu.
"""

import numpy as np
import pytest

import fastdl
from fastdl import _core
from fastdl import functional as F

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

FIRST, LAST = fastdl.contiguous_format, fastdl.channels_last
HALVES = ("float16", "bfloat16")
DTYPES = (*HALVES, "float32")


def _hopper():
    """Whether the tensor cores' kernels are chosen: only they leave results channels last."""
    x = fastdl.ones([2, 64, 16, 16], dtype=fastdl.float16, device="cuda")
    w = fastdl.ones([64, 64, 1, 1], dtype=fastdl.float16, device="cuda")
    return F.conv2d(x.contiguous(memory_format=LAST), w).is_contiguous(memory_format=LAST)


HOPPER = _hopper()

# x, weight, stride, padding, dilation
SHAPES = (
    ((4, 16, 12, 12), (32, 16, 3, 3), 1, 1, 1),
    ((3, 72, 9, 10), (16, 72, 3, 2), (2, 1), (0, 1), (1, 2)),
    ((2, 64, 12, 11), (40, 64, 1, 1), 1, 0, 1),
    ((2, 40, 17, 16), (64, 40, 1, 1), 2, 0, 1),
    ((3, 16, 13, 12), (24, 16, 3, 4), (2, 3), (1, 2), (3, 1)),
)


def halves(shape, seed):
    return np.random.default_rng(seed).integers(-4, 5, shape) / 2


def there(values, dtype, layout):
    kind = getattr(fastdl, dtype)
    t = fastdl.tensor(values.astype(np.float32), device="cuda").to(kind)
    return t.contiguous(memory_format=layout) if values.ndim == 4 else t


def require_same(got, expected, dtype):
    rounded = fastdl.tensor(np.asarray(expected, np.float32)).to(getattr(fastdl, dtype))
    is_, should = got.detach().cpu().to(fastdl.float32).numpy(), rounded.to(fastdl.float32).numpy()
    np.testing.assert_array_equal(is_, should)


@pytest.mark.parametrize("layout", [FIRST, LAST])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", range(len(SHAPES)))
def test_convolution_and_gradients(case, dtype, layout):
    x_shape, w_shape, *options = SHAPES[case]
    values = halves(x_shape, 1), halves(w_shape, 2), halves(w_shape[0], 3)
    exact = [fastdl.tensor(v, requires_grad=True) for v in values]
    should = F.conv2d(*exact, *options)
    incoming = halves(should.shape, 4)
    should.backward(fastdl.tensor(incoming))

    leaves = [there(v, dtype, layout) for v in values]
    for leaf in leaves:
        leaf.requires_grad = True
    got = F.conv2d(*leaves, *options)
    if HOPPER and (dtype in HALVES or case == 0):  # float32 asks for more work
        assert got.is_contiguous(memory_format=layout)
    got.backward(there(incoming, dtype, layout))
    require_same(got, should.detach().numpy(), dtype)
    for leaf, e in zip(leaves, exact, strict=True):
        require_same(leaf.grad, e.grad.numpy(), dtype)


@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", [FIRST, LAST])
def test_fused_epilogues(dtype, layout, activation):
    x_shape, w_shape, *options = SHAPES[0]
    values = halves(x_shape, 1), halves(w_shape, 2), halves(w_shape[0], 3)
    expected = F.conv2d(*(fastdl.tensor(v) for v in values), *options).numpy()
    residual = halves(expected.shape, 4)
    expected = expected + residual
    slope = {"none": 1.0, "relu": 0.0, "leaky_relu": 0.25}[activation]
    expected = np.where(expected < 0, slope * expected, expected)
    x, w, b = (there(v, dtype, layout) for v in values)
    r = there(residual, dtype, layout)
    got = _core.conv2d_fused(x, w, b, r, activation, 0.25, padding=1)
    assert not HOPPER or got.is_contiguous(memory_format=layout)
    if layout == LAST and HOPPER:
        require_same(got, expected, dtype)
        return
    # Ops of their own round in between.
    tolerance = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 0.0}[dtype]
    is_ = got.cpu().to(fastdl.float32).numpy()
    np.testing.assert_allclose(is_, expected, rtol=2 * tolerance, atol=64 * tolerance)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_view_that_is_not_aligned(dtype):
    x, w = halves((2, 16, 9, 8), 1), halves((24, 16, 3, 3), 2)
    flat = there(np.append([7.0], x.transpose(0, 2, 3, 1).reshape(-1)), dtype, FIRST)
    unaligned = F.permute(flat[1:].view([2, 9, 8, 16]), [0, 3, 1, 2])
    got = F.conv2d(unaligned, there(w, dtype, FIRST), None, 1, 1)
    require_same(got, F.conv2d(fastdl.tensor(x), fastdl.tensor(w), None, 1, 1).numpy(), dtype)


def test_a_transposed_convolution_has_a_bias():
    x, w, b = halves((2, 24, 9, 8), 1), halves((24, 16, 3, 3), 2), halves(16, 3)
    exact = F.conv_transpose2d(*(fastdl.tensor(v) for v in (x, w, b)), stride=2, padding=1)
    tensors = (there(v, "float16", LAST) for v in (x, w, b))
    got = F.conv_transpose2d(*tensors, stride=2, padding=1)
    assert not HOPPER or got.is_contiguous(memory_format=LAST)
    require_same(got, exact.numpy(), "float16")
