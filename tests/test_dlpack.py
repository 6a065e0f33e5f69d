"""DLPack capsules that no honest producer makes: typed errors, and each released once.

tests/test_interop.py has the honest ones.
"""

import ctypes

import numpy as np
import pytest

import fastdl
from fastdl.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    Error,
    OutOfMemoryError,
    ShapeError,
)

INT64 = ctypes.c_int64


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("index", ctypes.c_int32)]


class DType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", DType),
        ("shape", ctypes.POINTER(INT64)),
        ("strides", ctypes.POINTER(INT64)),
        ("byte_offset", ctypes.c_uint64),
    ]


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("view", View), ("context", ctypes.c_void_p), ("deleter", DELETER)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", DELETER),
        ("flags", ctypes.c_uint64),
        ("view", View),
    ]


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Made:
    """A capsule made by hand over twelve float32, 0 to 11; counts how often it is released."""

    def __init__(self, shape=(3, 4), strides=None, device=(1, 0), dtype=(2, 32, 1), ndim=None,
                 offset=0, memory=True, version=None, flags=0):  # fmt: skip
        self.values = np.arange(12, dtype=np.float32)
        self.released = 0
        self.shape = (INT64 * max(len(shape), 1))(*shape)
        self.strides = None if strides is None else (INT64 * max(len(strides), 1))(*strides)
        view = View(
            self.values.ctypes.data if memory else None,
            Device(*device),
            len(shape) if ndim is None else ndim,
            DType(*dtype),
            self.shape,
            self.strides,
            offset,
        )
        self.deleter = DELETER(self.release)
        if version is None:
            self.managed, name = Managed(view, None, self.deleter), b"dltensor"
        else:
            self.managed = Versioned(*version, None, self.deleter, flags, view)
            name = b"dltensor_versioned"
        self.capsule = new_capsule(ctypes.addressof(self.managed), name, None)

    def release(self, _):
        self.released += 1


def test_an_honest_one():
    for made in (Made(), Made(version=(1, 0)), Made(version=(1, 7))):
        t = fastdl.from_dlpack(made.capsule)
        np.testing.assert_array_equal(t.numpy(), np.arange(12).reshape(3, 4))
        assert made.released == 0
        del t
        assert made.released == 1


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_consumed_twice(version):
    made = Made(version=version)
    t = fastdl.from_dlpack(made.capsule)
    for _ in range(2):
        with pytest.raises(ArgumentError, match="consumed already"):
            fastdl.from_dlpack(made.capsule)
    assert t.sum().item() == 66
    del t
    assert made.released == 1


def test_no_capsule_of_ours():
    made = Made()
    other = new_capsule(ctypes.addressof(made.managed), b"another", None)

    class Producer:
        def __init__(self, gives):
            self.gives = gives

        def __dlpack__(self, **options):
            return self.gives

    for gives in (other, "text", None, 3):
        with pytest.raises(ArgumentError, match="no DLPack capsule"):
            fastdl.from_dlpack(Producer(gives))
    assert made.released == 0


@pytest.mark.parametrize(
    "device",
    [(4, 0), (7, 0), (0, 0), (-1, 0), (2**31 - 1, 0), (2, 99), (2, 256), (2, -1), (2, -(2**31))],
)
def test_foreign_devices(device):
    made = Made(device=device)
    with pytest.raises(DeviceError):
        fastdl.from_dlpack(made.capsule)
    assert made.released == 1


def test_null_strides_are_of_contiguous_elements():
    t = fastdl.from_dlpack(Made((2, 3, 2), None).capsule)
    assert t.stride() == (6, 2, 1)
    np.testing.assert_array_equal(t.numpy(), np.arange(12).reshape(2, 3, 2))


def test_negative_strides_are_read_backwards():
    """As NumPy's own; PyTorch refuses them."""
    made = Made((3, 4), (-4, -1), offset=44)
    t = fastdl.from_dlpack(made.capsule)
    expected = np.arange(12, dtype=np.float32).reshape(3, 4)[::-1, ::-1]
    np.testing.assert_array_equal(t.numpy(), expected)
    np.testing.assert_array_equal((t * 2).numpy(), expected * 2)
    np.testing.assert_array_equal(t.contiguous().numpy(), expected)
    backwards = np.arange(12.0)[::-3]
    np.testing.assert_array_equal(fastdl.from_dlpack(backwards).numpy(), backwards)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (-1, 4)},
        {"shape": (-1, -4)},
        {"shape": (2**40, 2**40)},
        {"shape": (2**63 - 1, 2)},
        {"shape": (2**61, 1)},
        {"shape": (-(2**63),)},
        {"shape": (1,) * 9},
        {"ndim": 2**31 - 1},
        {"ndim": -1},
        {"ndim": -(2**31)},
        {"strides": (2**62, 1)},
        {"strides": (2**63 - 1, 2**63 - 1)},
        {"strides": (-(2**63), 1)},
        {"strides": (1, -(2**63))},
    ],
    ids=str,
)
def test_shapes_and_strides_that_are_no_memory(changes):
    made = Made(**changes)
    with pytest.raises((ShapeError, OutOfMemoryError)) as caught:
        fastdl.from_dlpack(made.capsule)
    assert isinstance(caught.value, Error)
    assert made.released == 1


@pytest.mark.parametrize(
    "dtype", [(2, 32, 4), (2, 32, 0), (0, 8, 1), (1, 32, 1), (5, 64, 1), (2, 128, 1), (99, 32, 1)]
)
def test_other_dtypes(dtype):
    made = Made(dtype=dtype)
    with pytest.raises(DTypeError, match="DLPack code"):
        fastdl.from_dlpack(made.capsule)
    assert made.released == 1


def test_sizes_that_are_null():
    made = Made()
    made.managed.view.shape = None
    with pytest.raises(ShapeError, match="without sizes"):
        fastdl.from_dlpack(made.capsule)
    assert made.released == 1


def test_memory_that_is_null_or_not_aligned():
    made = Made(memory=False)
    with pytest.raises(ArgumentError, match="null memory"):
        fastdl.from_dlpack(made.capsule)
    assert made.released == 1
    assert fastdl.from_dlpack(Made((0, 4), memory=False).capsule).shape == (0, 4)
    made = Made((2,), offset=2)
    with pytest.raises(ArgumentError, match="aligned"):
        fastdl.from_dlpack(made.capsule)
    assert made.released == 1


def test_other_versions():
    for major in (0, 2, 2**32 - 1):
        made = Made(version=(major, 0))
        with pytest.raises(ArgumentError, match=f"DLPack {major}"):
            fastdl.from_dlpack(made.capsule)
        assert made.released == 1


def test_read_only_memory():
    t = fastdl.from_dlpack(Made(version=(1, 0), flags=1).capsule)
    with pytest.raises(Error, match="read-only"):
        t.add_(1)
