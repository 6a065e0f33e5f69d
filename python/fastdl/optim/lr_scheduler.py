"""Learning-rate schedules, each a function of the number of steps taken."""

from __future__ import annotations

import math
from typing import Any

from fastdl.errors import ArgumentError
from fastdl.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "OneCycleLR", "StepLR"]


class LRScheduler:
    """Base class: sets each group's ``"lr"`` to its first value times `factor(steps)`.

    `step` is called once after each step of the optimiser, or once an epoch, as the schedule's
    own length is meant.

    Args:
        optimizer: whose groups to steer. Their current rates are the first values.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self.steps = 0
        self._set_rates()

    def factor(self, steps: int) -> float:
        """The factor after so many steps."""
        raise NotImplementedError(f"{type(self).__name__} does not define factor()")

    def step(self) -> None:
        """Go on by one step."""
        self.steps += 1
        self._set_rates()

    def _set_rates(self) -> None:
        factor = self.factor(self.steps)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor

    def state_dict(self) -> dict[str, Any]:
        """Progress of the schedule, for a checkpoint."""
        return {"steps": self.steps, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue as the schedule did that gave this state."""
        self.steps = int(state["steps"])
        self.base_lrs = [float(lr) for lr in state["base_lrs"]]
        self._set_rates()


class StepLR(LRScheduler):
    """Multiply the rate by `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        _check_steps("StepLR", "step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, steps: int) -> float:
        return float(self.gamma ** (steps // self.step_size))


class CosineAnnealingLR(LRScheduler):
    """Fall along half a cosine to `floor` (a share of the first rate) in `total_steps` steps.

    Source: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, eq. 5, without restarts.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, floor: float = 0.0) -> None:
        _check_steps("CosineAnnealingLR", "total_steps", total_steps)
        self.total_steps = total_steps
        self.floor = floor
        super().__init__(optimizer)

    def factor(self, steps: int) -> float:
        return _cosine(1.0, self.floor, min(steps / self.total_steps, 1.0))


class OneCycleLR(LRScheduler):
    """Rise from a small rate to the optimiser's own, then fall to almost nothing.

    Both ways follow half a cosine. The optimiser's rate is the peak.

    Args:
        optimizer: whose groups to steer.
        total_steps: length of the whole cycle.
        warmup: share of the steps that rise. Default: 0.3.
        start: first rate as a share of the peak. Default: 1/25.
        end: last rate as a share of the peak. Default: 4e-6.

    Source: L. Smith and N. Topin, "Super-convergence", arXiv:1708.07120, 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        warmup: float = 0.3,
        start: float = 0.04,
        end: float = 4e-6,
    ) -> None:
        _check_steps("OneCycleLR", "total_steps", total_steps)
        if not 0.0 <= warmup < 1.0:
            raise ArgumentError("OneCycleLR", f"warmup is {warmup}, expected 0 <= warmup < 1")
        self.total_steps = total_steps
        self.warmup = warmup
        self.start = start
        self.end = end
        super().__init__(optimizer)

    def factor(self, steps: int) -> float:
        peak = self.warmup * self.total_steps
        if steps < peak:
            return _cosine(self.start, 1.0, steps / peak)
        return _cosine(1.0, self.end, min((steps - peak) / (self.total_steps - peak), 1.0))


def _cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _check_steps(name: str, argument: str, steps: int) -> None:
    if steps < 1:
        raise ArgumentError(name, f"{argument} is {steps}, expected 1 or more")
