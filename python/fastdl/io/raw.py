"""Tensors as raw little-endian bytes and back, bfloat16 and bool included."""

from __future__ import annotations

import numpy as np

from fastdl import _core
from fastdl._core import Tensor

__all__ = ["FILE_DTYPES", "tensor_from_bytes", "tensor_to_array"]

# How the dtypes are called in the header of a safetensors file.
FILE_DTYPES = {
    "F16": _core.float16,
    "BF16": _core.bfloat16,
    "F32": _core.float32,
    "F64": _core.float64,
    "I32": _core.int32,
    "I64": _core.int64,
    "U8": _core.uint8,
    "BOOL": _core.bool_,
}


def tensor_to_array(tensor: Tensor) -> np.ndarray:
    """A contiguous little-endian array with the bytes of `tensor`; bfloat16 comes as uint16."""
    host = tensor.detach().cpu().contiguous()
    if host.dtype == _core.bfloat16:
        # NumPy has no bfloat16: it is the upper half of a float32, which holds it exactly.
        wide = host.to(_core.float32).numpy().view(np.uint32)
        return np.asarray(wide >> np.uint32(16), dtype="<u2")
    array: np.ndarray = host.numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def tensor_from_bytes(data: bytearray, dtype: _core.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor whose little-endian bytes are `data`; it shares the memory where it can."""
    if dtype == _core.bfloat16:
        halves = np.frombuffer(data, dtype="<u2").astype(np.uint32)
        wide = (halves << np.uint32(16)).view(np.float32).reshape(shape)
        return _core.from_numpy(wide).to(_core.bfloat16)
    stored = np.frombuffer(data, dtype=np.dtype(dtype.name).newbyteorder("<")).reshape(shape)
    return _core.from_numpy(stored.astype(dtype.name, copy=False))
