"""The operations of networks as functions of Tensors, NumPy arrays and DLPack arrays.

Every function takes arrays of other libraries without a copy. Most come from one table in the
compiled module, some are composed of those (`fastdl.composed`) and imported when they are first
used; ``help(fastdl.functional.conv2d)`` shows signature, defaults, shapes and errors.
"""

from __future__ import annotations

from fastdl import _core
from fastdl._lazy import attach
from fastdl.composed import HOMES

_COMPILED = {r["name"]: getattr(_core, r["name"]) for r in _core._signatures()
             if r["module"] == "functional"}  # fmt: skip

__all__ = sorted([*_COMPILED, *" ".join(HOMES.values()).split()])

globals().update(_COMPILED)
__getattr__, __dir__ = attach(__name__, HOMES, "fastdl.composed")
