"""What the case table cannot say of ops: ties, NaN, running statistics, numbers as operands."""

import math
import operator

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors
from tests import references as ref
from tests.oprow import DEVICES, EPSILON, round_to, to_array, to_tensor


def test_batch_norm_updates_the_running_statistics():
    rng = np.random.default_rng(5)
    x = rng.normal(3, 2, (6, 4, 5))
    m, v = np.zeros(4), np.ones(4)
    mean, variance = fastdl.tensor(m), fastdl.tensor(v)
    for _ in range(2):
        F.batch_norm(fastdl.tensor(x), mean, variance, training=True, momentum=0.3)
        m = 0.7 * m + 0.3 * x.mean((0, 2))
        v = 0.7 * v + 0.3 * x.var((0, 2), ddof=1)
    np.testing.assert_allclose(mean.numpy(), m, rtol=1e-12)
    np.testing.assert_allclose(variance.numpy(), v, rtol=1e-12)
    F.batch_norm(fastdl.tensor(x), mean, variance, training=False)
    np.testing.assert_allclose(mean.numpy(), m, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_batch_norm_of_16_bits_keeps_statistics_in_32(dtype):
    rng = np.random.default_rng(6)
    x = round_to(rng.normal(1, 2, (6, 4, 5)), dtype)
    w, b = rng.normal(size=4), rng.normal(size=4)
    mean = fastdl.zeros((4,))
    half = to_tensor(x, dtype).requires_grad_()
    weight = to_tensor(w, "float32").requires_grad_()
    y = F.batch_norm(half, mean, fastdl.ones((4,)), weight, to_tensor(b, "float32"), True)
    expected = ref.batch_norm(x, None, None, w, b, True)
    np.testing.assert_allclose(to_array(y), expected, atol=4 * EPSILON[dtype])
    np.testing.assert_allclose(mean.numpy(), 0.1 * x.mean((0, 2)), rtol=1e-5)
    y.sum().backward()
    assert half.grad.dtype == getattr(fastdl, dtype)
    assert weight.grad.dtype == fastdl.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mean_of_16_bits_outlives_its_sum(dtype):
    x = fastdl.full((70_000,), 3.0, dtype=dtype, requires_grad=True)
    assert x.mean().item() == 3.0  # 210,000 and 70,000 are beyond float16
    assert x.var().item() == 0.0
    x.mean().backward()
    assert x.grad.dtype == getattr(fastdl, dtype)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_ties_share_the_gradient(name):
    x = fastdl.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]).requires_grad_()
    y = x if name == "amax" else -x
    getattr(F, name)(y, 1).sum().backward()
    sign = 1 if name == "amax" else -1
    thirds = [1 / 3] * 3
    np.testing.assert_allclose(x.grad.numpy(), sign * np.array([[0.5, 0.5, 0], thirds]), rtol=1e-6)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_operands_share_the_gradient(name):
    a = fastdl.tensor([1.0, 2.0], requires_grad=True)
    b = fastdl.tensor([1.0, 2.0], requires_grad=True)
    getattr(F, name)(a, b).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["amax", "amin", "argmax", "argmin", "maximum", "minimum"])
def test_nan_wins(name):
    values = np.arange(40, dtype=np.float32)
    for at in (0, 17, 39):
        x = values.copy()
        x[at] = np.nan
        if name.startswith("arg"):
            assert getattr(F, name)(x).item() == at
        elif name.startswith("a"):
            assert np.isnan(getattr(F, name)(x).item())
        else:
            assert np.isnan(getattr(F, name)(x, values).numpy()[at])
            assert np.isnan(getattr(F, name)(values, x).numpy()[at])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("higher", [False, True])
def test_max_pool_of_padding_alone_has_no_gradient(device, higher):
    """Windows of taps three apart, from one before the first element: most reach no element."""
    x = fastdl.tensor([[[1.0, 2.0], [3.0, 4.0]]], device=device).requires_grad_()
    y = F.max_pool2d(x, 2, stride=1, padding=1, dilation=3)
    assert y.tolist() == [[[-np.inf]]]
    (gradient,) = fastdl.autograd.grad(y.sum(), x, create_graph=higher)
    assert gradient.tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(9, 2, 0, 7), (0, 2, 3), (0, 2)])
def test_batch_norm_of_nothing(device, shape):
    x = fastdl.zeros(shape, device=device).requires_grad_()
    weight = fastdl.ones(2, device=device).requires_grad_()
    mean, variance = fastdl.zeros(2, device=device), fastdl.ones(2, device=device)
    y = F.batch_norm(x, mean, variance, weight, None, True)
    y.sum().backward()
    assert y.shape == shape == x.grad.shape
    assert weight.grad.tolist() == [0, 0]
    assert mean.tolist() == [0, 0]


def test_max_pool_gives_the_gradient_to_the_first_of_equals():
    x = fastdl.zeros((1, 1, 2, 2), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]


def test_python_numbers_adapt_to_the_tensor():
    halves = fastdl.tensor([1.0, 2.0], dtype="float16")
    assert (halves * 2.5).dtype == fastdl.float16
    assert (3 - halves).tolist() == [2.0, 1.0]
    whole_numbers = fastdl.tensor([1, 2])
    assert (whole_numbers + 1).dtype == fastdl.int64
    assert (whole_numbers + 0.5).dtype == fastdl.float32
    assert (whole_numbers / 2).tolist() == [0.5, 1.0]
    assert (2**53 + 1 + fastdl.tensor([0])).tolist() == [2**53 + 1]


def test_functions_that_leave_the_integers_answer_in_float32():
    """A kernel that had no loop for an integer dtype once left its result as the memory was."""
    x = np.arange(1, 20)
    for name in ("exp", "sqrt", "log2", "erf", "sigmoid", "gelu", "elu", "hardtanh", "softplus"):
        for dtype in ("int64", "int32", "uint8"):
            got = getattr(F, name)(fastdl.tensor(x).to(dtype))
            assert got.dtype == fastdl.float32, name
            expected = getattr(F, name)(fastdl.tensor(x.astype(np.float32)))
            np.testing.assert_array_equal(got.numpy(), expected.numpy(), err_msg=name)


def test_division_of_integers_by_the_rules_of_python():
    pairs = [(a, b) for a in (-7, -6, -1, 0, 1, 6, 7) for b in (-3, -1, 1, 2, 3)]
    a, b = (fastdl.tensor(list(values)) for values in zip(*pairs, strict=True))
    assert (a // b).tolist() == [x // y for x, y in pairs]
    assert (a % b).tolist() == [x % y for x, y in pairs]
    assert F.fmod(a, b).tolist() == [int(math.fmod(x, y)) for x, y in pairs]
    exponents = fastdl.tensor([0, 1, 2, 3, 5])
    assert F.pow(a.reshape(-1, 1), exponents).tolist() == [
        [x**n for n in (0, 1, 2, 3, 5)] for x, _ in pairs
    ]
    assert F.pow(
        fastdl.tensor([1, -1, -1, 2, 0]), fastdl.tensor([-3, -3, -2, -1, -1])
    ).tolist() == ([1, -1, 1, 0, 0])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_integers_divide_by_anything(device, dtype):
    """The machine's division traps on 0, and on the least number by -1."""
    least = np.iinfo(dtype).min
    a = fastdl.tensor(np.array([least, 5, 0], dtype), device=device)
    zero = fastdl.zeros_like(a)
    minus = fastdl.full_like(a, -1) if dtype != "uint8" else fastdl.ones_like(a)
    for function in (F.floor_divide, F.remainder, F.fmod):
        assert to_array(function(a, zero)).tolist() == [0, 0, 0]
    assert to_array(F.remainder(a, minus)).tolist() == [0, 0, 0]
    with np.errstate(over="ignore"):
        expected = np.negative(to_array(a)) if dtype != "uint8" else to_array(a)
    assert to_array(F.floor_divide(a, minus)).tolist() == expected.tolist()


def test_floor_division_of_floats_is_pythons():
    values = [0.0, -0.0, 1.0, -1.0, 0.3, 2.5, -7.25, 1e300, math.inf, -math.inf, math.nan]
    for x in values:
        for y in values:
            if y == 0:
                continue
            for ours, theirs in ((F.floor_divide, operator.floordiv), (F.remainder, operator.mod)):
                got = ours(fastdl.tensor([x], dtype="float64"), y).item()
                try:
                    expected = theirs(x, y)
                except (ValueError, OverflowError):
                    expected = math.nan
                assert got == expected or (got != got and expected != expected), (x, y, got)


def test_operators_of_bits():
    a, b = fastdl.tensor([True, True, False, False]), fastdl.tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False]
    assert (~a).tolist() == [False, False, True, True]
    with pytest.raises(errors.DTypeError, match="bitwise_and: input is not a tensor of integers"):
        fastdl.ones(2) & fastdl.ones(2)
    with pytest.raises(errors.DTypeError, match="bitwise_left_shift"):
        a << b


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_bits_of_every_integer(dtype):
    values = np.array([0, 1, 5, 100, 127, -1, -128], "int64").astype(dtype)
    x, bits = fastdl.tensor(values), 8 * values.dtype.itemsize
    for name in ("and", "or", "xor", "lshift", "rshift"):
        operation = getattr(operator, f"__{name}__")
        assert operation(x, 3).tolist() == operation(values, values.dtype.type(3)).tolist()
    assert (~x).tolist() == (~values).tolist()
    # A shift that leaves no bit, which C++ does not define.
    for by in (bits, 100) if dtype == "uint8" else (bits, 100, -1):
        assert (x << by).tolist() == [0] * len(values)
        assert (x >> by).tolist() == [-int(v < 0) for v in values]


def test_a_number_takes_a_format():
    assert f"{fastdl.tensor(1.25):.3f} {fastdl.tensor(7):04d}" == "1.250 0007"
    assert f"{fastdl.tensor([1, 2])}" == "tensor([1, 2])"
    with pytest.raises(errors.ArgumentError, match="without dimensions"):
        f"{fastdl.tensor([1.0]):.3f}"


def test_gelu_and_clamp_refuse_what_they_do_not_know():
    with pytest.raises(errors.ArgumentError, match="sigmoid"):
        F.gelu(fastdl.zeros(3), approximate="sigmoid")
    with pytest.raises(errors.ArgumentError, match="neither bound"):
        F.clamp(fastdl.zeros(3))
    assert F.clamp(fastdl.tensor([1, 5, 9]), 2, 6).tolist() == [2, 5, 6]
    assert math.isnan(F.clamp(fastdl.tensor([math.nan]), 0, 1).item())


SIXTEEN_BITS = {
    "conv1d": ((2, 3, 9), (4, 3, 3), (4,)),
    "conv2d": ((2, 3, 6, 5), (4, 3, 3, 2), (4,)),
    "conv3d": ((1, 2, 4, 5, 3), (3, 2, 2, 3, 1), (3,)),
    "conv_transpose2d": ((2, 3, 4, 5), (3, 2, 3, 2), (2,)),
    "lstm": ((4, 2, 3), (2, 5), (2, 5), (20, 3), (20, 5), (20,), (20,)),
    "gru": ((4, 2, 3), (2, 5), (15, 3), (15, 5), (15,), (15,)),
}


@pytest.mark.parametrize("dtype", [fastdl.float16, fastdl.bfloat16])
@pytest.mark.parametrize("name", SIXTEEN_BITS)
def test_sixteen_bits_are_computed_in_float32_and_rounded_once(name, dtype):
    """Results and gradients on the CPU, where these functions have no kernels for 16 bits."""
    rng = np.random.default_rng(5)
    drawn = [rng.uniform(-1, 1, shape).astype(np.float32) for shape in SIXTEEN_BITS[name]]
    rounded = [fastdl.tensor(a).to(dtype) for a in drawn]
    found = []
    for kind in (dtype, fastdl.float32):
        operands = [fastdl.tensor(t.to(kind), requires_grad=True) for t in rounded]
        y = getattr(F, name)(*operands)
        first = y[0] if isinstance(y, tuple) else y
        first.sum().backward()  # with a gradient of 1, which has no digits to lose
        found.append([first.detach(), *(t.grad for t in operands)])
    for narrow, wide in zip(*found, strict=True):
        assert narrow.dtype == dtype
        np.testing.assert_array_equal(narrow.float().numpy(), wide.to(dtype).float().numpy())
