"""Parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ShapeError

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, in order, as one vector; differentiable."""
    return _core.cat([_core.reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of a vector into the parameters, in order.

    Raises ShapeError, before anything is copied, unless there are as many elements as in all
    parameters.
    """
    targets = list(parameters)
    count = sum(p.numel() for p in targets)
    if vec.ndim != 1 or vec.numel() != count:
        raise ShapeError(
            "vector_to_parameters", f"the parameters have {count} elements",
            {"vec": str(list(vec.shape))}, f"pass a vector of {count} elements",
        )  # fmt: skip
    at = 0
    with no_grad():
        for p in targets:
            p.copy_(_core.reshape(_core.narrow(vec, 0, at, p.numel()), p.shape))
            at += p.numel()
