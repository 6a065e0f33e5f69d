"""The operations of networks as functions of Tensors, NumPy arrays and DLPack arrays.

Every function takes arrays of other libraries without a copy. Signatures, defaults and docstrings
come from one table in the compiled module; ``help(fastdl.functional.conv2d)`` shows them.
"""

from __future__ import annotations

from fastdl import _core

__all__ = sorted(row["name"] for row in _core._signatures() if row["module"] == "functional")

globals().update({name: getattr(_core, name) for name in __all__})
