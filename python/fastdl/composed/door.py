"""The decorator of composed functions: `fastdl.functional` has them beside the compiled ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from fastdl import _core

__all__ = ["COMPOSED", "composed"]

P = ParamSpec("P")
R = TypeVar("R")

# Every composed function by its name, with what its door asks.
COMPOSED: dict[str, tuple[Callable[..., Any], str]] = {}


def composed(asks: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Put a door in front of a function that is composed of ops, and list it in `functional`.

        @composed("input: floating [...S]; target: like input [...S]; delta: above 0")
        def huber_loss(input: ArrayLike, target: ArrayLike, delta: float = 1.0) -> Tensor:

    `asks` is in the language of docs/door.md. Parameters annotated ``ArrayLike`` arrive as tensors,
    whatever kind of array was passed; a call with a symbolic tensor is recorded as one node.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters
        arrays = ["ArrayLike" in str(p.annotation) for p in parameters.values()]
        door = _core._Door(function.__name__, asks, list(parameters), arrays)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            entered = door.enter(args, kwargs)
            if entered is None:
                return _record(checked, args, kwargs)  # type: ignore[no-any-return]
            args, kwargs = entered
            return function(*args, **kwargs)

        COMPOSED[function.__name__] = (checked, asks)
        return checked

    return decorate


def _record(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    symbol = next(a for a in (*args, *kwargs.values()) if hasattr(type(a), "__fastdl_function__"))
    return type(symbol).__fastdl_function__(symbol, function, args, kwargs)
