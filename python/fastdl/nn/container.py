"""Containers of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from fastdl._core import Tensor
from fastdl.errors import ArgumentError, IndexRangeError
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]


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

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end, in order."""
        for module in modules:
            self.append(module)
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
        self.extend(modules)


class ModuleDict(Module):
    """Modules by name, whose parameters belong to the model; it has no forward of its own.

    Args:
        modules: names and modules, as a mapping or as pairs. Default: none.

    Raises:
        ArgumentError: what is given is no module, or a name is that of an attribute.

    Example::

        heads = nn.ModuleDict({"class": nn.Linear(64, 10), "box": nn.Linear(64, 4)})
        heads["class"](features)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __getitem__(self, name: str) -> Module:
        self._check_known(name)
        module: Module = vars(self)[name]
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        _check_module("ModuleDict", module)
        if name in self:
            setattr(self, name, module)
        else:
            self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self._check_known(name)
        delattr(self, name)

    def keys(self) -> list[str]:
        """The names, in the order in which they were set."""
        return [name for name, value in vars(self).items() if isinstance(value, Module)]

    def values(self) -> list[Module]:
        """The modules, in the order of `keys`."""
        return [vars(self)[name] for name in self.keys()]

    def items(self) -> list[tuple[str, Module]]:
        """Pairs of name and module."""
        return list(zip(self.keys(), self.values(), strict=True))

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set further modules, as a mapping or as pairs."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def _check_known(self, name: str) -> None:
        if name not in self:
            raise IndexRangeError(
                "ModuleDict", f"no module is named {name!r}; there are {self.keys()}"[:200]
            )


class ParameterList(Module):
    """A list of parameters that belong to the model.

    Args:
        parameters: the parameters, or tensors of which they are made. Default: none.

    Example::

        scales = nn.ParameterList(fastdl.ones(8) for _ in range(4))
    """

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        for parameter in parameters:
            self.append(parameter)

    def __len__(self) -> int:
        return len(self._list())

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._list())

    def __getitem__(self, index: int) -> Parameter:
        found = self._list()
        if not -len(found) <= index < len(found):
            raise IndexRangeError(
                "ParameterList", f"index {index} is out of range for {len(found)} parameters"
            )
        return found[index]

    def append(self, parameter: Tensor) -> Self:
        """Add a parameter at the end, named by its position."""
        if not isinstance(parameter, Tensor):
            raise ArgumentError(
                "ParameterList",
                f"expected a Parameter or a tensor, got {parameter!r}"[:200],
                remedy="make it one by fastdl.tensor(...)",
            )
        made = parameter if isinstance(parameter, Parameter) else Parameter(parameter)
        self.register_parameter(str(len(self)), made)
        return self

    def _list(self) -> list[Parameter]:
        return [value for value in vars(self).values() if isinstance(value, Parameter)]


def _check_module(container: str, module: object) -> None:
    if not isinstance(module, Module):
        raise ArgumentError(
            container,
            f"expected a Module, got {module!r}"[:200],
            remedy="wrap a function into a Module, for example nn.ReLU() for functional.relu",
        )
