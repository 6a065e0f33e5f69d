"""The catalogue at work: each recipe trains a model on real data and leaves figures and pictures.

A recipe is a module with `DESCRIPTION` (one line), `add_arguments(parser)` and `run(options)`.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from fastdl.errors import ArgumentError

__all__ = ["RECIPES", "load"]

# Name on the command line to module; a recipe is imported only when it is asked for.
RECIPES = {
    "lenet5": "fastdl.recipes.lenet5",
}


def load(name: str) -> Any:
    """The module of a recipe; ArgumentError, with the nearest name, if there is none."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        raise ArgumentError(
            "run",
            f"there is no recipe {name!r}",
            {"recipes": ", ".join(RECIPES)},
            f"did you mean {near[0]!r}?" if near else "take one of these names",
        )
    return importlib.import_module(RECIPES[name])
