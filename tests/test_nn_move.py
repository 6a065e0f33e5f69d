"""Layers that pad, fold and unflatten; creation of ranges and identities; methods of views."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd, nn
from tests import references_move as ref

RNG = np.random.default_rng(0)
MODES = {"Reflection": "reflect", "Replication": "replicate", "Circular": "circular"}


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Constant", "Zero", *MODES])
def test_padding(kind, dims):
    x = RNG.uniform(-1, 1, (2, 3, *(4, 5, 6)[:dims]))
    extra = (1.5,) if kind == "Constant" else ()
    for padding in (2, tuple(range(2 * dims - 1, -1, -1))[-2 * dims :], (-1, 2) * dims):
        numbers = [padding] * 2 * dims if isinstance(padding, int) else padding
        if max(numbers) > 3:
            numbers = padding = tuple(min(n, 3) for n in numbers)
        layer = getattr(nn, f"{kind}Pad{dims}d")(padding, *extra)
        wanted = ref.pad(x, list(numbers), MODES.get(kind, "constant"), *extra)
        np.testing.assert_array_equal(layer(x).numpy(), wanted)
        assert not layer.state_dict()
    assert repr(nn.ConstantPad1d(1, 2.5)) == "ConstantPad1d((1, 1), value=2.5)"
    assert repr(nn.ZeroPad2d(1)) == "ZeroPad2d((1, 1, 1, 1))"


def test_padding_keeps_channels_last():
    x = fastdl.tensor(RNG.uniform(-1, 1, (2, 3, 4, 5))).contiguous(
        memory_format=fastdl.channels_last
    )
    for layer in (nn.ZeroPad2d(1), nn.ReflectionPad2d(1)):
        y = layer(x)
        assert y.is_contiguous(memory_format=fastdl.channels_last)
        np.testing.assert_array_equal(y.numpy(), layer(x.contiguous()).numpy())


def test_fold_and_unfold():
    x = RNG.uniform(-1, 1, (2, 3, 7, 6))
    options = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}
    columns = nn.Unfold(**options)(fastdl.tensor(x))
    np.testing.assert_array_equal(columns.numpy(), ref.unfold(x, **options))
    image = nn.Fold((7, 6), **options)(columns)
    np.testing.assert_allclose(image.numpy(), ref.fold(columns.numpy(), (7, 6), **options))
    # Each element comes back as often as windows cover it.
    ones = fastdl.ones((1, 1, 7, 6), dtype="float64")
    times = nn.Fold((7, 6), **options)(nn.Unfold(**options)(ones))
    np.testing.assert_allclose(image.numpy(), x * times.numpy())
    assert "dilation=(1, 2)" in repr(nn.Unfold(**options))
    assert "output_size=(7, 6)" in repr(nn.Fold((7, 6), **options))


def test_unfold_is_a_convolution():
    """A convolution is the product of the filters and the columns."""
    x, w = RNG.uniform(-1, 1, (2, 3, 7, 6)), RNG.uniform(-1, 1, (4, 3, 3, 2))
    columns = F.unfold(x, (3, 2), padding=1)
    y = F.matmul(fastdl.tensor(w.reshape(4, -1)), columns)
    np.testing.assert_allclose(
        y.numpy().ravel(), F.conv2d(x, w, padding=1).numpy().ravel(), rtol=1e-12, atol=1e-12
    )


def test_unflatten():
    x = RNG.uniform(-1, 1, (2, 12))
    layer = nn.Unflatten(1, (3, -1, 2))
    np.testing.assert_array_equal(layer(x).numpy(), x.reshape(2, 3, 2, 2))
    assert repr(layer) == "Unflatten(dim=1, unflattened_size=(3, -1, 2))"
    both = fastdl.Sequential(layer, nn.Flatten())
    np.testing.assert_array_equal(both(fastdl.tensor(x)).numpy(), x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
def test_linspace(dtype):
    for start, end, steps in (
        (0, 1, 5),
        (3, -2, 6),
        (0.1, 0.7, 7),
        (2, 5, 1),
        (0, 1, 0),
        (1, 1, 4),
    ):
        got = fastdl.linspace(start, end, steps, dtype=dtype).double().numpy()
        wanted = np.linspace(start, end, steps)
        if dtype == "int64":
            np.testing.assert_array_equal(got, np.trunc(wanted))
            continue
        np.testing.assert_allclose(got, wanted, rtol=2e-3 if dtype == "float16" else 1e-6)
        if steps > 1:
            assert got[-1] == fastdl.tensor(float(end), dtype=dtype).item()
    far = fastdl.linspace(-1e308, 1e308, 3, dtype="float64").numpy()
    np.testing.assert_allclose(far, [-1e308, 0, 1e308])


def test_eye():
    for shape in ((3,), (2, 4), (4, 2), (0,), (3, 0)):
        np.testing.assert_array_equal(fastdl.eye(*shape).numpy(), np.eye(*shape, dtype="float32"))
    assert fastdl.eye(2, dtype="int64").dtype == fastdl.int64


def test_methods_of_views():
    x, y = fastdl.arange(6).reshape(2, 3), fastdl.zeros((3, 2))
    assert x.view_as(y).tolist() == x.reshape_as(y).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert fastdl.arange(3).expand_as(x).tolist() == [[0, 1, 2]] * 2
    assert x.mT.tolist() == x.T.tolist()


@pytest.mark.parametrize(
    "window", [(0, 2, 1), (1, 3, 2), (2, 2, 3), (-1, 4, 2), (1, 0, 1), (1, 5, 7)]
)
def test_windows_of_a_dimension(window):
    dim, size, step = window
    x = RNG.uniform(-1, 1, (2, 5, 4))
    count = (x.shape[dim] - size) // step + 1
    wanted = np.stack(
        [np.moveaxis(np.take(x, range(i * step, i * step + size), axis=dim), dim, -1)
         for i in range(count)], axis=dim % 3,
    )  # fmt: skip
    t = fastdl.tensor(x, requires_grad=True)
    y = t.unfold(dim, size, step)
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    # The sum of squares: its gradient is twice each element, as often as windows have it.
    (gradient,) = autograd.grad((y * y).sum(), [t], create_graph=True)
    times = sum(
        np.isin(np.arange(x.shape[dim]), range(i * step, i * step + size)) for i in range(count)
    )
    shape = [-1 if d == dim % 3 else 1 for d in range(3)]
    np.testing.assert_allclose(gradient.detach().numpy(), 2 * x * times.reshape(shape))
    (second,) = autograd.grad((gradient * gradient).sum(), [t])
    np.testing.assert_allclose(second.numpy(), 8 * x * (times.reshape(shape) ** 2))


def test_parts_record_one_join():
    """Unused parts have a gradient of zeros, and the parts are views."""
    x = fastdl.tensor(RNG.uniform(-1, 1, (4, 3)), requires_grad=True)
    first, second = x.split(2)
    first.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1] * 3] * 2 + [[0] * 3] * 2)
    assert second.data_ptr() == x.data_ptr() + 2 * 3 * 8
    (row,) = autograd.grad(x.unbind()[2].sum(), [x])
    np.testing.assert_array_equal(row.numpy(), np.arange(4)[:, None] * np.ones(3) == 2)
