"""Products that Hopper's tensor cores compute, through the public functions, against float64.

Shapes are chosen for the few multiprocessors of the host model, so that each kernel and tile gets
its turn. The kernels with tiles, parts and epilogues of every kind are tested in
tests/simt/wrappers/gemm_wgmma.cu.
"""

import os
import re
import textwrap

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from tests.children import run_child

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

# (batch, m, k, n): tails in every direction; the large tile, the middle one, the small one with k
# in parts, batches.
LARGE, MIDDLE, PARTS, BATCHES = (
    (0, 130, 72, 264),
    (0, 300, 72, 104),
    (0, 40, 520, 80),
    (3, 72, 72, 96),
)
CASES = [
    ("bfloat16", LARGE, "nn"),
    ("bfloat16", MIDDLE, "tn"),
    ("bfloat16", PARTS, "nt"),
    ("bfloat16", BATCHES, "tt"),
    ("float16", LARGE, "tn"),
    ("float16", MIDDLE, "nt"),
    ("float16", PARTS, "tt"),
    ("float16", BATCHES, "nn"),
    ("float32", LARGE, "nt"),
    ("float32", PARTS, "nn"),
    ("float32", (0, 136, 136, 136), "tn"),
]
EPSILON = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}


def operand(rows, columns, batch, transposed, seed):
    shape = (columns, rows) if transposed else (rows, columns)
    shape = (batch, *shape) if batch else shape
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def on_device(x, dtype, transposed):
    x = fastdl.tensor(x).to("cuda").to(getattr(fastdl, dtype))
    return x.transpose(-1, -2) if transposed else x


def wide(x):
    return x.cpu().to(fastdl.float32).numpy().astype(np.float64)


def check(got, a, b, dtype, extra=0.0):
    """Operands in float64, as rounded to dtype. One rounding of the result, and those of the sum.

    Sums of k terms in float32, or as 3xTF32: 2^-20 of each term's magnitude covers both.
    """
    want = a @ b + extra
    bound = EPSILON[dtype] * np.abs(want) + 2.0**-20 * (np.abs(a) @ np.abs(b)) + 2.0**-20
    is_ = wide(got)
    assert is_.shape == want.shape
    assert np.all(np.abs(is_ - want) <= bound), np.abs(is_ - want).max()


@pytest.mark.parametrize(("dtype", "shape", "layout"), CASES)
def test_products(dtype, shape, layout):
    batch, m, k, n = shape
    a = on_device(operand(m, k, batch, layout[0] == "t", 1), dtype, layout[0] == "t")
    b = on_device(operand(k, n, batch, layout[1] == "t", 2), dtype, layout[1] == "t")
    check(fastdl.matmul(a, b), wide(a), wide(b), dtype)


def test_the_same_bits_twice():
    a = on_device(operand(40, 520, 0, False, 1), "float16", False)
    b = on_device(operand(520, 80, 0, False, 2), "float16", False)
    first, second = (fastdl.matmul(a, b).cpu().numpy().tobytes() for _ in range(2))
    assert first == second


def test_a_layer():
    x, w, bias = (
        on_device(operand(*shape, 0, False, i), "float16", False)
        for i, shape in enumerate([(130, 72), (136, 72), (1, 136)])
    )
    got = F.linear(x, w, bias.reshape(136))
    check(got, wide(x), wide(w).T, "float16", wide(bias))


@pytest.mark.skipif(
    "simt" not in os.environ.get("FASTDL_CUDA_LIBRARY", ""), reason="the host model notes launches"
)
def test_which_kernels_these_shapes_reach(tmp_path):
    log = tmp_path / "launched"
    source = f"""
    for m, k, n in {[shape[1:] for shape in (LARGE, MIDDLE, PARTS)]}:
        a = fastdl.zeros(m, k, device="cuda", dtype=fastdl.float16)
        b = fastdl.zeros(k, n, device="cuda", dtype=fastdl.float16)
        fastdl.matmul(a, b).cpu()
    """
    run_child(textwrap.dedent(source), SIMT_COVERAGE=str(log))
    names = re.findall(r"gemm_wgmma\w*_kernel\w*?WgmmaTile\w*?Li(\d)ELi(\d+)", log.read_text())
    assert set(names) == {("2", "256"), ("2", "128"), ("1", "128")}
