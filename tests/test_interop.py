"""Memory shared with other libraries, both ways: the buffer protocol and DLPack."""

import array
import gc
import math
import weakref

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, AutogradError, DTypeError, Error, ShapeError

DTYPES = ["float16", "float32", "float64", "int32", "int64", "uint8", "bool"]


def kind(name):
    return getattr(fastdl, "bool_" if name == "bool" else name)


# NumPy to fastdl


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_numpy_shares(dtype):
    a = np.zeros((2, 3), dtype)
    t = fastdl.from_numpy(a)
    assert t.dtype == kind(dtype)
    assert t.shape == (2, 3)
    assert t.data_ptr() == a.ctypes.data
    a[1, 2] = 1
    assert t[1, 2].item() == 1
    t[0, 0] = 1
    assert a[0, 0] == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],
        lambda a: a[:, ::-2],
        lambda a: a.T,
        lambda a: a[1:, 1:],
        lambda a: np.broadcast_to(a[:1], (4, 5)),
        lambda a: a[2],
        lambda a: a[2:2],
        lambda a: a.reshape(2, 2, 5)[:, :, 3],
        lambda a: np.asarray(a[1, 1]),
    ],
)
def test_any_strides_are_shared(view):
    base = np.arange(20.0).reshape(4, 5)
    a = view(base)
    t = fastdl.from_numpy(a)
    np.testing.assert_array_equal(t.numpy(), a)
    np.testing.assert_array_equal((t * 2).numpy(), a * 2)
    np.testing.assert_array_equal(t.contiguous().numpy(), a)
    if a.size:
        assert t.data_ptr() == a.ctypes.data
    if a.flags.writeable:
        t.mul_(3)
        np.testing.assert_array_equal(t.numpy(), a)


def test_read_only_memory_is_not_written():
    a = np.zeros(3, np.float32)
    a.flags.writeable = False
    t = fastdl.from_numpy(a)
    for edit in (
        lambda: t.add_(1),
        lambda: t.zero_(),
        lambda: t.copy_(fastdl.ones((3,))),
        lambda: t.__setitem__(0, 1),
        lambda: t[1:].fill_(2),
        lambda: t.uniform_(),
        lambda: t.normal_(),
        lambda: fastdl._core.sgd_step([t], [fastdl.ones((3,))], [], lr=0.1),
        lambda: t.T.mul_(2),
        lambda: t.detach().fill_(1),
    ):
        with pytest.raises(ArgumentError):
            edit()
    with pytest.raises(ArgumentError):
        F.batch_norm(fastdl.randn((4, 3)), t, fastdl.ones((3,)), training=True)
    assert a.tolist() == [0, 0, 0]
    assert not t.numpy().flags.writeable
    assert (t + 1).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError):
        np.from_dlpack(t)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(3, ">f4"),
        np.zeros(3, np.complex64),
        np.zeros(3, object),
        np.zeros(3, "U5"),
        np.zeros(3, "S5"),
        np.zeros(3, "datetime64[s]"),
        np.zeros(3, [("a", "f4"), ("b", "i4")]),
        np.zeros(3, np.longdouble),
        np.zeros(3, np.int16),
        np.zeros(3, np.uint32),
        np.zeros((1,) * 20, np.float32),
        np.zeros(3, [("a", "u1"), ("b", "f4")])["b"],
        np.frombuffer(bytes(13), np.uint8)[1:].view("f4"),
    ],
    ids=lambda a: f"{a.dtype}{list(a.shape)}".replace(" ", ""),
)
def test_arrays_that_have_no_counterpart(wrong):
    for use in (fastdl.from_numpy, fastdl.tensor, F.exp, F.sum):
        with pytest.raises((DTypeError, ShapeError, TypeError, ValueError, BufferError)) as caught:
            use(wrong)
        if isinstance(caught.value, Error):
            assert caught.value.remedy


def test_other_buffers():
    assert F.sum(array.array("d", [1.0, 2.0])).item() == 3.0
    assert fastdl.from_numpy(memoryview(bytearray(b"\x01\x02"))).tolist() == [1, 2]
    assert fastdl.from_numpy(array.array("q", [5])).dtype == fastdl.int64
    for text in (b"abc", "abc", bytearray(b"abc")):
        with pytest.raises(TypeError):
            F.neg(text)


@pytest.mark.parametrize("value", [np.float32(2), np.float64(2), np.int64(2)], ids=repr)
def test_numpy_scalars_are_numbers(value):
    x = fastdl.tensor([1.0, 2.0])
    if isinstance(value, np.float64):
        assert (x * value).tolist() == [2.0, 4.0]
    elif isinstance(value, np.float32):
        assert F.mul(x, value).tolist() == [2.0, 4.0]
    else:
        with pytest.raises(DTypeError):
            F.mul(x, value)


def test_from_numpy_in_a_graph():
    a = np.ones(3, np.float32)
    x = fastdl.from_numpy(a).requires_grad_()
    F.mul(x, a).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


# fastdl to NumPy


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_shares(dtype):
    t = fastdl.zeros((2, 3), dtype=kind(dtype))
    a = t.numpy()
    assert a.dtype == dtype
    t[0, 1] = 1
    assert a[0, 1] == 1
    a[1, 2] = 1
    assert t[1, 2].item() == 1


def test_numpy_of_views():
    t = fastdl.arange(24).reshape(2, 3, 4)
    a = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(t.permute(2, 0, 1).numpy(), a.transpose(2, 0, 1))
    np.testing.assert_array_equal(t[:, 1:, ::2].numpy(), a[:, 1:, ::2])
    assert fastdl.tensor(3.0).numpy().shape == ()
    assert fastdl.zeros((0, 3)).numpy().shape == (0, 3)
    assert t[:1].expand(5, 3, 4).numpy().strides == (0, 32, 8)


def test_numpy_of_a_graph_is_refused():
    x = fastdl.ones((2,), requires_grad=True)
    for t in (x, x * 2):
        for use in (fastdl.Tensor.numpy, np.asarray, np.from_dlpack):
            with pytest.raises(AutogradError, match="detach"):
                use(t)
    assert x.detach().numpy().tolist() == [1, 1]


def test_bfloat16_has_no_numpy():
    with pytest.raises(DTypeError, match="float"):
        fastdl.zeros((2,), dtype="bfloat16").numpy()


def test_array_protocol():
    t = fastdl.tensor([1.0, 2.0])
    a = np.asarray(t)
    a[0] = 5
    assert t.tolist() == [5, 2]
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    copied = np.array(t)
    copied[0] = 7
    assert t.tolist() == [5, 2]
    assert np.asarray(t, dtype=np.float32, copy=False).tolist() == [5, 2]
    with pytest.raises(ValueError, match="copy"):
        np.asarray(t, dtype=np.float64, copy=False)
    independent = np.asarray(t, dtype=np.float32, copy=True)
    independent[0] = 9
    assert t.tolist() == [5, 2]
    assert np.add(np.ones(2), t.double()).tolist() == [6, 3]


# DLPack


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_round_trips(dtype):
    t = fastdl.ones((2, 3), dtype=kind(dtype))
    a = np.from_dlpack(t)
    assert a.dtype == dtype
    assert a.ctypes.data == t.data_ptr()
    b = np.ones((2, 3), dtype)
    u = fastdl.from_dlpack(b)
    assert u.dtype == kind(dtype)
    assert u.data_ptr() == b.ctypes.data
    b[0, 0] = 0
    assert u[0, 0].item() == 0
    v = fastdl.from_dlpack(t)
    assert v.data_ptr() == t.data_ptr()


def test_dlpack_of_views_and_scalars():
    t = fastdl.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(np.from_dlpack(t.T), t.numpy().T)
    assert np.from_dlpack(fastdl.tensor(2.0)).shape == ()
    assert np.from_dlpack(fastdl.zeros((0, 3))).shape == (0, 3)
    a = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(fastdl.from_dlpack(a.T).numpy(), a.T)
    np.testing.assert_array_equal(fastdl.from_dlpack(a[::2, 1:]).numpy(), a[::2, 1:])
    assert fastdl.from_dlpack(np.array(3.0)).item() == 3
    assert fastdl.from_dlpack(np.zeros((0, 2))).shape == (0, 2)


def test_bfloat16_travels_by_dlpack():
    t = fastdl.tensor([1.5, -2.0], dtype="bfloat16")
    again = fastdl.from_dlpack(t.__dlpack__())
    assert again.dtype == fastdl.bfloat16
    assert again.tolist() == [1.5, -2.0]


def test_a_capsule_is_consumed_once():
    t = fastdl.ones((2,))
    capsule = t.__dlpack__()
    assert fastdl.from_dlpack(capsule).tolist() == [1, 1]
    with pytest.raises(ArgumentError, match="consumed already"):
        fastdl.from_dlpack(capsule)


def test_dlpack_protocol_arguments():
    t = fastdl.ones((2,))
    assert t.__dlpack_device__() == (1, 0)
    shared = fastdl.from_dlpack(t.__dlpack__(stream=None, max_version=(1, 0), dl_device=(1, 0)))
    assert shared.data_ptr() == t.data_ptr()
    copied = fastdl.from_dlpack(t.__dlpack__(copy=True))
    assert copied.data_ptr() != t.data_ptr()


@pytest.mark.parametrize(
    "wrong", [None, 3, "text", [1.0], object(), {}], ids=lambda v: type(v).__name__
)
def test_from_dlpack_refuses_strangers(wrong):
    with pytest.raises((TypeError, AttributeError, ValueError)):
        fastdl.from_dlpack(wrong)
    with pytest.raises((TypeError, AttributeError, ValueError)):
        fastdl.from_numpy(wrong)


def test_errors_of_the_producer_come_through():
    class Broken:
        def __dlpack__(self, **options):
            raise ZeroDivisionError

    class Liar:
        def __dlpack__(self, **options):
            return "no capsule"

    with pytest.raises(ZeroDivisionError):
        F.exp(Broken())
    with pytest.raises((TypeError, ValueError)):
        F.exp(Liar())


# lifetimes


def test_array_outlives_tensor():
    t = fastdl.full((1000,), 3.0)
    a, b = t.numpy(), np.from_dlpack(t)
    del t
    gc.collect()
    junk = [fastdl.zeros((1000,)) for _ in range(20)]
    assert (a == 3).all()
    assert (b == 3).all()
    del junk


def test_tensor_outlives_array():
    a = np.full(1000, 3.0)
    gone = weakref.ref(a)
    t, u = fastdl.from_numpy(a), fastdl.from_dlpack(a)
    v = (t * 1)[10:]
    del a
    gc.collect()
    junk = [np.zeros(1000) for _ in range(20)]
    assert t.tolist() == u.tolist() == [3.0] * 1000
    assert gone() is not None
    del t, u
    gc.collect()
    assert gone() is None
    assert v[0].item() == 3
    del junk


def test_tensors_release_what_they_borrow():
    before = fastdl.memory_stats()["in_use"]
    for _ in range(50):
        t = fastdl.ones((100,))
        capsule = t.__dlpack__()  # never consumed
        a = np.from_dlpack(t)
        b = t.numpy()
        c = fastdl.from_dlpack(t.__dlpack__())
        del t, capsule, a, b, c
    gc.collect()
    assert fastdl.memory_stats()["in_use"] == before
    buffer = bytearray(8)
    t = fastdl.from_numpy(memoryview(buffer))
    with pytest.raises(BufferError):
        buffer.append(1)  # exported, so it may not move
    del t
    buffer.append(1)


def test_saved_arrays_live_as_long_as_the_graph():
    x = fastdl.ones((500,), dtype="float64", requires_grad=True)
    y = F.mul(x, np.full(500, 2.0))
    junk = [np.zeros(500) for _ in range(50)]
    y.sum().backward()
    assert math.fsum(x.grad.tolist()) == 1000
    del junk
