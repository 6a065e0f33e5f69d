"""Every op of the case table (tests/opcases.py), forward and with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from bench.libraries import Array, forward, forward_backward, normal
from bench.parity import counterpart
from bench.timing import Case, Sides
from fastdl import functional as F
from tests.opcases import OPS
from tests.oprow import Op

__all__ = ["cases"]

R = torch.nn.functional
SIZES = {"tiny": 16, "medium": 1 << 16, "large": 1 << 22}
VIEWS = ("reshape", "view", "permute", "transpose", "flatten", "squeeze", "unsqueeze", "expand",
         "narrow")  # fmt: skip
NO_DERIVATIVE = ("bincount", "floor_divide")  # in PyTorch
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "stochastic_depth")
RANDOM = (*DROPOUTS, "alpha_dropout", "feature_alpha_dropout", "gaussian_noise", "gaussian_dropout")
LOSSES = ("cross_entropy", "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


# Rows that PyTorch lacks, or that differ where the drawn arguments tie, repeat or are empty.
UNTIMED = (
    "kl_div", "grid_sample", "affine_grid", "meshgrid", "stochastic_depth",
    "step", "bipolar_sigmoid", "clipped_relu", "maxout",
    "additive_attention", "batched_nms", "blur2d", "contrastive_loss", "cosine_embedding_loss",
    "cosine_similarity", "ctc_loss", "deform_conv2d", "depth_to_space", "dice_loss",
    "discriminator_loss",
    "focal_loss", "generator_loss", "gru_reset_before", "hinge_loss", "histogram", "index_copy",
    "index_put",
    "margin_ranking_loss", "max_unpool1d", "max_unpool2d", "max_unpool3d",
    "negative_sampling_loss", "nms", "pad", "peephole_lstm", "put", "repeat", "rnn", "roi_align",
    "roi_pool", "scatter", "sigmoid_focal_loss", "space_to_depth",
)  # fmt: skip


def cases(short: bool) -> Iterator[Case]:
    """Tiny (16 elements, or 64), medium (65,536) and large (4,194,304) inputs; `short`: no large.

    Views move nothing, so they are timed at one size.
    """
    for op in OPS:
        if op.name in UNTIMED:
            continue
        for size, count in SIZES.items():
            if size != "tiny" and (op.name in VIEWS or (short and size == "large")):
                continue
            shown = f"{size} {_shape(op, count)}"
            yield Case("ops", op.name, shown, partial(_forward, op, count))
            if op.differentiable and op.name not in NO_DERIVATIVE:
                name = f"{op.name}, backward"
                yield Case("ops", name, shown, partial(_backward, op, count))


def _call(op: Op, count: int) -> Any:
    call = op.sized(count)
    return op.sized(64) if call.empty else call  # some rows come in rows of 64


def _shape(op: Op, count: int) -> str:
    return " ".join(str(list(array.shape)) for array in _call(op, count).arrays[:2])


def _pair(op: Op, count: int, make: Callable[..., Sides], **options: Any) -> Sides:
    call = _call(op, count)
    drawn = [
        _normal(array, values)
        for array, values in zip(call.arrays, call.draw(op.name), strict=True)
    ]

    ours = getattr(F, op.name) if op.name in RANDOM else op.function
    functions = [ours, REFERENCES[op.name]]
    if call.kwargs:
        functions = [partial(function, **call.kwargs) for function in functions]
    return make(*functions, drawn, 1e-4, arrange=call.fill, check=_CHECKS.get(op.name), **options)


def _forward(op: Op, count: int) -> Sides:
    return _pair(op, count, forward)


def _backward(op: Op, count: int) -> Sides:
    constant = [i for i, array in enumerate(_call(op, count).arrays) if not array.grad]
    if op.name in LOSSES:
        constant.append(1)  # the target
    return _pair(op, count, forward_backward, constant=constant)


def _normal(array: Any, values: Array) -> Array:
    """The row's values; normally distributed ones where the row takes any number."""
    if not array.floating:
        return values
    if array.kind in ("uniform", "distinct") and array.low <= -2 and array.high >= 2:
        return normal(*values.shape, seed=values.size)
    return values.astype(np.float32)


def _same_share(ours: Any, theirs: Any) -> None:
    """Dropout: what stays differs, but not how much, nor what is done to it.

    Of at least 9,000 draws: two shares then differ by .007 (one sigma), which 0.05 is seven of.
    """
    shares = [float((result.detach().numpy() != 0).mean()) for result in (ours, theirs)]
    assert ours.shape == tuple(theirs.shape)
    assert ours.numel() < 1000 or abs(shares[0] - shares[1]) < 0.05, f"shares kept: {shares}"


def _same_spread(ours: Any, theirs: Any) -> None:
    """Noise: not the same, but as much of it."""
    spreads = [float(result.detach().numpy().std()) for result in (ours, theirs)]
    assert ours.shape == tuple(theirs.shape)
    assert ours.numel() < 1000 or abs(spreads[0] - spreads[1]) < 0.05 * spreads[1], str(spreads)


_CHECKS = dict.fromkeys(RANDOM, _same_spread) | dict.fromkeys(DROPOUTS, _same_share)


def _lstm(x: Any, h: Any, c: Any, *weights: Any) -> Any:
    biased = len(weights) == 4
    output, h_n, c_n = torch.lstm(
        x, (h[None], c[None]), list(weights), biased, 1, 0.0, False, False, False
    )
    return output, h_n[0], c_n[0]


def _row_norm(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, shape: Any, *more: Any, **options: Any) -> Any:
        return function(x, [shape] if isinstance(shape, int) else shape, *more, **options)

    return apply


def _adaptive_instance_norm(x: Any, style: Any) -> Any:
    pixels = style.flatten(2)
    mean, std = pixels.mean(2), (pixels.var(2, correction=0) + 1e-5).sqrt()
    return R.instance_norm(x) * std[:, :, None, None] + mean[:, :, None, None]


def _pixel_norm(x: Any) -> Any:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def _gaussian_dropout(x: Any, p: float) -> Any:
    return x * (1 + (p / (1 - p)) ** 0.5 * torch.randn_like(x))


def _stochastic_depth(x: Any, p: float, mode: str) -> Any:
    shape = [x.shape[0] if mode == "row" else 1, *[1] * (x.ndim - 1)]
    return x * torch.empty(shape).bernoulli_(1 - p).div_(1 - p)


def _gru(x: Any, h: Any, *weights: Any) -> Any:
    output, h_n = torch.gru(
        x, h[None], list(weights), len(weights) == 4, 1, 0.0, False, False, False
    )
    return output, h_n[0]


def _loss(name: str) -> Callable[..., Any]:
    function = getattr(R, name)
    return lambda x, target, reduction="mean": function(x, target, reduction=reduction)


# What the rows compute, in PyTorch: functions of the same name and arguments, and these.
REFERENCES: dict[str, Callable[..., Any]] = {
    "view": lambda x, shape: x.view(shape),
    "pow": torch.pow,
    "permute": torch.permute,
    "tile": torch.tile,
    "broadcast_to": torch.broadcast_to,
    "unflatten": torch.unflatten,
    "expand": lambda x, shape: x.expand(shape),
    "cummax": lambda x, dim: tuple(torch.cummax(x, dim)),
    "cummin": lambda x, dim: tuple(torch.cummin(x, dim)),
    "scatter_add": torch.scatter_add,
    "scatter_reduce": torch.scatter_reduce,
    "layer_norm": _row_norm(R.layer_norm),
    "rms_norm": _row_norm(R.rms_norm),
    "adaptive_instance_norm": _adaptive_instance_norm,
    "pixel_norm": _pixel_norm,
    "gaussian_noise": lambda x, std: x + std * torch.randn_like(x),
    "gaussian_dropout": _gaussian_dropout,
    "stochastic_depth": _stochastic_depth,
    "gru": _gru,
    "lstm": _lstm,
    "max": lambda x, dim: tuple(torch.max(x, dim)),
    "min": lambda x, dim: tuple(torch.min(x, dim)),
    "sort": lambda x: tuple(torch.sort(x)),
    "topk": lambda x, k: tuple(torch.topk(x, k)),
    "median": lambda x, dim: tuple(torch.median(x, dim)),
    "nanmedian": lambda x, dim: tuple(torch.nanmedian(x, dim)),
    "searchsorted": lambda bounds, x: torch.searchsorted(torch.sort(bounds)[0], x),
    "bucketize": lambda x, bounds: torch.bucketize(x, torch.sort(bounds)[0]),
    **{name: _loss(name) for name in LOSSES},
}
for _op in OPS:
    if _op.name not in REFERENCES and (_same := counterpart(_op.name)) is not None:
        REFERENCES[_op.name] = _same
