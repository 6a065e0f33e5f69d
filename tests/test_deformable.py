"""Deformable convolution: what the case table does not say, and bad input."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, ShapeError

rng = np.random.default_rng(5)
X, W = fastdl.tensor(rng.normal(size=(2, 4, 7, 9))).float(), fastdl.ones((6, 2, 3, 3))


def zeros(runs=1, rows=7, columns=9):
    return fastdl.zeros((2, 18 * runs, rows, columns))


@pytest.mark.parametrize("runs", [1, 2, 4])
def test_without_offsets_it_is_the_convolution(runs):
    weight = fastdl.tensor(rng.normal(size=(6, 2, 3, 3))).float()
    plain = F.conv2d(X, weight, padding=1, groups=2)
    bent = F.deform_conv2d(X, zeros(runs), weight, padding=1)
    np.testing.assert_allclose(bent.numpy(), plain.numpy(), rtol=1e-5, atol=1e-5)


def test_whole_offsets_are_whole():
    """A window that reads one pixel, moved to any other: no bit is mixed in."""
    middle = fastdl.zeros((4, 1, 3, 3))
    middle[:, 0, 1, 1] = 1
    for down, across in ((0, 0), (-2, 3), (1, -1), (6, 0), (-9, 40)):
        offset = zeros()
        offset[:, 0::2], offset[:, 1::2] = float(down), float(across)
        moved = np.zeros((2, 4, 7, 9), np.float32)
        for i in range(7):
            for j in range(9):
                if 0 <= i + down < 7 and 0 <= j + across < 9:
                    moved[:, :, i, j] = X.numpy()[:, :, i + down, j + across]
        got = F.deform_conv2d(X, offset, middle, padding=1)
        np.testing.assert_array_equal(got.numpy(), moved)


def test_gradient_of_offsets_at_whole_pixels():
    """It is the slope to the right and below, as floor() says."""
    offset = fastdl.zeros((1, 2, 5, 6), requires_grad=True)
    image = rng.normal(size=(1, 1, 5, 6)).astype(np.float32)
    F.deform_conv2d(image, offset, np.ones((1, 1, 1, 1), np.float32)).sum().backward()
    padded = np.pad(image[0, 0], ((0, 1), (0, 1)))
    slopes = [padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]]
    np.testing.assert_allclose(offset.grad.numpy()[0], slopes, rtol=1e-5, atol=1e-5)


BAD = {
    "offset's pairs": lambda: F.deform_conv2d(X, fastdl.zeros((2, 17, 5, 7)), W),
    "offset of no pair": lambda: F.deform_conv2d(X, fastdl.zeros((2, 0, 5, 7)), W),
    "offset's sizes": lambda: F.deform_conv2d(X, zeros(), W),
    "offset's batch": lambda: F.deform_conv2d(X[:1], zeros(1, 5, 7), W),
    "runs of channels": lambda: F.deform_conv2d(X, zeros(3, 5, 7), W),
    "groups": lambda: F.deform_conv2d(X, zeros(1, 5, 7), fastdl.ones((6, 3, 3, 3))),
    "outputs": lambda: F.deform_conv2d(X, zeros(1, 5, 7), fastdl.ones((5, 2, 3, 3))),
    "no channel": lambda: F.deform_conv2d(X, zeros(1, 5, 7), fastdl.ones((6, 0, 3, 3))),
    "no window": lambda: F.deform_conv2d(X, zeros(1, 5, 7), fastdl.ones((6, 2, 0, 3))),
    "window too large": lambda: F.deform_conv2d(X[:, :, :2], zeros(1, 0, 7), W),
    "mask": lambda: F.deform_conv2d(X, zeros(1, 5, 7), W, mask=fastdl.ones((2, 8, 5, 7))),
    "bias": lambda: F.deform_conv2d(X, zeros(1, 5, 7), W, fastdl.ones((5,))),
}


@pytest.mark.parametrize("name", BAD)
def test_shapes_that_do_not_fit(name):
    with pytest.raises(ShapeError) as caught:
        BAD[name]()
    assert caught.value.op == "deform_conv2d"


def test_other_bad_arguments():
    for option in ("stride", "padding", "dilation"):
        for bad in (-1, 2**62, [1, -1], [1, 1, 1]):
            with pytest.raises(ArgumentError):
                F.deform_conv2d(X, zeros(1, 5, 7), W, **{option: bad})
    with pytest.raises(DTypeError):
        F.deform_conv2d(X, zeros(1, 5, 7).double(), W)
    for far in (1e30, -1e30, float("inf"), float("-inf")):
        offset = fastdl.full((2, 18, 5, 7), far)
        assert not F.deform_conv2d(X, offset, W).numpy().any()
    nowhere = fastdl.full((2, 18, 5, 7), float("nan"))
    assert F.deform_conv2d(X, nowhere, W).shape == (2, 6, 5, 7)
