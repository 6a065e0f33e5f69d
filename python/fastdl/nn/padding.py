"""Layers that put a border around their input."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]

Padding = int | tuple[int, ...]


class _Pad(Module):
    """A border around the last dimensions of the input; see `fastdl.functional.pad`."""

    dims = 1
    mode = "constant"

    def __init__(self, padding: Padding) -> None:
        numbers = 2 * self.dims
        self.padding = (padding,) * numbers if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != numbers:
            raise ArgumentError(
                type(self).__name__,
                f"padding has {len(self.padding)} numbers, expected {numbers}",
                {"padding": str(padding)},
                "give one number for all sides, or a pair for each dimension, the last one's first",
            )

    def forward(self, input: Tensor) -> Tensor:
        return _core.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Padding, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return _core.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """A border of one value around sequences.

    Args:
        padding: (left, right), or one number for all; negative ones crop.
        value: what the border is filled with.

    Shapes: input [..., L], output [..., L + left + right].
    """

    dims = 1


class ConstantPad2d(_ConstantPad):
    """A border of one value around images.

    Args:
        padding: (left, right, top, bottom), or one number for all; negative ones crop.
        value: what the border is filled with.

    Shapes: input [..., H, W], output [..., H + top + bottom, W + left + right].
    """

    dims = 2


class ConstantPad3d(_ConstantPad):
    """A border of one value around volumes.

    Args:
        padding: (left, right, top, bottom, front, back), or one number for all; negative ones crop.
        value: what the border is filled with.

    Shapes: input [..., D, H, W], output [..., D + front + back, H + top + bottom,
    W + left + right].
    """

    dims = 3


class ZeroPad1d(_ConstantPad):
    """A border of zeros around sequences.

    Args:
        padding: (left, right), or one number for all; negative ones crop.

    Shapes: input [..., L], output [..., L + left + right].
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(_ConstantPad):
    """A border of zeros around images.

    Args:
        padding: (left, right, top, bottom), or one number for all; negative ones crop.

    Shapes: input [..., H, W], output [..., H + top + bottom, W + left + right].
    """

    dims = 2

    def __init__(self, padding: Padding) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(_ConstantPad):
    """A border of zeros around volumes.

    Args:
        padding: (left, right, top, bottom, front, back), or one number for all; negative ones crop.

    Shapes: input [..., D, H, W], output [..., D + front + back, H + top + bottom,
    W + left + right].
    """

    dims = 3

    def __init__(self, padding: Padding) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_Pad):
    """A border of mirrored elements around sequences; the outermost are not repeated.

    Args:
        padding: (left, right), or one number for all; negative ones crop.

    Shapes: input [..., L], output [..., L + left + right].

    Raises:
        ShapeError: a border is wider than the size less one.
    """

    mode = "reflect"


class ReflectionPad2d(_Pad):
    """A border of mirrored elements around images; the outermost are not repeated.

    Args:
        padding: (left, right, top, bottom), or one number for all; negative ones crop.

    Shapes: input [..., H, W], output [..., H + top + bottom, W + left + right].

    Raises:
        ShapeError: a border is wider than the size less one.
    """

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """A border of mirrored elements around volumes; the outermost are not repeated.

    Args:
        padding: (left, right, top, bottom, front, back), or one number for all; negative ones crop.

    Shapes: input [..., D, H, W], output [..., D + front + back, H + top + bottom,
    W + left + right].

    Raises:
        ShapeError: a border is wider than the size less one.
    """

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """A border that repeats the outermost elements of sequences.

    Args:
        padding: (left, right), or one number for all; negative ones crop.

    Shapes: input [..., L], output [..., L + left + right].
    """

    mode = "replicate"


class ReplicationPad2d(_Pad):
    """A border that repeats the outermost elements of images.

    Args:
        padding: (left, right, top, bottom), or one number for all; negative ones crop.

    Shapes: input [..., H, W], output [..., H + top + bottom, W + left + right].
    """

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """A border that repeats the outermost elements of volumes.

    Args:
        padding: (left, right, top, bottom, front, back), or one number for all; negative ones crop.

    Shapes: input [..., D, H, W], output [..., D + front + back, H + top + bottom,
    W + left + right].
    """

    dims = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """A border that goes on at the other end of sequences.

    Args:
        padding: (left, right), or one number for all; negative ones crop.

    Shapes: input [..., L], output [..., L + left + right].

    Raises:
        ShapeError: a border is wider than the size.
    """

    mode = "circular"


class CircularPad2d(_Pad):
    """A border that goes on at the other end of images.

    Args:
        padding: (left, right, top, bottom), or one number for all; negative ones crop.

    Shapes: input [..., H, W], output [..., H + top + bottom, W + left + right].

    Raises:
        ShapeError: a border is wider than the size.
    """

    dims = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """A border that goes on at the other end of volumes.

    Args:
        padding: (left, right, top, bottom, front, back), or one number for all; negative ones crop.

    Shapes: input [..., D, H, W], output [..., D + front + back, H + top + bottom,
    W + left + right].

    Raises:
        ShapeError: a border is wider than the size.
    """

    dims = 3
    mode = "circular"
