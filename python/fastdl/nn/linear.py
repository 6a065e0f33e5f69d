"""The fully connected layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["Linear", "require_positive"]


def require_positive(layer: str, **sizes: int) -> None:
    """Raise ArgumentError for the first size that is not at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(layer, f"{name} is {size}, expected 1 or more")


class Linear(Module):
    """y = x W^T + b.

    Args:
        in_features: size of the last dimension of the input.
        out_features: size of the last dimension of the output.
        bias: whether to add b. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [..., in_features], output [..., out_features]; `weight` [out_features,
    in_features], `bias` [out_features], both even within 1 / sqrt(in_features).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        weight = _core.empty((out_features, in_features), device=device, dtype=dtype)
        self.weight = Parameter(weight)
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(_core.empty((out_features,), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return _core.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
