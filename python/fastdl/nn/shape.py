"""Modules that rearrange dimensions."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = ["Flatten"]


class Flatten(Module):
    """Merge the dimensions from `start_dim` (default 1) to `end_dim` (default the last)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
