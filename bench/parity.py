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
    "alpha_dropout": "draws other numbers",
    "batched_nms": "in torchvision",
    "bitwise_and": "of integers; tests/opcases_bits.py compares with NumPy",
    "bitwise_left_shift": "of integers; tests/opcases_bits.py compares with NumPy",
    "bitwise_not": "of integers; tests/opcases_bits.py compares with NumPy",
    "bitwise_or": "of integers; tests/opcases_bits.py compares with NumPy",
    "bitwise_right_shift": "of integers; tests/opcases_bits.py compares with NumPy",
    "bitwise_xor": "of integers; tests/opcases_bits.py compares with NumPy",
    "blur2d": "not in PyTorch, or not as a function",
    "box_area": "in torchvision",
    "box_convert": "in torchvision",
    "box_decode": "in torchvision",
    "box_encode": "in torchvision",
    "box_iou": "in torchvision",
    "clip_boxes_to_image": "in torchvision",
    "contrastive_loss": "not in PyTorch, or not as a function",
    "depth_to_space": "not in PyTorch, or not as a function",
    "dice_loss": "not in PyTorch, or not as a function",
    "discriminator_loss": "not in PyTorch, or not as a function",
    "dropout": "draws other numbers",
    "dropout1d": "draws other numbers",
    "dropout2d": "draws other numbers",
    "dropout3d": "draws other numbers",
    "feature_alpha_dropout": "draws other numbers",
    "focal_loss": "not in PyTorch, or not as a function",
    "gaussian_dropout": "not in PyTorch, or not as a function",
    "gaussian_noise": "not in PyTorch, or not as a function",
    "generalized_box_iou": "in torchvision",
    "generator_loss": "not in PyTorch, or not as a function",
    "global_average_pool": "not in PyTorch, or not as a function",
    "global_lp_pool": "not in PyTorch, or not as a function",
    "global_max_pool": "not in PyTorch, or not as a function",
    "gradient_penalty": "not in PyTorch, or not as a function",
    "gru_reset_before": "not in PyTorch, or not as a function",
    "hinge_loss": "not in PyTorch, or not as a function",
    "histogram": "without a gradient in PyTorch",
    "index_put": "drawn indices are no tuples of them; tests compare with NumPy",
    "negative_sampling_loss": "not in PyTorch, or not as a function",
    "nms": "in torchvision",
    "deform_conv2d": "in torchvision",
    "peephole_lstm": "not in PyTorch, or not as a function",
    "pixel_norm": "not in PyTorch, or not as a function",
    "put": "with repeated indices, which are drawn, the last wins; PyTorch does not say",
    "roi_align": "in torchvision",
    "roi_pool": "in torchvision",
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
    return R.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _rnn(nonlinearity: str = "tanh", **given: Any) -> Any:
    return _recurrent(torch.rnn_tanh if nonlinearity == "tanh" else torch.rnn_relu, 1)(**given)


# Other names, or arguments that PyTorch spells otherwise.
OTHERS: dict[str, Callable[..., Any]] = {
    "expand": lambda **given: given["input"].expand(given["shape"]),
    "batch_norm": _batch_norm,
    # PyTorch's gradient is right behind log_softmax only.
    "ctc_loss": lambda log_probs, **given: R.ctc_loss(log_probs.log_softmax(-1), **given),
    "einsum": lambda **given: torch.einsum(given["equation"], *given["operands"]),
    "meshgrid": lambda tensors, indexing="ij": torch.meshgrid(*tensors, indexing=indexing),
    "rnn": _rnn,
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
