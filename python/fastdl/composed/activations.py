"""Activations that are composed of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.errors import ShapeError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Generator, Tensor

__all__ = [
    "bipolar_sigmoid",
    "clipped_relu",
    "glu",
    "gumbel_softmax",
    "maxout",
    "prelu",
    "step",
]


@composed("input: floating")
def step(input: ArrayLike, threshold: float = 0.0, straight_through: bool = False) -> Tensor:
    """1 where input is at least `threshold`, else 0, elementwise; NaN stays.

    The unit of McCulloch and Pitts, 1943, and of Rosenblatt's perceptron, 1958. Its gradient is 0
    everywhere; with `straight_through` it is that of the identity (Bengio et al., 2013).
    """
    x = as_tensor(input)
    # Functions of the table whose gradient is 0, so that the result is part of the graph.
    y = ((x - threshold).sign() * 0.5 + 0.5).ceil()
    return x + (y - x).detach() if straight_through else y


@composed("input: floating")
def bipolar_sigmoid(input: ArrayLike) -> Tensor:
    """(1 - exp(-x)) / (1 + exp(-x)), elementwise: tanh(x / 2), between -1 and 1."""
    return (as_tensor(input) * 0.5).tanh()


@composed("input: floating; ceiling: above 0")
def clipped_relu(input: ArrayLike, ceiling: float = 6.0) -> Tensor:
    """min(max(0, x), ceiling), elementwise (Hannun et al., 2014)."""
    return as_tensor(input).clamp(0.0, ceiling)


@composed("input: floating [] or [C] or [N, C, ...]; weight: like input [K]")
def prelu(input: ArrayLike, weight: ArrayLike) -> Tensor:
    """X where it is above 0, else weight x: one slope, or one per channel (He et al., 2015).

    input[N, C, ...] with weight[1] or weight[C]; with fewer dimensions weight[1]. Raises ShapeError
    for another number of slopes.
    """
    x, slope = as_tensor(input), as_tensor(weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if slope.shape[0] not in (1, channels):
        raise ShapeError(
            "prelu",
            f"{slope.shape[0]} slopes for {channels} channels",
            {"input": str(x.shape), "weight": str(slope.shape)},
            f"pass weight of shape [1] or [{channels}]",
        )
    spread = slope.reshape((1, -1, *[1] * (x.ndim - 2))) if x.ndim > 1 else slope.reshape(())
    return _core.where(x > 0, x, x * spread)


@composed("input: floating; dim: dim of input")
def glu(input: ArrayLike, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second (Dauphin et al., 2017).

    Raises ShapeError for an odd size.
    """
    x = as_tensor(input)
    if x.ndim == 0 or x.shape[dim] % 2:
        raise ShapeError(
            "glu",
            "the input does not divide into halves",
            {"input": str(x.shape), "dim": str(dim)},
            "pass an even size along dim",
        )
    half = x.shape[dim] // 2
    return x.narrow(dim, 0, half) * x.narrow(dim, half, half).sigmoid()


@composed("input: floating; pieces: 1..; dim: dim of input")
def maxout(input: ArrayLike, pieces: int, dim: int = 1) -> Tensor:
    """The largest of every `pieces` neighbours along `dim` (Goodfellow et al., 2013).

    A size of C along `dim` becomes C / pieces. Equal values share the gradient. Raises ShapeError
    where C is no multiple of pieces.
    """
    x = as_tensor(input)
    if x.ndim == 0 or x.shape[dim] % pieces:
        raise ShapeError(
            "maxout",
            "the input does not divide into pieces",
            {"input": str(x.shape), "dim": str(dim), "pieces": str(pieces)},
            f"pass a multiple of {pieces} along dim",
        )
    at = dim % x.ndim
    shape = (*x.shape[:at], x.shape[at] // pieces, pieces, *x.shape[at + 1 :])
    return x.reshape(shape).amax(at + 1)


@composed("logits: floating; tau: above 0; dim: dim of logits")
def gumbel_softmax(
    logits: ArrayLike,
    tau: float = 1.0,
    hard: bool = False,
    dim: int = -1,
    generator: Generator | None = None,
) -> Tensor:
    """softmax((logits + noise) / tau) along `dim`, the noise Gumbel's: a draw that has a gradient.

    Jang et al., 2017. With `hard` the result is one-hot, a sample of softmax(logits), with the
    gradient of the soft one. Every element takes one draw of the generator.
    """
    x = as_tensor(logits)
    u = _core.rand(x.shape, device=x.device, generator=generator).to(x.dtype)
    tiny = 1e-7 if x.dtype.itemsize >= 4 else 1e-4  # the largest noise stays finite
    noise = -(-(u * (1 - 2 * tiny) + tiny).log()).log()
    soft = _core.softmax((x + noise) / tau, dim)
    if not hard:
        return soft
    if x.numel() == 0:
        return soft
    first = _core.argmax(soft, dim, keepdim=True)
    one_hot = _core.scatter(soft.detach() * 0, dim, first, 1.0)
    return soft + (one_hot - soft).detach()
