"""The layers of textbooks that are not operations: inputs, outputs, and joints of branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.module import Module

__all__ = [
    "Addition",
    "ClassificationOutput",
    "DepthConcatenation",
    "ImageInput",
    "RegressionOutput",
    "SequenceInput",
]


class ImageInput(Module):
    """Takes images [N, C, H, W] of one size and normalises them.

    Args:
        shape: (C, H, W).
        normalization: "zerocenter": x - mean; "zscore": (x - mean) / std; "rescale": from
            [low, high] of `mean` and `std` to [0, 1]; "none". Default: "zerocenter".
        mean, std: a number, one per channel, or an image; buffers of the state dict.

    Raises:
        ArgumentError: for another normalization, or a std that is not above 0.
        ShapeError: for images of another size.
    """

    def __init__(
        self,
        shape: Sequence[int],
        normalization: str = "zerocenter",
        mean: float | Sequence[float] | Tensor = 0.0,
        std: float | Sequence[float] | Tensor = 1.0,
    ) -> None:
        kinds = ("zerocenter", "zscore", "rescale", "none")
        if normalization not in kinds:
            raise ArgumentError(
                "ImageInput",
                f"normalization is {normalization!r}",
                remedy=f"use one of {', '.join(kinds)}",
            )
        self.shape = tuple(shape)
        self.normalization = normalization
        self.register_buffer("mean", _per_channel(mean))
        self.register_buffer("std", _per_channel(std))
        low, spread = self.mean, self.std - self.mean if normalization == "rescale" else self.std
        if not bool(np.all(spread.numpy() > 0)):
            raise ArgumentError(
                "ImageInput",
                "the spread of the values is not above 0",
                {"mean": repr(low), "std": repr(self.std)},
                "give a std above 0 (with rescale, a high above the low)",
            )

    mean: Tensor
    std: Tensor

    def forward(self, input: Tensor) -> Tensor:
        if tuple(input.shape[1:]) != self.shape:
            raise ShapeError(
                "ImageInput",
                f"images have the shape {tuple(input.shape[1:])}, expected {self.shape}",
                {"input": str(tuple(input.shape))},
                f"pass a batch of images [N, {', '.join(map(str, self.shape))}]",
            )
        if self.normalization == "none":
            return input
        centred = input - self.mean.to(input.dtype)
        if self.normalization == "zerocenter":
            return centred
        low = self.mean if self.normalization == "rescale" else 0.0
        return centred / (self.std - low).to(input.dtype)

    def extra_repr(self) -> str:
        return f"{self.shape}, normalization={self.normalization!r}"


def _per_channel(value: float | Sequence[float] | Tensor) -> Tensor:
    """A number as [], one per channel as [C, 1, 1], an image as it is."""
    t = _core.tensor(np.asarray(value, np.float32)) if not isinstance(value, Tensor) else value
    return t.reshape(-1, 1, 1) if t.ndim == 1 else t


class SequenceInput(Module):
    """Takes sequences [N, T, size] (or [T, size]) and passes them on.

    Raises:
        ShapeError: for another number of features.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (2, 3) or input.shape[-1] != self.size:
            raise ShapeError(
                "SequenceInput",
                f"the input has the shape {tuple(input.shape)}, expected [N, T, {self.size}]",
                remedy=f"pass sequences of {self.size} features",
            )
        return input

    def extra_repr(self) -> str:
        return str(self.size)


class Addition(Module):
    """The sum of two or more inputs of equal shapes; nothing broadcasts.

    Raises:
        ShapeError: for shapes that differ.
    """

    def forward(self, *inputs: Tensor) -> Tensor:
        _require_equal("Addition", inputs, lambda t: tuple(t.shape), "equal shapes")
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


class DepthConcatenation(Module):
    """Joins images [N, C, H, W] along their channels; height and width must be equal.

    Raises:
        ShapeError: for other sizes that differ.
    """

    def forward(self, *inputs: Tensor) -> Tensor:
        _require_equal(
            "DepthConcatenation",
            inputs,
            lambda t: (t.shape[0], *t.shape[2:]) if t.ndim == 4 else None,
            "images of equal height and width",
        )
        return F.cat(list(inputs), 1)


def _require_equal(
    op: str, inputs: Sequence[Tensor], key: Callable[[Tensor], object], asked: str
) -> None:
    keys = {key(t) for t in inputs}
    if len(inputs) < 2 or len(keys) > 1 or None in keys:
        raise ShapeError(
            op,
            f"{len(inputs)} inputs that do not fit",
            {f"input {i}": str(tuple(t.shape)) for i, t in enumerate(inputs)},
            f"pass two or more {asked}",
        )


class ClassificationOutput(Module):
    """Softmax over classes; `loss` is cross entropy with it.

    Shapes: input [N, C] (logits), result [N, C] (probabilities).
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, 1)

    def loss(self, input: Tensor, target: Tensor) -> Tensor:
        """Mean cross entropy of logits [N, C] and classes int64[N]."""
        return F.cross_entropy(input, target)


class RegressionOutput(Module):
    """Passes predictions on; `loss` is half the mean squared error, summed over responses.

    Shapes: input [N, R], result [N, R].
    """

    def forward(self, input: Tensor) -> Tensor:
        return input

    def loss(self, input: Tensor, target: Tensor) -> Tensor:
        """sum((input - target)**2) / (2 N) of predictions and targets [N, ...]."""
        return F.mse_loss(input, target, "sum") / (2 * max(input.shape[0], 1))
