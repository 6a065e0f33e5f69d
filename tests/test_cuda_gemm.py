"""Products of matrices on CUDA: every algorithm, in every layout, against float64.

The chooser takes tensor cores where operands can be read 16 bytes at a time. The host model has
four multiprocessors, so that 256 x 256 is large enough for tiles of 128; FASTDL_CUDA_ARCH=80 takes
the kernels of that architecture on any device.
"""

import itertools

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core
from tests.children import run_child

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

# Of the largest sum of absolute products: the rounding of the result, and of sums in float32.
ERROR = {"float16": 6e-4, "bfloat16": 5e-3, "float32": 2e-6, "high": 2e-3, "float64": 1e-14}


@pytest.fixture(params=["highest", "high"])
def precision(request):
    fastdl.set_float32_matmul_precision(request.param)
    yield request.param
    fastdl.set_float32_matmul_precision("highest")


@pytest.fixture
def high():
    fastdl.set_float32_matmul_precision("high")
    yield
    fastdl.set_float32_matmul_precision("highest")


def operand(rng, shape, turned, dtype, scale=1.0):
    """A matrix on the device, turned in memory or not, and its value in float64."""
    values = rng.standard_normal(shape) * scale
    there = values.swapaxes(-1, -2) if turned else values
    x = fastdl.tensor(np.ascontiguousarray(there, "float32"), device="cuda")
    x = x.to(getattr(fastdl, dtype))
    x = F.transpose(x, -1, -2) if turned else x
    return x, x.to(fastdl.float64).cpu().numpy()


def assert_close(y, a, b, tolerance, also=0.0):
    expected = a @ b + also
    bound = tolerance * ((np.abs(a) @ np.abs(b)).max() + np.abs(also).max())
    assert np.abs(y.to(fastdl.float64).cpu().numpy() - expected).max() <= bound


# Tails in every dimension, several k-blocks and rounds of the ring, tiles of both sizes, k in
# parts, less than one panel, and operands that cannot be read in vectors.
SHAPES = [
    (72, 88, 40),
    (16, 24, 8),
    (136, 72, 328),
    (248, 256, 72),
    (64, 64, 2056),
    (33, 65, 31),
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_layouts(dtype, shape, high):
    m, n, k = shape
    if dtype == "float64":  # one kernel, and the slowest under the model
        m, n, k = m // 4, n // 4, k // 4
    rng = np.random.default_rng(0)
    tolerance = ERROR["high" if dtype == "float32" else dtype]
    for turned_a, turned_b in itertools.product([False, True], repeat=2):
        a, x = operand(rng, (m, k), turned_a, dtype)
        b, y = operand(rng, (k, n), turned_b, dtype)
        assert_close(a @ b, x, y, tolerance)


def plan(m, n, k, dtype, turned=(False, False), batch=1):
    return _core._matmul_plan(batch, m, n, k, *turned, getattr(fastdl, dtype), "cuda")


# Hopper has kernels of its own, tested for themselves (test_cuda_wgmma.py): those of 8.0 run under
# FASTDL_CUDA_ARCH=80, and here what is said of every algorithm.
TENSOR = plan(512, 512, 512, "float16")["algorithm"]


def test_the_shapes_reach_every_algorithm(high):
    found = {
        (p["algorithm"], p["tile"][0], p["parts"] > 1)
        for m, n, k in SHAPES
        for p in [plan(m, n, k, "float16")]
    }
    expected = {("mma", 64, False), ("ffma", 64, False)}
    if TENSOR == "mma":
        expected |= {("mma", 128, False), ("mma", 64, True)}
    else:
        expected |= {("wgmma", 64, True)}
    assert expected <= found


@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("shape", [(136, 136, 128), (248, 256, 72), (64, 72, 1032)])
def test_three_products_are_as_exact_as_float32(turned, shape):
    """The error is within twice that of float32 multiply-adds in NumPy's order of the same sums."""
    m, n, k = shape
    assert plan(m, n, k, "float32", turned)["algorithm"] != "ffma"
    rng = np.random.default_rng(1)
    a, x = operand(rng, (m, k), turned[0], "float32")
    b, y = operand(rng, (k, n), turned[1], "float32")
    got = np.abs((a @ b).to(fastdl.float64).cpu().numpy() - x @ y)
    assert np.sqrt((got**2).mean()) <= 2 * chain_error(x, y)


def chain_error(x, y):
    """Root of the mean square error of float32 sums in the order of k."""
    total = np.zeros((x.shape[0], y.shape[1]), "float32")
    for p in range(x.shape[1]):
        total = (total + np.outer(x[:, p], y[p])).astype("float32")
    return np.sqrt(((total.astype("float64") - x @ y) ** 2).mean())


@pytest.mark.parametrize("kind", ["cancellation", "exponents"])
def test_three_products_on_awkward_numbers(kind):
    rng = np.random.default_rng(2)
    x, y = (rng.standard_normal(s).astype("float32") for s in ((128, 128), (128, 128)))
    if kind == "cancellation":  # the second half takes away nearly all of the first
        x[:, 64:], y[64:] = -x[:, :64], y[:64] * np.float32(1 + 2**-12)
    else:
        x *= np.exp2(rng.integers(-40, 40, x.shape)).astype("float32")
        y *= np.exp2(rng.integers(-40, 40, y.shape)).astype("float32")
    a, b = (fastdl.tensor(v, device="cuda") for v in (x, y))
    x, y = x.astype("float64"), y.astype("float64")
    got = np.abs((a @ b).cpu().numpy() - x @ y) / (np.abs(x) @ np.abs(y))
    assert got.max() <= 2 * 128**0.5 * 2.0**-24


def test_infinities_and_nans_in_three_products():
    x, y = np.ones((128, 128), "float32"), np.ones((128, 128), "float32")
    x[0, 3], x[1, 5], x[2, 7], x[3, 0], y[9, 4] = np.inf, -np.inf, np.nan, 3.4e38, np.inf
    x[4, 9] = 0
    x[5, :2] = np.inf, -np.inf
    a, b = (fastdl.tensor(v, device="cuda") for v in (x, y))
    with np.errstate(invalid="ignore"):
        expected = x.astype("float64") @ y.astype("float64")
    np.testing.assert_allclose((a @ b).cpu().numpy(), expected.astype("float32"), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_batches_and_broadcast(dtype, high):
    rng = np.random.default_rng(3)
    tolerance = ERROR["high" if dtype == "float32" else dtype]
    a, x = operand(rng, (3, 2, 40, 72), False, dtype)
    b, y = operand(rng, (2, 72, 24), True, dtype)
    assert_close(a @ b, x, y, tolerance)
    assert_close(a[:, :1] @ b, x[:, :1], y, tolerance)
    c, z = a[:, :, 3:35], x[:, :, 3:35]  # a view whose rows are aligned
    assert_close(c @ b, z, y, tolerance)
    assert_close(F.flip(a, [2]) @ b, np.flip(x, 2), y, tolerance)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(72, 88, 40), (248, 256, 24), (64, 64, 2056), (33, 65, 31)])
def test_epilogue(dtype, shape, high):
    m, n, k = shape
    if dtype == "float64":
        m, n, k = m // 4, n // 4, k // 4
    rng = np.random.default_rng(4)
    tolerance = ERROR["high" if dtype == "float32" else dtype]
    a, x = operand(rng, (m, k), False, dtype)
    w, y = operand(rng, (n, k), False, dtype)
    bias, bias_there = operand(rng, (1, n), False, dtype)
    residual, before = operand(rng, (m, n), False, dtype)
    bound = tolerance * ((np.abs(x) @ np.abs(y.T)).max() + 8)
    for use_bias, use_residual, activation in itertools.product(
        [False, True], [False, True], ["none", "relu", "leaky_relu"]
    ):
        expected = x @ y.T + use_bias * bias_there + use_residual * before
        if activation != "none":
            expected = np.where(
                expected < 0, expected * (0 if activation == "relu" else 0.25), expected
            )
        got = _core.linear_fused(
            a,
            w,
            bias[0] if use_bias else None,
            residual if use_residual else None,
            activation,
            0.25,
        )
        assert np.abs(got.to(fastdl.float64).cpu().numpy() - expected).max() <= bound


def test_nothing_to_sum_gives_the_epilogue():
    x, w = fastdl.zeros((40, 0), device="cuda"), fastdl.zeros((24, 0), device="cuda")
    bias = fastdl.tensor(np.linspace(-1, 1, 24, dtype="float32"), device="cuda")
    got = _core.linear_fused(x, w, bias, None, "relu").cpu().numpy()
    np.testing.assert_array_equal(got, np.broadcast_to(np.maximum(bias.cpu().numpy(), 0), (40, 24)))


def test_one_call_always_gives_the_same_bits(precision):
    rng = np.random.default_rng(5)
    a, _ = operand(rng, (136, 1032), False, "float32")
    b, _ = operand(rng, (1032, 136), False, "float32")
    np.testing.assert_array_equal((a @ b).cpu().numpy(), (a @ b).cpu().numpy())


def test_a_cap_on_the_capability_takes_other_kernels():
    source = """
        from fastdl import _core
        print(_core._matmul_plan(1, 64, 64, 64, False, False, fastdl.float16, "cuda")["algorithm"])
        x = fastdl.ones((64, 64), device="cuda").to(fastdl.float16)
        print(float((x @ x).sum().cpu()))
    """
    assert run_child(source, FASTDL_CUDA_ARCH="80").split() == ["mma", "inf"]
    assert run_child(source, FASTDL_CUDA_ARCH="75").split() == ["ffma", "inf"]


def test_precision_is_a_setting(precision):
    assert fastdl.get_float32_matmul_precision() == precision
    with pytest.raises(fastdl.errors.ArgumentError, match="highest"):
        fastdl.set_float32_matmul_precision("medium")


def test_explain():
    layer = fastdl.nn.Linear(512, 256, device="cuda", dtype=fastdl.float16)
    text = str(fastdl.explain(layer, (8, 64, 512)))
    assert f"forward: {TENSOR}" in text
    assert "registers" in str(fastdl.explain((256, 512), (64, 512)))
    with pytest.raises(fastdl.errors.ShapeError, match="512"):
        fastdl.explain(layer, (8, 100))
