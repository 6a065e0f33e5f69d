# The part of python/fastdl/_core.pyi that is not made from the signature table; see stubs.py.

import builtins
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

class SupportsDLPack(Protocol):
    def __dlpack__(self, *, stream: Any = ...) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

Number: TypeAlias = bool | int | float
ArrayLike: TypeAlias = Tensor | npt.NDArray[Any] | SupportsDLPack
Shape: TypeAlias = int | Sequence[int]
DTypeLike: TypeAlias = dtype | str | npt.DTypeLike
DeviceLike: TypeAlias = device | str

__version__: str

class Tensor:
    # methods of the table

# functions of the table
