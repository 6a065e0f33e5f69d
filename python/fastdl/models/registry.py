"""The register of models by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = ["ModelInfo", "create", "info", "names", "register"]

M = TypeVar("M", bound=Callable[..., Module])


class ModelInfo(NamedTuple):
    """What is known of a model without making it.

    `input_shape` (without the batch) and `input_dtype` are what its defaults expect.
    """

    name: str
    description: str
    source: str
    input_shape: tuple[int, ...]
    input_dtype: str
    build: Callable[..., Module]


_REGISTRY: dict[str, ModelInfo] = {}


def register(
    name: str, source: str, input_shape: tuple[int, ...], input_dtype: str = "float32"
) -> Callable[[M], M]:
    """Decorator that enters a model's class, or a function that makes it.

    Its description is the first line of the docstring.
    """

    def enter(model: M) -> M:
        description = (model.__doc__ or "").strip().partition("\n")[0]
        _REGISTRY[name] = ModelInfo(name, description, source, input_shape, input_dtype, model)
        return model

    return enter


def names() -> list[str]:
    """Names of all models, sorted."""
    return sorted(_REGISTRY)


def info(name: str) -> ModelInfo:
    """What is known of a model; ArgumentError, with the nearest name, if there is none."""
    found = _REGISTRY.get(name)
    if found is None:
        near = difflib.get_close_matches(name, _REGISTRY, n=1)
        raise ArgumentError(
            "models",
            f"there is no model {name!r}",
            {"models": ", ".join(names())},
            f"did you mean {near[0]!r}?" if near else "take one of these names",
        )
    return found


def create(name: str, **options: Any) -> Module:
    """Make a model.

    Args:
        name: one of `list`.
        options: arguments of the model's class or function.
    """
    return info(name).build(**options)
