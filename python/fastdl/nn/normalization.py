"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["BatchNorm1d", "BatchNorm2d"]


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

    def forward(self, input: Tensor) -> Tensor:
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
