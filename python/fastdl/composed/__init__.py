"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed.distance import cosine_similarity, normalize, pairwise_distance
from fastdl.composed.losses import l1_loss
from fastdl.composed.normalization import adaptive_instance_norm, pixel_norm

__all__ = [
    "adaptive_instance_norm",
    "cosine_similarity",
    "l1_loss",
    "normalize",
    "pairwise_distance",
    "pixel_norm",
]
