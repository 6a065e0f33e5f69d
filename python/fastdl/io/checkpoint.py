"""The checkpoint of a training run: everything needed to go on, in one file.

The file is a safetensors container. Its tensors are the tensors of the state; its metadata holds
the rest of the state as JSON, in which each tensor's place has ``{"$tensor": name}``, the integer
version of the format, and the SHA-256 of all of it, so that no damage goes unnoticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastdl._core import Tensor
from fastdl.errors import ArgumentError, FormatError
from fastdl.io.atomic import atomic_write
from fastdl.io.raw import tensor_to_array
from fastdl.io.weights import PathLike, decode, encode

__all__ = ["FORMAT_VERSION", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 1

_TENSOR, _BYTES = "$tensor", "$bytes"


def save_checkpoint(path: PathLike, state: Mapping[str, Any]) -> None:
    """Write a nested state to one file, atomically.

    Args:
        path: the file; one that is there is replaced only when the new one is complete.
        state: dicts with string keys, lists, tuples (which come back as lists), tensors, bytes,
            strings, numbers, booleans and None, nested at will. For example
            ``{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}``.

    Raises:
        ArgumentError: the state has a value that cannot be stored; the message says where.
        OSError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps({"version": FORMAT_VERSION, "state": _pack(state, "", tensors)})
    metadata = {"fastdl_checkpoint": text, "sha256": _digest(text, tensors)}
    content = encode(tensors, metadata)
    with atomic_write(path) as file:
        file.write(content)


def load_checkpoint(path: PathLike) -> dict[str, Any]:
    """Read a state that `save_checkpoint` wrote; the tensors come onto the CPU.

    Raises:
        FormatError: the file is cut short, changed in any bit that matters, no checkpoint, or of
            a newer version of the format.
        OSError: the file cannot be read.
    """
    name = str(path)
    tensors, metadata = decode(Path(path).read_bytes(), name)
    text = metadata.get("fastdl_checkpoint")
    if text is None:
        raise _unfit(name, "the file holds weights, not a checkpoint", "read it with io.load_file")
    if _digest(text, tensors) != metadata.get("sha256"):
        raise _unfit(
            name,
            "the checksum does not match: the file was changed or damaged",
            "use an older checkpoint, or copy the file again",
        )
    try:
        content = json.loads(text)
        version = int(content["version"])
        if version > FORMAT_VERSION:
            raise _unfit(
                name,
                f"the format has version {version}, this fastdl knows {FORMAT_VERSION}",
                "upgrade fastdl",
            )
        state: dict[str, Any] = _unpack(content["state"], tensors)
    except (KeyError, TypeError, RecursionError) as error:
        raise _unfit(name, f"the state cannot be read ({error!r})", "save it anew") from error
    return state


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """JSON for `value`; its tensors go to `tensors`, named by their path in the state."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        while path in tensors:  # {"a": {"b": x}, "a/b": y}
            path += "'"
        tensors[path] = value
        return {_TENSOR: path}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_pack(item, _inside(path, i), tensors) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise ArgumentError(
                    "save_checkpoint",
                    f"{path or 'state'} has the key {key!r}; keys are strings without leading $",
                )
        return {key: _pack(item, _inside(path, key), tensors) for key, item in value.items()}
    raise ArgumentError(
        "save_checkpoint",
        f"{path or 'state'} is of type {type(value).__name__}, which a checkpoint cannot hold",
        remedy="turn it into dicts, lists, numbers, strings, bytes or tensors",
    )


def _inside(path: str, key: object) -> str:
    # A slash keeps names apart: state_dict keys have dots of their own.
    return f"{path}/{key}" if path else str(key)


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _BYTES in value:
            return base64.b64decode(value[_BYTES])
        return {key: _unpack(item, tensors) for key, item in value.items()}
    return value


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the JSON and over name, dtype, shape and bytes of every tensor."""
    checksum = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        checksum.update(json.dumps([name, tensor.dtype.name, list(tensor.shape)]).encode())
        checksum.update(tensor_to_array(tensor).tobytes())
    return checksum.hexdigest()


def _unfit(name: str, problem: str, remedy: str) -> FormatError:
    return FormatError("load_checkpoint", problem, {"file": name}, remedy)
