"""Which algorithm computes a convolution or a product of matrices, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastdl import _core
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.conv import Conv2d
from fastdl.nn.linear import Linear

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
    """One of a layer's products: the forward pass, or a gradient.

    Attributes:
        name: "forward", "by input" or "by weight".
        chosen: the algorithm that computes it.
        candidates: those that it was chosen from, the cheapest first; for matrices none.
    """

    name: str
    chosen: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """What `explain` returns; `print` shows it as a table.

    Attributes:
        shape: input, weight and options in words.
        isa: the instruction set in use, or the GPU, which the choice depends on.
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
    layer: Conv2d | Linear | Sequence[int],
    input_shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    dtype: Any = _core.float32,
    memory_format: _core.memory_format = _core.contiguous_format,
    device: str | None = None,
) -> Explanation:
    """Say which algorithm computes a layer, and why.

    For a convolution: what it was chosen from on the CPU. The choice depends on the shape, the
    dtype, the memory format of the input, the instruction set and `set_winograd`, and on nothing
    else. For a product of matrices (a Linear): the kernel on a CUDA device, its tiles, and in how
    many parts it sums; the choice depends on shape, dtype, device, alignment (good here) and
    `set_float32_matmul_precision`.

        >>> print(fastdl.explain(fastdl.nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56)))
        >>> print(fastdl.explain(fastdl.nn.Linear(1024, 4096), (32, 1024), device="cuda"))

    Args:
        layer: a Conv2d or Linear, or the shape of a weight: [out_channels, in_channels / groups,
            height, width] or [out_features, in_features].
        input_shape: [N, C, H, W] or [..., in_features].
        stride: of the convolution, where `layer` is a shape. Default: 1.
        padding: likewise, or 'same' or 'valid'. Default: 0.
        dilation: likewise. Default: 1.
        groups: likewise. Default: 1.
        dtype: of the operands where `layer` is a shape. Default: float32.
        memory_format: of the input. Default: `fastdl.contiguous_format`.
        device: of a product of matrices. Default: the layer's; the CPU where `layer` is a shape.

    Raises:
        ShapeError, ArgumentError: as conv2d and linear raise them.
        DeviceError: `device` is not there; says why.
    """
    if isinstance(layer, Conv2d):
        weight: Sequence[int] = layer.weight.shape
        stride, padding, dilation = layer.stride, layer.padding, layer.dilation
        groups, dtype = layer.groups, layer.weight.dtype
    elif isinstance(layer, Linear):
        weight, dtype = layer.weight.shape, layer.weight.dtype
        device = device or str(layer.weight.device)
    elif isinstance(layer, tuple | list):
        weight = layer
    else:
        raise ArgumentError(
            "explain",
            f"{type(layer).__name__} is neither convolution nor linear",
            remedy="pass a Conv2d or Linear layer, or the shape of a weight",
        )
    if len(weight) == 2:
        return _explain_linear(weight, list(input_shape), dtype, device or "cpu")
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


def _explain_linear(
    weight: Sequence[int], input_shape: list[int], dtype: Any, device: str
) -> Explanation:
    features_out, features_in = weight
    if not input_shape or input_shape[-1] != features_in:
        raise ShapeError(
            "explain",
            f"input is {input_shape}, weight expects {features_in} features",
            remedy="pass shapes [..., in_features] and [out_features, in_features]",
        )
    rows = math.prod(input_shape[:-1])
    shape = f"{input_shape} by {list(weight)}, transposed"
    products = {  # rows, columns, terms of a sum, and which operand lies transposed
        "forward": (rows, features_out, features_in, False, True),
        "by input": (rows, features_in, features_out, False, False),
        "by weight": (features_out, features_in, rows, True, False),
    }
    if device == "cpu":
        chosen = "tiles in registers, or inner products for few rows (docs/kernels/gemm.md)"
        steps = tuple(Step(name, chosen, ()) for name in products)
        return Explanation(shape, _core.isa(), 0, steps)
    steps = ()
    for name, (m, n, k, turned_a, turned_b) in products.items():
        plan = _core._matmul_plan(1, m, n, k, turned_a, turned_b, dtype, device)
        high, wide = plan["tile"]
        parts = f", k in {plan['parts']} parts of {plan['chunk']}" if plan["parts"] > 1 else ""
        steps += (Step(name, f"{plan['algorithm']}, {high} x {wide}{parts}: {plan['why']}", ()),)
    return Explanation(shape, device, 0, steps)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return vertical, horizontal
