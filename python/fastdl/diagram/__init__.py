"""Pictures of models: a box for each layer, an arrow for each tensor that goes on; SVG or PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastdl._core import Tensor
from fastdl.diagram.network import network_of
from fastdl.diagram.scene import scene_of
from fastdl.diagram.writers import write_png, write_svg
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = ["plot"]

_WRITERS = {".svg": write_svg, ".png": write_png}


def plot(
    model: Module,
    path: str | os.PathLike[str],
    inputs: Sequence[Tensor | tuple[int, ...]],
    dtype: Any,
    depth: int | None,
) -> None:
    """What `fastdl.nn.Module.plot` does; see there."""
    target = Path(path)
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise ArgumentError(
            "plot",
            f"{target.name!r} has the ending {target.suffix!r}",
            remedy="use a path that ends in .svg or .png",
        )
    scene = scene_of(network_of(model, inputs, dtype, depth))
    content = writer(scene)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ArgumentError(
            "plot",
            f"cannot write {str(target)!r}: {error.strerror}",
            remedy="use a path in a folder that is there and may be written to",
        ) from error
