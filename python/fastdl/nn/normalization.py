"""Normalisation of batches, channels, groups of channels, and samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = [
    "AdaptiveInstanceNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "PixelNorm",
    "RMSNorm",
]


class _ChannelNorm(Module):
    """What batch and instance norm have in common: an affine function and running statistics."""

    _ranks: tuple[int, ...] = ()
    _layout = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        name = type(self).__name__
        require_positive(name, num_features=num_features)
        if not eps >= 0:
            raise ArgumentError(name, f"eps is {eps}, expected 0 or more")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ArgumentError(name, f"momentum is {momentum}, expected None, or from 0 to 1")
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
            count = _core.zeros((), dtype=_core.int64, device=device)
            self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the variance to 1 and the count of batches to 0."""
        if self.running_mean is None or self.running_var is None:
            return
        self.running_mean.fill_(0)
        self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.fill_(0)

    def _check(self, op: str, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            raise ShapeError(
                op,
                f"the input has {input.ndim} dimensions, expected {self._layout}",
                {"input": str(list(input.shape))},
                f"reshape it to {self._layout}",
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.weight is not None}, "
            f"track_running_stats={self.running_mean is not None}"
        )


class _BatchNorm(_ChannelNorm):
    """What batch norm has in common over vectors, sequences, images and volumes."""

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
        self._check("batch_norm", input)
        use_batch = self.training or self.running_mean is None
        return _core.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_batch,
            self._share_of_batch(),
            self.eps,
            residual,
            activation or "none",
        )

    def _share_of_batch(self) -> float:
        """Counts the batch; its share in the running averages."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0 if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        if self.momentum is None:
            return 1.0 / float(self.num_batches_tracked.item())
        return self.momentum


class BatchNorm2d(_BatchNorm):
    """Normalise each channel to mean 0 and variance 1, then scale by `weight`, shift by `bias`.

    In training the batch's own mean and (biased) variance are used, and running averages of the
    mean and of the unbiased variance are kept; in inference the running averages are used.

    Args:
        num_features: channels C of the input.
        eps: added to the variance. Default: 1e-5.
        momentum: share of the new batch in the running averages, from 0 to 1; None for the plain
            averages over all batches so far. Default: 0.1.
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


class BatchNorm3d(_BatchNorm):
    """As `BatchNorm2d`, for volumes: input and output [N, C, D, H, W]."""

    _ranks = (5,)
    _layout = "[N, C, D, H, W]"


class _InstanceNorm(_ChannelNorm):
    """What instance norm has in common over sequences, images and volumes."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self._check("instance_norm", input)
        alone = input.ndim == self._ranks[0]
        output = _core.instance_norm(
            input.unsqueeze(0) if alone else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output.squeeze(0) if alone else output


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each sample to mean 0 and variance 1 over its pixels.

    Args:
        num_features: channels C of the input.
        eps: added to the variance. Default: 1e-5.
        momentum: share of the new batch in the running averages, from 0 to 1. Default: 0.1.
        affine: whether to have `weight` (ones) and `bias` (zeros) per channel. Default: False.
        track_running_stats: whether to keep running averages of mean and unbiased variance, which
            inference then uses. Default: False, inference uses the sample's own.
        device, dtype: of the parameters and buffers. Default: CPU, float32.

    Shapes: input and output [N, C, H, W] or [C, H, W].

    Raises:
        ShapeError: another number of dimensions, or a single pixel.

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance Normalization", 2016.
    """

    _ranks = (3, 4)
    _layout = "[N, C, H, W] or [C, H, W]"


class InstanceNorm1d(_InstanceNorm):
    """As `InstanceNorm2d`, for sequences: input and output [N, C, L] or [C, L]."""

    _ranks = (2, 3)
    _layout = "[N, C, L] or [C, L]"


class InstanceNorm3d(_InstanceNorm):
    """As `InstanceNorm2d`, for volumes: input and output [N, C, D, H, W] or [C, D, H, W]."""

    _ranks = (4, 5)
    _layout = "[N, C, D, H, W] or [C, D, H, W]"


class GroupNorm(Module):
    """Normalise each group of channels of each sample, then scale and shift per channel.

    A group gets mean 0 and variance 1 over its pixels and channels, in training and in inference
    alike. One group is layer norm over all of a sample, and as many as channels instance norm.

    Args:
        num_groups: groups, of neighbouring channels.
        num_channels: channels C of the input, a multiple of `num_groups`.
        eps: added to the variance. Default: 1e-5.
        affine: whether to have `weight` (ones) and `bias` (zeros) per channel. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input and output [N, C, ...].

    Raises:
        ArgumentError: `num_groups` does not divide `num_channels`.

    Source: Y. Wu and K. He, "Group Normalization", ECCV 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ArgumentError(
                "GroupNorm", f"{num_channels} channels do not make {num_groups} groups",
                remedy="use a num_groups that divides num_channels",
            )  # fmt: skip
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if affine:
            self.weight = Parameter(_core.ones((num_channels,), device=device, dtype=dtype))
            self.bias = Parameter(_core.zeros((num_channels,), device=device, dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        return _core.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, "
            f"affine={self.weight is not None}"
        )


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


class RMSNorm(Module):
    """Divide each sample by its root mean square over the last dimensions, then scale by `weight`.

    Args:
        normalized_shape: sizes of the last dimensions; one number for the last alone.
        eps: added to the mean square. Default: None, the epsilon of the input's dtype.
        elementwise_affine: whether to have `weight` (ones). Default: True.
        device, dtype: of the parameter. Default: CPU, float32.

    Shapes: input and output [..., *normalized_shape].

    Source: B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        for size in self.normalized_shape:
            require_positive("RMSNorm", normalized_shape=size)
        self.eps = eps
        self.weight: Parameter | None = None
        if elementwise_affine:
            self.weight = Parameter(_core.ones(self.normalized_shape, device=device, dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        return _core.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"
        )


class LocalResponseNorm(Module):
    """Divide each element by a power of the mean square of its neighbours in other channels.

    x / (k + alpha / size * sum(x^2))^beta, the sum being over `size` channels around each one, from
    size / 2 before it. Textbooks also call it cross-channel normalisation.

    Args:
        size: channels of the window.
        alpha: weight of the mean square. Default: 1e-4.
        beta: the exponent. Default: 0.75.
        k: what is added to it. Default: 1.

    Shapes: input and output [N, C, ...].

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet Classification with Deep
    Convolutional Neural Networks", NeurIPS 2012, sec. 3.3 (whose alpha is not divided by `size`).
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        require_positive("LocalResponseNorm", size=size)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return _core.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class AdaptiveInstanceNorm(Module):
    """Give each channel of the input the mean and standard deviation of the style's (AdaIN).

    Args:
        eps: added to the variances. Default: 1e-5.

    Shapes: input and output [N, C, ...]; `forward(input, style)` takes a style [N, C, ...] with as
    many pixels as it likes.

    Source: X. Huang and S. Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization", ICCV 2017.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = eps

    def forward(self, input: Tensor, style: Tensor) -> Tensor:
        return F.adaptive_instance_norm(input, style, eps=self.eps)

    def extra_repr(self) -> str:
        return f"eps={self.eps}"


class PixelNorm(Module):
    """Divide the channels of each pixel by their root mean square.

    Args:
        eps: added to the mean square. Default: 1e-8.

    Shapes: input and output [N, C, ...].

    Source: T. Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
    Variation", ICLR 2018, sec. 4.2.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_norm(input, self.eps)

    def extra_repr(self) -> str:
        return f"eps={self.eps}"
