"""Containers of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from fastdl.errors import ArgumentError, IndexRangeError
from fastdl.nn.module import Module

__all__ = ["ModuleList", "Sequential"]


class _ModuleSequence(Module):
    """Modules in order, as attributes named by their position or by the names of a mapping."""

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Module]:
        return iter([vars(self)[name] for name in self._names()])

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)._from_named({name: vars(self)[name] for name in self._names()[index]})
        return vars(self)[self._name_at(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        _check_module(type(self).__name__, module)
        setattr(self, self._name_at(index), module)

    def append(self, module: Module) -> Self:
        """Add a module at the end, named by its position."""
        _check_module(type(self).__name__, module)
        self.add_module(str(len(self)), module)
        return self

    @classmethod
    def _from_named(cls, modules: Mapping[str, Module]) -> Self:
        sequence = cls.__new__(cls)
        for name, module in modules.items():
            _check_module(cls.__name__, module)
            sequence.add_module(name, module)
        return sequence

    def _names(self) -> list[str]:
        # A module that is there twice counts twice here, unlike in `named_children`.
        return [name for name, value in vars(self).items() if isinstance(value, Module)]

    def _name_at(self, index: int) -> str:
        names = self._names()
        if not -len(names) <= index < len(names):
            raise IndexRangeError(
                type(self).__name__, f"index {index} is out of range for {len(names)} modules"
            )
        return names[index]


class Sequential(_ModuleSequence):
    """Modules applied one after the other.

    Args:
        modules: the modules, or a single mapping of names to modules.

    Example::

        net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
        named = nn.Sequential({"hidden": nn.Linear(2, 4), "output": nn.Linear(4, 1)})
        net[0], named.hidden, net[:2]
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(i): module for i, module in enumerate(modules)}  # type: ignore[misc]
        for name, module in named.items():
            _check_module("Sequential", module)
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        output = input
        for value in tuple(vars(self).values()):
            if isinstance(value, Module):
                output = value(output)
        return output


class ModuleList(_ModuleSequence):
    """A list of modules whose parameters belong to the model; it has no forward of its own.

    Args:
        modules: the modules, in order.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)


def _check_module(container: str, module: object) -> None:
    if not isinstance(module, Module):
        raise ArgumentError(
            container,
            f"expected a Module, got {module!r}"[:200],
            remedy="wrap a function into a Module, for example nn.ReLU() for functional.relu",
        )
