"""Convolution whose windows bend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["deform_conv2d"]


@composed(
    "input: real [N, C, H, W]; offset: like input [N, E, P, Q]; weight: like input [K, D, R, S]; "
    "bias: like input [K]; stride, dilation: 1..window; padding: 0..window; "
    "mask: like input [N, M, P, Q]"
)
def deform_conv2d(
    input: ArrayLike,
    offset: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    mask: ArrayLike | None = None,
) -> Tensor:
    """conv2d that reads its input beside the window's places, as torchvision's deform_conv2d.

    input[N, C, H, W] and weight[K, C / groups, R, S] give [N, K, P, Q], of conv2d's sizes.
    offset[N, 2 G R S, P, Q] has a pair (down, across), in pixels, for each of the R S places of a
    window, row by row, for each of G runs of C / G channels; what lies between pixels is
    interpolated, and 0 outside of the image. mask[N, G R S, P, Q] scales what is read. Memory holds
    the windows' values, [N, C R S, P Q]. Raises ShapeError for shapes that do not go together.
    Sources: Dai et al., "Deformable convolutional networks", ICCV 2017; the mask: Zhu et al.,
    "Deformable ConvNets v2", CVPR 2019.
    """
    x, shifts, w = map(as_tensor, (input, offset, weight))
    (n, channels, height, width), (outputs, depth, r, s) = x.shape, w.shape
    steps, pads, gaps = map(_pair, (stride, padding, dilation))
    p, q = (
        (size + 2 * pad - gap * (kernel - 1) - 1) // step + 1
        for size, pad, gap, kernel, step in zip(
            (height, width), pads, gaps, (r, s), steps, strict=True
        )
    )
    places = r * s
    groups = channels // depth if depth else 0
    runs = shifts.shape[1] // (2 * places) if places else 0
    fits = (
        groups * depth == channels
        and groups > 0
        and outputs % groups == 0
        and runs > 0
        and shifts.shape[1] == 2 * runs * places
        and channels % runs == 0
        and min(p, q) > 0
        and tuple(shifts.shape[2:]) == (p, q)
        and (mask is None or as_tensor(mask).shape[1] == runs * places)
    )
    if not fits:
        shown = {"input": x, "offset": shifts, "weight": w}
        shown |= {} if mask is None else {"mask": as_tensor(mask)}
        raise ShapeError(
            "deform_conv2d",
            f"the windows of [{r}, {s}] are {p} x {q}, or their channels do not go together",
            {name: str(list(t.shape)) for name, t in shown.items()},
            "pass an offset of [N, 2 G R S, P, Q] and a mask of [N, G R S, P, Q], C being a "
            "multiple of G and of dimension 1 of the weight",
        )
    shifts = _core.reshape(shifts, (n * runs, places, 2, p, q))
    like = {"dtype": x.dtype, "device": x.device}
    down = _places(r, gaps[0], like).reshape(r, 1).expand(r, s).reshape(places, 1, 1)
    across = _places(s, gaps[1], like).reshape(1, s).expand(r, s).reshape(places, 1, 1)
    down = down + (_places(p, steps[0], like) - pads[0]).reshape(p, 1) + shifts[:, :, 0]
    across = across + (_places(q, steps[1], like) - pads[1]) + shifts[:, :, 1]
    # grid_sample runs from -1 to 1 between the outer edges of the pixels. Between those of a power
    # of two, whole pixels stay whole; what is added is 0, as what is outside.
    wide, high = (1 << max(size - 1, 0).bit_length() for size in (width, height))
    grid = _core.stack([(2 * across + 1) / wide - 1, (2 * down + 1) / high - 1], -1)
    images = _core.reshape(x, (n * runs, channels // runs, height, width))
    images = _core.pad(images, (0, wide - width, 0, high - height))
    read = _core.grid_sample(images, _core.reshape(grid, (n * runs, places * p, q, 2)))
    if mask is not None:
        read = read * _core.reshape(mask, (n * runs, 1, places * p, q))
    columns = _core.reshape(read, (n, groups, depth * places, p * q))
    kernels = _core.reshape(w, (groups, outputs // groups, depth * places))
    out = _core.reshape(_core.matmul(kernels, columns), (n, outputs, p, q))
    return out if bias is None else out + _core.reshape(bias, (outputs, 1, 1))


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise ArgumentError("deform_conv2d", f"{list(value)}, expected one number or two")
    return value[0], value[1]


def _places(count: int, step: int, like: dict[str, object]) -> Tensor:
    """0, step, 2 step, ..."""
    return _core.arange(count, **like) * step  # type: ignore[arg-type]
