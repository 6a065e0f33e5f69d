"""Forward hooks of a module. A module that has none stores none and pays nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Handle", "Hooks"]


class Handle:
    """What registering a hook returns; `remove` takes the hook off again."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Take the hook off. Doing it twice does no harm."""
        self._hooks.pop(self._key, None)


class Hooks:
    """The hooks of one module, called in the order in which they were registered."""

    def __init__(self) -> None:
        self._before: dict[int, Callable[..., Any]] = {}
        self._after: dict[int, Callable[..., Any]] = {}
        self._next_key = 0

    def add_before(self, hook: Callable[..., Any]) -> Handle:
        """Register ``hook(module, args)``."""
        return self._add(self._before, hook)

    def add_after(self, hook: Callable[..., Any]) -> Handle:
        """Register ``hook(module, args, output)``."""
        return self._add(self._after, hook)

    def _add(self, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any]) -> Handle:
        key = self._next_key
        self._next_key += 1
        hooks[key] = hook
        return Handle(hooks, key)

    def call(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run ``module.forward`` between the hooks."""
        # Over copies, since a hook may remove itself.
        for before in list(self._before.values()):
            replaced = before(module, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
        output = module.forward(*args, **kwargs)
        for after in list(self._after.values()):
            replaced = after(module, args, output)
            if replaced is not None:
                output = replaced
        return output
