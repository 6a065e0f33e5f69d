"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed.einsum import einsum, tensordot
from fastdl.composed.losses import l1_loss

__all__ = ["einsum", "l1_loss", "tensordot"]
