"""Draws by weight, probability, mean: distributed as said, the same everywhere, and typed refusals.

The bounds are quantiles that a right generator exceeds once in 10^6 seeds; the seeds are fixed.
"""

import math

import numpy as np
import pytest

import fastdl
from fastdl.errors import ArgumentError, DTypeError, ShapeError
from tests.oprow import DEVICES

N = 60_000


def generator(seed=7):
    return fastdl.Generator(seed)


def chi_square(counts, expected):
    """Below the 1 - 10^-6 quantile of the chi-square distribution (Wilson and Hilferty, 1931)."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    degrees = counts.size - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    bound = degrees * (1 - 2 / (9 * degrees) + 4.753 * math.sqrt(2 / (9 * degrees))) ** 3
    assert statistic < bound, (statistic, bound)


def kolmogorov_smirnov(values, cumulative):
    """sqrt(n) times the distance of the distributions exceeds 2.7 once in 10^6 draws."""
    x = np.sort(np.asarray(values, np.float64))
    steps = np.arange(x.size + 1) / x.size
    at = cumulative(x)
    distance = max(np.abs(at - steps[1:]).max(), np.abs(at - steps[:-1]).max())
    assert math.sqrt(x.size) * distance < 2.7, distance


def normal_cumulative(x):
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


DRAWS = {
    "bernoulli": lambda g, d: fastdl.bernoulli(fastdl.full((901,), 0.3, device=d), generator=g),
    "bernoulli_": lambda g, d: fastdl.zeros((901,), device=d).bernoulli_(0.3, generator=g),
    "exponential_": lambda g, d: fastdl.zeros((901,), device=d).exponential_(2, generator=g),
    "uniform": lambda g, d: fastdl.uniform((901,), -2, 3, device=d, generator=g),
    "normal": lambda g, d: fastdl.normal(
        fastdl.arange(901, dtype="float32", device=d), 2.0, generator=g
    ),
    "normal of numbers": lambda g, d: fastdl.normal(1, 2, (901,), device=d, generator=g),
    "multinomial": lambda g, d: fastdl.multinomial(
        fastdl.arange(300, dtype="float32", device=d), 901, replacement=True, generator=g
    ),
    "multinomial of rows": lambda g, d: fastdl.multinomial(
        fastdl.ones((3, 300), device=d), 300, generator=g
    ),
    "rand_like": lambda g, d: fastdl.rand_like(fastdl.ones((901,), device=d), generator=g),
    "randn_like": lambda g, d: fastdl.randn_like(fastdl.ones((901,), device=d), generator=g),
    "randint_like": lambda g, d: fastdl.randint_like(
        fastdl.ones((901,), device=d), -3, 9, generator=g
    ),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_seed_fixes_the_numbers_on_every_device(draw, device):
    g, other = generator(), generator(8)
    wanted = generator()
    first, second = draw(g, device).cpu().numpy(), draw(g, device).cpu().numpy()
    for got in (first, second):
        expected = draw(wanted, "cpu").numpy()
        if device == "cpu" or expected.dtype == np.int64:
            np.testing.assert_array_equal(got, expected)
        else:  # logarithm and cosine of another library
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, draw(other, device).cpu().numpy())
    state = g.get_state()
    third = draw(g, device).cpu().numpy()
    g.set_state(state)
    np.testing.assert_array_equal(draw(g, device).cpu().numpy(), third)


def test_threads_draw_the_same(threads):
    weights = fastdl.rand((40, 1000), generator=generator())
    found = []
    for count in (1, 2, 3):
        threads(count)
        g = generator()
        found.append(
            [
                fastdl.multinomial(weights, 500, replacement=True, generator=g).numpy(),
                fastdl.multinomial(weights, 500, generator=g).numpy(),
                fastdl.bernoulli(weights, generator=g).numpy(),
                fastdl.normal(weights, weights, generator=g).numpy(),
            ]
        )
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_bernoulli(dtype):
    p = fastdl.tensor([0.0, 0.1, 0.5, 0.9, 1.0]).to(dtype)
    x = fastdl.bernoulli(p.expand((N, 5)), generator=generator())
    assert x.dtype == p.dtype
    ones = x.double().numpy().sum(0)
    assert ones[0] == 0
    assert ones[4] == N
    for count, chance in zip(ones[1:4], p.double().numpy()[1:4], strict=True):
        chi_square([count, N - count], [N * chance, N * (1 - chance)])
    assert set(np.unique(x.double().numpy())) == {0, 1}
    assert fastdl.zeros((N,), dtype="bool").bernoulli_(0.25, generator=generator()).any().item()
    assert fastdl.bernoulli(fastdl.zeros((0, 3))).shape == (0, 3)


def test_exponential():
    for rate in (0.5, 3.0):
        x = fastdl.empty((N,), dtype="float64").exponential_(rate, generator=generator()).numpy()
        assert x.min() >= 0
        kolmogorov_smirnov(x, lambda v, rate=rate: -np.expm1(-rate * v))


def test_uniform_and_normal():
    x = fastdl.uniform((N,), -3, 5, dtype="float64", generator=generator()).numpy()
    kolmogorov_smirnov(x, lambda v: (v + 3) / 8)
    mean = fastdl.tensor([[-5.0], [100.0]]).double()
    std = fastdl.rand((N,), dtype="float64", generator=generator(1)) + 0.5
    y = fastdl.normal(mean, std, generator=generator())
    assert y.shape == (2, N)
    for row, centre in zip(y.numpy(), (-5, 100), strict=True):
        kolmogorov_smirnov((row - centre) / std.numpy(), normal_cumulative)
    assert fastdl.normal(mean, 0.0).tolist() == [[-5], [100]]
    kolmogorov_smirnov(fastdl.randn_like(std, generator=generator(5)).numpy(), normal_cumulative)


def test_like():
    x = fastdl.ones((2, 3, 4, 5), dtype="float64").contiguous(fastdl.channels_last)
    for y in (fastdl.rand_like(x), fastdl.randn_like(x), fastdl.randint_like(x, 0, 9)):
        assert (y.shape, y.dtype, y.stride()) == (x.shape, x.dtype, x.stride())
    assert fastdl.rand_like(x, dtype="float32").dtype == fastdl.float32
    values = fastdl.randint_like(fastdl.zeros((N,)), 2, 6, generator=generator()).numpy()
    chi_square(np.bincount(values.astype(int))[2:], [N / 4] * 4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_multinomial_with_replacement(dtype):
    weights = np.array([3.0, 0, 1, 0.5, 0, 7, 2])
    t = fastdl.tensor(weights).to(dtype)
    x = fastdl.multinomial(t, N, replacement=True, generator=generator()).numpy()
    assert x.dtype == np.int64
    counts = np.bincount(x, minlength=7)
    used = weights > 0
    assert counts[~used].sum() == 0
    chi_square(counts[used], (N * weights / weights.sum())[used])


def test_multinomial_of_many_categories():
    """More than one chunk of the running sum, and rows of their own weights."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 1, (2, 700)) * (rng.random((2, 700)) < 0.5)
    x = fastdl.multinomial(fastdl.tensor(weights), N, replacement=True, generator=generator())
    for row, share in zip(x.numpy(), weights, strict=True):
        counts = np.bincount(row, minlength=700)
        used = share > 0.1
        assert counts[share == 0].sum() == 0
        rest = ~used
        expected = N * share / share.sum()
        chi_square([*counts[used], counts[rest].sum()], [*expected[used], expected[rest].sum()])


def test_multinomial_without_replacement():
    """The first two draws have the probabilities p_i p_j / (1 - p_i)."""
    weights = np.array([4.0, 0, 1, 3, 2])
    t = fastdl.tensor(weights).expand((N, 5))
    x = fastdl.multinomial(t, 4, generator=generator()).numpy()
    assert (np.sort(x, 1) == [0, 2, 3, 4]).all()
    p = weights / weights.sum()
    pairs, expected = [], []
    for i in range(5):
        for j in range(5):
            if i != j and p[i] * p[j] > 0:
                pairs.append(int(((x[:, 0] == i) & (x[:, 1] == j)).sum()))
                expected.append(N * p[i] * p[j] / (1 - p[i]))
    assert sum(pairs) == N
    chi_square(pairs, expected)
    all_of_them = fastdl.multinomial(fastdl.rand((3, 1000)) + 0.1, 1000).numpy()
    assert (np.sort(all_of_them, 1) == np.arange(1000)).all()


def test_extreme_weights():
    """A share that the sum cannot resolve is never drawn in place of one that has none."""
    weights = fastdl.tensor([0.0, 1e-300, 0.0, 1e300, 0.0], dtype="float64")
    assert set(fastdl.multinomial(weights, 5000, replacement=True).tolist()) == {3}
    assert fastdl.multinomial(weights, 2).tolist() == [3, 1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("draw", "error", "words"),
    [
        (lambda t: fastdl.bernoulli(t([0.5, 1.5])), ArgumentError, ["1.5", "position 1"]),
        (lambda t: fastdl.bernoulli(t([math.nan])), ArgumentError, ["nan"]),
        (lambda t: fastdl.bernoulli(t([-0.5]).half()), ArgumentError, ["-0.5"]),
        (lambda t: fastdl.bernoulli(t([1]).long()), DTypeError, ["int64"]),
        (lambda t: t([1.0]).bernoulli_(2.0), ArgumentError, ["p 2"]),
        (lambda t: t([1.0]).exponential_(0.0), ArgumentError, ["lambd"]),
        (lambda t: fastdl.normal(t([0.0]), t([1.0, -1.0])), ArgumentError, ["std -1"]),
        (lambda t: fastdl.normal(t([0.0]), t([math.nan])), ArgumentError, ["std"]),
        (lambda t: fastdl.normal(t([0.0]), -1.0), ArgumentError, ["std"]),
        (lambda t: fastdl.normal(0.0, -1.0, (2,)), ArgumentError, ["std"]),
        (lambda t: fastdl.normal(t([0.0]), 1.0, (2,)), ArgumentError, ["size"]),
        (lambda t: fastdl.normal(0.0, 1.0), ArgumentError, ["size"]),
        (lambda t: fastdl.normal(t([0.0, 1, 2]), t([1.0, 2])), ShapeError, ["[3]", "[2]"]),
        (lambda t: fastdl.uniform((2,), 1.0, 0.0), ArgumentError, ["range"]),
        (lambda t: fastdl.uniform((2,), 0.0, math.inf), ArgumentError, ["range"]),
        (lambda t: fastdl.randint_like(t([1.0]), 3, 3), ArgumentError, ["3"]),
        (lambda t: fastdl.multinomial(t([1.0, -1]), 1), ArgumentError, ["weight -1"]),
        (lambda t: fastdl.multinomial(t([1.0, math.nan]), 1), ArgumentError, ["position 1"]),
        (lambda t: fastdl.multinomial(t([1.0, math.inf]), 1), ArgumentError, ["inf"]),
        (lambda t: fastdl.multinomial(t([0.0, 0]), 1, True), ArgumentError, ["0 categories"]),
        (lambda t: fastdl.multinomial(t([[1.0, 1], [0, 1]]), 2), ArgumentError, ["1 categories"]),
        (lambda t: fastdl.multinomial(t([1.0]), 0), ArgumentError, ["num_samples"]),
        (lambda t: fastdl.multinomial(t([[[1.0]]]), 1), ShapeError, ["[1, 1, 1]"]),
        (lambda t: fastdl.multinomial(t([1]).long(), 1), DTypeError, ["int64"]),
    ],
)
def test_refusals(draw, error, words, device):
    with pytest.raises(error) as caught:
        draw(lambda values: fastdl.tensor(values, device=device))
    for word in words:
        assert word in str(caught.value)
