"""Running sums and norms beyond the case table."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from tests.oprow import DEVICES, to_array


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(3, 700), (700, 3), (2, 300, 2)])
def test_running_sums_of_integers(shape, device):
    x = np.random.default_rng(0).integers(-9, 9, shape)
    for dim in range(-1, len(shape) - 1):
        for dtype in ("int64", "int32"):
            got = F.cumsum(fastdl.tensor(x.astype(dtype), device=device), dim)
            np.testing.assert_array_equal(got.cpu().numpy(), np.cumsum(x, dim))
            assert got.dtype == fastdl.int64


ORDERS = [0.5, 1.0, 1.5, 2.0, 3.0, float("inf"), float("-inf")]


def derivatives(p, rows, device):
    """The norms' gradient, and that of a function of it."""
    x = fastdl.tensor(rows, dtype="float64", device=device).requires_grad_()
    (first,) = autograd.grad(F.norm(x, p, dim=1).sum(), [x], create_graph=True)
    if not first.requires_grad:
        return to_array(first), np.zeros(x.shape)
    (second,) = autograd.grad((first * first).sum() + first.sum(), [x], allow_unused=True)
    return to_array(first), np.zeros(x.shape) if second is None else to_array(second)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("p", ORDERS)
def test_norm_of_zero_has_no_gradient(p, device):
    for found in derivatives(p, [[0.0, 0.0, 0.0]], device):
        np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("p", [p for p in ORDERS if p not in (2.0, float("-inf"))])
def test_zeros_do_not_matter_to_the_norm_of_the_others(p, device):
    for found, alone in zip(
        derivatives(p, [[0.0, 3.0, 0.0, -2.0]], device),
        derivatives(p, [[3.0, -2.0]], device),
        strict=True,
    ):
        np.testing.assert_allclose(found, [[0.0, alone[0, 0], 0.0, alone[0, 1]]], rtol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
def test_negative_orders(device):
    x = fastdl.tensor([[1.0, -2.0], [0.0, 3.0]], device=device)
    np.testing.assert_allclose(F.norm(x, -1.0, dim=1).cpu().numpy(), [2 / 3, 0.0], rtol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("shape", "dim"), [((20_000,), None), ((20_000, 2), 0), ((2, 300_001), 1)])
def test_long_products(shape, dim, device):
    """Beyond what one chunk of threads, or one block, multiplies."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.999, 1.001, shape)
    got = F.prod(fastdl.tensor(x, device=device), dim)
    np.testing.assert_allclose(to_array(got), np.prod(x, dim), rtol=1e-11)
    whole = rng.integers(-9, 9, shape) * 2 + 1  # odd, so that what wraps around is not 0
    got = F.prod(fastdl.tensor(whole, device=device), dim)
    np.testing.assert_array_equal(got.cpu().numpy(), np.prod(whole, dim))


@pytest.mark.parametrize("device", DEVICES)
def test_products_of_small_integers_do_not_overflow(device):
    for dtype in ("int32", "uint8", "bool"):
        x = np.full((2, 9), 1 if dtype == "bool" else 100).astype(dtype)
        got = F.prod(fastdl.tensor(x, device=device), [0, 1], True)
        assert got.dtype == fastdl.int64
        np.testing.assert_array_equal(
            got.cpu().numpy(), np.prod(x.astype(np.int64), (0, 1))[None, None]
        )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_gradient_of_a_product_with_zeros(zeros, device):
    x = np.asarray([2.0, 3.0, -1.5, 4.0])
    x[:zeros] = 0
    t = fastdl.tensor(x, device=device).requires_grad_()
    (g,) = autograd.grad(F.prod(t), [t])
    np.testing.assert_allclose(to_array(g), [np.prod(np.delete(x, i)) for i in range(4)])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["bool", "float32", "float16", "uint8"])
def test_truth_of_many(dtype, device):
    x = np.zeros((3, 20_000), dtype)
    x[1, -1] = 1
    x[2] = 1
    t = fastdl.tensor(x, device=device)
    assert F.any(t, -1).cpu().numpy().tolist() == [False, True, True]
    assert F.all(t, -1).cpu().numpy().tolist() == [False, False, True]
    assert F.any(t, [0, 1]).item() is True
    assert F.all(t, [-1, 0], keepdim=True).shape == (1, 1)
    assert F.any(t[:, :0], 1).cpu().numpy().tolist() == [False, False, False]
    assert F.all(t[:, :0], 1).cpu().numpy().tolist() == [True, True, True]
