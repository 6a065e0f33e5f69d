"""Pooling composed of other pooling: of powers, of whole planes, of several sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastdl import _core
from fastdl.composed.door import composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = [
    "global_average_pool",
    "global_lp_pool",
    "global_max_pool",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "spatial_pyramid_pool",
]

WINDOWS = "norm_type: above 0; kernel_size, stride: 1..window"


@composed(f"input: floating [N, C, L] or [C, L]; {WINDOWS}")
def lp_pool1d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of x^p)^(1/p) of each window of input[N, C, L] (or [C, L]), p being norm_type.

    As lp_pool2d, along one dimension.
    """
    return _lp_pool(_core.avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


@composed(f"input: floating [N, C, H, W] or [C, H, W]; {WINDOWS}")
def lp_pool2d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of x^p)^(1/p) of each window of input[N, C, H, W] (or [C, H, W]), p being norm_type.

    stride defaults to kernel_size. Where a sum is 0, so is the gradient; where it is negative, as
    it can be of an odd p, the result is NaN. With ceil_mode a window that hangs over the edge
    counts its elements' mean as often as others do, as in PyTorch. An infinite p gives the maximum.
    """
    return _lp_pool(_core.avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


@composed(f"input: floating [N, C, D, H, W] or [C, D, H, W]; {WINDOWS}")
def lp_pool3d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of x^p)^(1/p) of each window of input[N, C, D, H, W] (or [C, D, H, W]).

    As lp_pool2d, along three dimensions.
    """
    return _lp_pool(_core.avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(
    mean: Callable[..., Tensor],
    dims: int,
    input: Any,
    p: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    ceil_mode: bool,
) -> Tensor:
    if math.isinf(p):
        largest = (_core.max_pool1d, _core.max_pool2d, _core.max_pool3d)[dims - 1]
        return largest(input, kernel_size, stride, ceil_mode=ceil_mode)  # type: ignore[no-any-return]
    means = mean(_core.pow(input, float(p)), kernel_size, stride, ceil_mode=ceil_mode)
    one = isinstance(kernel_size, int)
    elements = kernel_size**dims if one else math.prod(kernel_size)  # type: ignore[operator,arg-type]
    return _root(means * float(elements), p)


def _root(sums: Tensor, p: float) -> Tensor:
    """sums^(1/p), with a gradient of 0 at 0."""
    nothing = _core.eq(sums, 0)
    root = _core.pow(_core.where(nothing, 1.0, sums), 1 / p)
    return _core.where(nothing, 0.0, root)


@composed("input: floating [N, C, ...S]")
def global_average_pool(input: ArrayLike) -> Tensor:
    """The mean of each channel of input[N, C, ...S], as [N, C, 1...].

    ONNX: GlobalAveragePool. Source: Lin et al., "Network in network", ICLR 2014. A channel without
    elements raises ShapeError.
    """
    if len(_sizes(input)) == 4:
        return _core.adaptive_avg_pool2d(input, 1)  # in either memory format
    return _back(_core.adaptive_avg_pool1d(_rows(input), 1), input)


@composed("input: floating [N, C, ...S]")
def global_max_pool(input: ArrayLike) -> Tensor:
    """The maximum of each channel of input[N, C, ...S], as [N, C, 1...].

    ONNX: GlobalMaxPool. NaN wins; of equals the first takes the gradient. A channel without
    elements raises ShapeError.
    """
    largest: Tensor = _core.adaptive_max_pool1d(_rows(input), 1)
    return _back(largest, input)


@composed("input: floating [N, C, ...S]; p: above 0")
def global_lp_pool(input: ArrayLike, p: float = 2) -> Tensor:
    """(sum of |x|^p)^(1/p) of each channel of input[N, C, ...S], as [N, C, 1...].

    ONNX: GlobalLpPool. Where a sum is 0, so is the gradient.
    """
    rows = _core.abs(_rows(input))
    if math.isinf(p):
        return _back(_core.adaptive_max_pool1d(rows, 1), input)
    return _back(_root(_core.sum(_core.pow(rows, float(p)), 2, True), p), input)


def _sizes(input: Any) -> tuple[int, ...]:
    return tuple(input.shape)


def _rows(input: Any) -> Tensor:
    """[N, C, ...S] as [N, C, elements]."""
    samples, channels, *sizes = _sizes(input)
    rows: Tensor = input.reshape(samples, channels, math.prod(sizes))
    return rows


def _back(pooled: Tensor, input: ArrayLike) -> Tensor:
    """[N, C, 1] with a 1 for each pooled dimension of the input."""
    return pooled.reshape(*pooled.shape[:2], *[1] * (len(_sizes(input)) - 2))


@composed("input: floating [N, C, H, W]; levels: 1..window; mode: one of max average")
def spatial_pyramid_pool(
    input: ArrayLike, levels: Sequence[int] = (4, 2, 1), mode: str = "max"
) -> Tensor:
    """Pool input[N, C, H, W] to l x l bins for each of `levels`, joined to [N, C * sum of l^2].

    Each level is adaptive_max_pool2d(input, l), flattened (adaptive_avg_pool2d with mode
    "average"), so images of any size give vectors of one length. Source: K. He et al., "Spatial
    pyramid pooling in deep convolutional networks for visual recognition", ECCV 2014.
    """
    pool = _core.adaptive_max_pool2d if mode == "max" else _core.adaptive_avg_pool2d
    samples, channels = _sizes(input)[:2]
    return _core.cat([pool(input, n).reshape(samples, channels * n * n) for n in levels], 1)
