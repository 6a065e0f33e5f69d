"""Batch and layer normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm"]


class _BatchNorm(Module):
    """What batch norm has in common over vectors, sequences and images."""

    _ranks: tuple[int, ...] = ()
    _layout = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        shape = (num_features,)
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        self.running_mean: Tensor | None = None
        self.running_var: Tensor | None = None
        self.num_batches_tracked: Tensor | None = None
        if affine:
            self.weight = Parameter(_core.ones(shape, device=device, dtype=dtype))
            self.bias = Parameter(_core.zeros(shape, device=device, dtype=dtype))
        if track_running_stats:
            mean = _core.zeros(shape, device=device, dtype=dtype)
            var = _core.ones(shape, device=device, dtype=dtype)
            self.register_buffer("running_mean", mean)
            self.register_buffer("running_var", var)
            # Nothing here reads it; it is kept so that PyTorch's state_dicts fit both ways.
            count = _core.zeros((), dtype=_core.int64, device=device)
            self.register_buffer("num_batches_tracked", count)

    def forward(
        self, input: Tensor, residual: Tensor | None = None, activation: str | None = None
    ) -> Tensor:
        """Normalise, add the residual if there is one, and apply the activation.

        Args:
            input: see the class.
            residual: of the input's shape. Default: None.
            activation: "relu", or None for none. Default: None.

        Returns:
            A tensor of the input's shape and memory format; one pass over memory makes it.
        """
        if input.ndim not in self._ranks:
            raise ShapeError(
                "batch_norm",
                f"the input has {input.ndim} dimensions, expected {self._layout}",
                {"input": str(list(input.shape))},
                f"reshape it to {self._layout}",
            )
        use_batch = self.training or self.running_mean is None
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return _core.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_batch,
            self.momentum,
            self.eps,
            residual,
            activation or "none",
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.weight is not None}, "
            f"track_running_stats={self.running_mean is not None}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalise each channel to mean 0 and variance 1, then scale by `weight`, shift by `bias`.

    In training the batch's own mean and (biased) variance are used, and running averages of the
    mean and of the unbiased variance are kept; in inference the running averages are used.

    Args:
        num_features: channels C of the input.
        eps: added to the variance. Default: 1e-5.
        momentum: share of the new batch in the running averages. Default: 0.1.
        affine: whether to have `weight` (ones) and `bias` (zeros). Default: True.
        track_running_stats: whether to keep running averages; without them the batch's own
            figures are used in inference too. Default: True.
        device, dtype: of the parameters and buffers. Default: CPU, float32.

    Shapes: input and output [N, C, H, W].

    Source: S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015, alg. 1 and 2.
    """

    _ranks = (4,)
    _layout = "[N, C, H, W]"


class BatchNorm1d(_BatchNorm):
    """As `BatchNorm2d`, for vectors or sequences: input and output [N, C] or [N, C, L]."""

    _ranks = (2, 3)
    _layout = "[N, C] or [N, C, L]"


class LayerNorm(Module):
    """Normalise each sample over its last dimensions, then scale by `weight`, shift by `bias`.

    A sample gets mean 0 and variance 1, in training and in inference alike.

    Args:
        normalized_shape: sizes of the last dimensions, over which a sample is normalised; one
            number for the last alone.
        eps: added to the variance. Default: 1e-5.
        elementwise_affine: whether to have `weight` (ones) and `bias` (zeros). Default: True.
        bias: whether to have `bias`, where there is `weight`. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input and output [..., *normalized_shape].

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", 2016.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        for size in self.normalized_shape:
            require_positive("LayerNorm", normalized_shape=size)
        self.eps = eps
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if elementwise_affine:
            ones = _core.ones(self.normalized_shape, device=device, dtype=dtype)
            self.weight = Parameter(ones)
            if bias:
                zeros = _core.zeros(self.normalized_shape, device=device, dtype=dtype)
                self.bias = Parameter(zeros)

    def forward(self, input: Tensor) -> Tensor:
        return _core.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"
        )
