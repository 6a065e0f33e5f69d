"""Every exception that fastdl raises on purpose.

Each one derives from :class:`Error` and from the built-in exception that a caller would expect
(`ShapeError` is a `ValueError`, `DTypeError` a `TypeError`, ...), so that both ``except
fastdl.Error`` and ordinary handlers work. The C++ core raises these same classes.

An error renders as the operation, what is wrong, the operands, and one remedy::

    conv2d: dimension 0 of bias is 3, but filters is 6 (dimension 0 of weight)
      layer:    features.0 (Conv2d)
      input:    float32[8, 4, 32, 32]
      weight:   float32[6, 4, 5, 5]
      bias:     float32[3]
      try:      pass bias of shape [filters], here [6]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

__all__ = [
    "ArgumentError",
    "AutogradError",
    "CaptureError",
    "DTypeError",
    "DeviceError",
    "Error",
    "FormatError",
    "IndexRangeError",
    "OutOfMemoryError",
    "ShapeError",
    "UnavailableError",
    "UninitializedError",
]

_LABEL_WIDTH = 9  # "layer:" and friends are padded to this width, so that the values line up


class Error(Exception):
    """Base class of all errors raised by fastdl.

    Args:
        op: the operation that failed, for example ``"conv2d"``.
        problem: what is wrong, in one sentence without a full stop.
        details: named operands or facts, shown one a line in the given order.
        remedy: one thing that the caller can do about it.

    Attributes:
        modules: the `nn.Module` objects that the exception passed through, innermost first.
            They are collected while the exception unwinds and turned into a path (`layer`) only
            when somebody asks, so that a call that succeeds pays nothing for it.
    """

    def __init__(
        self,
        op: str,
        problem: str = "",
        details: Mapping[str, str] | None = None,
        remedy: str = "",
    ) -> None:
        # The four values are also `args`, which is what copying and pickling rebuild from.
        super().__init__(op, problem, details, remedy)
        self.op = op
        self.problem = problem
        self.details: dict[str, str] = dict(details) if details else {}
        self.remedy = remedy
        self.modules: list[Any] = []

    @property
    def layer(self) -> str:
        """Path and type of the innermost layer, as ``"features.0 (Conv2d)"``; empty if none."""
        return _layer_path(self.modules)

    def __str__(self) -> str:
        lines = [f"{self.op}: {self.problem}" if self.problem else self.op]
        rows = dict(self.details)
        if self.modules:
            rows = {"layer": self.layer} | rows
        if self.remedy:
            rows["try"] = self.remedy
        lines += [f"  {label + ':':<{_LABEL_WIDTH}} {text}" for label, text in rows.items()]
        return "\n".join(lines)


class ShapeError(Error, ValueError):
    """Shapes do not fit each other or the operation."""


class DTypeError(Error, TypeError):
    """A dtype is unsupported, or the dtypes of two operands differ."""


class DeviceError(Error, RuntimeError):
    """A device is missing or unusable, or operands live on different devices."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed, or its size is beyond any memory."""


class FormatError(Error, ValueError):
    """A file is damaged or not of the format that was expected."""


class IndexRangeError(Error, IndexError):
    """An index (into a dimension, a vocabulary, the classes) is out of range."""


class UnavailableError(Error, RuntimeError):
    """Something optional that is needed here, a package or data files, is not on this machine."""


class ArgumentError(Error, ValueError):
    """An argument has a value that makes no sense for the operation."""


class AutogradError(Error, RuntimeError):
    """The gradient cannot be computed, for example after an in-place edit of a saved tensor."""


class UninitializedError(Error, AttributeError):
    """A tensor of a lazy layer is asked for before the layer has seen an input, and so its size."""


class CaptureError(Error, RuntimeError):
    """A function does something that cannot be captured, such as reading the values of a tensor."""


def _layer_path(modules: Sequence[Any]) -> str:
    """Join the child names from the outermost of `modules` to the innermost (the first)."""
    if not modules:
        return ""
    names = [_name_inside(outer, inner) for inner, outer in pairwise(modules)]
    path = ".".join(reversed([name for name in names if name]))
    kind = type(modules[0]).__name__
    return f"{path} ({kind})" if path else f"({kind})"


def _name_inside(outer: Any, inner: Any) -> str:
    """The dotted name of `inner` below `outer`; empty if it is `outer` or is not found there."""
    for name, module in outer.named_modules():
        if module is inner:
            return str(name)
    return ""
