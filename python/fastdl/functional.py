"""The operations of networks as functions of Tensors, NumPy arrays and DLPack arrays.

Every function takes arrays of other libraries without a copy. Most come from one table in the
compiled module, some are composed of those (`fastdl.composed`);
``help(fastdl.functional.conv2d)`` shows signature, defaults, shapes and errors.
"""

from __future__ import annotations

from fastdl import _core
from fastdl.composed import COMPOSED

_COMPILED = {r["name"]: getattr(_core, r["name"]) for r in _core._signatures()
             if r["module"] == "functional"}  # fmt: skip
_COMPOSED = {name: function for name, (function, _) in COMPOSED.items()}

__all__ = sorted([*_COMPILED, *_COMPOSED])

globals().update(_COMPILED | _COMPOSED)
