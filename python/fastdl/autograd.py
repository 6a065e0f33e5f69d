"""Gradients: modes, explicit gradients, hooks, and the search for the origin of a NaN."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from typing import TYPE_CHECKING

from fastdl._core import (
    _anomaly_detection,
    _set_anomaly_detection,
    _set_grad_enabled,
    grad,
    is_grad_enabled,
)

if TYPE_CHECKING:
    from fastdl._core import Tensor

__all__ = [
    "HookHandle",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]


class set_grad_enabled:
    """Record ops (or not) from here on; as a context manager, only within.

    >>> with fastdl.set_grad_enabled(training):
    ...     loss = model(x).sum()
    """

    def __init__(self, mode: bool) -> None:
        self._before = is_grad_enabled()
        _set_grad_enabled(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        _set_grad_enabled(self._before)


class _Mode(ContextDecorator):
    """A switch for the length of a scope; scopes nest, and one object may be entered twice."""

    _mode: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(is_grad_enabled())
        _set_grad_enabled(self._mode)

    def __exit__(self, *exception: object) -> None:
        _set_grad_enabled(self._before.pop())


class no_grad(_Mode):
    """Record nothing within: ``with fastdl.no_grad(): ...`` or ``@fastdl.no_grad()``."""

    _mode = False


class enable_grad(_Mode):
    """Record within, inside a ``no_grad`` scope too."""

    _mode = True


class detect_anomaly(ContextDecorator):
    """Search every recorded result and every gradient for NaN within.

    The first one raises :class:`fastdl.errors.AutogradError` with the op that made it. Slow: for
    finding a fault, not for training.
    """

    def __enter__(self) -> None:
        self._before = _anomaly_detection()
        _set_anomaly_detection(True)

    def __exit__(self, *exception: object) -> None:
        _set_anomaly_detection(self._before)


class HookHandle:
    """What ``Tensor.register_hook`` returns; ``remove()`` takes the hook away again."""

    def __init__(self, tensor: Tensor, hook_id: int) -> None:
        self._tensor: Tensor | None = tensor
        self._id = hook_id

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        if self._tensor is not None:
            self._tensor._remove_hook(self._id)
            self._tensor = None


def _register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
    return HookHandle(tensor, tensor._add_hook(hook))
