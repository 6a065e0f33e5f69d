"""Results and gradients on a CUDA device are those of the CPU, in every dtype and at many sizes.

The case table compares with references at small sizes; what is added here are the variants of a
kernel that only alignment, size or dtype reaches, and its backward pass in each of them. The host
model's SIMT_COVERAGE and tools/kernel_coverage.py say which variants nothing reaches.
"""

import numpy as np
import pytest

import fastdl
from fastdl import autograd
from tests.opcases import OPS
from tests.oprow import EPSILON, call, index, results, round_to, to_array, to_tensor, uniform

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

ROWS = {op.name: op for op in OPS}

# Shapes that reach what the table's do not. Rows of a softmax are held by 8, 32 or 256 threads, in
# registers up to a length; products and convolutions have tiles of 64 and of 128; batch norm takes
# its channels by rows or by columns, in parts where they are long.
MORE = {
    "softmax": [call(uniform(*s), -1) for s in ((5, 96), (3, 1000), (2, 2056), (2, 9000))]
    + [call(uniform(4, 40, 70), 1), call(uniform(2, 700, 33), 1), call(uniform(3, 1001), -1)]
    + [call(uniform(2, 40001), -1)],
    "matmul": [
        call(uniform(*a), uniform(*b))
        for a, b in (
            ((132, 36), (36, 140)),
            ((64, 600), (600, 8)),
        )
    ],
    "linear": [call(uniform(130, 40), uniform(136, 40), uniform(136))],
    "conv2d": [
        call(uniform(2, 4, 40, 40), uniform(128, 4, 1, 1), uniform(128)),
        call(uniform(2, 32, 9, 9), uniform(24, 32, 3, 3), uniform(24), 1, 1),
        call(uniform(1, 6, 30, 30), uniform(6, 1, 5, 5), uniform(6), 2, 2, 1, 6),
        call(uniform(1, 24, 12, 12), uniform(48, 12, 3, 3), None, 2, 1, 1, 2),
        call(uniform(1, 160, 6, 6), uniform(4, 160, 3, 3), None, 1, 1),
        call(uniform(1, 2, 32, 33), uniform(18, 1, 1, 1), None, 1, 0, 1, 2),
        call(uniform(1, 2, 34, 33), uniform(2, 1, 3, 1), None, 1, 0, 1, 2),
    ],
    "max_pool2d": [call(uniform(2, 3, 17, 19), 3, stride=2, padding=1)],
    "avg_pool2d": [
        call(uniform(2, 3, 17, 19), 3, stride=2, padding=1),
        call(uniform(2, 3, 8, 8), 8),
    ],
    "batch_norm": [
        call(uniform(*shape), None, None, uniform(shape[1]), uniform(shape[1]), True)
        for shape in ((300, 40), (5000, 3), (4, 3, 70, 70), (6, 5, 7), (8, 16, 3))
    ],
    "layer_norm": [  # rows of a warp or a block, in registers or read twice, and many of them
        call(uniform(r, n), n, uniform(n), uniform(n))
        for r, n in ((70, 130), (9, 900), (600, 260), (5, 4000), (3, 5000), (2, 9001), (2, 40000))
    ],
    "group_norm": [
        call(uniform(*shape), groups, uniform(shape[1]), uniform(shape[1]))
        for shape, groups in (((3, 6, 7, 7), 2), ((2, 4, 90, 90), 2), ((2, 6, 40, 40), 2))
    ],
    "cross_entropy": [
        call(uniform(r, c), index(r, below=c))
        for r, c in ((40, 10), (9, 200), (3, 3000), (2, 5001), (2, 36000), (2, 9001))
    ],
    "embedding": [
        call(index(3000, below=20), uniform(20, 16)),
        call(index(5000, below=70000), uniform(70000, 3)),
    ],
    "gather": [call(uniform(300, 40), 0, index(500, 40, below=300))],
    "scatter_add": [
        call(uniform(300, 40), 0, index(500, 40, below=300), uniform(500, 40)),
        call(uniform(9000), 0, index(6000, below=9000), uniform(6000)),
        call(uniform(3, 20000), 0, index(5, 20000, below=3), uniform(5, 20000)),
    ],
    "scatter_reduce": [
        call(uniform(300, 40), 0, index(500, 40, below=300), uniform(500, 40), "amin", False),
        call(uniform(9000), 0, index(6000, below=9000), uniform(6000), "amax"),
        call(uniform(9000), 0, index(6000, below=9000), uniform(6000, low=0.9, high=1.1), "prod"),
    ],
    "cummax": [call(uniform(3, 70000), 1), call(uniform(3000, 40), 0)],
    "sum": [call(uniform(70000)), call(uniform(3000, 40), 0), call(uniform(40, 3000), 1)],
    "amax": [call(uniform(70000)), call(uniform(3000, 40), 0), call(uniform(40, 3000), 1)],
    "argmax": [call(uniform(70000)), call(uniform(3000, 40), 0), call(uniform(40, 3000), 1)],
}
MORE["log_softmax"] = MORE["softmax"]

# ||there - here|| / ||here||: sums of a few thousand terms in other orders, and in 16 bits the
# rounding of every intermediate tensor (of every addition, where the CPU scatters).
LIMIT = {
    dtype: (64 if dtype in ("float32", "float64") else 16) * EPSILON[dtype] for dtype in EPSILON
}


def shifted(t):
    """The same values one element after an aligned address."""
    if t.numel() == 0:
        return t
    flat = fastdl.cat([t.reshape(-1)[:1], t.reshape(-1)])
    return flat.narrow(0, 1, t.numel()).view(t.shape).detach()


def run(op, one, dtype, device, aligned=True):
    """Results and gradients of a call, as arrays."""
    tensors = []
    for values, array in zip(one.draw(op.name), one.arrays, strict=True):
        t = to_tensor(round_to(values, dtype), dtype, device)
        t = t if aligned else shifted(t)
        wanted = array.floating and array.grad and op.differentiable and t.dtype.is_floating_point
        tensors.append(t.requires_grad_() if wanted else t)
    found = results(op.function(*one.fill(tensors), **one.kwargs))
    arrays = [to_array(t) for t in found]
    leaves, ends = [t for t in tensors if t.requires_grad], [t for t in found if t.requires_grad]
    if leaves and ends:
        rng = np.random.default_rng(4)
        starts = [fastdl.tensor(rng.uniform(-1, 1, t.shape)).to(t.dtype).to(device) for t in ends]
        gradients = autograd.grad(ends, leaves, starts, allow_unused=True)
        arrays += [to_array(g) for g in gradients if g is not None]
    return arrays


def agree(op, one, dtype, aligned=True):
    here, there = run(op, one, dtype, "cpu"), run(op, one, dtype, "cuda", aligned)
    assert len(here) == len(there)
    for a, b in zip(here, there, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if a.dtype != np.float64:
            np.testing.assert_array_equal(a, b)
            continue
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        assert np.linalg.norm(a - b) <= LIMIT[dtype] * np.linalg.norm(a)


@pytest.mark.parametrize(("size", "aligned"), [(72, False), (5000, True)])
@pytest.mark.parametrize(
    ("op", "dtype"),
    [pytest.param(op, d, id=f"{op.name}-{d}") for op in OPS for d in (*op.dtypes, *op.integers)],
)
def test_every_dtype(op, dtype, size, aligned):
    agree(op, op.sized(size), dtype, aligned)


@pytest.mark.parametrize(
    ("op", "one", "dtype"),
    [
        pytest.param(ROWS[name], one, dtype, id=f"{name}-{one.label}-{dtype}")
        for name, calls in MORE.items()
        for one in calls
        for dtype in ROWS[name].dtypes
    ],
)
def test_every_variant(op, one, dtype):
    agree(op, one, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_large_tiles_of_a_product(dtype):
    """As many tiles of 128 x 128 as make the matrix product use them, here as a batch."""
    agree(ROWS["matmul"], call(uniform(128, 128, 4), uniform(128, 4, 128)), dtype)


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in OPS])
def test_large(op):
    agree(
        op, op.sized(1 << (14 if op.name in ("gru", "lstm", "conv2d", "matmul") else 17)), "float32"
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8"])
def test_arange(dtype):
    here, there = (fastdl.arange(0, 200, dtype=dtype, device=d) for d in ("cpu", "cuda"))
    np.testing.assert_array_equal(to_array(there), to_array(here))
