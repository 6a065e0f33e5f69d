"""``fastdl run NAME``: each recipe is a command of its own, with its own options."""

from __future__ import annotations

import argparse
import sys

from fastdl import recipes

__all__ = ["add_arguments", "command"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of a recipe, and the words that are its options."""
    names = ", ".join(recipes.RECIPES)
    parser.add_argument("recipe", metavar="NAME", help=f"the recipe: {names}")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="its options; see fastdl run NAME --help",
    )


def command(options: argparse.Namespace) -> int:
    """Run the recipe."""
    recipe = recipes.load(options.recipe)
    name = options.recipe
    parser = argparse.ArgumentParser(
        prog=f"fastdl run {name}",
        description=recipe.DESCRIPTION + ".",
        epilog=f"example:\n  fastdl run {name} --seed 1 --out runs/{name}-1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe.add_arguments(parser)
    chosen = parser.parse_args(options.options)
    try:
        recipe.run(chosen)
    except KeyboardInterrupt:
        print(
            f"\ninterrupted; the last whole epoch is in {chosen.out}\n"
            "go on from there with the same options and --resume",
            file=sys.stderr,
        )
        return 130
    return 0
