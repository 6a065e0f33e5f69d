"""The Tensor type: making, indexing, printing, converting, arithmetic, edits in place."""

import copy
import math

import numpy as np
import pytest

import fastdl
from fastdl.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    Error,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)

DTYPES = ["float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool_"]


def numbers(*shape):
    return fastdl.from_numpy(np.arange(math.prod(shape), dtype=np.float32).reshape(shape))


# making


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()),
        (3, "int64", ()),
        (True, "bool_", ()),
        ([1.0, 2], "float32", (2,)),
        ([[1, 2], [3, 4]], "int64", (2, 2)),
        ([True, False], "bool_", (2,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        (np.arange(3.0), "float64", (3,)),
        (np.arange(3, dtype=np.uint8), "uint8", (3,)),
        ((1, 2), "int64", (2,)),
        (range(3), "int64", (3,)),
    ],
    ids=str,
)
def test_tensor_takes_python_data(data, dtype, shape):
    t = fastdl.tensor(data)
    assert t.dtype == getattr(fastdl, dtype)
    assert t.shape == shape
    assert t.tolist() == np.asarray(data).tolist()


def test_tensor_copies():
    a = np.zeros(3, np.float32)
    t = fastdl.tensor(a)
    a[0] = 7
    assert t.tolist() == [0, 0, 0]
    u = fastdl.tensor(t)
    u[0] = 1
    assert t.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "data",
    [None, "text", object(), {"a": 1}, [1, [2]], ["a"], [None], 1j, [1j], {1, 2}],
    ids=lambda v: type(v).__name__,
)
def test_tensor_refuses_what_is_no_array(data):
    with pytest.raises((TypeError, ValueError)):
        fastdl.tensor(data)


@pytest.mark.parametrize("dtype", DTYPES)
def test_filled(dtype):
    kind = getattr(fastdl, dtype)
    for t, value in (
        (fastdl.zeros((2, 3), dtype=kind), 0),
        (fastdl.ones((2, 3), dtype=kind), 1),
        (fastdl.full((2, 3), 1, dtype=dtype.strip("_")), 1),
        (fastdl.zeros_like(fastdl.ones((2, 3), dtype=kind)), 0),
        (fastdl.ones_like(fastdl.zeros((2, 3), dtype=kind)), 1),
        (fastdl.full_like(fastdl.zeros((2, 3), dtype=kind), 1), 1),
    ):
        assert t.dtype == kind
        assert t.tolist() == [[value] * 3] * 2
    assert fastdl.empty((2, 3), dtype=kind).shape == (2, 3)
    assert fastdl.empty_like(fastdl.zeros((4,), dtype=kind)).dtype == kind


def test_shapes_as_arguments_or_sequence():
    for t in (fastdl.zeros(2, 3), fastdl.zeros((2, 3)), fastdl.zeros([2, 3])):
        assert t.shape == (2, 3)
    assert fastdl.zeros(()).shape == ()
    assert fastdl.zeros(4, dtype="int64", requires_grad=False).dtype == fastdl.int64
    assert fastdl.ones((2,), requires_grad=True).requires_grad
    x = numbers(2, 3)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.permute(1, 0).shape == (3, 2)
    assert x.view(-1).shape == (6,)


@pytest.mark.parametrize(
    "arguments",
    [(5,), (2, 7), (0, 10, 3), (5, 0, -2), (3, 3), (0.0, 1.0, 0.25), (1, 2, 0.5)],
    ids=str,
)
def test_arange(arguments):
    wanted = np.arange(*arguments)
    t = fastdl.arange(*arguments)
    np.testing.assert_allclose(t.numpy(), wanted)
    whole = all(isinstance(a, int) for a in arguments)
    assert t.dtype == (fastdl.int64 if whole else fastdl.float32)


@pytest.mark.parametrize(
    "arguments", [(0, 1, 0), (0, math.inf), (math.nan,), (0, 1, 1e-300), (0, 1e300)], ids=str
)
def test_arange_refuses_endless_ranges(arguments):
    with pytest.raises(Error):
        fastdl.arange(*arguments)


@pytest.mark.parametrize("shape", [(-1,), (2, -3), (2**40, 2**40), (2**62, 4)], ids=str)
def test_impossible_shapes(shape):
    for make in (fastdl.zeros, fastdl.empty, fastdl.rand):
        with pytest.raises((ShapeError, OutOfMemoryError)):
            make(shape)


# dtypes


def test_dtypes_are_singletons():
    for name in DTYPES:
        kind = getattr(fastdl, name)
        assert fastdl.zeros((1,), dtype=kind).dtype is kind
        assert repr(kind) == f"fastdl.{name}"
        assert hash(kind) == hash(getattr(fastdl, name))
        assert kind.is_floating_point == ("float" in name)
    assert [getattr(fastdl, n).itemsize for n in DTYPES] == [2, 2, 4, 8, 4, 8, 1, 1]
    assert fastdl.float32 != fastdl.float64


def test_dtype_arguments():
    for like in (fastdl.float64, "float64", np.float64, np.dtype("float64")):
        assert fastdl.zeros((1,), dtype=like).dtype == fastdl.float64
    for wrong in ("float128", "nonsense", np.complex64, 3, object):
        with pytest.raises((TypeError, ValueError)):
            fastdl.zeros((1,), dtype=wrong)


@pytest.mark.parametrize("source", ["float32", "float64", "int32", "int64", "uint8", "bool_"])
@pytest.mark.parametrize("target", ["float16", "float32", "float64", "int32", "int64", "uint8"])
def test_casts_agree_with_numpy(source, target):
    values = np.array([0, 1, 2, 100, 3, 77] * 7).astype(source.strip("_"))
    got = fastdl.from_numpy(values).to(target).numpy()
    assert got.dtype == target
    np.testing.assert_array_equal(got, values.astype(target))


def test_half_casts_round_to_even():
    values = np.concatenate(
        [
            np.random.default_rng(0).normal(size=1001).astype(np.float32) * 1000,
            np.float32(
                [0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.9, 65520, 6e-8, 2.9e-8, 1e-9]
            ),
            np.float32([1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8]),
        ]
    )
    t = fastdl.from_numpy(values)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(t.half().numpy(), values.astype(np.float16))
    bits = values.view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32)
    expected = np.where(np.isnan(values), values, rounded.view(np.float32))
    np.testing.assert_array_equal(t.bfloat16().float().numpy(), expected)
    np.testing.assert_array_equal(t.half().float().half().numpy(), t.half().numpy())


def test_conversion_methods():
    x = fastdl.tensor([0.0, 1.5, -2.0])
    for method, kind in (
        ("double", "float64"),
        ("half", "float16"),
        ("bfloat16", "bfloat16"),
        ("long", "int64"),
        ("int", "int32"),
        ("bool", "bool_"),
        ("float", "float32"),
    ):
        assert getattr(x, method)().dtype == getattr(fastdl, kind)
    assert x.bool().tolist() == [False, True, True]
    assert x.long().tolist() == [0, 1, -2]
    assert x.to("cpu").data_ptr() == x.to(fastdl.float32).data_ptr() == x.data_ptr()
    assert x.to("cpu", dtype="float64").dtype == fastdl.float64
    assert x.to(dtype="int64", device="cpu").dtype == fastdl.int64


# devices


def test_devices():
    x = fastdl.zeros((1,))
    assert x.device == "cpu"
    assert x.device == fastdl.device("cpu")
    assert x.device != "cuda:0"
    assert (fastdl.device("cuda:1").type, fastdl.device("cuda:1").index) == ("cuda", 1)
    for wrong in ("gpu", "cuda:-1", "cuda:x", "cuda:1000", "", "cpu:", "cuda:99999999999999999999"):
        with pytest.raises((DeviceError, ArgumentError, ValueError)):
            fastdl.zeros((1,), device=wrong)


if not fastdl.cuda.is_available():

    @pytest.mark.parametrize(
        "use",
        [
            lambda: fastdl.zeros((1,)).to("cuda"),
            lambda: fastdl.zeros((1,)).cuda(),
            lambda: fastdl.zeros((1,), device="cuda:0"),
            lambda: fastdl.rand((1,), device="cuda"),
            lambda: fastdl.tensor([1.0], device="cuda"),
            lambda: fastdl.arange(3, device="cuda"),
            lambda: fastdl.empty((2,), device="cuda"),
            lambda: fastdl.zeros_like(fastdl.zeros((1,)), device="cuda"),
            lambda: fastdl.empty_like(fastdl.zeros((1,)), device="cuda"),
            lambda: fastdl.cuda.synchronize(),
            lambda: fastdl.memory_stats("cuda"),
        ],
    )
    def test_absent_cuda_says_why(use):
        with pytest.raises(DeviceError, match="CUDA is not available") as caught:
            use()
        assert "doctor" in caught.value.remedy
        assert fastdl.cuda.status() in str(caught.value)


# indexing

INDICES = [
    0,
    -1,
    (1, 2),
    (slice(None), 1),
    slice(1, None),
    slice(None, None, 2),
    slice(-2, None),
    slice(5, 2),
    slice(0, 100),
    slice(None, None, -2),
    (Ellipsis, 0),
    (0, Ellipsis, slice(1, 3)),
    None,
    (None, slice(None), None, 1),
    (slice(1, 2), slice(None, None, 3), slice(2, 4)),
    (),
    Ellipsis,
    (1, 1, 1),
    np.int64(1),
]


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_getitem_agrees_with_numpy(key):
    a = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    t = fastdl.from_numpy(a)
    got = t[key]
    np.testing.assert_array_equal(got.numpy(), a[key])
    assert got.shape == a[key].shape
    turned = t.permute(2, 0, 1)
    np.testing.assert_array_equal(turned[key].numpy(), a.transpose(2, 0, 1)[key])


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_setitem_agrees_with_numpy(key):
    a = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    for value in (7, np.int64(8), None):
        b = a.copy()
        t = fastdl.tensor(a)
        if value is None:
            source = np.arange(b[key].size).reshape(b[key].shape)
            b[key] = source
            t[key] = fastdl.tensor(source)
        else:
            b[key] = value
            t[key] = value
        np.testing.assert_array_equal(t.numpy(), b)


def test_indexing_shares_memory():
    t = fastdl.zeros((2, 3))
    row = t[1]
    row[2] = 5
    assert t.tolist() == [[0, 0, 0], [0, 0, 5]]
    t.T[0, 0] = 1
    assert t.tolist()[0][0] == 1


def test_overlapping_assignment():
    t = fastdl.arange(6)
    t[1:] = t[:-1]
    assert t.tolist() == [0, 0, 1, 2, 3, 4]
    u = fastdl.arange(6)
    u[1:] += u[:-1]
    assert u.tolist() == [0, 1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (3, IndexRangeError),
        (-4, IndexRangeError),
        ((0, 0, 0, 0), IndexRangeError),
        ((Ellipsis, Ellipsis), ArgumentError),
        (slice(None, None, 0), (ArgumentError, ValueError)),
        ("a", TypeError),
        (1.0, TypeError),
        (2**70, (IndexError, ArgumentError)),
        ((slice("a"),), TypeError),
    ],
    ids=str,
)
def test_wrong_indices(key, error):
    t = fastdl.zeros((3, 4, 5))
    with pytest.raises(error):
        t[key]
    with pytest.raises(error):
        t[key] = 1


def test_wrong_assignments():
    t = fastdl.zeros((3, 4))
    with pytest.raises(ShapeError):
        t[0] = fastdl.zeros((5,))
    with pytest.raises(TypeError):
        t[0] = "text"
    with pytest.raises(TypeError):
        del t[0]


def test_iteration_and_length():
    t = numbers(3, 2)
    assert len(t) == 3
    assert [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    assert list(fastdl.zeros((0, 3))) == []
    for use in (len, list):
        with pytest.raises(TypeError):
            use(fastdl.tensor(1.0))
    first, *_ = t
    assert first.tolist() == [0, 1]


# single values


def test_scalars():
    assert fastdl.tensor(2.5).item() == 2.5
    assert fastdl.tensor([[7]]).item() == 7
    assert fastdl.tensor(True).item() is True
    assert float(fastdl.tensor([2.5])) == 2.5
    assert int(fastdl.tensor(2.9)) == 2
    assert bool(fastdl.tensor(0.0)) is False
    assert [10, 20, 30][fastdl.tensor(1)] == 20
    assert fastdl.tensor(2**53 + 1).item() == 2**53 + 1
    assert fastdl.tensor([1.5], dtype="bfloat16").item() == 1.5
    for use in (float, int, bool, fastdl.Tensor.item):
        with pytest.raises(ArgumentError):
            use(fastdl.zeros((2,)))
    with pytest.raises(TypeError):
        [1, 2][fastdl.tensor(1.0)]


# printing


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (fastdl.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (fastdl.tensor([1, 2]), "tensor([1, 2])"),
        (fastdl.tensor(True), "tensor(True)"),
        (fastdl.tensor([1.0], dtype="float64"), "tensor([1.], dtype=float64)"),
        (fastdl.tensor([1.0], dtype="bfloat16"), "tensor([1.], dtype=bfloat16)"),
        (fastdl.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (fastdl.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (fastdl.zeros((0, 3)), "tensor([], shape=(0, 3))"),
        (fastdl.tensor([math.nan, math.inf]), "tensor([nan, inf])"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_repr(t, text):
    assert repr(t) == text
    assert str(t) == text


def test_repr_of_much_is_short():
    text = repr(fastdl.zeros((1000, 1000)))
    assert "..." in text
    assert len(text) < 1000


# layout


def test_strides():
    x = numbers(2, 3, 4)
    assert x.stride() == (12, 4, 1)
    assert x.is_contiguous()
    y = x.permute(2, 0, 1)
    assert y.stride() == (1, 12, 4)
    assert not y.is_contiguous()
    assert y.contiguous().is_contiguous()
    assert x.contiguous().data_ptr() == x.data_ptr()
    assert y.clone().data_ptr() != x.data_ptr()
    assert x[:, 1:].data_ptr() == x.data_ptr() + 16
    assert (x.numel(), x.dim(), x.ndim, x.size(), x.size(-1)) == (24, 3, 3, (2, 3, 4), 4)
    assert x.T.shape == (4, 3, 2)
    with pytest.raises(IndexRangeError):
        x.size(3)


def test_views_share_and_reshape_copies_only_where_it_must():
    x = numbers(2, 3)
    assert x.view(6).data_ptr() == x.data_ptr()
    assert x.T.reshape(6).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(ShapeError, match="reshape"):
        x.T.view(6)
    assert x.unsqueeze(0).squeeze(0).data_ptr() == x.data_ptr()
    e = x[:1].expand(4, 3)
    assert e.stride() == (0, 1)
    # A view of a strided tensor where its groups of dimensions allow one.
    y = fastdl.zeros((4, 6))[:, :3]
    assert y.reshape(2, 2, 3).data_ptr() == y.data_ptr()
    assert y.view(4, 3, 1).stride()[:2] == (6, 1)


def test_random_reshapes_agree_with_numpy():
    rng = np.random.default_rng(0)
    shapes = [(24,), (2, 12), (3, 8), (2, 3, 4), (4, 1, 6), (1, 24), (2, 2, 2, 3), (4, 3, 2, 1)]
    for _ in range(300):
        a = np.arange(24).reshape(shapes[rng.integers(len(shapes))])
        t = fastdl.from_numpy(a)
        order = rng.permutation(a.ndim)
        shape = shapes[rng.integers(len(shapes))]
        b, u = a.transpose(order), t.permute(*map(int, order))
        np.testing.assert_array_equal(u.reshape(shape).numpy(), b.reshape(shape))


# operators


def test_operators():
    x, y = fastdl.tensor([1.0, -2.0]), fastdl.tensor([4.0, 0.5])
    a, b = x.numpy(), y.numpy()
    for got, wanted in (
        (x + y, a + b),
        (x - y, a - b),
        (x * y, a * b),
        (x / y, a / b),
        (y**x, b**a),
        (x**2, a**2),
        (2**y, 2**b),
        (x @ y, a @ b),
        (-x, -a),
        (abs(x), abs(a)),
        (x == y, a == b),
        (x != y, a != b),
        (x < y, a < b),
        (x <= y, a <= b),
        (x > y, a > b),
        (x >= y, a >= b),
        (1 + x, 1 + a),
        (1 - x, 1 - a),
        (3 * x, 3 * a),
        (1 / y, 1 / b),
        (x + b, a + b),
        (x == 1, a == 1),
        (x > 0.5, a > 0.5),
    ):
        assert isinstance(got, fastdl.Tensor)
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-6)


def test_operators_leave_strangers_to_themselves():
    class Stranger:
        def __radd__(self, other):
            return "radd"

        def __rmatmul__(self, other):
            return "rmatmul"

    x = fastdl.tensor([1.0])
    assert x + Stranger() == "radd"
    assert x @ Stranger() == "rmatmul"
    for wrong in ("a", None, [1.0], 1j, object()):
        with pytest.raises(TypeError):
            x + wrong
    assert (x == "a") is False
    assert x != None  # noqa: E711  the operator itself is what is tested
    assert hash(x) == hash(x)
    assert len({x, x, fastdl.tensor([1.0])}) == 2


def test_dtypes_do_not_promote():
    x, y = fastdl.tensor([1.0]), fastdl.tensor([1.0], dtype="float64")
    for use in (lambda: x + y, lambda: x @ y, lambda: x < y, lambda: x.add_(y)):
        with pytest.raises(DTypeError) as caught:
            use()
        assert ".to(fastdl.float32)" in caught.value.remedy
        assert {"float32[1]", "float64[1]"} <= set(caught.value.details.values())


# in place


def test_edits_in_place():
    x = fastdl.tensor([1.0, 2.0])
    before, version = x.data_ptr(), x._version
    x += 1
    x *= fastdl.tensor([2.0, 3.0])
    x -= 1
    x /= 2
    assert x.tolist() == [1.5, 4.0]
    x.add_(1).sub_(0.5).mul_(2).div_(4)
    assert x.tolist() == [1.0, 2.25]
    assert x.data_ptr() == before
    assert x._version > version
    x.fill_(3)
    assert x.tolist() == [3, 3]
    assert x.zero_() is x
    assert x.tolist() == [0, 0]
    x.copy_(np.array([5, 6]))
    assert x.tolist() == [5, 6]


def test_edits_of_views_reach_the_base():
    x = fastdl.zeros((3, 4))
    x[:, ::2] += 1
    x.T[1].fill_(7)
    assert x.tolist() == [[1, 7, 1, 0]] * 3
    y = fastdl.arange(4)
    y += y
    assert y.tolist() == [0, 2, 4, 6]


def test_edit_that_does_not_fit():
    x = fastdl.zeros((1, 3))
    with pytest.raises(ShapeError, match="does not fit"):
        x += fastdl.zeros((2, 3))
    with pytest.raises(ShapeError):
        x.copy_(fastdl.zeros((2, 3)))
    with pytest.raises(DTypeError):
        x.add_(fastdl.zeros((1, 3), dtype="int64"))
    whole = fastdl.arange(3)
    whole += 1
    assert whole.dtype == fastdl.int64


# subclasses, copies


def test_subclass():
    class Named(fastdl.Tensor):
        def __new__(cls, data, name):
            self = super().__new__(cls, data)
            self.name = name
            return self

    base = fastdl.zeros((2,))
    t = Named(base, "weights")
    assert isinstance(t, fastdl.Tensor)
    assert t.name == "weights"
    assert t.data_ptr() == base.data_ptr()
    assert type(t + 1) is fastdl.Tensor
    for _ in range(100):
        Named(base, "x")


def test_copies():
    x = fastdl.tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    with fastdl.no_grad():
        y.zero_()
    assert x.tolist() == [1, 2]
    with pytest.raises(Error, match="detach"):
        copy.deepcopy(x * 2)
