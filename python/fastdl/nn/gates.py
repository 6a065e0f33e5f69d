"""Activations with a threshold, a choice, pieces or slopes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["GLU", "BipolarSigmoid", "ClippedReLU", "GumbelSoftmax", "Maxout", "PReLU", "Step"]


class Step(Module):
    """1 where x is at least `threshold`, else 0.

    Args:
        threshold: theta. Default: 0.
        straight_through: whether the gradient, 0 otherwise, is that of the identity.
    """

    def __init__(self, threshold: float = 0.0, straight_through: bool = False) -> None:
        self.threshold = threshold
        self.straight_through = straight_through

    def forward(self, input: Tensor) -> Tensor:
        return F.step(input, self.threshold, self.straight_through)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class BipolarSigmoid(Module):
    """tanh(x / 2): the sigmoid between -1 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        return F.bipolar_sigmoid(input)


class ClippedReLU(Module):
    """min(max(0, x), ceiling).

    Args:
        ceiling: above 0. Default: 6, which is ReLU6.
    """

    def __init__(self, ceiling: float = 6.0) -> None:
        self.ceiling = ceiling

    def forward(self, input: Tensor) -> Tensor:
        return F.clipped_relu(input, self.ceiling)

    def extra_repr(self) -> str:
        return f"ceiling={self.ceiling}"


class PReLU(Module):
    """x where it is above 0, else a learned slope times x (He et al., 2015).

    Args:
        num_parameters: 1, or the number of channels.
        init: the slope at first. Default: 0.25.

    Parameters:
        weight [num_parameters].
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive("PReLU", num_parameters=num_parameters)
        self.weight = Parameter(_core.full((num_parameters,), init, dtype=dtype, device=device))

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.weight.shape[0]}"


class GLU(Module):
    """The first half along `dim` times the sigmoid of the second (Dauphin et al., 2017)."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Maxout(Module):
    """The largest of every `pieces` neighbours along `dim` (Goodfellow et al., 2013).

    Args:
        pieces: how many; the size along dim is a multiple.
        dim: Default: 1, features or channels.
    """

    def __init__(self, pieces: int, dim: int = 1) -> None:
        require_positive("Maxout", pieces=pieces)
        self.pieces = pieces
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.maxout(input, self.pieces, self.dim)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}, dim={self.dim}"


class GumbelSoftmax(Module):
    """A draw from softmax(x) that has a gradient (Jang et al., 2017), in inference too.

    Args:
        tau: the temperature: the lower, the closer to one-hot. Default: 1.
        hard: whether the result is one-hot.
        dim: of the classes. Default: -1.
    """

    def __init__(self, tau: float = 1.0, hard: bool = False, dim: int = -1) -> None:
        self.tau = tau
        self.hard = hard
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.gumbel_softmax(input, self.tau, self.hard, self.dim)

    def extra_repr(self) -> str:
        return f"tau={self.tau}, hard={self.hard}, dim={self.dim}"
