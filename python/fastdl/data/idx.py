"""The IDX format of the MNIST family of files (LeCun, Cortes and Burges, 1998).

A file is: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian
32-bit number, then the values in C order. Files may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from fastdl.errors import FormatError

__all__ = ["parse_idx", "read_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, compressed or not.

    Args:
        path: the file; gzip is recognised by its content, not by its name.

    Returns:
        The array, in native byte order.

    Raises:
        FormatError: the file is no IDX file, is cut short, or has bytes left over.
        OSError: the file cannot be read.
    """
    return parse_idx(read_maybe_gzip(path), str(path))


def read_maybe_gzip(path: str | os.PathLike[str]) -> bytes:
    """The content of a file, decompressed if it is gzip; FormatError if it is damaged."""
    raw = Path(path).read_bytes()
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise FormatError(
            "read_idx",
            f"the gzip data is damaged: {error}",
            {"file": str(path), "size": f"{len(raw)} bytes"},
            "delete the file and fetch it again",
        ) from error


def parse_idx(data: bytes, name: str) -> np.ndarray:
    """Parse the bytes of an uncompressed IDX file; `name` is what errors call it."""

    def damaged(problem: str) -> FormatError:
        return FormatError(
            "read_idx",
            problem,
            {"file": name, "size": f"{len(data)} bytes"},
            "delete the file and fetch it again",
        )

    if len(data) < 4:
        raise damaged("the file is too short for an IDX header")
    zero, code, ndim = struct.unpack_from(">HBB", data)
    if zero != 0 or code not in _DTYPES:
        raise damaged(f"not an IDX file: it starts with {data[:4].hex(' ')}")
    header = 4 + 4 * ndim
    if ndim == 0 or len(data) < header:
        raise damaged(f"the header is cut short: {ndim} dimensions are announced")
    shape = struct.unpack_from(f">{ndim}I", data, 4)
    dtype = np.dtype(_DTYPES[code])
    # Python integers do not overflow, so an absurd size simply fails to match the file.
    expected = math.prod(shape) * dtype.itemsize
    if len(data) - header != expected:
        raise damaged(
            f"shape {list(shape)} needs {expected} bytes of data, the file has {len(data) - header}"
        )
    values = np.frombuffer(data, dtype=dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="))
