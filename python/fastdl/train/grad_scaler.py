"""`GradScaler`: gradients large enough for float16."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError, DTypeError
from fastdl.optim.optimizer import Optimizer

__all__ = ["GradScaler"]


class GradScaler:
    """Multiplies the loss, so that no gradient of it falls below float16's range, and undoes it.

    The factor halves when a gradient overflows, and that step is left out; it doubles after
    `growth_interval` steps without one. The host waits for the device once a step, in `step`.

    Args:
        init_scale: the first factor. Default: 65536.
        growth_factor: by which it grows, above 1. Default: 2.
        backoff_factor: by which it shrinks, between 0 and 1. Default: 0.5.
        growth_interval: how many good steps in a row make it grow, 1 or more. Default: 2000.
        enabled: False makes every method pass its argument through. Default: True.

    Raises:
        ArgumentError: an option out of range, or calls out of order.
        DTypeError: gradients in float16. Parameters stay float32 under `fastdl.autocast`.

    Source: P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2, with the
    rule of PyTorch's torch.amp.GradScaler.

    Example::

        scaler = fastdl.train.GradScaler()
        with fastdl.autocast("float16"):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)  # only for what follows
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        options = (
            ("init_scale", init_scale, init_scale > 0, "above 0"),
            ("growth_factor", growth_factor, growth_factor > 1, "above 1"),
            ("backoff_factor", backoff_factor, 0 < backoff_factor < 1, "between 0 and 1"),
            ("growth_interval", growth_interval, growth_interval >= 1, "1 or more"),
        )
        for name, value, fits, expected in options:
            if not fits:
                raise ArgumentError("GradScaler", f"{name} is {value}, expected {expected}")
        self.growth_factor = growth_factor
        self.backoff_factor = backoff_factor
        self.growth_interval = growth_interval
        self.enabled = enabled
        self._value = float(init_scale)
        self._good_steps = 0
        # The factor where kernels read it, captured ones too, by device.
        self._scales: dict[str, Tensor] = {}
        # Of the optimisers of this step, by id: a tensor that is 0 unless a gradient is infinite or
        # NaN; None once it was read.
        self._found: dict[int, Tensor | None] = {}
        self._overflowed = False

    def get_scale(self) -> float:
        """The factor; 1 where the scaler is not enabled."""
        return self._value if self.enabled else 1.0

    def scale(self, loss: Tensor) -> Tensor:
        """The loss times the factor, at least in float32; call backward() on it."""
        if not self.enabled:
            return loss
        wide = loss.to(_core.float32) if loss.dtype.itemsize == 2 else loss
        return wide * self._scale_beside(wide).to(wide.dtype)

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the factor, for what looks at them before `step`."""
        if not self.enabled:
            return
        if id(optimizer) in self._found:
            raise ArgumentError(
                "unscale_",
                "these gradients are unscaled already",
                remedy="call it once between two calls of update()",
            )
        self._found[id(optimizer)] = self._unscaled(optimizer)

    def _unscaled(self, optimizer: Optimizer) -> Tensor:
        """Does it, and returns what belongs into `_found`; work of tensors alone."""
        params = [param for group in optimizer.param_groups for param in group["params"]]
        grads = [param.grad for param in params if param.grad is not None]
        if not grads:
            raise ArgumentError(
                "unscale_", "no parameter has a gradient", remedy="call backward() first"
            )
        if any(grad.dtype == _core.float16 for grad in grads):
            raise DTypeError(
                "unscale_",
                "a gradient is float16, where unscaled values are lost",
                remedy="keep parameters in float32, and use fastdl.autocast",
            )
        alike: dict[tuple[str, str], list[Tensor]] = {}
        for grad in grads:
            alike.setdefault((str(grad.device), grad.dtype.name), []).append(grad)
        with no_grad():
            found = [_core.unscale_grads(g, self._scale_beside(g[0])) for g in alike.values()]
            if len(found) == 1:
                return found[0]
            return _core.stack([one.to(found[0].device) for one in found]).sum()

    def step(self, optimizer: Optimizer) -> bool:
        """``optimizer.step()``, unless a gradient is infinite or NaN; whether it was done."""
        if not self.enabled:
            optimizer.step()
            return True
        key = id(optimizer)
        if key not in self._found:
            self.unscale_(optimizer)
        found = self._found[key]
        if found is None:
            raise ArgumentError(
                "step", "this optimizer has stepped already", remedy="call update() after each step"
            )
        self._found[key] = None
        if found.item() != 0.0:
            self._overflowed = True
            return False
        optimizer.step()
        return True

    def update(self, new_scale: float | None = None) -> None:
        """Adapt the factor after the step of all optimisers, or set it."""
        if not self.enabled:
            return
        if new_scale is not None:
            self._value = float(new_scale)
        elif not self._found:
            raise ArgumentError("update", "no optimizer has stepped", remedy="call step() first")
        elif self._overflowed:
            self._value *= self.backoff_factor
            self._good_steps = 0
        else:
            self._good_steps += 1
            if self._good_steps == self.growth_interval:
                self._value *= self.growth_factor
                self._good_steps = 0
        self._found = {}
        self._overflowed = False
        self._write_scales()

    def _scale_beside(self, tensor: Tensor) -> Tensor:
        device = str(tensor.device)
        if device not in self._scales:
            self._scales[device] = _core.uncaptured(
                lambda: _core.full((), self._value, dtype=_core.float32, device=device)
            )
        return self._scales[device]

    def _write_scales(self) -> None:
        for scale in self._scales.values():
            scale.fill_(self._value)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes; {} where the scaler is not enabled."""
        if not self.enabled:
            return {}
        return {
            "scale": self._value,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "good_steps": self._good_steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as the scaler did that gave this state.

        Raises:
            ArgumentError: the state is that of a scaler that was not enabled.
        """
        if not self.enabled:
            return
        if not state_dict:
            raise ArgumentError(
                "load_state_dict",
                "the state is empty: it was saved by a scaler that was not enabled",
                remedy="go on without it, or with GradScaler(enabled=False)",
            )
        self._value = float(state_dict["scale"])
        self.growth_factor = float(state_dict["growth_factor"])
        self.backoff_factor = float(state_dict["backoff_factor"])
        self.growth_interval = int(state_dict["growth_interval"])
        self._good_steps = int(state_dict["good_steps"])
        self._write_scales()
