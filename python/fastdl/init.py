"""Initialisers: fill a tensor in place and return it. No gradient is recorded.

All take `generator` (a `fastdl.Generator`); without one they draw from the default generator,
which `fastdl.manual_seed` seeds.
"""

from __future__ import annotations

import math
from typing import Literal

from fastdl import _core
from fastdl._core import Generator, Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError, ShapeError

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0,
    "conv2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
}


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    with no_grad():
        return tensor.fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def uniform_(
    tensor: Tensor, low: float = 0.0, high: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers distributed evenly in [low, high)."""
    with no_grad():
        unit = _core.rand(
            tensor.shape, dtype=tensor.dtype, device=tensor.device, generator=generator
        )
        return tensor.copy_(unit * (high - low) + low)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normally distributed numbers."""
    with no_grad():
        unit = _core.randn(
            tensor.shape, dtype=tensor.dtype, device=tensor.device, generator=generator
        )
        return tensor.copy_(unit * std + mean)


def calculate_gain(nonlinearity: str, slope: float = 0.0) -> float:
    """The factor that keeps the variance of activations: linear, tanh, relu, leaky_relu, ...

    `slope` is that of leaky_relu on its negative side. ArgumentError if the name is unknown.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ArgumentError(
            "calculate_gain", f"unknown nonlinearity {nonlinearity!r}", {"known": names}
        )
    return _GAINS[nonlinearity]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill evenly within gain * sqrt(6 / (fan_in + fan_out)).

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010, eq. 16.
    """
    fan_in, fan_out = _fans(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill normally with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio, eq. 12)."""
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    slope: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill evenly with variance gain^2 / fan, for layers followed by a rectifier.

    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015, eq. 14.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, slope, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    slope: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill normally with variance gain^2 / fan (He et al., eq. 14)."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, slope, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, slope: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError("kaiming", f"mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, slope) / math.sqrt(max(fan, 1))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs of one unit, for a weight [out, in, kernel...]."""
    if tensor.ndim < 2:
        raise ShapeError(
            "init",
            "fan-in and fan-out need a weight of two or more dimensions",
            {"weight": str(list(tensor.shape))},
            "use normal_, uniform_ or zeros_ for a bias",
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field
