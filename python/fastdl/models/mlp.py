"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fastdl import nn
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.models.registry import register

__all__ = ["MLP"]

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


@register(
    "mlp",
    "D. Rumelhart, G. Hinton and R. Williams, 'Learning representations by back-propagating "
    "errors', Nature 323, 1986",
    (1, 32, 32),
)
class MLP(nn.Module):
    """Multilayer perceptron: fully connected layers with an activation between them.

    Args:
        sizes: features of the input, of each hidden layer, and of the output.
            Default: (1024, 256, 10).
        activation: "relu", "tanh" or "sigmoid", between layers. Default: "relu".
        dropout: probability of dropping a hidden unit in training. Default: 0.

    Shapes: input [N, ...], flattened to [N, sizes[0]]; output [N, sizes[-1]], no activation.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (1024, 256, 10),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        if len(sizes) < 2:
            raise ArgumentError("MLP", f"sizes is {tuple(sizes)}, expected at least two numbers")
        if activation not in _ACTIVATIONS:
            raise ArgumentError(
                "MLP",
                f"unknown activation {activation!r}",
                {"known": ", ".join(_ACTIVATIONS)},
            )
        modules: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(sizes[:-1]):
            modules += [nn.Linear(before, after), _ACTIVATIONS[activation]()]
            if dropout:
                modules.append(nn.Dropout(dropout))
        modules.append(nn.Linear(sizes[-2], sizes[-1]))
        self.layers = nn.Sequential(*modules)

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.layers(input)
        return output
