"""The tensor type that modules recognise as theirs to train."""

from __future__ import annotations

from fastdl._core import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that a `Module` counts among its parameters when it is set as an attribute.

    Args:
        data: the tensor whose storage the parameter shares.
        requires_grad: whether gradients are collected for it. Default: True.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Parameter:
        parameter = Tensor.__new__(cls, data)
        parameter.requires_grad = requires_grad
        return parameter

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
