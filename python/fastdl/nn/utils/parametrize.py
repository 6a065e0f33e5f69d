"""Parametrisation: a parameter of a module becomes a function of others, which are trained.

A module whose `weight` is parametrised has no attribute of that name any more. Its class is
replaced by a subclass with a property, which computes the weight from ``parametrizations.weight``
whenever it is read: forward passes, gradients, copies, `state_dict` and optimisers need not know.
"""

from __future__ import annotations

import functools
from typing import Any

from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

__all__ = [
    "Parametrization",
    "ParametrizationList",
    "is_parametrized",
    "parametrization_of",
    "register_parametrization",
    "remove_parametrizations",
]


class Parametrization(Module):
    """What a parameter is computed by: `forward` of the originals, `right_inverse` of the value."""

    def right_inverse(self, value: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The original or originals from which `forward` makes about `value`. Default: itself."""
        return value


class ParametrizationList(Module):
    """The originals of one parameter and, named ``"0"`` as in PyTorch, what computes it from them.

    The originals are `original`, or `original0`, `original1` and so on where there are several.
    """

    def __init__(self, parametrization: Module, value: Tensor) -> None:
        self.add_module("0", parametrization)
        with no_grad():
            made = _right_inverse(parametrization, value.detach())
        self._single = not isinstance(made, tuple)
        trains = isinstance(value, Parameter)
        for name, one in zip(self._names(made), _as_tuple(made), strict=True):
            if not trains:
                self.register_buffer(name, one)
            elif self._single and one.shape == value.shape:
                # The same object, which an optimizer may hold already.
                with no_grad():
                    value.copy_(one)
                setattr(self, name, value)
            else:
                setattr(self, name, Parameter(one.clone(), requires_grad=value.requires_grad))

    def forward(self) -> Tensor:
        return vars(self)["0"](*self.originals())  # type: ignore[no-any-return]

    def originals(self) -> list[Tensor]:
        """The tensors that are stored."""
        return [value for name, value in vars(self).items() if name.startswith("original")]

    def assign(self, value: Tensor) -> None:
        """Set the originals so that the parameter becomes about `value`."""
        with no_grad():
            made = _as_tuple(_right_inverse(vars(self)["0"], value.detach()))
            for original, one in zip(self.originals(), made, strict=True):
                original.copy_(one)

    def _names(self, made: Tensor | tuple[Tensor, ...]) -> list[str]:
        if not isinstance(made, tuple):
            return ["original"]
        return [f"original{i}" for i in range(len(made))]


class _Parametrizations(Module):
    """Holds a `ParametrizationList` under each parametrised name."""


def register_parametrization(module: Module, name: str, parametrization: Module) -> Module:
    """Let `module.<name>` be computed by `parametrization` from what it is now.

    Args:
        module: the owner of the parameter, which is changed.
        name: of a parameter or buffer of its own.
        parametrization: a module; its `right_inverse`, if it has one, makes the original or a
            tuple of originals of the present value, and its `forward` takes them.

    Returns:
        The module.

    Raises:
        ArgumentError: there is no such tensor, or it is parametrised already.
    """
    if is_parametrized(module, name):
        raise ArgumentError(
            "register_parametrization", f"{name!r} of {type(module).__name__} has one already",
            remedy="remove it first, with remove_parametrizations",
        )  # fmt: skip
    value = vars(module).get(name)
    if not isinstance(value, Tensor):
        raise ArgumentError(
            "register_parametrization", f"{type(module).__name__} has no tensor {name!r}",
            {"tensors": ", ".join(k for k, v in vars(module).items() if isinstance(v, Tensor))},
        )  # fmt: skip
    computed = ParametrizationList(parametrization, value)
    computed.train(module.training)
    delattr(module, name)
    held = _held(module)
    if held is None:
        held = _Parametrizations().train(module.training)
        module.add_module("parametrizations", held)
    held.add_module(name, computed)
    _renew_class(module)
    return module


def is_parametrized(module: Module, name: str | None = None) -> bool:
    """Whether a tensor of the module, or the one of that name, is parametrised."""
    held = _held(module)
    return held is not None and (name is None or name in vars(held))


def parametrization_of(module: Module, name: str) -> Module | None:
    """What computes `module.<name>`; None where nothing does."""
    if not is_parametrized(module, name):
        return None
    return vars(_list(module, name))["0"]  # type: ignore[no-any-return]


def remove_parametrizations(module: Module, name: str, leave_parametrized: bool = True) -> Module:
    """Make `module.<name>` a plain parameter (or buffer) again.

    Args:
        module: its owner.
        name: of the parametrised tensor.
        leave_parametrized: whether it keeps its present value, or becomes its original, if there
            is but one. Default: True.

    Returns:
        The module.

    Raises:
        ArgumentError: it is not parametrised, or has several originals to become.
    """
    if not is_parametrized(module, name):
        raise ArgumentError(
            "remove_parametrizations",
            f"{name!r} of {type(module).__name__} is not parametrised",
        )
    computed = _list(module, name)
    originals = computed.originals()
    if not leave_parametrized and len(originals) > 1:
        raise ArgumentError(
            "remove_parametrizations", f"{name!r} has {len(originals)} originals",
            remedy="use leave_parametrized=True",
        )  # fmt: skip
    with no_grad():
        value = computed().detach() if leave_parametrized else originals[0]
        plain: Any = originals[0]
        if len(originals) == 1 and value.shape == plain.shape:
            plain.copy_(value)
        elif isinstance(plain, Parameter):
            plain = Parameter(value.clone(), any(o.requires_grad for o in originals))
        else:
            plain = value.clone()
    held = _held(module)
    delattr(held, name)
    if not any(isinstance(v, ParametrizationList) for v in vars(held).values()):
        delattr(module, "parametrizations")
    _renew_class(module)
    if isinstance(plain, Parameter):
        module.register_parameter(name, plain)
    else:
        module.register_buffer(name, plain)
    return module


def _held(module: Module) -> _Parametrizations | None:
    held = vars(module).get("parametrizations")
    return held if isinstance(held, _Parametrizations) else None


def _list(module: Module, name: str) -> ParametrizationList:
    return vars(_held(module))[name]  # type: ignore[no-any-return]


def _right_inverse(parametrization: Module, value: Tensor) -> Tensor | tuple[Tensor, ...]:
    inverse = getattr(parametrization, "right_inverse", None)
    return value if inverse is None else inverse(value)


def _as_tuple(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return made if isinstance(made, tuple) else (made,)


def _renew_class(module: Module) -> None:
    """Give the module the class with a property for each of its parametrised names."""
    plain: type[Module] = getattr(type(module), "_plain_class", type(module))
    held = _held(module)
    lists = vars(held).items() if held is not None else ()
    names = tuple(name for name, value in lists if isinstance(value, ParametrizationList))
    # mypy takes the hash of a class for that of its instances.
    module.__class__ = _class_with(plain, names) if names else plain  # type: ignore[arg-type]


@functools.cache
def _class_with(plain: type[Module], names: tuple[str, ...]) -> type[Module]:
    """A subclass of `plain` with these properties; the same one whenever it is asked for."""

    def computed(name: str) -> property:
        return property(
            lambda self: _list(self, name)(),
            lambda self, value: _list(self, name).assign(value),
        )

    members: dict[str, Any] = {name: computed(name) for name in names}
    members |= {"_plain_class": plain, "__doc__": plain.__doc__, "__module__": plain.__module__}
    return type(f"Parametrized{plain.__name__}", (plain,), members)
