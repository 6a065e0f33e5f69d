"""`autocast`: products in 16 bits, sums and exponentials in float32, in any model."""

from __future__ import annotations

from contextlib import ContextDecorator

from fastdl import _core
from fastdl.errors import ArgumentError

__all__ = ["autocast"]

_DEVICES = ("cpu", "cuda")


class autocast(ContextDecorator):
    """Compute in mixed precision within: ``with fastdl.autocast("bfloat16"): ...``, or decorating.

    Products, convolutions and recurrent layers take their operands in `dtype`; softmax, losses,
    normalisations, sums, exponentials and powers in float32. What is between takes what it gets,
    the widest where operands differ, and an edit in place keeps the dtype of what it edits. float64
    and integers stay as they are. The casts are recorded: parameters stay float32 and get gradients
    in float32. A parameter is cast once within the outermost scope.

    Scopes nest, and belong to their thread. Only the forward pass and the loss belong inside;
    ``backward()`` runs in the precisions of the forward pass wherever it is called. With float16
    small gradients vanish without `fastdl.train.GradScaler`; bfloat16 needs none.

    Args:
        dtype: "bfloat16" or "float16". Default: "bfloat16".
        device: "cpu" or "cuda", where tensors have to be to be cast. Default: both.
        enabled: False computes in the dtypes as they are, inside another scope too. Default: True.

    Raises:
        ArgumentError: another dtype or device.

    Source: P. Micikevicius et al., "Mixed precision training", ICLR 2018; the lists of PyTorch.

    Example::

        with fastdl.autocast("bfloat16"):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    """

    def __init__(
        self, dtype: str = "bfloat16", *, device: str | None = None, enabled: bool = True
    ) -> None:
        if dtype not in ("bfloat16", "float16"):
            raise ArgumentError(
                "autocast", f"dtype is {dtype!r}", remedy="use 'bfloat16' or 'float16'"
            )
        if device not in (None, *_DEVICES):
            raise ArgumentError("autocast", f"device is {device!r}", remedy="use 'cuda' or 'cpu'")
        self.dtype = dtype
        self.device = device
        self.enabled = enabled
        self._before: list[tuple[str | None, ...]] = []

    def _recreate_cm(self) -> autocast:
        """One for each call of a decorated function, which threads may share."""
        return autocast(self.dtype, device=self.device, enabled=self.enabled)

    def _devices(self) -> tuple[str, ...]:
        return _DEVICES if self.device is None else (self.device,)

    def __enter__(self) -> autocast:
        self._before.append(_core._autocast_state())
        for device in self._devices():
            _core._enter_autocast(device, self.dtype if self.enabled else None)
        return self

    def __exit__(self, *exception: object) -> None:
        before = dict(zip(_DEVICES, self._before.pop(), strict=True))
        for device in self._devices():
            _core._exit_autocast(device, before[device])
