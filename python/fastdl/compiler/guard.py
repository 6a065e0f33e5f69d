"""The guard: what a trace relied on, compared before each call.

A trace bakes in the attributes of the model's modules: which layers there are, the flags that
forward branches on, the parameters. They are compared by identity, and tensors by their version
too, so that no change goes unnoticed, whoever makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from operator import attrgetter, is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from fastdl import _core
from fastdl.autograd import no_grad
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

__all__ = ["Guard"]

# Beyond this a model holds on to something that is no model, and comparing it would take long.
_LARGEST = 20_000
# Never looked into: they cannot change, or are code.
_CLOSED = (
    type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, type(None), str, bytes, int,
    float, complex, _core.Tensor, _core.Generator,
)  # fmt: skip
_version = attrgetter("_version")


class Changes:
    """Whether a model changed its attributes or tensors, and whether it drew random numbers."""

    made = False
    drawn = False


class Guard:
    """Remembers a model's state, all that is reachable from it through attributes and containers.

    Attributes:
        obstacle: why this model is not traced as it is now; empty if there is no reason.
    """

    def __init__(self, model: Module) -> None:
        self._holders: list[Any] = []  # attributes of modules and objects, and containers
        self.obstacle = ""
        found = self._walk(model)
        self._contents = [holder.copy() for holder in self._holders]
        self._items = list(_flat(self._contents))
        self._tensors = [item for item in found if isinstance(item, _core.Tensor)]
        self._versions = [*map(_version, self._tensors)]
        self._generators = [item for item in found if isinstance(item, _core.Generator)]
        self.obstacle = self.obstacle or _obstacle(model)

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
            and len(self._items) == sum(map(len, self._holders))
            and all(map(is_, self._items, _flat(self._holders)))
        )

    @contextmanager
    def undoing(self) -> Iterator[Changes]:
        """Undo what the model does to itself within, and say afterwards what there was.

        An edit of a parameter is noticed, but stays: to copy them all costs too much for what
        hardly any forward does.
        """
        changes = Changes()
        buffers = [x for x in self._tensors if not isinstance(x, Parameter)]
        copies = [(x, x.detach().clone(), x._version) for x in buffers]
        generators = [*self._generators, _core.default_generator]
        states = [generator.get_state() for generator in generators]
        try:
            yield changes
        finally:
            changes.made = not self.holds()
            changes.drawn = states != [generator.get_state() for generator in generators]
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)
            with no_grad():
                for tensor, copy, version in copies:
                    if tensor._version != version:
                        tensor.copy_(copy)
            for holder, content in zip(self._holders, self._contents, strict=True):
                _restore(holder, content)

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
                self._holders.append(item)
                todo.extend(item.values())
            elif isinstance(item, list | set):
                self._holders.append(item)
                todo.extend(item)
            elif isinstance(item, tuple | frozenset):
                todo.extend(item)
            elif hasattr(type(item), "__fastdl_guarded__"):
                todo.append(item.__fastdl_guarded__())
            elif hasattr(item, "__dict__"):
                self._holders.append(vars(item))
                todo.extend(vars(item).values())
        return found


def _flat(holders: Iterable[Any]) -> Iterator[Any]:
    return chain.from_iterable(
        holder.values() if isinstance(holder, dict) else holder for holder in holders
    )


def _restore(holder: Any, content: Any) -> None:
    """Never empty in between: another thread may be running the model."""
    if isinstance(holder, list):
        holder[:] = content
    elif isinstance(holder, set):
        holder &= content
        holder |= content
    else:
        for key in holder.keys() - content.keys():
            del holder[key]
        holder.update(content)


def _obstacle(model: Module) -> str:
    for path, module in model.named_modules():
        name = path or type(module).__name__
        if module.training:
            return f"{name} is in training mode; call eval()"
        if module._hooks is not None:
            return f"{name} has hooks"
        if module._pending is not None:
            return f"{name} is lazy and has seen no input"
    return ""
