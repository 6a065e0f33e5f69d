"""Random numbers: the same from the same seed, and distributed as they should be."""

import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError

DRAWS = {
    "rand": lambda g: fastdl.rand((1001,), generator=g),
    "randn": lambda g: fastdl.randn((1001,), generator=g),
    "randint": lambda g: fastdl.randint(0, 1000, (1001,), generator=g),
    "randperm": lambda g: fastdl.randperm(1001, generator=g),
    "dropout": lambda g: F.dropout(fastdl.ones((1001,)), 0.3, generator=g),
    "uniform_": lambda g: fastdl.zeros((1001,)).uniform_(-1, 1, generator=g),
    "normal_": lambda g: fastdl.zeros((1001,)).normal_(1, 2, generator=g),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_seed_fixes_the_numbers(draw):
    g, same, other = fastdl.Generator(3), fastdl.Generator(3), fastdl.Generator(4)
    first, second = draw(g).tolist(), draw(g).tolist()
    assert draw(same).tolist() == first
    assert draw(same).tolist() == second
    assert first != second
    assert draw(other).tolist() != first


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_state_can_be_kept(draw):
    g = fastdl.Generator(3)
    draw(g)
    state = g.get_state()
    wanted = draw(g).tolist()
    h = fastdl.Generator(99)
    h.set_state(state)
    assert draw(h).tolist() == wanted
    assert (h.seed, h.offset) == (g.seed, g.offset)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_manual_seed_fixes_the_default(draw):
    state = fastdl.default_generator.get_state()
    try:
        fastdl.manual_seed(11)
        wanted = draw(None).tolist()
        fastdl.manual_seed(11)
        assert draw(None).tolist() == wanted
        assert draw(fastdl.Generator(11)).tolist() == wanted
    finally:
        fastdl.default_generator.set_state(state)


@pytest.mark.parametrize("name", ["rand", "randn"])
def test_threads_draw_the_same(name, threads):
    found = []
    for count in (1, 2):
        threads(count)
        found.append(getattr(fastdl, name)((300_001,), generator=fastdl.Generator(5)).numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", ["rand", "randn"])
def test_draws_do_not_depend_on_how_they_are_cut(name):
    """One draw of 8 is two draws of 4: the generator counts blocks of four."""
    g, h = fastdl.Generator(5), fastdl.Generator(5)
    draw = getattr(fastdl, name)
    whole = draw((8,), generator=g).tolist()
    assert draw((4,), generator=h).tolist() + draw((4,), generator=h).tolist() == whole


N = 200_000


def _moments(values, mean, std):
    """Mean and spread within five standard errors."""
    assert values.mean() == pytest.approx(mean, abs=5 * std / math.sqrt(values.size))
    assert values.std() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform(dtype):
    x = fastdl.rand((N,), dtype=dtype, generator=fastdl.Generator(1)).numpy()
    assert x.dtype == dtype
    assert x.min() >= 0
    assert x.max() < 1
    _moments(x, 0.5, 1 / math.sqrt(12))
    counts = np.histogram(x, 20, (0, 1))[0]
    assert np.abs(counts - N / 20).max() < 6 * math.sqrt(N / 20)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    x = fastdl.randn((N,), dtype=dtype, generator=fastdl.Generator(1)).numpy()
    _moments(x, 0, 1)
    assert np.isfinite(x).all()
    assert np.mean(np.abs(x) < 1) == pytest.approx(0.6827, abs=0.006)
    assert np.mean(x**4) == pytest.approx(3, rel=0.06)
    assert 3.8 < np.abs(x).max() < 7
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(N)


def test_fills_in_place():
    g = fastdl.Generator(2)
    x = fastdl.empty((N,)).uniform_(-3, 5, generator=g).numpy()
    assert x.min() >= -3
    assert x.max() < 5
    _moments(x, 1, 8 / math.sqrt(12))
    _moments(fastdl.empty((N,)).normal_(4, 0.5, generator=g).numpy(), 4, 0.5)
    assert fastdl.empty((3,)).normal_(4, 0).tolist() == [4, 4, 4]


def test_integers():
    x = fastdl.randint(-3, 4, (N,), generator=fastdl.Generator(1)).numpy()
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert np.abs(counts - N / 7).max() < 6 * math.sqrt(N / 7)
    wide = fastdl.randint(-(2**63), 2**63 - 1, (1000,), generator=fastdl.Generator(1)).numpy()
    assert (wide < 0).any()
    assert (wide > 2**62).any()
    assert fastdl.randint(5, 6, (3,)).tolist() == [5, 5, 5]
    with pytest.raises(ArgumentError):
        fastdl.randint(3, 3, (1,))


def test_permutation():
    g = fastdl.Generator(1)
    x = fastdl.randperm(1000, generator=g).numpy()
    assert sorted(x) == list(range(1000))
    assert fastdl.randperm(0).tolist() == []
    assert fastdl.randperm(1).tolist() == [0]
    firsts = [fastdl.randperm(5, generator=g).tolist()[0] for _ in range(2000)]
    assert np.bincount(firsts).min() > 300
    with pytest.raises(ArgumentError):
        fastdl.randperm(-1)


def test_dropout():
    x = fastdl.ones((N,))
    for p in (0.1, 0.5, 0.9):
        y = F.dropout(x, p, generator=fastdl.Generator(1)).numpy()
        kept = y != 0
        np.testing.assert_allclose(y[kept], 1 / (1 - p), rtol=1e-6)
        assert kept.mean() == pytest.approx(1 - p, abs=5 * math.sqrt(p * (1 - p) / N))
    assert F.dropout(x[:3], 1.0).tolist() == [0, 0, 0]
    assert F.dropout(x[:3], 0.0).tolist() == [1, 1, 1]
    assert F.dropout(x[:3], 0.9, training=False).tolist() == [1, 1, 1]
    z = fastdl.ones((1000,), requires_grad=True)
    out = F.dropout(z, 0.5)
    out.sum().backward()
    np.testing.assert_array_equal(z.grad.numpy(), out.detach().numpy())
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ArgumentError, match="p is"):
            F.dropout(x, p)


def test_modules_share_the_default_generator():
    state = fastdl.default_generator.get_state()
    try:
        fastdl.manual_seed(1)
        one = fastdl.nn.Linear(3, 2).weight.tolist()
        fastdl.manual_seed(1)
        assert fastdl.nn.Linear(3, 2).weight.tolist() == one
    finally:
        fastdl.default_generator.set_state(state)
