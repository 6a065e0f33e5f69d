"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name. A file is
imported when one of its functions is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["HOMES", "load_all"]

# The files and the functions that each defines.
HOMES = {
    "activations": "bipolar_sigmoid clipped_relu glu gumbel_softmax maxout prelu step",
    "attention": "additive_attention scaled_dot_product_attention",
    "boxes": (
        "box_area box_convert box_decode box_encode box_iou clip_boxes_to_image "
        "generalized_box_iou yolo_decode"
    ),
    "ctc": "ctc_loss",
    "deformable": "deform_conv2d",
    "distance": "cosine_similarity normalize pairwise_distance",
    "einsum": "einsum tensordot",
    "embedding_bag": "embedding_bag",
    "embedding_losses": (
        "contrastive_loss cosine_embedding_loss hinge_embedding_loss margin_ranking_loss "
        "triplet_margin_loss"
    ),
    "gan_losses": "discriminator_loss generator_loss gradient_penalty",
    "losses": (
        "dice_loss focal_loss gaussian_nll_loss hinge_loss huber_loss kl_div l1_loss "
        "multi_margin_loss nll_loss poisson_nll_loss sigmoid_focal_loss smooth_l1_loss "
        "soft_margin_loss"
    ),
    "normalization": "adaptive_instance_norm pixel_norm",
    "pooling": (
        "global_average_pool global_lp_pool global_max_pool lp_pool1d lp_pool2d lp_pool3d "
        "spatial_pyramid_pool"
    ),
    "recurrent": "gru_reset_before peephole_lstm rnn",
    "word_vectors": "negative_sampling_loss",
}


def load_all() -> dict[str, tuple[Callable[..., Any], str]]:
    """Every composed function by its name, with what its door asks; imports all files."""
    for file in HOMES:
        import_module(f"fastdl.composed.{file}")
    from fastdl.composed.door import COMPOSED

    return COMPOSED
