"""Losses that learn vectors of words without a softmax over the whole vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.composed.losses import REDUCTION, reduced

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["negative_sampling_loss"]


@composed(
    "input: floating [N, D]; target: like input [N, D]; noise: like input [N, K, D]; " + REDUCTION
)
def negative_sampling_loss(
    input: ArrayLike, target: ArrayLike, noise: ArrayLike, reduction: str = "mean"
) -> Tensor:
    """-log sigmoid(target . input) - sum over k of log sigmoid(-noise_k . input), per sample.

    input[N, D] holds vectors of words, target[N, D] those of words found beside them and
    noise[N, K, D] those of K words drawn at random, both from the table of outputs.
    Mikolov et al., 2013 ("Distributed representations of words and phrases and their
    compositionality"), equation 4.
    """
    x = as_tensor(input)
    found = _core.logsigmoid((x * target).sum(1))
    against = _core.matmul(noise, x.unsqueeze(2)).squeeze(2)
    return reduced(-found - _core.logsigmoid(-against).sum(1), reduction)
