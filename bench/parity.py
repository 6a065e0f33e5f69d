"""What a function of `fastdl.functional` is called in PyTorch, with our names of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["NO_COUNTERPART", "counterpart"]

R = torch.nn.functional

# Functions that PyTorch does not have (or draws other numbers for), and why.
NO_COUNTERPART = {
    "contrastive_loss": "not in PyTorch",
    "dice_loss": "not in PyTorch",
    "discriminator_loss": "not in PyTorch",
    "ctc_loss": "drawn lengths and labels fit nowhere; tests compare with all paths",
    "dropout": "draws other numbers",
    "floor_divide": "without a gradient in PyTorch",
    "focal_loss": "not in PyTorch; in torchvision for two classes",
    "generator_loss": "not in PyTorch",
    "gradient_penalty": "not in PyTorch",
    "hinge_loss": "not in PyTorch",
    "hardsigmoid": "PyTorch's slope is 1/6 in float32, in float64 too",
    "sigmoid_focal_loss": "in torchvision",
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


# Other names, or arguments that PyTorch spells otherwise.
OTHERS: dict[str, Callable[..., Any]] = {
    "expand": lambda **given: given["input"].expand(given["shape"]),
    "batch_norm": _batch_norm,
    "gru": _recurrent(torch.gru, 1),
    "lstm": _recurrent(torch.lstm, 2),
    "pow": lambda **given: torch.pow(given["input"], given["other"]),
    "permute": lambda **given: given["input"].permute(given["dims"]),
    "view": lambda **given: given["input"].view(given["shape"]),
}


def counterpart(name: str) -> Callable[..., Any] | None:
    """PyTorch's function, or None."""
    if name in OTHERS:
        return OTHERS[name]
    for home in (R, torch, torch.special):
        if hasattr(home, name):
            return getattr(home, name)  # type: ignore[no-any-return]
    return None
