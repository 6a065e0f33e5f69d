"""Which algorithm computes a convolution on the CPU, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastdl import _core
from fastdl.errors import ArgumentError
from fastdl.nn.conv import Conv2d

__all__ = ["Candidate", "Explanation", "Step", "explain"]

# The largest difference from float64, as a share of the largest result, measured on normally
# distributed operands of 64 to 512 channels (docs/kernels/conv2d.md).
_ERRORS = {"Winograd F(2x2, 3x3)": 1e-6, "Winograd F(4x4, 3x3)": 2e-5}
_DIRECT_ERROR = 3e-6


@dataclass(frozen=True)
class Candidate:
    """An algorithm that applies to the shape.

    Attributes:
        name: of the algorithm.
        cycles: estimated, of one core; only their order counts.
        multiplications: of one call.
        error: largest rounding error to expect, as a share of the largest result.
    """

    name: str
    cycles: float
    multiplications: float
    error: float


@dataclass(frozen=True)
class Step:
    """One of a convolution's products: the forward pass, or a gradient.

    Attributes:
        name: "forward", "by input" or "by weight".
        chosen: the algorithm that computes it.
        candidates: those that it was chosen from, the cheapest first.
    """

    name: str
    chosen: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """What `explain` returns; `print` shows it as a table.

    Attributes:
        shape: input, weight and options in words.
        isa: the instruction set in use, which the choice depends on.
        packed_bytes: of the prepared weight that inference keeps; 0 for none.
        steps: forward, by input, by weight.
    """

    shape: str
    isa: str
    packed_bytes: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = [f"{self.shape}, {self.isa}"]
        for step in self.steps:
            lines.append(f"  {step.name}: {step.chosen}")
            lines.extend(
                f"    {c.name:<40} {c.multiplications:10.3g} multiplications "
                f"{c.cycles:10.3g} cycles   error {c.error:.0e}"
                for c in step.candidates
            )
        if self.packed_bytes:
            lines.append(f"  inference keeps {self.packed_bytes:,} bytes of prepared weights")
        return "\n".join(lines)


def explain(
    conv: Conv2d | Sequence[int],
    input_shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    dtype: Any = _core.float32,
    memory_format: _core.memory_format = _core.contiguous_format,
) -> Explanation:
    """Say which algorithm computes a convolution on the CPU, and what it was chosen from.

    The choice depends on the shape, the dtype, the memory format of the input, the instruction set
    and `set_winograd`, and on nothing else.

        >>> print(fastdl.explain(fastdl.nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56)))

    Args:
        conv: a layer, or the shape [out_channels, in_channels / groups, height, width] of a weight.
        input_shape: [N, C, H, W].
        stride: of the convolution, where `conv` is a shape. Default: 1.
        padding: likewise, or 'same' or 'valid'. Default: 0.
        dilation: likewise. Default: 1.
        groups: likewise. Default: 1.
        dtype: of the operands where `conv` is a shape. Default: float32.
        memory_format: of the input. Default: `fastdl.contiguous_format`.

    Raises:
        ShapeError, ArgumentError: as conv2d raises them.
    """
    if isinstance(conv, Conv2d):
        weight: Sequence[int] = conv.weight.shape
        stride, padding, dilation = conv.stride, conv.padding, conv.dilation
        groups, dtype = conv.groups, conv.weight.dtype
    elif isinstance(conv, tuple | list):
        weight = conv
    else:
        raise ArgumentError(
            "explain",
            f"{type(conv).__name__} is no convolution",
            remedy="pass a Conv2d layer, or the shape of a weight",
        )
    zeros = padding if isinstance(padding, str) else _pair(padding)
    options = (_pair(stride), zeros, _pair(dilation), groups)
    steps = []
    packed = 0
    for name in ("forward", "by input", "by weight"):
        plan = _core._conv2d_plan(
            list(input_shape), list(weight), *options, dtype, memory_format, name
        )
        packed = plan["packed"] if name == "forward" else packed
        candidates = [
            Candidate(c, cycles, multiplications, _ERRORS.get(c, _DIRECT_ERROR))
            for c, cycles, multiplications in plan["candidates"]
            if c and cycles != float("inf")
        ]
        candidates.sort(key=lambda c: c.cycles)
        steps.append(Step(name, plan["chosen"], tuple(candidates)))
    shape = f"{list(input_shape)} by {list(weight)}, stride {_pair(stride)}, groups {groups}"
    return Explanation(shape, _core.isa(), packed * dtype.itemsize, tuple(steps))


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return vertical, horizontal
