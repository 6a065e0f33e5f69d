"""Spectral and weight normalisation of a module's weights."""

from __future__ import annotations

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.utils.parametrize import (
    Parametrization,
    parametrization_of,
    register_parametrization,
    remove_parametrizations,
)

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]

FIRST_ITERATIONS = 15  # when the vectors are made, so that the first forward pass finds good ones


class SpectralNorm(Parametrization):
    """weight / sigma, sigma being the largest singular value, by power iteration."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, eps: float, dim: int) -> None:
        self.n_power_iterations = n_power_iterations
        self.eps = eps
        self.dim = dim
        if weight.ndim < 2:
            return  # its length is the singular value
        with no_grad():
            matrix = self._matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = _core.zeros((size,), dtype=weight.dtype, device=weight.device).normal_()
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, FIRST_ITERATIONS)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim < 2:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        # Copies, for the next iteration changes the vectors while this graph may still want them.
        u, v = self._u.clone(), self._v.clone()
        return _core.div(weight, (u * (matrix @ v)).sum())

    def extra_repr(self) -> str:
        return f"n_power_iterations={self.n_power_iterations}, eps={self.eps}, dim={self.dim}"

    def _matrix(self, weight: Tensor) -> Tensor:
        rest = [d for d in range(weight.ndim) if d != self.dim]
        rows = _core.permute(weight, [self.dim, *rest])
        return _core.reshape(rows, (rows.shape[0], -1))

    def _iterate(self, matrix: Tensor, count: int) -> None:
        for _ in range(count):
            self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.T @ self._u, dim=0, eps=self.eps))


class WeightNorm(Parametrization):
    """g * v / |v|: length and direction are trained apart."""

    def __init__(self, dim: int | None) -> None:
        self.dim = dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / self._length(v))

    def right_inverse(self, value: Tensor) -> tuple[Tensor, ...]:
        return self._length(value), value

    def extra_repr(self) -> str:
        return f"dim={self.dim}"

    def _length(self, v: Tensor) -> Tensor:
        others = [d for d in range(v.ndim) if d != self.dim]
        return _core.norm(v, 2.0, others, True) if others else _core.abs(v)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches no vector.

    The singular value is estimated by power iteration, in training only; the gradient takes its
    vectors to be constant. In `state_dict` the weight is ``parametrizations.weight.original``, and
    the vectors are ``parametrizations.weight.0._u`` and ``_v``.

    Args:
        module: the layer, which is changed.
        name: of the weight. Default: "weight".
        n_power_iterations: of each forward pass in training. Default: 1.
        eps: the least length by which a vector is divided. Default: 1e-12.
        dim: the dimension of the outputs, which are the rows of the matrix. Default: 0, of
            transposed convolutions 1.

    Returns:
        The module.

    Raises:
        ArgumentError: no such weight, one that is parametrised already, or an option that makes
            no sense.

    Source: T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR
    2018.
    """
    require_positive("spectral_norm", n_power_iterations=n_power_iterations)
    if not eps >= 0:
        raise ArgumentError("spectral_norm", f"eps is {eps}, expected 0 or more")
    weight = _weight(module, name, "spectral_norm")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    dim = _dimension("spectral_norm", dim, weight)
    if weight.numel() == 0:
        raise ArgumentError("spectral_norm", f"{name!r} has no elements")
    return register_parametrization(
        module, name, SpectralNorm(weight, n_power_iterations, eps, dim)
    )


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length and the direction of a weight apart: weight = g * v / |v|.

    In `state_dict` g is ``parametrizations.weight.original0``, and v is
    ``parametrizations.weight.original1``.

    Args:
        module: the layer, which is changed.
        name: of the weight. Default: "weight".
        dim: each index of this dimension has a length of its own; None for one length of the whole
            tensor. Default: 0, the outputs of a layer.

    Returns:
        The module.

    Raises:
        ArgumentError: no such weight, or one that is parametrised already.

    Source: T. Salimans and D. P. Kingma, "Weight Normalization", NeurIPS 2016.
    """
    weight = _weight(module, name, "weight_norm")
    own = None if dim is None else _dimension("weight_norm", dim, weight)
    return register_parametrization(module, name, WeightNorm(own))


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the normalised weight a plain parameter; ArgumentError where there is none."""
    return _remove(module, name, SpectralNorm, "remove_spectral_norm")


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the normalised weight a plain parameter; ArgumentError where there is none."""
    return _remove(module, name, WeightNorm, "remove_weight_norm")


def _remove(module: Module, name: str, kind: type[Module], function: str) -> Module:
    if not isinstance(parametrization_of(module, name), kind):
        raise ArgumentError(function, f"{name!r} of {type(module).__name__} has no {kind.__name__}")
    return remove_parametrizations(module, name)


def _weight(module: Module, name: str, function: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(function, f"{type(module).__name__} has no tensor {name!r}")
    return weight


def _dimension(function: str, dim: int, weight: Tensor) -> int:
    if not -weight.ndim <= dim < weight.ndim:
        raise ArgumentError(function, f"dim is {dim}, and the weight has {weight.ndim} dimensions")
    return dim % weight.ndim
