"""einsum and tensordot against NumPy, through the tests that rows of the case table get."""

import itertools

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.composed.contraction import SEARCHED, contraction_order
from tests import test_ops
from tests.oprow import DEVICES, Op, Tolerance, call, large, uniform

SUMS = Tolerance(32, "largest", 4, "sums of products that cancel")


def einsum_reference(equation, *operands):
    return np.einsum(equation, *operands, optimize=False)


EINSUM = Op(
    name="einsum",
    function=F.einsum,
    reference=einsum_reference,
    calls=(
        call("ij,jk->ik", uniform(3, 4), uniform(4, 5)),
        call("ij,jk->ki", uniform(3, 4), uniform(4, 5)),
        call("ij,jk", uniform(3, 4), uniform(4, 5)),
        call("ij,kj->", uniform(3, 4), uniform(5, 4)),
        call(" b h q d , b h k d -> b h q k ", uniform(2, 3, 4, 5), uniform(2, 3, 6, 5)),
        call("...ij,...jk->...ik", uniform(2, 1, 3, 4), uniform(5, 4, 2)),
        call("i...,...->...i", uniform(3, 2, 4), uniform(4)),
        call("...,...", uniform(2, 3), uniform(3)),
        call("...i->...", uniform(2, 3)),
        call("ii->i", uniform(4, 4)),
        call("ii", uniform(4, 4)),
        call("iji,jk->ik", uniform(3, 2, 3), uniform(2, 4)),
        call("...ii->...i", uniform(2, 3, 3)),
        call("ij->ji", uniform(3, 4)),
        call("ij->", uniform(3, 4)),
        call("ab", uniform(2, 3)),
        call("ba", uniform(2, 3)),
        call("i,j->ij", uniform(3), uniform(4)),
        call("i,i->i", uniform(3), uniform(3)),
        call("i,i->", uniform(3), uniform(3)),
        call(",->", uniform(), uniform()),
        call("ij,->ij", uniform(3, 4), uniform()),
        call("ij,ij->ij", uniform(3, 1), uniform(3, 4)),
        call("ij,jk->ik", uniform(3, 1), uniform(4, 5)),
        call("ij,j->ij", uniform(3, 1), uniform(1)),
        call("bij,bjk,bkl->bil", uniform(2, 3, 4), uniform(2, 4, 5), uniform(2, 5, 2)),
        call("ij,jk,kl,lm->im", uniform(2, 7), uniform(7, 3), uniform(3, 8), uniform(8, 2)),
        call("i,j,k->kij", uniform(2), uniform(3), uniform(4)),
        call("abc,cd,bd,a->d", uniform(2, 3, 4), uniform(4, 5), uniform(3, 5), uniform(2)),
        call("bn,anm,bm->ba", uniform(2, 5), uniform(3, 5, 4), uniform(2, 4)),
        call("ij,jk->ik", uniform(0, 4), uniform(4, 5)),
        call("ij,jk->ik", uniform(3, 0), uniform(0, 5)),
        large("ij,kj->ik", uniform(130, 257), uniform(67, 257)),
        large("bqhd,bkhd->bhqk", uniform(3, 40, 4, 16), uniform(3, 50, 4, 16)),
    ),
    sized=lambda n: call("ij,jk,kl->il", uniform(n // 64, 16), uniform(16, 16), uniform(16, 16)),
    tolerance=SUMS,
    follows_strides="result",
)

TENSORDOT = Op(
    name="tensordot",
    function=F.tensordot,
    reference=lambda a, b, dims=2: np.tensordot(a, b, dims),
    calls=(
        call(uniform(2, 3, 4), uniform(3, 4, 5)),
        call(uniform(2, 3, 4), uniform(4, 5), 1),
        call(uniform(2, 3), uniform(4), 0),
        call(uniform(2, 3, 4), uniform(4, 5, 3), dims=[[1, 2], [2, 0]]),
        call(uniform(2, 3, 4), uniform(4, 5, 3), dims=[[-1], [0]]),
        call(uniform(3, 4), uniform(3, 4)),
        call(uniform(0, 3), uniform(3, 2), 1),
    ),
    sized=lambda n: call(uniform(n // 64, 64), uniform(64, 64), 1),
    tolerance=SUMS,
    follows_strides="result",
)

OPS = (EINSUM, TENSORDOT)


def every(op_calls=lambda call: True):
    return [
        pytest.param(op, call, device, id=f"{op.name}-{call.label}-{device}")
        for op in OPS
        for call in op.calls
        if op_calls(call)
        for device in DEVICES
    ]


@pytest.mark.parametrize(("op", "call", "device"), every())
@pytest.mark.parametrize("dtype", EINSUM.dtypes)
def test_forward(op, call, dtype, device):
    test_ops.test_forward(op, call, dtype, device)


@pytest.mark.parametrize(("op", "call", "device"), every(lambda call: call.gradient))
def test_gradients(op, call, device):
    test_ops.test_gradient(op, call, device)
    test_ops.test_second_gradient(op, call, device)


@pytest.mark.parametrize(("op", "call", "device"), every())
def test_layouts(op, call, device):
    if device == "cpu":
        test_ops.test_layout_changes_no_bit(op, call, device)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_threads(op, threads):
    test_ops.test_number_of_threads_changes_no_bit(op, "cpu", threads)


def test_integers():
    a, b = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    for dtype in ("int32", "int64"):
        got = F.einsum("ij,jk->ik", a.astype(dtype), b.astype(dtype))
        assert got.dtype == getattr(fastdl, dtype)
        np.testing.assert_array_equal(got.numpy(), a @ b)
        total = F.einsum("ij->i", a.astype(dtype))
        assert total.dtype == getattr(fastdl, dtype)


def test_operands_may_be_a_list():
    a, b = np.ones((2, 3)), np.ones((3, 4))
    np.testing.assert_array_equal(
        F.einsum("ij,jk", [fastdl.tensor(a), fastdl.tensor(b)]).numpy(), a @ b
    )


def flops(terms, output, sizes, pairs):
    """Multiplications of an order of contraction, by its definition."""
    alive, total = dict(enumerate(terms)), 0
    for step, (i, j) in enumerate(pairs):
        both = alive.pop(i) | alive.pop(j)
        total += int(np.prod([sizes[x] for x in both]))
        alive[len(terms) + step] = both & output.union(*alive.values())
    assert len(alive) == 1
    return total


def chain(lengths):
    names = "abcdefghijklmnop"[: len(lengths)]
    terms = [frozenset(names[i : i + 2]) for i in range(len(lengths) - 1)]
    return terms, (names[0], names[-1]), dict(zip(names, lengths, strict=True))


def test_order_is_that_of_the_matrix_chain():
    """Cormen et al., Introduction to Algorithms, section 15.2: 15125 multiplications."""
    terms, output, sizes = chain([30, 35, 15, 5, 10, 20, 25])
    pairs = contraction_order(terms, output, sizes)
    assert flops(terms, frozenset(output), sizes, pairs) == 15125


def test_many_operands():
    lengths = [3, 4] * (SEARCHED // 2 + 2)
    rng = np.random.default_rng(0)
    matrices = [rng.uniform(-1, 1, (a, b)) for a, b in itertools.pairwise(lengths)]
    assert len(matrices) > SEARCHED
    names = "abcdefghijklmnop"
    equation = ",".join(names[i : i + 2] for i in range(len(matrices)))
    got = F.einsum(equation, *matrices)
    np.testing.assert_allclose(got.numpy(), np.linalg.multi_dot(matrices), rtol=1e-12)
