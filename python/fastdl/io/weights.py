"""Weights in the safetensors format (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors

from fastdl._core import Tensor
from fastdl.errors import ArgumentError, FormatError
from fastdl.io.atomic import atomic_write
from fastdl.io.raw import FILE_DTYPES, tensor_from_bytes, tensor_to_array

__all__ = ["decode", "encode", "load_file", "read_metadata", "save_file"]

PathLike = str | os.PathLike[str]


def save_file(
    tensors: Mapping[str, Tensor], path: PathLike, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors to a safetensors file, atomically.

    Args:
        tensors: for example the `state_dict` of a model. Views are stored densely.
        path: the file; one that is there is replaced only when the new one is complete.
        metadata: texts to store in the header.

    Raises:
        ArgumentError: a value is not a tensor.
        OSError: the file cannot be written.
    """
    content = encode(tensors, metadata)
    with atomic_write(path) as file:
        file.write(content)


def load_file(path: PathLike) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, onto the CPU.

    Raises:
        FormatError: the file is cut short, damaged, or has a dtype that fastdl has not.
        OSError: the file cannot be read.
    """
    return decode(Path(path).read_bytes(), str(path))[0]


def read_metadata(path: PathLike) -> dict[str, str]:
    """Read the texts in the header of a safetensors file; FormatError if it is damaged."""
    return decode(Path(path).read_bytes(), str(path))[1]


def encode(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                "save_file", f"{name!r} is of type {type(tensor).__name__}, expected a tensor"
            )
    arrays = {name: tensor_to_array(tensor) for name, tensor in tensors.items()}
    # A specification holds a bare address: `arrays` keeps the memory alive until the end.
    specifications = {
        name: safetensors.TensorSpec(
            dtype=tensors[name].dtype.name,
            shape=list(tensors[name].shape),
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in arrays.items()
    }
    content = bytes(safetensors.serialize(specifications))
    return _with_metadata(content, metadata) if metadata else content


def decode(data: bytes, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of the bytes of a safetensors file; `name` is what errors call it."""
    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
        metadata = _header(data).get("__metadata__") or {}
    except (safetensors.SafetensorError, ValueError) as error:
        raise _damaged(data, name, str(error)) from error
    tensors = {}
    for key, entry in entries:
        dtype = FILE_DTYPES.get(entry["dtype"])
        if dtype is None:
            raise FormatError(
                "load_file",
                f"tensor {key!r} has dtype {entry['dtype']}, which fastdl does not have",
                {"file": name, "dtypes": ", ".join(FILE_DTYPES)},
                "convert the tensor with the program that wrote the file",
            )
        tensors[key] = tensor_from_bytes(entry["data"], dtype, tuple(entry["shape"]))
    return tensors, metadata


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """The container with texts in its header.

    The package would write them in an order that changes from run to run; here equal contents
    give equal files.
    """
    data_start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(
        {"__metadata__": dict(sorted(metadata.items())), **_header(content)},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    header += b" " * (-len(header) % 8)  # the data stays aligned
    return len(header).to_bytes(8, "little") + header + content[data_start:]


def _header(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    return header


def _damaged(data: bytes, name: str, reason: str) -> FormatError:
    reason = reason.removeprefix("Error while deserializing: ")
    return FormatError(
        "load_file",
        f"not a whole safetensors file: {reason}",
        {"file": name, "size": f"{len(data)} bytes"},
        "copy or download the file again; it is cut short, damaged, or of another format",
    )
