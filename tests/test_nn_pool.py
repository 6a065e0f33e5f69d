"""Pooling layers, and the functions that are composed of pooling."""

import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd, nn
from tests import references_pool as ref

RNG = np.random.default_rng(7)
ROW, IMAGE, VOLUME = (RNG.standard_normal((2, 3, *s)) for s in ((9,), (7, 6), (5, 6, 4)))
INPUTS = {1: ROW, 2: IMAGE, 3: VOLUME}


def close(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
class TestLayers:
    def layer(self, name, dims, *args, **kwargs):
        return getattr(nn, f"{name}{dims}d")(*args, **kwargs)

    def test_max(self, dims):
        x = INPUTS[dims]
        layer = self.layer("MaxPool", dims, 3, 2, 1, ceil_mode=True)
        close(layer(fastdl.tensor(x)), getattr(ref, f"max_pool{dims}d")(x, 3, 2, 1, 1, True))
        assert "kernel_size=3, stride=2, padding=1" in repr(layer)
        assert layer.state_dict() == {}

    def test_max_dilated(self, dims):
        x = INPUTS[dims]
        layer = self.layer("MaxPool", dims, 2, 1, dilation=2)
        close(layer(fastdl.tensor(x)), getattr(ref, f"max_pool{dims}d")(x, 2, 1, 0, 2))

    def test_average(self, dims):
        x = INPUTS[dims]
        layer = self.layer("AvgPool", dims, 3, 2, 1, count_include_pad=False)
        expected = getattr(ref, f"avg_pool{dims}d")(x, 3, 2, 1, False, False)
        close(layer(fastdl.tensor(x)), expected)

    def test_unpooled_maxima_are_pooled_to_themselves(self, dims):
        x = np.abs(INPUTS[dims])
        pool = self.layer("MaxPool", dims, 2, return_indices=True)
        values, indices = pool(fastdl.tensor(x))
        back = self.layer("MaxUnpool", dims, 2)(values, indices, list(x.shape))
        assert back.shape == x.shape
        again, same = pool(back)
        np.testing.assert_array_equal(again.numpy(), values.numpy())
        np.testing.assert_array_equal(same.numpy(), indices.numpy())
        kept = back.numpy() != 0
        np.testing.assert_array_equal(back.numpy()[kept], x[kept])

    def test_adaptive(self, dims):
        x = INPUTS[dims]
        for size in (4, (None,) * (dims - 1) + (3,)):
            layer = self.layer("AdaptiveAvgPool", dims, size)
            close(layer(fastdl.tensor(x)), getattr(ref, f"adaptive_avg_pool{dims}d")(x, size))
            layer = self.layer("AdaptiveMaxPool", dims, size, return_indices=True)
            expected = getattr(ref, f"adaptive_max_pool{dims}d")(x, size, True)
            for got, wanted in zip(layer(fastdl.tensor(x)), expected, strict=True):
                np.testing.assert_array_equal(got.numpy(), wanted)

    @pytest.mark.parametrize("p", [1, 2, 3.5, math.inf])
    def test_power_mean(self, dims, p):
        x = np.abs(INPUTS[dims])
        if math.isinf(p):
            expected = getattr(ref, f"max_pool{dims}d")(x, 2, 1)
        else:
            sums = getattr(ref, f"avg_pool{dims}d")(x**p, 2, 1) * 2**dims
            expected = sums ** (1 / p)
        close(self.layer("LPPool", dims, p, 2, 1)(fastdl.tensor(x)), expected)
        pooled = getattr(F, f"lp_pool{dims}d")(fastdl.tensor(x), p, (2,) * dims, 1)
        close(pooled, expected)

    def test_size_zero_is_refused(self, dims):
        for name in ("AdaptiveAvgPool", "AdaptiveMaxPool"):
            with pytest.raises(fastdl.errors.ArgumentError, match="output_size is 0"):
                self.layer(name, dims, 0)


def derivatives(function, x):
    """The gradient of sum(f(x)^2) along a direction, and that of this, against differences."""
    along = fastdl.tensor(RNG.uniform(-1, 1, x.shape))

    def slope(at, again=False):
        t = fastdl.tensor(at, requires_grad=True)
        y = function(t)
        (g,) = autograd.grad((y * y * 0.5).sum(), [t], create_graph=again)
        total = (g * along).sum()
        return (total, *autograd.grad(total, [t])) if again else (y * y * 0.5).sum(), total

    (total, second), _ = slope(x, again=True)
    step = 1e-5 * along.numpy()
    (up, slope_up), (down, slope_down) = slope(x + step), slope(x - step)
    assert total.item() == pytest.approx((up.item() - down.item()) / 2e-5, rel=1e-6)
    expected = (slope_up.item() - slope_down.item()) / 2e-5
    assert (second * along).sum().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda t: F.lp_pool2d(t, 3, 2, 1),
        lambda t: F.lp_pool1d(t.reshape(2, 3, 42), 1.5, 4),
        F.global_average_pool,
        F.global_lp_pool,
        lambda t: F.spatial_pyramid_pool(t, [3, 1], "average"),
        F.spatial_pyramid_pool,
    ],
)
def test_derivatives_of_composed_pooling(function):
    derivatives(function, np.abs(IMAGE) + 0.1)


def test_power_mean_of_zeros_has_no_gradient():
    x = fastdl.zeros(1, 1, 4, 4, requires_grad=True)
    F.lp_pool2d(x, 2, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((1, 1, 4, 4)))


@pytest.mark.parametrize("x", [IMAGE[..., 0, 0], ROW, IMAGE, VOLUME], ids=lambda x: str(x.ndim))
def test_global_pooling(x):
    axes, t = tuple(range(2, x.ndim)), fastdl.tensor(x)
    close(nn.GlobalAveragePool()(t), x.mean(axis=axes, keepdims=True))
    close(nn.GlobalMaxPool()(t), x.max(axis=axes, keepdims=True))
    close(nn.GlobalLpPool(3)(t), (np.abs(x) ** 3).sum(axis=axes, keepdims=True) ** (1 / 3))
    close(F.global_lp_pool(t, math.inf), np.abs(x).max(axis=axes, keepdims=True))


def test_global_average_keeps_the_memory_format():
    x = fastdl.tensor(IMAGE).to(memory_format=fastdl.channels_last)
    close(F.global_average_pool(x), IMAGE.mean(axis=(2, 3), keepdims=True))


def test_spatial_pyramid():
    layer = nn.SpatialPyramidPool((3, 1))
    parts = [ref.adaptive_max_pool2d(IMAGE, n).reshape(2, -1) for n in (3, 1)]
    close(layer(fastdl.tensor(IMAGE)), np.concatenate(parts, axis=1))
    for height, width in ((3, 11), (20, 2)):  # any size gives the same length
        assert layer(fastdl.ones(2, 3, height, width)).shape == (2, 30)
    average = nn.SpatialPyramidPool([2], mode="average")(fastdl.tensor(IMAGE))
    close(average, ref.adaptive_avg_pool2d(IMAGE, 2).reshape(2, -1))


def test_an_average_in_channels_last_stays_there():
    x = fastdl.tensor(IMAGE).to(memory_format=fastdl.channels_last)
    x.requires_grad = True
    y = F.adaptive_avg_pool2d(x, (3, 4))
    assert y.is_contiguous(memory_format=fastdl.channels_last)
    close(y, ref.adaptive_avg_pool2d(IMAGE, (3, 4)))
    plain = fastdl.tensor(IMAGE, requires_grad=True)
    weights = fastdl.tensor(RNG.standard_normal(y.shape))
    (y * weights).sum().backward()
    (F.adaptive_avg_pool2d(plain, (3, 4)) * weights).sum().backward()
    close(x.grad, plain.grad.numpy())


# regions


def test_region_layers():
    boxes = np.array([[0, 1.3, 0.2, 4.1, 5.7], [1, 0.4, 2.2, 5.0, 6.3], [1, -2.1, -1.3, 2.2, 3.4]])
    x = fastdl.tensor(IMAGE)
    align = nn.RoIAlign((2, 3), 0.5, 2, aligned=True)
    expected = ref.roi_align(IMAGE, boxes, (2, 3), 0.5, 2, True)
    close(align(x, fastdl.tensor(boxes)), expected)
    pool = nn.RoIPool(2, 1.0)
    close(pool(x, fastdl.tensor(boxes)), ref.roi_pool(IMAGE, boxes, 2, 1.0))
    per_image = [fastdl.tensor(boxes[:1, 1:]), fastdl.tensor(boxes[1:, 1:])]
    close(align(x, per_image), expected)
    close(pool(x, per_image), ref.roi_pool(IMAGE, boxes, 2, 1.0))
    assert "sampling_ratio=2" in repr(align)


def test_a_box_of_the_whole_image_is_adaptive_pooling():
    whole = [fastdl.tensor([[0.0, 0.0, 5.0, 6.0]], dtype="float64")] * 2
    close(F.roi_pool(fastdl.tensor(IMAGE), whole, (3, 4)), ref.adaptive_max_pool2d(IMAGE, (3, 4)))


def test_aligned_means_of_a_plane_are_exact():
    """Of a linear function, samples are its values, and their mean is that of the bin's centre."""
    rows, columns = np.mgrid[0:12, 0:10].astype(float)
    plane = fastdl.tensor((2 * rows - columns)[None, None])
    box = fastdl.tensor([[0, 1.5, 2.5, 7.5, 8.5]], dtype="float64")
    got = F.roi_align(plane, box, 3, aligned=True).numpy()[0, 0]
    centres = np.arange(3) * 2 + 1.0
    np.testing.assert_allclose(got, 2 * (centres[:, None] + 2) - (centres + 1), rtol=1e-12)


def test_boxes_may_be_wider_than_the_input():
    boxes = np.array([[0, 0.5, 0.5, 4.25, 5.5]])
    x = fastdl.tensor(IMAGE).half()
    got = F.roi_align(x, fastdl.tensor(boxes, dtype="float32"), 2)
    assert got.dtype == fastdl.float16
    np.testing.assert_allclose(got.float().numpy(), ref.roi_align(IMAGE, boxes, 2), atol=3e-3)


def test_a_huge_box_does_not_hang():
    box = fastdl.tensor([[0, -1e6, -1e6, 1e6, 1e6]], dtype="float64", requires_grad=False)
    x = fastdl.tensor(IMAGE, requires_grad=True)
    y = F.roi_align(x, box, 2)
    y.sum().backward()
    assert np.isfinite(y.detach().numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()
    assert F.roi_pool(x, box, 2).shape == (1, 3, 2, 2)


def test_nan_wins_in_regions():
    image = IMAGE.copy()
    image[0, 0, 2, 2] = np.nan
    pooled = F.roi_pool(fastdl.tensor(image), np.array([[0.0, 0, 0, 5, 6]]), 1).numpy()
    assert np.isnan(pooled[0, 0, 0, 0])
    assert np.isfinite(pooled[0, 1:]).all()


def test_global_max_and_lp_pooling_of_volumes():
    x = np.random.default_rng(8).normal(size=(2, 3, 4, 6, 5))
    np.testing.assert_array_equal(
        F.global_max_pool(fastdl.tensor(x)).numpy(), x.max((2, 3, 4), keepdims=True)
    )
    windows = x[:, :, :, :, :4].reshape(2, 3, 2, 2, 3, 2, 2, 2)
    expected = (np.abs(windows) ** 3).sum((3, 5, 7)) ** (1 / 3)
    got = F.lp_pool3d(fastdl.tensor(np.abs(x)), 3.0, 2)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)
