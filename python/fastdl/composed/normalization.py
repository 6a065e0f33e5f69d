"""Normalisation that is composed of other ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastdl import _core
from fastdl.composed.door import composed
from fastdl.errors import ArgumentError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["adaptive_instance_norm", "pixel_norm"]


@composed(
    "input: floating [N, C, ...S]; style: like input [N, C, ...]; mean: floating [N, C]; "
    "std: like mean [N, C]; eps: 0.."
)
def adaptive_instance_norm(
    input: ArrayLike,
    style: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    std: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Give each channel of input[N, C, ...] the mean and standard deviation of the style's (AdaIN).

    std * (x - mean(x)) / sqrt(variance(x) + eps) + mean, the statistics being those of each
    sample's channel over its pixels (biased variance). They come from style[N, C, ...], which may
    have more or fewer pixels, as mean and sqrt(variance + eps); or they are given, as mean[N, C]
    and std[N, C].

    Raises ArgumentError where neither the style nor both statistics are given, or all are.

    Source: X. Huang and S. Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization", ICCV 2017, eq. 8.
    """
    if (style is None) == (mean is None) or (mean is None) != (std is None):
        raise ArgumentError(
            "adaptive_instance_norm", "expected a style, or both mean and std",
            remedy="pass style=..., or mean=... and std=...",
        )  # fmt: skip
    x = cast("Tensor", input)
    n, channels, *sizes = x.shape
    if style is not None:
        pixels = _core.reshape(style, (n, channels, _pixels(cast("Tensor", style))))
        mean = _core.mean(pixels, 2)
        std = _core.sqrt(_core.add(_core.var(pixels, 2, 0), eps))
    # Every sample's channel is a channel of one sample to batch norm.
    normal = _core.batch_norm(
        _core.reshape(x, (1, n * channels, *sizes)),
        weight=_statistic(cast("Tensor", std), x),
        bias=_statistic(cast("Tensor", mean), x),
        training=True,
        eps=eps,
    )
    return _core.reshape(normal, x.shape)


@composed("input: floating [N, C, ...]; eps: 0..")
def pixel_norm(input: ArrayLike, eps: float = 1e-8) -> Tensor:
    """X / sqrt(mean(x^2) + eps), the mean being that over the channels of each pixel.

    input: [N, C, ...].

    Source: T. Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
    Variation", ICLR 2018, sec. 4.2.
    """
    power = _core.mean(_core.square(input), 1, True)
    return _core.mul(input, _core.rsqrt(_core.add(power, eps)))


def _pixels(images: Tensor) -> int:
    """Pixels of a channel of images[N, C, ...]."""
    count = 1
    for size in images.shape[2:]:
        count *= size
    return count


def _statistic(values: Tensor, input: Tensor) -> Tensor:
    """values[N, C] as batch norm takes them: flat, and in float32 for 16-bit floats."""
    kind = _core.float64 if input.dtype == _core.float64 else _core.float32
    return _core.reshape(values, (-1,) if values.numel() else (0,)).to(kind)
