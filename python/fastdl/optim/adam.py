"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import Optimizer

__all__ = ["Adam", "AdamW"]

# Parameters, gradients, their running averages, those of their squares, and their states.
Lists = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[dict[str, Any]]]


class Adam(Optimizer):
    """Steps scaled by running averages of the gradient and of its square.

    Args:
        params: parameters, or groups of them (see `Optimizer`).
        lr: learning rate. Default: 1e-3.
        betas: share of the old average of the gradient and of its square.
            Default: (0.9, 0.999).
        eps: added to the denominator. Default: 1e-8.
        weight_decay: L2 penalty, added to the gradient. Default: 0.

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, alg. 1.
    """

    _decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
            },
        )

    def _check_options(self, options: dict[str, Any]) -> None:
        super()._check_options(options)
        if not all(0.0 <= beta < 1.0 for beta in options["betas"]):
            raise ArgumentError(
                type(self).__name__, f"betas are {options['betas']}, expected 0 <= beta < 1"
            )

    def step(self) -> None:
        """Change the parameters that have a gradient, in place."""
        state = self.state
        for group in self.param_groups:
            # All parameters of one age go in one call: one call, unless some had no gradient once.
            ages: dict[int, Lists] = {}
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                own = state.get(id(param))
                if own is None:
                    own = state[id(param)] = {
                        "step": 0,
                        "exp_avg": self._new_state(param),
                        "exp_avg_sq": self._new_state(param),
                    }
                own["step"] = step = own["step"] + 1
                lists = ages.get(step)
                if lists is None:
                    lists = ages[step] = ([], [], [], [], [])
                lists[0].append(param)
                lists[1].append(grad)
                lists[2].append(own["exp_avg"])
                lists[3].append(own["exp_avg_sq"])
                lists[4].append(own)
            for step, (params, grads, averages, squares, owns) in ages.items():
                _core.adam_step(
                    params,
                    grads,
                    averages,
                    squares,
                    step,
                    decoupled=self._decoupled,
                    group=group,
                    states=owns,
                )
        if _core.is_capturing():
            self._watch_replays()


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly, apart from the gradient.

    Args: as `Adam`, but weight_decay is 1e-2 by default.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019, alg. 2.
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
