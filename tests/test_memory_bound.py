"""Normalisation, pooling and elementwise ops in both memory formats, fused and streamed."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from tests import references as ref


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def channels_last(values):
    """The same images with a pixel's channels as neighbours."""
    t = fastdl.tensor(np.ascontiguousarray(values.transpose(0, 2, 3, 1)))
    return t.permute(0, 3, 1, 2).detach()


def is_channels_last(t):
    return not t.is_contiguous() and t.permute(0, 2, 3, 1).is_contiguous()


def gradients(function, *inputs):
    """The result, and the gradients of its weighted sum in the inputs."""
    inputs = [t.detach() for t in inputs]
    for t in inputs:
        t.requires_grad = True
    y = function(*inputs)
    weights = (channels_last if is_channels_last(y) else fastdl.tensor)(images(*y.shape, seed=9))
    (y * weights).sum().backward()
    return [y.detach(), *[t.grad for t in inputs]]


def agree(ours, expected, tolerance=2e-5):
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance
        )


# formats

FUNCTIONS = {
    "relu": F.relu,
    "tanh": F.tanh,
    "add": lambda x: x + x * 2,
    "bias": lambda x: x + fastdl.tensor(images(1, x.shape[1], 1, 1, seed=4)),
    "where": lambda x: F.where(x > 0, x, x * 0.5),
    "float64": lambda x: x.double().float(),
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d, dilated": lambda x: F.max_pool2d(x, 2, 1, 1, 2, True),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1, True),
    "batch_norm": lambda x: F.batch_norm(x, training=True),
    "batch_norm + relu": lambda x: F.batch_norm(x, training=True, activation="relu"),
}


@pytest.mark.parametrize("shape", [(2, 5, 7, 6), (3, 64, 9, 11), (2, 130, 3, 3), (1, 2, 3, 5)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_channels_last_stays_and_agrees(name, shape):
    x = images(*shape)
    first = gradients(FUNCTIONS[name], fastdl.tensor(x))
    last = gradients(FUNCTIONS[name], channels_last(x))
    assert all(is_channels_last(t) for t in last)
    agree(last, first)


@pytest.mark.parametrize("swapped", [False, True])
def test_batch_norm_takes_a_residual_in_either_format(swapped):
    x, r = images(3, 9, 5, 4), images(3, 9, 5, 4, seed=1)

    def fused(x, r, w, b):
        return F.batch_norm(x, None, None, w, b, True, residual=r, activation="relu")

    def parts(x, r, w, b):
        return F.relu(F.batch_norm(x, None, None, w, b, True) + r)

    w, b = fastdl.tensor(images(9, seed=2)), fastdl.tensor(images(9, seed=3))
    formats = (fastdl.tensor, channels_last) if swapped else (channels_last, fastdl.tensor)
    expected = gradients(parts, fastdl.tensor(x), fastdl.tensor(r), w, b)
    agree(gradients(fused, formats[0](x), formats[1](r), w, b), expected)


# batch norm


@pytest.mark.parametrize(
    "shape",
    [(2, 8, 1030, 1020), (2, 3, 900, 400), (70, 9, 40, 40), (600, 16, 17, 16)],
    ids=["rows larger than the cache", "few channels", "whole channels", "chunks of samples"],
)
def test_batch_norm_by_whole_channels_and_by_passes(shape):
    x = images(*shape) + 3
    axes = (0, 2, 3)
    mean, variance = fastdl.zeros((shape[1],)), fastdl.ones((shape[1],))
    y = F.batch_norm(fastdl.tensor(x), mean, variance, training=True, momentum=1.0)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean.numpy(), wide.mean(axes), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), wide.var(axes, ddof=1), rtol=1e-5)
    expected = ref.batch_norm(wide, training=True)
    np.testing.assert_allclose(y.numpy(), expected, atol=3e-6)
    last = F.batch_norm(channels_last(x), training=True)
    np.testing.assert_allclose(last.numpy(), expected, atol=3e-6)


def test_batch_norm_does_not_cancel():
    """A mean that is 10,000 times the deviation leaves what float32 can hold of it."""
    x = images(8, 16, 31, 33) + 10_000
    y = F.batch_norm(fastdl.tensor(x), training=True)
    np.testing.assert_allclose(
        y.numpy(), ref.batch_norm(x.astype(np.float64), training=True), atol=2e-3
    )


def test_batch_norm_of_nan_and_infinity():
    x = images(2, 9, 4, 5)
    x[1, 2, 3, 4] = np.nan
    x[0, 5, 0, 0] = np.inf
    y = F.batch_norm(fastdl.tensor(x), training=True, activation="relu").numpy()
    assert np.isnan(y[:, [2, 5]]).all()
    assert np.isfinite(np.delete(y, [2, 5], axis=1)).all()


@pytest.mark.parametrize("layer", [fastdl.nn.BatchNorm2d(5), fastdl.nn.BatchNorm2d(5).eval()])
def test_layer_takes_residual_and_activation(layer):
    x, r = fastdl.tensor(images(2, 5, 4, 3)), fastdl.tensor(images(2, 5, 4, 3, seed=1))
    agree([layer(x, residual=r, activation="relu")], [F.relu(layer(x) + r)])
    agree([layer(x, activation="relu")], [F.relu(layer(x))])
    with pytest.raises(fastdl.errors.ArgumentError, match="unknown activation 'softmax'"):
        layer(x, activation="softmax")
    with pytest.raises(fastdl.errors.ShapeError, match="residual"):
        layer(x, residual=r[:1])


def test_batch_norm_refuses_a_negative_slope():
    with pytest.raises(fastdl.errors.ArgumentError, match="slope is -1"):
        F.batch_norm(fastdl.tensor(images(2, 3)), training=True, activation="leaky_relu", slope=-1)


# layer norm


def test_layer_norm_layer():
    x = images(3, 4, 6)
    layer = fastdl.nn.LayerNorm((4, 6))
    np.testing.assert_allclose(
        layer(fastdl.tensor(x)).detach().numpy(), ref.layer_norm(x, (4, 6)), atol=1e-6
    )
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert fastdl.nn.LayerNorm(6, elementwise_affine=False).weight is None
    assert fastdl.nn.LayerNorm(6, bias=False).bias is None
    assert F.layer_norm(fastdl.zeros((3, 0)), 0).shape == (3, 0)
    with pytest.raises(fastdl.errors.ShapeError, match="normalized_shape"):
        layer(fastdl.zeros((3, 6, 4)))
    with pytest.raises(fastdl.errors.ShapeError, match="weight"):
        F.layer_norm(fastdl.tensor(x), 6, fastdl.ones((5,)))
    with pytest.raises(fastdl.errors.ArgumentError, match="normalized_shape is 0"):
        fastdl.nn.LayerNorm(0)


def test_layer_norm_sums_many_rows():
    """The gradients of weight and bias do not lose digits over 60,000 rows."""
    x, g = images(60_001, 9), images(60_001, 9, seed=1) + 1
    w, b = fastdl.ones((9,)), fastdl.zeros((9,))
    w.requires_grad = b.requires_grad = True
    (F.layer_norm(fastdl.tensor(x), 9, w, b) * fastdl.tensor(g)).sum().backward()
    wide = g.astype(np.float64)
    np.testing.assert_allclose(b.grad.numpy(), wide.sum(0), rtol=2e-6)
    normal = ref.layer_norm(x.astype(np.float64), 9)
    np.testing.assert_allclose(w.grad.numpy(), (wide * normal).sum(0), rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("dtype", [fastdl.float32, fastdl.float64, fastdl.bfloat16])
@pytest.mark.parametrize("width", [1, 10, 112, 256, 257, 700])
@pytest.mark.parametrize("rows", [1, 2, 15, 17, 333])
def test_layer_norm_of_rows_together_is_that_of_each_row(rows, width, dtype):
    x = fastdl.tensor(5 + images(rows, width)).to(dtype)
    w, b = fastdl.tensor(images(width, seed=1)), fastdl.tensor(images(width, seed=2))
    if dtype == fastdl.float64:
        w, b = w.double(), b.double()
    y = F.layer_norm(x, width, w, b).double().numpy()
    alone = [F.layer_norm(x[i : i + 1], width, w, b) for i in range(rows)]
    np.testing.assert_array_equal(y, np.concatenate([r.double().numpy() for r in alone]))
    weight, bias = (t.double().numpy() for t in (w, b))
    expected = ref.layer_norm(x.double().numpy(), width) * weight + bias
    tolerance = 5e-2 if dtype == fastdl.bfloat16 else 1e-4
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


# pooling


def windows(x, kernel, stride, padding, fill):
    """[planes, p, q, kernel * kernel] in NumPy."""
    edge = ((0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x.reshape(-1, *x.shape[2:]), edge, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    view = view[:, ::stride, ::stride]
    return view.reshape(*view.shape[:3], kernel * kernel)


@pytest.mark.parametrize("make", [fastdl.tensor, channels_last], ids=["first", "last"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 0), (3, 1, 1), (16, 3, 8)]
)
def test_max_pool_gives_the_gradient_to_the_first_maximum(make, kernel, stride, padding):
    """With many ties and some NaN; 16 x 16 taps do not fit a byte."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, 5, 37, 41)).astype(np.float32)
    x[rng.random(x.shape) < 0.002] = np.nan
    t = make(x)
    t.requires_grad = True
    y = F.max_pool2d(t, kernel, stride, padding)
    taps = windows(x, kernel, stride, padding, -np.inf)
    np.testing.assert_array_equal(y.detach().numpy().reshape(taps.shape[:3]), taps.max(-1))
    with fastdl.no_grad():
        np.testing.assert_array_equal(
            F.max_pool2d(t, kernel, stride, padding).numpy(), y.detach().numpy()
        )
    y.sum().backward()
    first = np.argmax(taps, -1)  # the first NaN, else the first maximum
    expected = np.zeros((10, 37 + 2 * padding, 41 + 2 * padding))
    plane, p, q = np.indices(first.shape)
    np.add.at(expected, (plane, p * stride + first // kernel, q * stride + first % kernel), 1)
    inside = expected[:, padding : padding + 37, padding : padding + 41]
    np.testing.assert_array_equal(t.grad.numpy().reshape(inside.shape), inside)


# Planes of one window, of rows narrower than a register, as wide as one or two, and one element
# more; heights and widths that windows cover, or leave an element of; more rows than a strip has.
SMALL_PLANES = [(2, 2), (3, 5), (10, 10), (11, 9), (4, 33), (6, 31), (5, 64), (150, 3)]


@pytest.mark.parametrize("dtype", [fastdl.float32, fastdl.float64, fastdl.bfloat16])
@pytest.mark.parametrize("plane", SMALL_PLANES, ids=lambda p: f"{p[0]}x{p[1]}")
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(2, 2, 0), (1, 2, 0), (2, 3, 0), (2, 2, 1), (3, 2, 1), (2, 1, 1), (2, 5, 1)],
)
def test_pools_of_small_planes(plane, kernel, stride, padding, dtype):
    """Ties, NaN, and windows of -infinity alone; whole numbers, which every dtype has."""
    if min(plane) + 2 * padding < kernel or padding > kernel // 2:
        return
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (3, 7, *plane)).astype(np.float32)
    x[rng.random(x.shape) < 0.01] = np.nan
    x[:, 3] = -np.inf
    taps = windows(x, kernel, stride, padding, -np.inf)
    t = fastdl.tensor(x).to(dtype).detach()
    t.requires_grad = True
    y = F.max_pool2d(t, kernel, stride, padding)
    with fastdl.no_grad():
        inference = F.max_pool2d(t, kernel, stride, padding)
    for result in (y, inference):
        np.testing.assert_array_equal(
            result.detach().float().numpy().reshape(taps.shape[:3]), taps.max(-1)
        )
    g = 1 + np.arange(y.numel()) % 17
    y.backward(fastdl.tensor(g.astype(np.float32).reshape(y.shape)).to(dtype))
    outside = windows(np.zeros_like(x), kernel, stride, padding, 1) == 1
    first = np.argmax(np.where(outside, -2, np.where(np.isneginf(taps), -1, taps)), -1)
    expected = np.zeros((21, plane[0] + 2 * padding + stride, plane[1] + 2 * padding + stride))
    at, p, q = np.indices(first.shape)
    np.add.at(
        expected,
        (at, p * stride + first // kernel, q * stride + first % kernel),
        g.reshape(at.shape),
    )
    inside = expected[:, padding : padding + plane[0], padding : padding + plane[1]]
    np.testing.assert_array_equal(t.grad.float().numpy().reshape(inside.shape), inside)
    finite = fastdl.tensor(np.nan_to_num(x, nan=1, neginf=5)).to(dtype)
    sums = windows(finite.double().numpy(), kernel, stride, padding, 0).sum(-1)
    averages = F.avg_pool2d(finite, kernel, stride, padding).double().numpy()
    tolerance = 1e-2 if dtype == fastdl.bfloat16 else 1e-6
    np.testing.assert_allclose(
        averages.reshape(sums.shape), sums / kernel**2, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("make", [fastdl.tensor, channels_last], ids=["first", "last"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 3, 2), (2, 4, 1)]
)
def test_average_pool_and_its_gradient(make, kernel, stride, padding):
    x = images(2, 5, 37, 43)
    t = make(x)
    t.requires_grad = True
    y = F.avg_pool2d(t, kernel, stride, padding)
    taps = windows(x.astype(np.float64), kernel, stride, padding, 0)
    np.testing.assert_allclose(y.detach().numpy().reshape(taps.shape[:3]), taps.mean(-1), atol=1e-6)
    g = images(*y.shape, seed=1)
    y.backward(fastdl.tensor(g))
    expected = np.zeros((10, 60, 66))
    for i in range(kernel):
        for j in range(kernel):
            rows, columns = i + stride * np.arange(y.shape[2]), j + stride * np.arange(y.shape[3])
            expected[:, rows[:, None], columns] += g.reshape(10, *y.shape[2:]) / kernel**2
    inside = expected[:, padding : padding + 37, padding : padding + 43]
    np.testing.assert_allclose(t.grad.numpy().reshape(inside.shape), inside, atol=1e-6)


# results that are streamed past the caches


LARGE = (4, 64, 130, 140)  # 19 MB in float32, rows not of whole cache lines


@pytest.mark.parametrize("shape", [LARGE, (4, 64, 128, 144)], ids=["ragged", "whole lines"])
def test_streamed_results_are_those_of_small_pieces(shape):
    x, z = fastdl.tensor(images(*shape)), fastdl.tensor(images(*shape, seed=1))
    w, b = fastdl.tensor(images(shape[3])), fastdl.tensor(images(shape[3], seed=1))
    functions = {
        "relu": lambda x, z: F.relu(x),
        "add": lambda x, z: x + z,
        "softmax": lambda x, z: F.softmax(x, 3),
        "log_softmax": lambda x, z: F.log_softmax(x, 3),
        "softmax of columns": lambda x, z: F.softmax(x, 2),
        "layer_norm": lambda x, z: F.layer_norm(x, shape[3], w, b),
        "batch_norm": lambda x, z: F.batch_norm(
            x, fastdl.zeros((64,)), fastdl.ones((64,)), residual=z
        ),
        "max_pool2d": lambda x, z: F.max_pool2d(x, 3, 1, 1),
        "half": lambda x, z: x.to(fastdl.float16),
    }
    for name, function in functions.items():
        whole = function(x, z).numpy()
        parts = [function(x[i : i + 1], z[i : i + 1]).numpy() for i in range(shape[0])]
        np.testing.assert_array_equal(whole, np.concatenate(parts), err_msg=name)


@pytest.mark.parametrize("shape", [LARGE, (4, 64, 128, 144)], ids=["ragged", "whole lines"])
def test_streamed_gradients_are_those_of_small_pieces(shape):
    x = images(*shape)
    functions = {
        "relu": F.relu,
        "softmax": lambda x: F.softmax(x, 3),
        "layer_norm": lambda x: F.layer_norm(x, shape[3]),
        "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
        "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    }

    def gradient(function, x):
        t = fastdl.tensor(x)
        t.requires_grad = True
        y = function(t)
        (y * y).sum().backward()
        return t.grad.numpy()

    for name, function in functions.items():
        parts = np.concatenate([gradient(function, x[i : i + 1]) for i in range(shape[0])])
        np.testing.assert_array_equal(gradient(function, x), parts, err_msg=name)
