"""Dropout."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, set elements to zero at random and scale the rest by 1 / (1 - p).

    Args:
        p: probability with which an element is dropped, from 0 to 1. Default: 0.5.

    Source: N. Srivastava et al., "Dropout", JMLR 15, 2014.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ArgumentError("Dropout", f"p is {p}, expected between 0 and 1")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return _core.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
