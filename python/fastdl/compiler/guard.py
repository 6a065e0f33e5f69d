"""The guard: what a trace relied on, compared before each call.

A trace bakes in the attributes of the model's modules: which layers there are, the flags that
forward branches on, the parameters. They are compared by identity, and tensors by their version
too, so that no change goes unnoticed, whoever makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter, is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from fastdl import _core
from fastdl.nn.module import Module

__all__ = ["Guard"]

# Beyond this a model holds on to something that is no model, and comparing it would take long.
_LARGEST = 20_000
# Never looked into: they cannot change, or are code.
_CLOSED = (
    type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, type(None), str, bytes, int,
    float, complex, _core.Tensor, _core.Generator,
)  # fmt: skip
_version = attrgetter("_version")
_offset = attrgetter("offset")


class Guard:
    """Remembers a model's state, all that is reachable from it through attributes and containers.

    Attributes:
        obstacle: why this model is not traced as it is now; empty if there is no reason.
    """

    def __init__(self, model: Module) -> None:
        self._holders: list[Any] = []  # dicts, lists and tuples, flattened when compared
        self._mappings: list[dict[Any, Any]] = []
        self.obstacle = ""
        found = self._walk(model)
        self._sizes = sum(map(len, self._holders)) + sum(map(len, self._mappings))
        self._items = list(self._flat())
        self._tensors = [item for item in found if isinstance(item, _core.Tensor)]
        self._versions = [*map(_version, self._tensors)]
        self._generators = [item for item in found if isinstance(item, _core.Generator)]
        self._offsets = [*map(_offset, self._generators)]
        if not self.obstacle:
            self.obstacle = _obstacle(model)

    def watch(self, tensors: Iterable[_core.Tensor]) -> None:
        """Compare the versions of more tensors: those that a trace found elsewhere."""
        known = {id(tensor) for tensor in self._tensors}
        new = [tensor for tensor in tensors if id(tensor) not in known]
        self._tensors += new
        self._versions += map(_version, new)

    def holds(self) -> bool:
        """Whether nothing has changed."""
        return (
            self._versions == [*map(_version, self._tensors)]
            and self._sizes == sum(map(len, self._holders)) + sum(map(len, self._mappings))
            and all(map(is_, self._items, self._flat()))
        )

    def drawn(self) -> bool:
        """Whether a generator among the attributes has drawn numbers since."""
        return self._offsets != [*map(_offset, self._generators)]

    def _flat(self) -> Iterable[Any]:
        return chain(
            chain.from_iterable(map(dict.values, self._mappings)),
            chain.from_iterable(self._holders),
        )

    def _walk(self, model: Module) -> list[Any]:
        found: list[Any] = []
        seen: set[int] = set()
        todo: list[Any] = [model]
        while todo:
            item = todo.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            found.append(item)
            if len(found) > _LARGEST:
                self.obstacle = f"the model's attributes reach more than {_LARGEST:,} objects"
                return found
            if isinstance(item, _CLOSED):
                continue
            if isinstance(item, dict):
                self._mappings.append(item)
                todo.extend(item.values())
            elif isinstance(item, list | tuple | set | frozenset):
                self._holders.append(item)
                todo.extend(item)
            elif hasattr(type(item), "__fastdl_guarded__"):
                todo.append(item.__fastdl_guarded__())
            elif hasattr(item, "__dict__"):
                self._mappings.append(vars(item))
                todo.extend(vars(item).values())
        return found


def _obstacle(model: Module) -> str:
    for path, module in model.named_modules():
        name = path or type(module).__name__
        if module.training:
            return f"{name} is in training mode; call eval()"
        if module._hooks is not None:
            return f"{name} has hooks"
    return ""
