"""Products on the CPU: every path of csrc/cpu/gemm.cc, epilogues, weights that are kept packed."""

import itertools

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core
from fastdl.errors import ArgumentError, AutogradError, ShapeError

# They reach inner products, vectors, wide tiles, serial, in place, thin and blocked; panels and
# groups of rows that are full and not; one block of k and several.
SHAPES = [
    (1, 7, 5),
    (1, 1100, 40),
    (1, 130, 1),
    (1, 700, 1030),
    (1, 300, 4100),
    (2, 1030, 3),
    (3, 520, 530),
    (4, 513, 200),
    (7, 65, 1),
    (1300, 330, 1),
    (8, 64, 33),
    (12, 1100, 70),
    (13, 130, 33),
    (20, 300, 1000),
    (33, 1100, 200),
    (57, 520, 129),
    (64, 700, 17),
    (130, 513, 330),
    (300, 40, 260),
    (1200, 30, 40),
    (0, 5, 3),
    (5, 0, 3),
    (60, 0, 70),
    (3, 5, 0),
]


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def bound(a, b, dtype):
    """Of |error|: 4 sqrt(k) roundings of the sum of |terms|, rounding errors being independent."""
    eps = {np.float16: 2.0**-10, np.float32: 2.0**-23, np.float64: 2.0**-52}[dtype]
    sums = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    wide = 2.0**-23 if dtype == np.float16 else eps
    return sums * wide * 4 * max(1, a.shape[-1]) ** 0.5 + (eps * 4) * (1 + sums.max(initial=0))


def close(got, want, tolerance):
    assert got.shape == want.shape
    assert np.all(np.abs(got.astype(np.float64) - want) <= tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("a_turned", [False, True], ids=["A", "A.T"])
@pytest.mark.parametrize("b_turned", [False, True], ids=["B", "B.T"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_product(shape, a_turned, b_turned, dtype):
    m, k, n = shape
    a, b = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype, seed=1)
    x = fastdl.tensor(np.ascontiguousarray(a.T)).T if a_turned else fastdl.tensor(a)
    y = fastdl.tensor(np.ascontiguousarray(b.T)).T if b_turned else fastdl.tensor(b)
    close((x @ y).numpy(), a.astype(np.float64) @ b.astype(np.float64), bound(a, b, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("k", [5, 512, 1100])
@pytest.mark.parametrize("n", [2, 3, 16, 47, 250, 1030])
def test_a_row_has_the_same_bits_in_any_company(n, k, count, dtype, threads):
    """Wide tiles, in place, thin, blocked: each adds in the same order."""
    threads(count)
    a, b = normal(130, k, dtype=dtype), normal(k, n + 7, dtype=dtype, seed=1)
    whole = (fastdl.tensor(a) @ fastdl.tensor(b)).numpy()[:, :n]
    for rows in (1, 2, 3, 4, 5, 20, 40):
        part = fastdl.tensor(a[:rows]) @ fastdl.tensor(b[:, :n].copy())
        np.testing.assert_array_equal(part.numpy(), whole[:rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fused(shape, activation, dtype):
    m, k, n = shape
    x, w = normal(m, k, dtype=dtype), normal(n, k, dtype=dtype, seed=1)
    bias, residual = normal(n, dtype=dtype, seed=2), normal(m, n, dtype=dtype, seed=3)
    product = x.astype(np.float64) @ w.T.astype(np.float64)
    tensors = [fastdl.tensor(v) for v in (x, w, bias, residual)]
    for with_bias, with_residual in itertools.product((False, True), repeat=2):
        want = product + with_bias * bias.astype(np.float64) + with_residual * residual
        if activation != "none":
            want = np.where(want < 0, want * (0.25 if activation == "leaky_relu" else 0), want)
        got = _core.linear_fused(
            tensors[0],
            tensors[1],
            tensors[2] if with_bias else None,
            tensors[3] if with_residual else None,
            activation,
            0.25,
        )
        close(got.numpy(), want, bound(x, w.T, dtype) + 8 * np.finfo(dtype).eps * 8)


def test_activations_of_what_is_not_finite():
    x = fastdl.tensor(np.eye(3, dtype=np.float32))
    bias = fastdl.tensor(np.array([np.nan, -np.inf, np.inf], np.float32))
    zero = fastdl.zeros((3, 3))
    assert np.array_equal(
        _core.linear_fused(x, zero, bias, None, "relu").numpy(),
        np.tile(np.array([np.nan, 0, np.inf], np.float32), (3, 1)),
        equal_nan=True,
    )


def test_fused_refuses():
    x, w = fastdl.ones((4, 3)), fastdl.ones((5, 3))
    with pytest.raises(ArgumentError, match="relu6"):
        _core.linear_fused(x, w, activation="relu6")
    with pytest.raises(ShapeError, match="residual"):
        _core.linear_fused(x, w, residual=fastdl.ones((4, 4)))
    w.requires_grad_()
    with pytest.raises(AutogradError, match="no_grad"):
        _core.linear_fused(x, w)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[0] >= 13 and s[1] > 0], ids=str)
def test_a_packed_weight_changes_no_bit(shape, dtype):
    m, k, n = shape
    x = fastdl.tensor(normal(m, k, dtype=dtype))
    w = fastdl.tensor(normal(n, k, dtype=dtype, seed=1)).requires_grad_()
    recorded = F.linear(x, w).detach().numpy()
    with fastdl.no_grad():
        for _ in range(2):  # packs, and uses what it packed
            assert np.array_equal(F.linear(x, w).numpy(), recorded)


def test_an_edited_weight_is_packed_anew():
    x, w = fastdl.tensor(normal(32, 128)), fastdl.tensor(normal(64, 128, seed=1))
    before = F.linear(x, w).numpy()
    w.mul_(2.0)
    assert np.array_equal(F.linear(x, w).numpy(), 2 * before)
