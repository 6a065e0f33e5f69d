"""``fastdl list`` and ``fastdl info MODEL``."""

from __future__ import annotations

import argparse

__all__ = ["add_info_arguments", "info_command", "list_command"]


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of a model."""
    parser.add_argument("model", metavar="MODEL", help="a name from fastdl list")


def list_command(_: argparse.Namespace) -> int:
    """Print models and recipes with a line on each."""
    from fastdl import models, recipes

    lines = {name: models.info(name).description for name in models.list()}
    _print_section("models (fastdl info NAME)", lines)
    print()
    _print_section(
        "recipes (fastdl run NAME)",
        {name: recipes.load(name).DESCRIPTION for name in recipes.RECIPES},
    )
    return 0


def info_command(options: argparse.Namespace) -> int:
    """Print what a model is, where it comes from, and its layers."""
    from fastdl import models
    from fastdl.nn.summary import summarize

    info = models.info(options.model)
    print(f"{info.name}: {info.description}\nsource: {info.source}\n")
    print(summarize(info.build(), info.input_shape, dtype=info.input_dtype))
    return 0


def _print_section(title: str, lines: dict[str, str]) -> None:
    print(f"{title}:")
    width = max(len(name) for name in lines)
    for name, text in lines.items():
        print(f"  {name:<{width}}  {text}")
