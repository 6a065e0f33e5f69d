"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed import (
    activations,
    attention,
    boxes,
    contraction,
    ctc,
    deformable,
    distance,
    einsum,
    embedding_bag,
    embedding_losses,
    gan_losses,
    losses,
    normalization,
    pooling,
    recurrent,
    word_vectors,
)
from fastdl.composed.door import COMPOSED

# fmt: off
__all__ = [
    "COMPOSED", "activations", "attention", "boxes", "contraction", "ctc", "deformable", "distance",
    "einsum", "embedding_bag", "embedding_losses", "gan_losses", "losses", "normalization",
    "pooling", "recurrent", "word_vectors",
]
