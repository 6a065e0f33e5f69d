"""Connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.errors import ArgumentError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from fastdl._core import ArrayLike, Tensor

__all__ = ["ctc_loss"]

# Stands for log 0: finite, so that no gradient becomes NaN, and far below any sum of logarithms.
NEVER = -1e30


@composed(
    "autocast: full; log_probs: real [T, classes] or [T, N, classes]; "
    "target_lengths, input_lengths: 0..; "
    "targets: index [...]; blank: 0..; reduction: one of none mean sum"
)
def ctc_loss(
    log_probs: ArrayLike,
    targets: ArrayLike,
    input_lengths: Sequence[int] | ArrayLike | int,
    target_lengths: Sequence[int] | ArrayLike | int,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log p(target | input), summed over all alignments (Graves et al., 2006, equations 6 to 8).

    log_probs[T, N, C] are log-probabilities, for example of `log_softmax`; targets are class
    indices [N, S], or those of all samples joined [sum(target_lengths)], without `blank`.
    Without N they are log_probs[T, C], targets[S] and two ints. 'mean' divides each loss by its
    target's length (at least 1) first. A target that is too long for its input has the loss
    infinity, or 0 with `zero_infinity`.

    Raises ArgumentError for lengths below 0 or beyond the data, IndexRangeError for labels outside
    0..C-1 or equal to `blank`, ShapeError where sizes do not fit.
    """
    x, labels = as_tensor(log_probs), as_tensor(targets)
    single = x.ndim == 2
    if single:
        x, labels = x.unsqueeze(1), labels.reshape(1, -1)
    steps, n, classes = x.shape
    input_sizes = lengths("input_lengths", input_lengths, n, steps)
    target_sizes = lengths("target_lengths", target_lengths, n, None)
    padded = padded_targets(labels, target_sizes, classes, blank)

    # Blanks between all labels and around them: [N, 2 S + 1].
    longest = padded.shape[1]
    spelled = np.full((n, 2 * longest + 1), blank, np.int64)
    spelled[:, 1::2] = padded
    skips = np.zeros(spelled.shape, bool)  # from label to label, where the two differ
    skips[:, 3::2] = padded[:, 1:] != padded[:, :-1]
    index = _core.tensor(spelled).to(x.device)
    may_skip = _core.tensor(skips).to(x.device)
    never = _core.full((n, 2), NEVER, dtype=x.dtype, device=x.device)

    first = np.full(spelled.shape, NEVER)
    first[:, :2] = 0.0
    alpha = _core.tensor(first).to(x.dtype).to(x.device)
    for t in range(steps):
        if t:
            shifted = _core.cat([never, alpha], 1)
            one, two = shifted.narrow(1, 1, index.shape[1]), shifted.narrow(1, 0, index.shape[1])
            two = _core.where(may_skip, two, NEVER)
            moved = _core.logsumexp(_core.stack([alpha, one, two]), 0)
        else:
            moved = alpha
        step = moved + _core.gather(x[t], 1, index)
        running = _core.tensor(t < input_sizes[:, None]).to(x.device)
        alpha = _core.where(running, step, alpha)

    # A path ends in the last label or in the blank behind it.
    ends = np.stack([2 * target_sizes, np.maximum(2 * target_sizes - 1, 0)], 1)
    last = _core.gather(alpha, 1, _core.tensor(ends).to(x.device))
    empty = _core.tensor(np.array([[False, True]]) & (target_sizes == 0)[:, None]).to(x.device)
    started = _core.tensor((input_sizes > 0) | (target_sizes == 0)).to(x.device)
    loss = -_core.logsumexp(_core.where(empty, NEVER, last), 1)
    possible = (loss < -NEVER / 2).logical_and(started)
    loss = _core.where(possible, loss, 0.0 if zero_infinity else float("inf"))
    if reduction == "mean":
        sizes = _core.tensor(np.maximum(target_sizes, 1)).to(x.dtype).to(x.device)
        return (loss / sizes).mean()
    if reduction == "sum":
        return loss.sum()
    return loss[0] if single else loss


def lengths(
    name: str, given: Sequence[int] | ArrayLike | int, n: int, most: int | None
) -> npt.NDArray[np.int64]:
    """The lengths as int64[n], each from 0 to `most`."""
    if isinstance(given, _core.Tensor):
        given = given.cpu().numpy()
    sizes = np.atleast_1d(np.asarray(given))
    if sizes.shape != (n,) or (n and sizes.dtype.kind not in "iu"):
        raise ShapeError(
            "ctc_loss",
            f"{name} has {sizes.size} elements of {sizes.dtype}, expected {n} integers",
            remedy="give one length per sample",
        )
    if (sizes < 0).any() or (most is not None and (sizes > most).any()):
        bad = int(sizes[(sizes < 0) | (sizes > (most or 0))][0])
        raise ArgumentError(
            "ctc_loss",
            f"{name} has {bad}, and the data {most} steps" if bad >= 0 else f"{name} has {bad}",
            remedy=f"use lengths from 0 to {'the number of labels' if most is None else most}",
        )
    return sizes.astype(np.int64)


def padded_targets(
    labels: Tensor, sizes: npt.NDArray[np.int64], classes: int, blank: int
) -> npt.NDArray[np.int64]:
    """Labels as [N, longest], filled up with 0, all of them classes and none of them blank."""
    n, longest = len(sizes), int(sizes.max(initial=0))
    values = labels.cpu().numpy()
    if blank >= classes:
        raise ArgumentError(
            "ctc_loss", f"blank is {blank}", {"log_probs": f"{classes} classes"},
            f"use a blank from 0 to {classes - 1}",
        )  # fmt: skip
    fits = values.ndim == 2 and values.shape[0] == n and values.shape[1] >= longest
    if values.ndim == 1:
        fits = values.shape[0] == int(sizes.sum())
    if not fits:
        raise ShapeError(
            "ctc_loss",
            "targets and target_lengths do not fit",
            {"targets": repr(tuple(values.shape)), "target_lengths": repr(sizes.tolist())},
            "pass targets [N, S] with S of the longest, or all of them joined",
        )
    padded = np.zeros((n, longest), np.int64)
    starts = np.cumsum(sizes) - sizes
    for i, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        own = values[i, :size] if values.ndim == 2 else values[start : start + size]
        if ((own < 0) | (own >= classes) | (own == blank)).any():
            bad = int(own[(own < 0) | (own >= classes) | (own == blank)][0])
            raise IndexRangeError(
                "ctc_loss",
                f"label {bad} of sample {i} is the blank" if bad == blank
                else f"label {bad} of sample {i} is not in 0 to {classes - 1}",
                remedy="use labels that are classes, and not the blank",
            )  # fmt: skip
        padded[i, :size] = own
    return padded
