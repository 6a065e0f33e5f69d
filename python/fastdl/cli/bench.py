"""``fastdl bench cpu`` and ``gpu``: run the package ``bench`` of a source tree of fastdl."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import fastdl
from fastdl.errors import UnavailableError

__all__ = ["add_arguments", "command"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words that are passed on."""
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="cpu (default) or gpu, and what is passed on to its benchmarks; --help lists that",
    )


def command(options: argparse.Namespace) -> int:
    """Run the benchmarks in a process of their own and pass on its exit code."""
    root = _source_tree()
    words = list(options.options)
    package = "bench"
    if words and words[0] in ("cpu", "gpu"):
        package = {"cpu": "bench", "gpu": "bench.gpu"}[words.pop(0)]
    return subprocess.run([sys.executable, "-m", package, *words], cwd=root, check=False).returncode


def _source_tree() -> Path:
    """The tree around the working directory, or the one that fastdl was installed from in place."""
    here = Path.cwd()
    installed = Path(fastdl.__file__).resolve().parent
    for folder in (here, *here.parents, *installed.parents):
        if (folder / "bench" / "__main__.py").is_file() and (folder / "csrc").is_dir():
            return folder
    raise UnavailableError(
        "bench",
        "the benchmarks are part of the source tree, which is not here",
        {"looked in": f"{here} and the folders around it"},
        "clone the repository, pip install '.[bench]' in it, and run fastdl bench there",
    )
