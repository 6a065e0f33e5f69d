"""Losses. Where a target has the input's shape nothing is broadcast: another shape is an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = [
    "dice_loss",
    "focal_loss",
    "gaussian_nll_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "multi_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "reduced",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]

REDUCTION = "reduction: one of none mean sum; autocast: full"
PAIR = "input: floating [...S]; target: like input [...S]; " + REDUCTION
CLASSES = (
    "input: floating [classes] or [N, classes, ...S]; "
    "target: index [] or [N, ...S] values below classes; "
)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The loss of each element, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


@composed(PAIR)
def l1_loss(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """|input - target|, elementwise; its gradient where they are equal is 0."""
    return reduced(_core.abs(_core.sub(input, target)), reduction)


@composed(PAIR + "; beta: 0..")
def smooth_l1_loss(
    input: ArrayLike, target: ArrayLike, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d**2 / (2 beta) where d = |input - target| is below `beta`, else d - beta / 2.

    Girshick, 2015 (Fast R-CNN), equation 3. With beta = 0 it is `l1_loss`.
    """
    d = _core.abs(_core.sub(input, target))
    if beta == 0:
        return reduced(d, reduction)
    return reduced(_core.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta), reduction)


@composed(PAIR + "; delta: above 0")
def huber_loss(
    input: ArrayLike, target: ArrayLike, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """d**2 / 2 where d = |input - target| is below `delta`, else delta (d - delta / 2).

    Huber, 1964 (Robust estimation of a location parameter).
    """
    d = _core.abs(_core.sub(input, target))
    return reduced(_core.where(d < delta, d * d * 0.5, (d - 0.5 * delta) * delta), reduction)


@composed(
    "input: floating [...S]; target: like input [...S]; reduction: one of none mean batchmean sum"
)
def kl_div(
    input: ArrayLike, target: ArrayLike, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """The terms target (log target - input) of the Kullback-Leibler divergence (1951).

    input holds log-probabilities, target probabilities (their logarithms with `log_target`); where
    a target is 0 the term is 0. 'batchmean' divides the sum by the first size, which is the
    divergence per sample; 'mean' divides by the number of elements. Both are NaN of nothing.
    """
    target = as_tensor(target)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        nothing = target == 0
        log = _core.where(nothing, 1.0, target).log()
        loss = _core.where(nothing, 0.0, target * (log - input))
    if reduction == "batchmean":
        return loss.sum() / (loss.shape[0] if loss.ndim else 1)
    return reduced(loss, reduction)


@composed(CLASSES + "weight: like input [classes]; " + REDUCTION)
def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[target] over the classes in dimension 1 of log-probabilities input[N, C, ...].

    target[N, ...] holds class indices from 0 to C - 1 (IndexRangeError otherwise) or
    `ignore_index`, whose loss is 0. `weight[C]` scales classes; 'mean' divides by the weights of
    the targets that count.
    """
    index = as_tensor(target)
    loss, weights = picked(class_rows(as_tensor(input)), index.reshape(-1), weight, ignore_index)
    if reduction == "none":
        return loss.reshape(index.shape)
    return loss.sum() / weights.sum() if reduction == "mean" else loss.sum()


def class_rows(x: Tensor) -> Tensor:
    """x[N, C, ...] as [N * ..., C]; x[C] as [1, C]."""
    if x.ndim == 1:
        return x.unsqueeze(0)
    if x.ndim == 2:
        return x
    return x.permute((0, *range(2, x.ndim), 1)).reshape(-1, x.shape[1])


def picked(
    rows: Tensor, target: Tensor, weight: ArrayLike | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """-rows[i, target[i]] times its weight, and the weights; both 0 where the target is ignored."""
    counts = target != ignore_index
    safe = _core.where(counts, target, 0)
    weights = counts.to(rows.dtype)
    if weight is not None:
        weights = weights * _core.gather(weight, 0, safe)
    loss = -_core.gather(rows, 1, safe.unsqueeze(1)).squeeze(1)
    # An ignored target's logit may be infinite, and 0 times it NaN.
    return _core.where(counts, loss * weights, 0.0), weights


@composed("input: floating [...S]; target: like input [...S]; " + REDUCTION)
def hinge_loss(
    input: ArrayLike, target: ArrayLike, squared: bool = False, reduction: str = "mean"
) -> Tensor:
    """max(0, 1 - target input), elementwise, or its square, for targets of -1 and 1.

    Cortes and Vapnik, 1995 (Support-vector networks).
    """
    loss = (1 - _core.mul(target, input)).relu()
    return reduced(loss * loss if squared else loss, reduction)


@composed(PAIR)
def soft_margin_loss(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)), elementwise, for targets of -1 and 1, without overflow."""
    return reduced(-_core.logsigmoid(_core.mul(target, input)), reduction)


@composed(
    "input: floating [classes] or [N, classes]; target: index [] or [N] values below classes; "
    "p: 1..2; weight: like input [classes]; " + REDUCTION
)
def multi_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum over wrong classes j of max(0, margin - x[target] + x[j])**p / C (the multiclass hinge).

    input[N, C] holds scores, target[N] class indices; p is 1 or 2; `weight[C]` scales the margins
    of samples of a class. Crammer and Singer, 2001.
    """
    rows, index = class_rows(as_tensor(input)), as_tensor(target).reshape(-1)
    right = _core.gather(rows, 1, index.unsqueeze(1))
    terms = (margin - right + rows).relu()
    if p == 2:
        terms = terms * terms
    if weight is not None:
        terms = terms * _core.gather(weight, 0, index).unsqueeze(1)
    wrong = _core.arange(rows.shape[1], device=rows.device).unsqueeze(0) != index.unsqueeze(1)
    loss = _core.where(wrong, terms, 0.0).sum(1) / rows.shape[1]
    return reduced(
        loss.reshape(as_tensor(target).shape) if reduction == "none" else loss, reduction
    )


@composed(
    "input: floating [...S]; target: like input [...S]; var: like input [...S]; eps: above 0; "
    + REDUCTION
)
def gaussian_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log v + (input - target)**2 / v) / 2 with v = max(var, eps), plus log(2 pi) / 2 if `full`.

    The negative log-likelihood of targets under normal distributions with the predicted mean and
    variance (Nix and Weigend, 1994). The bound at `eps` passes the gradient on.
    """
    d, v = _core.sub(input, target), as_tensor(var)
    v = v + _core.clamp(eps - v.detach(), min=0.0)
    loss = 0.5 * (v.log() + d * d / v)
    return reduced(loss + 0.9189385332046727 if full else loss, reduction)


@composed(PAIR + "; eps: above 0")
def poisson_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target input, or without `log_input` input - target log(input + eps).

    The negative log-likelihood of counts; `full` adds Stirling's approximation of log(target!) for
    targets above 1.
    """
    x, t = as_tensor(input), as_tensor(target)
    loss = x.exp() - t * x if log_input else x - t * (x + eps).log()
    if full:
        large = _core.where(t > 1, t, 2.0)
        stirling = large * large.log() - large + 0.5 * (large * 6.283185307179586).log()
        loss = loss + _core.where(t > 1, stirling, 0.0)
    return reduced(loss, reduction)


@composed(PAIR + "; alpha: ..1; gamma: 0..")
def sigmoid_focal_loss(
    input: ArrayLike,
    target: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> Tensor:
    """Binary cross entropy of logits times (1 - p)**gamma, p the probability of the right answer.

    Lin et al., 2017 (RetinaNet), equation 5: positive targets weigh `alpha`, negative ones
    1 - alpha; a negative alpha weighs them alike.
    """
    x, t = as_tensor(input), as_tensor(target)
    p = x.sigmoid()
    right = p * t + (1 - p) * (1 - t)
    loss = _core.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = loss * (alpha * t + (1 - alpha) * (1 - t))
    return reduced(loss, reduction)


@composed(CLASSES + "weight: like input [classes]; gamma: 0..; " + REDUCTION)
def focal_loss(
    input: ArrayLike,
    target: ArrayLike,
    gamma: float = 2.0,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-(1 - p)**gamma log p, p the softmax of logits input[N, C, ...] at target[N, ...].

    Lin et al., 2017, for several classes. `weight[C]` scales classes, `ignore_index` has loss 0;
    'mean' divides by the number of targets that count.
    """
    rows = _core.log_softmax(class_rows(as_tensor(input)), 1)
    index = as_tensor(target).reshape(-1)
    nll, _ = picked(rows, index, None, ignore_index)
    loss = (1 - (-nll).exp()) ** gamma * nll
    counts = index != ignore_index
    if weight is not None:
        loss = loss * _core.gather(weight, 0, _core.where(counts, index, 0))
    if reduction == "none":
        return loss.reshape(as_tensor(target).shape)
    return loss.sum() / counts.sum().to(loss.dtype) if reduction == "mean" else loss.sum()


@composed("input: floating [N, ...S]; target: like input [N, ...S]; smooth: 0..; " + REDUCTION)
def dice_loss(
    input: ArrayLike, target: ArrayLike, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth) of each sample.

    Milletari et al., 2016 (V-Net), without squares. input[N, ...] holds probabilities,
    target[N, ...] 0 and 1 (or probabilities); 'none' gives [N].
    """
    p, t = as_tensor(input), as_tensor(target)
    flat = (p.shape[0], math.prod(p.shape[1:]))
    p, t = p.reshape(flat), t.reshape(flat)
    overlap, total = (p * t).sum(1), p.sum(1) + t.sum(1)
    return reduced(1 - (2 * overlap + smooth) / (total + smooth), reduction)
