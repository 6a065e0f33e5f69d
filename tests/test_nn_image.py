"""Modules that resize and rearrange images."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from tests import references_image as ref

X = np.random.default_rng(0).standard_normal((2, 8, 4, 6))


def of(module, x=X):
    return module(fastdl.tensor(x)).numpy()


def test_upsample():
    module = nn.Upsample(scale_factor=2.0, mode="bicubic", align_corners=False)
    np.testing.assert_allclose(of(module), ref.interpolate(X, scale_factor=2.0, mode="bicubic"))
    assert repr(module) == "Upsample(scale_factor=2.0, mode='bicubic')"
    assert of(nn.Upsample(size=[3, 5])).shape == (2, 8, 3, 5)
    assert not module.state_dict()


def test_upsampling_2d():
    np.testing.assert_array_equal(
        of(nn.UpsamplingNearest2d(scale_factor=3)), X.repeat(3, axis=2).repeat(3, axis=3)
    )
    corners = of(nn.UpsamplingBilinear2d(size=[9, 9]))
    np.testing.assert_allclose(corners[:, :, ::8, ::8], X[:, :, [0, 3]][:, :, :, [0, 5]])
    np.testing.assert_allclose(corners[:, :, 4, 4], X[:, :, 1:3, 2:4].mean((2, 3)))


def test_blur_keeps_a_constant_inside():
    y = of(nn.Blur2d(stride=2), np.ones((1, 2, 6, 6)))
    assert y.shape == (1, 2, 3, 3)
    np.testing.assert_array_equal(y[:, :, 1:, 1:], 1)
    np.testing.assert_array_equal(y[:, :, 0, 0], 0.5625)


def test_pixels():
    there = nn.PixelShuffle(2)
    assert of(there).shape == (2, 2, 8, 12)
    np.testing.assert_array_equal(of(nn.PixelUnshuffle(2), of(there)), X)
    for mode in ("DCR", "CRD", "darknet"):
        deep = of(nn.SpaceToDepth(2, mode))
        assert deep.shape == (2, 32, 2, 3)
        np.testing.assert_array_equal(of(nn.DepthToSpace(2, mode), deep), X)
    np.testing.assert_array_equal(
        of(nn.ChannelShuffle(4))[0, :, 0, 0], X[0, [0, 2, 4, 6, 1, 3, 5, 7], 0, 0]
    )
    assert repr(nn.SpaceToDepth()) == "SpaceToDepth(block_size=2, mode='DCR')"
    with pytest.raises(errors.ArgumentError):
        nn.PixelShuffle(0)


def test_resizing_keeps_the_memory_format():
    x = fastdl.tensor(X).contiguous(memory_format=fastdl.channels_last)
    for mode in ("nearest", "bilinear", "bicubic"):
        y = F.interpolate(x, size=[7, 9], mode=mode)
        assert y.is_contiguous(memory_format=fastdl.channels_last)
        np.testing.assert_allclose(
            y.numpy(), F.interpolate(fastdl.tensor(X), size=[7, 9], mode=mode).numpy(), rtol=1e-12
        )


def test_resizing_to_the_same_size_is_a_copy():
    x = fastdl.tensor(X)
    y = F.interpolate(x, size=[4, 6], mode="bilinear")
    y.fill_(0)
    np.testing.assert_array_equal(x.numpy(), X)


def test_nearest_has_no_rounding_of_ratios():
    """Output j takes input floor(j / s) where floating-point ratios are just below it."""
    x = fastdl.arange(49 * 1.0).reshape(1, 1, 49)
    y = F.interpolate(x, scale_factor=49.0).numpy()
    np.testing.assert_array_equal(y[0, 0], np.repeat(np.arange(49), 49))


def test_infinities_stay_where_they_have_weight():
    x = np.zeros((1, 1, 1, 5))
    x[..., 2] = np.inf
    y = of(nn.Upsample(size=[1, 9], mode="bilinear", align_corners=True), x)[0, 0, 0]
    np.testing.assert_array_equal(np.isinf(y), [0, 0, 0, 1, 1, 1, 0, 0, 0])
    assert not np.isnan(y).any()


def test_resizing_is_captured():
    step = fastdl.capture(lambda t: F.blur2d(F.interpolate(t, size=[9, 5], mode="bilinear")))
    for scale in (1.0, 3.0, -2.0):
        wanted = ref.blur2d(ref.interpolate(X * scale, size=[9, 5], mode="bilinear"))
        np.testing.assert_allclose(step(fastdl.tensor(X * scale)).numpy(), wanted, rtol=1e-12)
