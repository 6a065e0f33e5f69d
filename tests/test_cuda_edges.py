"""Corners of CUDA kernels that the case table does not reach: many of something, and views."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core
from tests import test_optimizer_steps as steps
from tests.opcases import row
from tests.oprow import call, index, to_array, uniform

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda


def test_a_product_whose_rows_are_aligned_and_batches_are_not():
    rng = np.random.default_rng(0)
    x, w = (rng.uniform(-1, 1, s).astype("float32") for s in ((3, 2, 6), (2, 6, 4)))
    turned = F.permute(fastdl.tensor(x, device="cuda"), [1, 0, 2])
    y = F.matmul(turned, fastdl.tensor(w, device="cuda"))
    np.testing.assert_allclose(y.cpu().numpy(), x.transpose(1, 0, 2) @ w, atol=1e-6)


def test_filling_a_view_leaves_the_rest():
    z = fastdl.zeros((4, 8), device="cuda")
    z[:, :6] = 5.0
    expected = np.zeros((4, 8))
    expected[:, :6] = 5
    np.testing.assert_array_equal(z.cpu().numpy(), expected)


def test_more_elements_than_threads_of_a_launch():
    x = np.arange(2_200_000, dtype="float32").reshape(1100, 2000)
    y = F.neg(F.permute(fastdl.tensor(x, device="cuda"), [1, 0]))
    np.testing.assert_array_equal(y.cpu().numpy(), -x.T)


def test_an_lstm_of_more_samples_than_a_tile_has():
    shapes = [(2, 1030, 1), (1030, 1), (1030, 1), (4, 1), (4, 1)]
    one = call(*[uniform(*s, low=-0.7, high=0.7) for s in shapes])
    found = []
    for device in ("cpu", "cuda"):
        leaves = [fastdl.tensor(v, device=device).requires_grad_() for v in one.draw("lstm")]
        y = row("lstm").function(*leaves)[0]
        (y * y).sum().backward()
        found.append([to_array(t.grad) for t in leaves])
    for here, there in zip(*found, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 255, 257, 1000])
def test_arange(n):
    there = fastdl.arange(n, device="cuda").cpu().numpy()
    np.testing.assert_array_equal(there, np.arange(n))


@pytest.mark.parametrize("n", [1, 5, 257, 4001])
@pytest.mark.parametrize("name", ["rand", "randn"])
def test_draws_are_those_of_the_cpu(name, n):
    """Two in a row, from one generator. The devices' sine and logarithm differ in the last bit."""
    make = getattr(fastdl, name)
    here, there = fastdl.Generator(3), fastdl.Generator(3)
    for _ in range(2):
        a = make((n,), generator=here).numpy()
        b = make((n,), generator=there, device="cuda").cpu().numpy()
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_draws_into_a_view():
    filled = []
    for device in ("cpu", "cuda"):
        z = fastdl.zeros((10,), device=device)
        z[1:].uniform_(0, 1, generator=fastdl.Generator(3))
        filled.append(z.cpu().numpy())
    np.testing.assert_array_equal(*filled)


def test_more_parameters_than_a_launch_takes(monkeypatch):
    monkeypatch.setattr(steps, "PARAMETERS", (*steps.PARAMETERS, *[(3,)] * 70))
    steps.test_sgd_step({"momentum": 0.9}, "float32", "cuda")


@pytest.mark.parametrize(("dtype", "epsilon"), [("float16", 2**-10), ("bfloat16", 2**-7)])
@pytest.mark.parametrize("width", [1, 8])
def test_a_scattered_sum_of_16_bits_is_rounded_once(dtype, epsilon, width):
    """128 numbers near 1.1 to one place: rounded at each addition, bfloat16 would stand still."""
    x = fastdl.tensor(np.linspace(1.1, 1.2, 128 * width).reshape(128, width)).to(dtype)
    at = fastdl.zeros((128, width), dtype="int64", device="cuda")
    y = F.scatter_add(fastdl.zeros((1, width), dtype=dtype, device="cuda"), 0, at, x.to("cuda"))
    expected = x.double().numpy().sum(axis=0, keepdims=True)
    np.testing.assert_allclose(y.cpu().double().numpy(), expected, rtol=epsilon / 2)


def test_a_sort_of_more_tiles_than_a_block_has_threads():
    """Adding by index sorts. Both devices add in the order of the index: the same bits."""
    one = call(uniform(5000), 0, index(530_000, below=5000), uniform(530_000))
    found = []
    for device in ("cpu", "cuda"):
        y, at, x = (fastdl.tensor(v, device=device) for v in one.draw("tiles"))
        found.append(F.scatter_add(y.float(), 0, at, x.float()).cpu().numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "order", "first"),
    [
        ((40, 72), (1, 0), 0),
        ((130, 264), (1, 0), 0),  # more than one tile of every item size
        ((130, 267), (1, 0), 0),  # rows that are no whole packs
        ((8, 9), (1, 0), 1),  # nothing is aligned
        ((3, 17, 12, 12), (0, 2, 3, 1), 0),  # to channels-last
        ((3, 12, 12, 16), (0, 3, 1, 2), 0),  # and back
        ((2, 9, 3, 10), (3, 2, 1, 0), 0),  # matrices apart in two dimensions
    ],
)
def test_copies_that_turn_a_tensor_around(dtype, shape, order, first):
    count = int(np.prod(shape))
    flat = np.arange(count + first).astype(dtype)
    there = fastdl.tensor(flat, device="cuda")[first:].view(list(shape))
    turned = F.permute(there, list(order)).contiguous().cpu().numpy()
    np.testing.assert_array_equal(turned, flat[first:].reshape(shape).transpose(order))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parameters_that_are_not_aligned(dtype):
    """The same bits as those of aligned ones, tails included."""
    found = []
    for first in (0, 1):
        rng = np.random.default_rng(2)
        operands = []
        for _ in range(4):
            values = np.zeros(first + 5001)
            values[first:] = rng.uniform(0, 1, 5001)
            operands.append(fastdl.tensor(values).to(dtype).to("cuda")[first:])
        options = steps.ADAM | {"weight_decay": 0.1, "decoupled": True}
        _core.adam_step(*([t] for t in operands), **options, step=3)
        found.append([to_array(operands[i]) for i in (0, 2, 3)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
