"""Dropout and noise: what training adds and inference leaves out."""

from __future__ import annotations

from collections.abc import Callable

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = [
    "AlphaDropout",
    "DropPath",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "StochasticDepth",
]


def _require_probability(layer: str, p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(layer, f"p is {p}, expected between 0 and 1")


class _Dropout(Module):
    """A probability, and the function that takes it."""

    _function: Callable[[Tensor, float, bool], Tensor]

    def __init__(self, p: float = 0.5) -> None:
        _require_probability(type(self).__name__, p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return type(self)._function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    """In training, set elements to zero at random and scale the rest by 1 / (1 - p).

    Args:
        p: probability with which an element is dropped, from 0 to 1. Default: 0.5.

    Source: N. Srivastava et al., "Dropout", JMLR 15, 2014.
    """

    _function = staticmethod(_core.dropout)


class Dropout1d(_Dropout):
    """In training, set whole channels to zero at random and scale the rest by 1 / (1 - p).

    Neighbouring elements of a channel are much alike, so that dropping some of them takes little
    away.

    Args:
        p: probability with which a channel is dropped, from 0 to 1. Default: 0.5.

    Shapes: input and output [N, C, L] or [C, L].

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR
    2015.
    """

    _function = staticmethod(_core.dropout1d)


class Dropout2d(_Dropout):
    """As `Dropout1d`, for images: input and output [N, C, H, W]; [N, C, L] is taken as well."""

    _function = staticmethod(_core.dropout2d)


class Dropout3d(_Dropout):
    """As `Dropout1d`, for volumes: input and output [N, C, D, H, W] or [C, D, H, W]."""

    _function = staticmethod(_core.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks, which keeps mean 0 and variance 1.

    In training, elements become SELU's limit -1.758 at random, and an affine function of all of
    them restores mean and variance.

    Args:
        p: probability with which an element is dropped, from 0 to 1. Default: 0.5.

    Source: G. Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017.
    """

    _function = staticmethod(_core.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels: input and output [N, C, ...]."""

    _function = staticmethod(_core.feature_alpha_dropout)


class GaussianDropout(_Dropout):
    """In training, multiply by normal noise with the mean 1 and the variance of dropout.

    Args:
        p: the probability of the dropout that it stands for, from 0 to below 1; the standard
            deviation is sqrt(p / (1 - p)). Default: 0.5.

    Source: N. Srivastava et al., "Dropout", JMLR 15, 2014, sec. 10.
    """

    _function = staticmethod(_core.gaussian_dropout)


class GaussianNoise(Module):
    """In training, add normal noise of mean 0.

    Args:
        std: the noise's standard deviation, 0 or more, in the input's units. Default: 1.

    Source: C. M. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", Neural
    Computation 7, 1995.
    """

    def __init__(self, std: float = 1.0) -> None:
        if not std >= 0.0:
            raise ArgumentError("GaussianNoise", f"std is {std}, expected 0 or more")
        self.std = std

    def forward(self, input: Tensor) -> Tensor:
        return _core.gaussian_noise(input, self.std, self.training)

    def extra_repr(self) -> str:
        return f"std={self.std}"


class StochasticDepth(Module):
    """In training, drop a residual branch at random and scale it by 1 / (1 - p) otherwise.

    Args:
        p: probability with which the branch is dropped, from 0 to 1.
        mode: "row" decides for each sample of a batch, "batch" for all of them at once.

    Shapes: input and output [N, ...].

    Source: G. Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016.
    """

    def __init__(self, p: float, mode: str) -> None:
        _require_probability(type(self).__name__, p)
        if mode not in ("batch", "row"):
            raise ArgumentError(type(self).__name__, f"mode is {mode!r}, expected 'batch' or 'row'")
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return _core.stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode!r}"


class DropPath(StochasticDepth):
    """`StochasticDepth` of each sample for itself, under the name of later papers.

    Args:
        p: probability with which a sample's branch is dropped, from 0 to 1. Default: 0.

    Source: G. Larsson, M. Maire and G. Shakhnarovich, "FractalNet", ICLR 2017.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__(p, "row")
