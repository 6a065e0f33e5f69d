"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    v <- momentum * v + (1 - dampening) * (g + weight_decay * p);  p <- p - lr * v,
    where v starts as the first gradient; with Nesterov's look-ahead p <- p - lr * (g + momentum v).

    Args:
        params: parameters, or groups of them (see `Optimizer`).
        lr: learning rate. Default: 1e-3.
        momentum: share of the old direction. Default: 0.
        dampening: share of the gradient that is left out. Default: 0.
        weight_decay: L2 penalty, added to the gradient. Default: 0.
        nesterov: whether to look ahead; needs momentum and no dampening. Default: False.

    Source: I. Sutskever et al., "On the importance of initialization and momentum in deep
    learning", ICML 2013, in the form of PyTorch.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _check_options(self, options: dict[str, Any]) -> None:
        super()._check_options(options)
        if options["momentum"] < 0.0:
            raise ArgumentError("SGD", f"momentum is {options['momentum']}, expected 0 or more")
        if options["nesterov"] and (options["momentum"] == 0.0 or options["dampening"] != 0.0):
            raise ArgumentError("SGD", "nesterov needs momentum above 0 and dampening 0")

    def step(self) -> None:
        """Change the parameters that have a gradient, in place."""
        for group in self.param_groups:
            params, grads = [], []
            for param in group["params"]:
                grad = param.grad
                if grad is not None:
                    params.append(param)
                    grads.append(grad)
            if not params:
                continue
            if group["momentum"] == 0.0:
                _update(group, params, grads, [], False)
            else:
                self._step_with_momentum(group, params, grads)
        if _core.is_capturing():
            self._watch_replays()

    def _step_with_momentum(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]
    ) -> None:
        state = self.state
        fresh = [i for i, param in enumerate(params) if id(param) not in state]
        if not fresh:
            buffers = [state[id(param)]["momentum"] for param in params]
            _update(group, params, grads, buffers, False)
            return
        # The first step of a parameter has no old direction, which the kernel must know of.
        for index in fresh:
            state[id(params[index])] = {"momentum": self._new_state(params[index])}
        old = [i for i in range(len(params)) if i not in set(fresh)]
        for indices, first_step in ((fresh, True), (old, False)):
            if indices:
                chosen = [params[i] for i in indices]
                buffers = [state[id(param)]["momentum"] for param in chosen]
                _update(group, chosen, [grads[i] for i in indices], buffers, first_step)


def _update(
    group: dict[str, Any],
    params: list[Tensor],
    grads: list[Tensor],
    buffers: list[Tensor],
    first_step: bool,
) -> None:
    _core.sgd_step(params, grads, buffers, first_step=first_step, group=group)
