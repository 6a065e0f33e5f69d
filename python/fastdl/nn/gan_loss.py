"""Losses of generative adversarial networks as modules; see `functional.discriminator_loss`."""

from __future__ import annotations

from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = ["DiscriminatorLoss", "GeneratorLoss"]


class DiscriminatorLoss(Module):
    """What the discriminator minimises, from its scores of real and of generated samples.

    Args:
        kind: "minimax", "non_saturating" (Goodfellow et al., 2014), "least_squares" (Mao et al.,
            2017), "wasserstein" (Arjovsky et al., 2017) or "hinge" (Lim and Ye, 2017). Default:
            "non_saturating".

    Shape:
        Scores of any shape, the two of one dtype; the result is a number.

    Raises:
        ArgumentError: an unknown kind, when it is called.
    """

    def __init__(self, kind: str = "non_saturating") -> None:
        self.kind = kind

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.discriminator_loss(real, fake, self.kind)


class GeneratorLoss(Module):
    """What the generator minimises, from the discriminator's scores of its samples.

    Args:
        kind: as in `DiscriminatorLoss`. Default: "non_saturating".

    Shape:
        Scores of any shape; the result is a number.

    Raises:
        ArgumentError: an unknown kind, when it is called.
    """

    def __init__(self, kind: str = "non_saturating") -> None:
        self.kind = kind

    def forward(self, fake: Tensor) -> Tensor:
        return F.generator_loss(fake, self.kind)
