"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed.losses import l1_loss
from fastdl.composed.pooling import (
    global_average_pool,
    global_lp_pool,
    global_max_pool,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    spatial_pyramid_pool,
)

__all__ = [
    "global_average_pool",
    "global_lp_pool",
    "global_max_pool",
    "l1_loss",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "spatial_pyramid_pool",
]
