"""The decorator of composed functions: `fastdl.functional` has them beside the compiled ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fastdl import _core

__all__ = ["COMPOSED", "as_tensor", "composed"]

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

P = ParamSpec("P")
R = TypeVar("R")

# Every composed function by its name, with what its door asks.
COMPOSED: dict[str, tuple[Callable[..., Any], str]] = {}


def composed(asks: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Put a door in front of a function that is composed of ops, and list it in `functional`.

        @composed("input: floating [...S]; target: like input [...S]; delta: above 0")
        def huber_loss(input: ArrayLike, target: ArrayLike, delta: float = 1.0) -> Tensor:

    `asks` is in the language of docs/door.md, with the precision under autocast, if the ops
    inside do not say enough (docs/autocast.md). Parameters annotated ``ArrayLike`` first are
    tensors, whatever kind of array was passed; a call with a symbolic tensor is recorded as one
    node.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        # By hand: `inspect` would take a third of the time of importing fastdl.
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        notes = function.__annotations__
        arrays = [str(notes.get(name, "")).startswith("ArrayLike") for name in names]
        given = function.__defaults__ or ()
        first = code.co_argcount - len(given)
        named = dict(zip(names[first : code.co_argcount], given, strict=True))
        named |= function.__kwdefaults__ or {}
        defaults = tuple(named.get(name) for name in names)
        door = _core._Door(function.__name__, asks, names, arrays, defaults)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            entered = door.enter(args, kwargs)
            if entered is None:
                return _record(checked, args, kwargs)  # type: ignore[no-any-return]
            args, kwargs = entered
            return function(*args, **kwargs)

        COMPOSED[function.__name__] = (checked, door.asks)
        return checked

    return decorate


def as_tensor(array: ArrayLike) -> Tensor:
    """The argument itself: behind a door it is a tensor, which this says to the type checker."""
    return array  # type: ignore[return-value]


def _record(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    symbol = next(a for a in (*args, *kwargs.values()) if hasattr(type(a), "__fastdl_function__"))
    return type(symbol).__fastdl_function__(symbol, function, args, kwargs)
