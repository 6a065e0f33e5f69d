"""Losses in NumPy and float64, from their formulas."""

import itertools

import numpy as np

from tests.references import log_softmax, sigmoid, softplus


def reduce(losses, reduction="mean", count=None):
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(total, losses.size if count is None else count)


def per_class(x):
    """The class dimension of logits."""
    return 1 if x.ndim > 1 else 0


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean"):
    dim = per_class(x)
    weight = np.ones(x.shape[dim]) if weight is None else weight
    counts = target != ignore_index
    safe = np.where(counts, target, 0)
    picked = np.squeeze(np.take_along_axis(x, np.expand_dims(safe, dim), dim), dim)
    weights = np.where(counts, weight[safe] if weight.size else 0.0, 0.0)
    return reduce(-picked * weights, reduction, weights.sum())


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    dim = per_class(x)
    logs = log_softmax(x, dim)
    classes = x.shape[dim]
    by_class = np.ones(classes) if weight is None else weight
    shape = [-1 if d == dim else 1 for d in range(x.ndim)]
    if target.dtype == np.float64:
        mixed = target * (1 - label_smoothing) + label_smoothing / classes
        losses = -(mixed * logs * by_class.reshape(shape)).sum(dim)
        return reduce(losses, reduction)
    nll = nll_loss(logs, target, weight, ignore_index, "none")
    counts = target != ignore_index
    smooth = np.where(counts, -(logs * by_class.reshape(shape)).sum(dim), 0.0)
    losses = (1 - label_smoothing) * nll + label_smoothing / classes * smooth
    weights = np.where(counts, by_class[np.where(counts, target, 0)], 0.0)
    return reduce(losses, reduction, weights.sum())


def focal_loss(x, target, gamma=2.0, weight=None, ignore_index=-100, reduction="mean"):
    logs = log_softmax(x, per_class(x))
    counts = target != ignore_index
    nll = nll_loss(logs, target, None, ignore_index, "none")
    losses = (1 - np.exp(-nll)) ** gamma * nll
    if weight is not None:
        losses = losses * weight[np.where(counts, target, 0)]
    return reduce(np.where(counts, losses, 0.0), reduction, counts.sum())


def mse_loss(x, target, reduction="mean"):
    return reduce(np.square(x - target), reduction)


def l1_loss(x, target, reduction="mean"):
    return reduce(np.abs(x - target), reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    d = np.abs(x - target)
    if beta == 0:
        return reduce(d, reduction)
    return reduce(np.where(d < beta, d * d / (2 * beta), d - beta / 2), reduction)


def huber_loss(x, target, reduction="mean", delta=1.0):
    d = np.abs(x - target)
    return reduce(np.where(d < delta, d * d / 2, delta * (d - delta / 2)), reduction)


def kl_div(x, target, reduction="mean", log_target=False):
    p = np.exp(target) if log_target else target
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = np.where(p > 0, p * ((target if log_target else np.log(p)) - x), 0.0)
    if reduction == "batchmean":
        return losses.sum() / max(x.shape[0] if x.ndim else 1, 1)
    return reduce(losses, reduction)


def binary_cross_entropy(x, target, weight=None, reduction="mean"):
    logs, others = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    losses = -(target * logs + (1 - target) * others)
    return reduce(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None):
    positive = 1.0 if pos_weight is None else pos_weight
    losses = positive * target * softplus(-x) + (1 - target) * softplus(x)
    return reduce(losses if weight is None else losses * weight, reduction)


def hinge_loss(x, target, squared=False, reduction="mean"):
    losses = np.maximum(0, 1 - target * x)
    return reduce(losses**2 if squared else losses, reduction)


def soft_margin_loss(x, target, reduction="mean"):
    return reduce(np.log1p(np.exp(-target * x)), reduction)


def multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    rows, classes = np.atleast_2d(x), np.atleast_1d(target)
    losses = np.zeros(len(rows))
    for i, (row, t) in enumerate(zip(rows, classes, strict=True)):
        for j in range(len(row)):
            if j != t:
                term = max(0.0, margin - row[t] + row[j])
                scale = 1.0 if weight is None else weight[t]
                losses[i] += (term * scale if p == 1 else term * term * scale) / len(row)
    return reduce(losses.reshape(target.shape), reduction)


def gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean"):
    v = np.maximum(var, eps)
    losses = 0.5 * (np.log(v) + (x - target) ** 2 / v) + (0.5 * np.log(2 * np.pi) if full else 0)
    return reduce(losses, reduction)


def poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    losses = np.exp(x) - target * x if log_input else x - target * np.log(x + eps)
    if full:
        t = np.where(target > 1, target, 2.0)
        stirling = t * np.log(t) - t + 0.5 * np.log(2 * np.pi * t)
        losses = losses + np.where(target > 1, stirling, 0.0)
    return reduce(losses, reduction)


def sigmoid_focal_loss(x, target, alpha=0.25, gamma=2.0, reduction="none"):
    p = sigmoid(x)
    right = np.where(target == 1, p, 1 - p)
    scale = 1.0 if alpha < 0 else np.where(target == 1, alpha, 1 - alpha)
    return reduce(-scale * (1 - right) ** gamma * np.log(right), reduction)


def dice_loss(x, target, smooth=1.0, reduction="mean"):
    axes = tuple(range(1, x.ndim))
    overlap, total = (x * target).sum(axes), x.sum(axes) + target.sum(axes)
    return reduce(1 - (2 * overlap + smooth) / (total + smooth), reduction)


def contrastive_loss(a, b, target, margin=1.0, reduction="mean"):
    d = np.sqrt(((a - b) ** 2).sum(1) + 1e-12)
    apart = np.maximum(0, margin - d)
    return reduce(0.5 * np.where(target == 1, ((a - b) ** 2).sum(1), apart * apart), reduction)


def cosine_embedding_loss(a, b, target, margin=0.0, reduction="mean"):
    cosine = (a * b).sum(1) / np.sqrt(((a * a).sum(1) + 1e-12) * ((b * b).sum(1) + 1e-12))
    return reduce(np.where(target == 1, 1 - cosine, np.maximum(0, cosine - margin)), reduction)


def hinge_embedding_loss(x, target, margin=1.0, reduction="mean"):
    return reduce(np.where(target == 1, x, np.maximum(0, margin - x)), reduction)


def margin_ranking_loss(a, b, target, margin=0.0, reduction="mean"):
    return reduce(np.maximum(0, margin - target * (a - b)), reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"
):
    def distance(a, b):
        return (np.abs(a - b + eps) ** p).sum(-1) ** (1 / p)

    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = np.minimum(far, distance(positive, negative))
    return reduce(np.maximum(0, near - far + margin), reduction)


def discriminator_loss(real, fake, kind="non_saturating"):
    if kind in ("minimax", "non_saturating"):
        return reduce(softplus(-real)) + reduce(softplus(fake))
    if kind == "least_squares":
        return reduce((real - 1) ** 2) / 2 + reduce(fake**2) / 2
    if kind == "wasserstein":
        return reduce(fake) - reduce(real)
    return reduce(np.maximum(0, 1 - real)) + reduce(np.maximum(0, 1 + fake))


def generator_loss(fake, kind="non_saturating"):
    if kind == "minimax":
        return -reduce(softplus(fake))
    if kind == "non_saturating":
        return reduce(softplus(-fake))
    return reduce((fake - 1) ** 2) / 2 if kind == "least_squares" else -reduce(fake)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):  # fmt: skip
    """By brute force: every path of classes, collapsed."""
    if log_probs.ndim == 2:
        log_probs, targets = log_probs[:, None], targets[None]
    classes = log_probs.shape[2]
    losses = []
    for i, (steps, size) in enumerate(
        zip(np.atleast_1d(input_lengths), np.atleast_1d(target_lengths), strict=True)
    ):
        start = sum(np.atleast_1d(target_lengths)[:i])
        label = targets[i, :size] if targets.ndim == 2 else targets[start : start + size]
        total = 0.0
        for path in itertools.product(range(classes), repeat=int(steps)):
            collapsed = [c for c, _ in itertools.groupby(path) if c != blank]
            if collapsed == list(label):
                total += np.exp(sum(log_probs[t, i, c] for t, c in enumerate(path)))
        with np.errstate(divide="ignore"):
            loss = -np.log(total)
        losses.append(0.0 if zero_infinity and np.isinf(loss) else loss)
    out = np.array(losses)
    if reduction == "mean":
        return (out / np.maximum(np.atleast_1d(target_lengths), 1)).mean()
    return out.sum() if reduction == "sum" else out
