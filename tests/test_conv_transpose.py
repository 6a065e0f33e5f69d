"""Transposed convolution by every engine: the gradient of conv2d by its input, with a bias."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from tests.test_conv2d import FIRST, LAST, SHAPES, arrays, pair, tolerance


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", [FIRST, LAST], ids=["first", "last"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("winograd", [True, False])
def test_is_the_gradient_and_a_bias(shape, layout, dtype, winograd):
    x, w, _ = arrays(shape, dtype)
    stride, padding, dilation, groups = shape[6:]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    bias = np.random.default_rng(3).standard_normal(x.shape[1]).astype(dtype)
    fastdl.set_winograd(winograd)
    try:
        xs = fastdl.tensor(x).contiguous(memory_format=layout).detach().requires_grad_()
        y = F.conv2d(xs, w, **options)
        g = fastdl.tensor(np.random.default_rng(4).standard_normal(y.shape).astype(dtype))
        g = g.contiguous(memory_format=layout)
        y.backward(g)
        left = [
            (size + 2 * p - d * (k - 1) - 1) % s
            for size, p, d, k, s in zip(
                x.shape[2:], pair(padding), pair(dilation), w.shape[2:], pair(stride), strict=True
            )
        ]
        got = F.conv_transpose2d(g, w, bias, output_padding=left, **options)
    finally:
        fastdl.set_winograd(True)
    expected = xs.grad.numpy().astype(np.float64) + bias[:, None, None]
    depth = w.shape[0] // groups * w[0, 0].size
    limit = tolerance(dtype, depth, winograd) * max(1.0, abs(expected).max())
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=limit)
    # An image of one channel lies in both formats, and counts as channels first.
    last = layout is LAST and g.shape[1] > 1
    assert got.is_contiguous(memory_format=LAST if last else FIRST)


@pytest.mark.parametrize("size", range(5, 13))
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_undoes_the_sizes(size, stride):
    """output_padding is what the stride leaves over; and the two are adjoint."""
    x = fastdl.randn((2, 4, size, size + 1)).double()
    w = fastdl.randn((6, 4, 3, 2)).double()
    y = F.conv2d(x, w, stride=stride, padding=1)
    g = fastdl.randn(y.shape).double()
    left = [(s + 2 - k) % stride for s, k in zip(x.shape[2:], (3, 2), strict=True)]
    back = F.conv_transpose2d(g, w, stride=stride, padding=1, output_padding=left)
    assert back.shape == x.shape
    np.testing.assert_allclose(float((y * g).sum()), float((x * back).sum()), rtol=1e-9, atol=1e-9)
