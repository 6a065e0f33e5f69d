"""What a function of `fastdl.functional` is called in PyTorch, with our names of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["NO_COUNTERPART", "counterpart"]

R = torch.nn.functional

# Functions that PyTorch does not have (or draws other numbers for), and why.
NO_COUNTERPART = {
    "step": "not in PyTorch",
    "bipolar_sigmoid": "not in PyTorch",
    "clipped_relu": "not in PyTorch",
    "maxout": "not in PyTorch",
    "gumbel_softmax": "draws other numbers",
    "adaptive_instance_norm": "not in PyTorch, or not as a function",
    "additive_attention": "not in PyTorch, or not as a function",
    "affine_grid": "drawn sizes fit nowhere; tests compare with NumPy",
    "alpha_dropout": "draws other numbers",
    "batched_nms": "in torchvision",
    "bincount": "without a gradient in PyTorch",
    "blur2d": "not in PyTorch, or not as a function",
    "box_area": "in torchvision",
    "box_convert": "in torchvision",
    "box_decode": "in torchvision",
    "box_encode": "in torchvision",
    "box_iou": "in torchvision",
    "bucketize": "drawn boundaries are not sorted",
    "channel_shuffle": "PyTorch ends with groups of 0 in its gradient",
    "clip_boxes_to_image": "in torchvision",
    "contrastive_loss": "not in PyTorch, or not as a function",
    "ctc_loss": "drawn lengths and labels fit nowhere; tests compare with all paths",
    "depth_to_space": "not in PyTorch, or not as a function",
    "dice_loss": "not in PyTorch, or not as a function",
    "discriminator_loss": "not in PyTorch, or not as a function",
    "dropout": "draws other numbers",
    "dropout1d": "draws other numbers",
    "dropout2d": "draws other numbers",
    "dropout3d": "draws other numbers",
    "einsum": "drawn equations fit nowhere; tests/test_einsum.py draws its own",
    "embedding_bag": "drawn offsets fit nowhere; tests compare with NumPy",
    "feature_alpha_dropout": "draws other numbers",
    "floor_divide": "without a gradient in PyTorch",
    "focal_loss": "not in PyTorch, or not as a function",
    "fold": "drawn columns fit no image; tests compare with NumPy",
    "gaussian_dropout": "not in PyTorch, or not as a function",
    "gaussian_noise": "not in PyTorch, or not as a function",
    "generalized_box_iou": "in torchvision",
    "generator_loss": "not in PyTorch, or not as a function",
    "global_average_pool": "not in PyTorch, or not as a function",
    "global_lp_pool": "not in PyTorch, or not as a function",
    "global_max_pool": "not in PyTorch, or not as a function",
    "gradient_penalty": "not in PyTorch, or not as a function",
    "gru_reset_before": "not in PyTorch, or not as a function",
    "hardsigmoid": "PyTorch's slope is 1/6 in float32, in float64 too",
    "hinge_loss": "not in PyTorch, or not as a function",
    "histogram": "without a gradient in PyTorch",
    "index_copy": "with repeated indices, which are drawn, the last wins; PyTorch does not say",
    "index_fill": "takes a tensor of no dimension or a number in PyTorch",
    "index_put": "drawn indices are no tuples of them; tests compare with NumPy",
    "masked_fill": "takes a tensor of no dimension or a number in PyTorch",
    "max_unpool1d": "with repeated indices, which are drawn, the last wins; PyTorch does not say",
    "max_unpool2d": "as max_unpool1d",
    "max_unpool3d": "as max_unpool1d",
    "meshgrid": "takes tensors one by one in PyTorch",
    "negative_sampling_loss": "not in PyTorch, or not as a function",
    "nms": "in torchvision",
    "deform_conv2d": "in torchvision",
    "peephole_lstm": "not in PyTorch, or not as a function",
    "pixel_norm": "not in PyTorch, or not as a function",
    "put": "with repeated indices, which are drawn, the last wins; PyTorch does not say",
    "rnn": "not in PyTorch, or not as a function",
    "roi_align": "in torchvision",
    "roi_pool": "in torchvision",
    "scatter": "with repeated indices, which are drawn, the last wins; PyTorch does not say",
    "searchsorted": "drawn boundaries are not sorted",
    "sigmoid_focal_loss": "in torchvision",
    "space_to_depth": "not in PyTorch, or not as a function",
    "spatial_pyramid_pool": "not in PyTorch, or not as a function",
    "stochastic_depth": "in torchvision",
    "yolo_decode": "not in PyTorch, or not as a function",
}


def _recurrent(run: Callable[..., Any], states: int) -> Callable[..., Any]:
    """torch.lstm or torch.gru for one layer, whose states have a layer dimension."""

    def function(input: Any, h0: Any, *rest: Any, weight_ih: Any = None, weight_hh: Any = None,
                 c0: Any = None, bias_ih: Any = None, bias_hh: Any = None) -> Any:  # fmt: skip
        biases = [torch.zeros_like(weight_ih[:, :1]).sum(1) if b is None else b
                  for b in (bias_ih, bias_hh)]  # fmt: skip
        state = (h0[None], c0[None]) if states == 2 else h0[None]
        output, *last = run(
            input, state, [weight_ih, weight_hh, *biases], True, 1, 0.0, False, False, False
        )
        return output, *[h[0] for h in last]

    return function


def _batch_norm(input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None,
                bias: Any = None, training: bool = False, momentum: float = 0.1,
                eps: float = 1e-5, **fused: Any) -> Any:  # fmt: skip
    kept = [None if t is None else t.detach().clone() for t in (running_mean, running_var)]
    return R.batch_norm(input, *kept, weight, bias, training, momentum, eps)


# Differences that the test found and nobody has looked into yet.
OPEN = {
    "clamp": "with min above max PyTorch answers max",
    "instance_norm": "a difference in some draws",
    "interpolate": "drawn sizes and modes seldom fit",
    "local_response_norm": "a difference",
    "margin_ranking_loss": "the gradient where inputs tie at the margin",
    "pairwise_distance": "the gradient where inputs are equal",
    "scaled_dot_product_attention": "a difference of shape with fewer dimensions",
    "std": "the gradient where it is 0",
    "unflatten": "drawn sizes do not fit",
}
NO_COUNTERPART |= OPEN

# Other names, or arguments that PyTorch spells otherwise.
OTHERS: dict[str, Callable[..., Any]] = {
    "expand": lambda **given: given["input"].expand(given["shape"]),
    "batch_norm": _batch_norm,
    "gru": _recurrent(torch.gru, 1),
    "lstm": _recurrent(torch.lstm, 2),
    "pow": lambda **given: torch.pow(given["input"], given["other"]),
    "permute": lambda **given: given["input"].permute(given["dims"]),
    "view": lambda **given: given["input"].view(given["shape"]),
    "repeat": lambda **given: given["input"].repeat(given["repeats"]),
    "tile": lambda **given: given["input"].tile(given["dims"]),
    "broadcast_to": lambda **given: given["input"].broadcast_to(given["shape"]),
    "unflatten": lambda **given: given["input"].unflatten(given["dim"], given["sizes"]),
}


def counterpart(name: str) -> Callable[..., Any] | None:
    """PyTorch's function, or None."""
    if name in OTHERS:
        return OTHERS[name]
    for home in (R, torch, torch.special):
        if hasattr(home, name):
            return getattr(home, name)  # type: ignore[no-any-return]
    return None
