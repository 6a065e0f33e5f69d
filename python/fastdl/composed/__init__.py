"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed.boxes import (
    box_area,
    box_convert,
    box_decode,
    box_encode,
    box_iou,
    clip_boxes_to_image,
    generalized_box_iou,
    yolo_decode,
)
from fastdl.composed.losses import l1_loss

__all__ = [
    "box_area",
    "box_convert",
    "box_decode",
    "box_encode",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "l1_loss",
    "yolo_decode",
]
