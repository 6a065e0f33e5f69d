"""Sorting, searching and counting beyond the case table: every way through the kernels."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from tests import references_sort as ref
from tests.oprow import DEVICES, to_array, to_tensor

# Around where rows are sorted in another way, and share threads.
LENGTHS = (1, 2, 31, 33, 127, 129, 300, 1500)
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")


def drawn(dtype, *shape, seed=0):
    """Every bit pattern there is, so NaN of all kinds, infinities and both zeros among them."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return fastdl.tensor(rng.integers(0, 2, shape).astype(bool))
    if dtype in ("float16", "bfloat16"):
        words = rng.integers(0, 1 << 16, shape).astype(np.uint32)
        wide = (words << 16).view(np.float32)  # bfloat16
        if dtype == "float16":
            wide = words.astype(np.uint16).view(np.float16).astype(np.float32)
        return fastdl.tensor(wide).to(dtype)
    words = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    few = rng.integers(0, 2, shape).astype(bool)  # half of them from a few values
    values = words.reshape(-1).view(dtype).reshape(shape)
    usual = np.asarray([0, 1, 3, 1]).astype(dtype)[words[..., 0] % 4]
    return fastdl.tensor(np.where(few, usual, values))


def same(got, wanted):
    np.testing.assert_array_equal(to_array(got[0]), wanted[0])
    np.testing.assert_array_equal(got[1].cpu().numpy(), wanted[1])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_every_value_in_order(dtype, length, device):
    x = drawn(dtype, 3, length, seed=length)
    values = to_array(x)
    for descending in (False, True):
        same(F.sort(x.to(device), descending=descending), ref.sort(values, -1, descending))
        for k in {1, length // 16, length // 3, length}:
            same(F.topk(x.to(device), k, largest=descending), ref.topk(values, k, -1, descending))


@pytest.mark.parametrize("dtype", ["float32", "int64", "float16"])
@pytest.mark.parametrize("spread", [1, 4, 1 << 30])
def test_long_rows(dtype, spread, threads):
    """Rows that threads share, with bytes that are the same in all keys."""
    rng = np.random.default_rng(spread)
    values = rng.integers(-spread, spread, (2, 270_000))
    x = to_tensor(values.astype(np.float64), dtype) if "f" in dtype else fastdl.tensor(values)
    wanted = ref.sort(to_array(x), -1, True)
    for count in (1, 3):
        threads(count)
        same(F.sort(x, descending=True), wanted)
        for k in (1, 10, 3000, 100_000):
            same(F.topk(x, k), (wanted[0][:, :k], wanted[1][:, :k]))


def test_topk_of_a_part_that_is_too_short():
    """The last part of a shared row has fewer elements than are wanted."""
    x = np.random.default_rng(0).permutation(3 * 131072 + 5).astype(np.float32)
    same(F.topk(fastdl.tensor(x), 9, largest=False), ref.topk(x, 9, -1, False))


@pytest.mark.parametrize("device", DEVICES)
def test_topk_in_any_order(device):
    x = np.random.default_rng(0).integers(0, 50, (3, 900)).astype(np.float32)
    values, index = F.topk(fastdl.tensor(x, device=device), 30, sorted=False)
    wanted = ref.topk(x, 30)
    np.testing.assert_array_equal(np.sort(index.cpu().numpy(), -1), np.sort(wanted[1], -1))
    np.testing.assert_array_equal(
        values.cpu().numpy(), np.take_along_axis(x, index.cpu().numpy(), -1)
    )


def test_sort_of_zero_keeps_its_sign():
    values, index = F.sort(fastdl.tensor([0.0, -0.0, 1.0, -0.0]))
    assert index.numpy().tolist() == [0, 1, 3, 2]
    assert np.signbit(values.numpy()).tolist() == [False, True, True, False]


def test_gradient_goes_where_the_element_was():
    x = fastdl.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, index = x.sort(descending=True)
    assert not index.requires_grad
    (g,) = autograd.grad((values * fastdl.tensor([1.0, 10.0, 100.0])).sum(), [x])
    assert g.numpy().tolist() == [1.0, 100.0, 10.0]


# counting


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_bincount_of_any_integers(dtype, device):
    x = np.random.default_rng(0).integers(0, 200, 5000).astype(dtype)
    got = F.bincount(fastdl.tensor(x, device=device), minlength=150)
    np.testing.assert_array_equal(got.cpu().numpy(), np.bincount(x))
    assert got.dtype == fastdl.int64


def test_sums_of_16_bit_weights_do_not_stop_growing():
    ones = fastdl.ones((5000,), dtype="bfloat16")
    assert F.bincount(fastdl.zeros((5000,), dtype="int64"), ones).item() == 4992  # 5000, rounded


def test_counts_on_any_number_of_threads(threads):
    x = np.random.default_rng(0).integers(0, 70_000, 400_000)
    for count in (1, 3):
        threads(count)
        np.testing.assert_array_equal(F.bincount(fastdl.tensor(x)).numpy(), np.bincount(x))


def test_histc_of_equal_elements():
    assert F.histc(fastdl.tensor([1.0, 1.0, 1.0]), 4).numpy().tolist() == [0, 0, 3, 0]
    assert F.histc(fastdl.tensor([1e30, 1e30], dtype="float64"), 3).sum().item() == 2


def test_histc_counts_borders_above_and_the_last_one():
    x = fastdl.tensor([0.0, 1.0, 2.0, 3.0, 4.0, float("nan"), -1.0, 5.0])
    assert F.histc(x, 4, 0, 4).numpy().tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize("device", DEVICES)
def test_unique_takes_each_nan_for_itself(device):
    x = fastdl.tensor([float("nan"), 1.0, float("nan"), -0.0, 0.0], device=device)
    values, inverse, counts = F.unique(x, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(values.cpu().numpy(), [0, 1, np.nan, np.nan])
    assert inverse.cpu().numpy().tolist() == [2, 1, 3, 0, 0]
    assert counts.cpu().numpy().tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("device", DEVICES)
def test_unique_of_bools(device):
    x = fastdl.tensor([[True, False], [True, True], [True, False]], device=device)
    assert F.unique(x).cpu().numpy().tolist() == [False, True]
    rows, inverse = F.unique(x, dim=0, return_inverse=True)
    assert rows.cpu().numpy().tolist() == [[True, False], [True, True]]
    assert inverse.cpu().numpy().tolist() == [0, 1, 0]
