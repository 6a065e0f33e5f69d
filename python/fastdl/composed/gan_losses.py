"""Losses of generative adversarial networks, on the logits (or scores) of a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.autograd import grad
from fastdl.composed.door import as_tensor, composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Generator, Tensor

__all__ = ["discriminator_loss", "generator_loss", "gradient_penalty"]

KIND = "kind: one of minimax non_saturating least_squares wasserstein hinge"


@composed("real: floating; fake: like real; " + KIND)
def discriminator_loss(real: ArrayLike, fake: ArrayLike, kind: str = "non_saturating") -> Tensor:
    """What the discriminator minimises, from its scores of real and of generated samples.

    =============================== ===================================================
    minimax, non_saturating         -log s(real) - log(1 - s(fake)), s the sigmoid
                                    (Goodfellow et al., 2014)
    least_squares                   ((real - 1)**2 + fake**2) / 2 (Mao et al., 2017)
    wasserstein                     fake - real (Arjovsky et al., 2017)
    hinge                           max(0, 1 - real) + max(0, 1 + fake) (Lim and Ye, 2017)
    =============================== ===================================================

    Each term is the mean over its samples; the two may be of different shapes.
    """
    r, f = as_tensor(real), as_tensor(fake)
    if kind in ("minimax", "non_saturating"):
        return -_core.logsigmoid(r).mean() - _core.logsigmoid(-f).mean()
    if kind == "least_squares":
        return 0.5 * ((r - 1).square().mean() + f.square().mean())
    if kind == "wasserstein":
        return f.mean() - r.mean()
    return (1 - r).relu().mean() + (1 + f).relu().mean()


@composed("fake: floating; " + KIND)
def generator_loss(fake: ArrayLike, kind: str = "non_saturating") -> Tensor:
    """What the generator minimises, from the discriminator's scores of its samples.

    minimax: log(1 - s(fake)); non_saturating: -log s(fake); least_squares: (fake - 1)**2 / 2;
    wasserstein and hinge: -fake; the mean over samples. Sources as in `discriminator_loss`.
    """
    f = as_tensor(fake)
    if kind == "minimax":
        return _core.logsigmoid(-f).mean()
    if kind == "non_saturating":
        return -_core.logsigmoid(f).mean()
    if kind == "least_squares":
        return 0.5 * (f - 1).square().mean()
    return -f.mean()


@composed("real: floating [N, ...S]; fake: like real [N, ...S]")
def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: ArrayLike,
    fake: ArrayLike,
    generator: Generator | None = None,
) -> Tensor:
    """Mean of (|gradient of the critic| - 1)**2 between real and generated samples.

    At one point per sample, drawn uniformly on the line between real[i] and fake[i] (both of one
    shape [N, ...]). Gulrajani et al., 2017 (WGAN-GP), who add it times 10 to the Wasserstein loss.
    It is differentiable with respect to the critic's parameters.
    """
    r, f = as_tensor(real).detach(), as_tensor(fake).detach()
    n = r.shape[0]
    at = _core.rand((n, *[1] * (r.ndim - 1)), device=r.device, generator=generator).to(r.dtype)
    mixed = (r * at + f * (1 - at)).requires_grad_()
    (slope,) = grad(critic(mixed).sum(), mixed, create_graph=True)
    length = (slope.reshape(n, -1).square().sum(1) + 1e-12).sqrt()
    return (length - 1).square().mean()
