"""Clipping of gradients."""

from __future__ import annotations

from collections.abc import Iterable

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all tensors' elements together, as a tensor without dimensions.

    Args:
        tensors: of one device.
        norm_type: the order of the norm, above 0; infinity for the largest magnitude. Default: 2.
        error_if_nonfinite: whether infinity or NaN is an ArgumentError. Default: False.
    """
    if not norm_type > 0:
        raise ArgumentError("get_total_norm", f"norm_type is {norm_type}, expected above 0")
    with no_grad():
        # Each at least in float32, in which the norms are joined.
        norms = [_core.norm(_wide(t.detach()), norm_type) for t in _as_list(tensors)]
        if not norms:
            return _core.zeros(())
        kind = _core.float64 if any(n.dtype == _core.float64 for n in norms) else _core.float32
        total = _core.norm(_core.stack([n.to(kind) for n in norms]), norm_type)
    if error_if_nonfinite and not bool(_core.isfinite(total)):
        raise ArgumentError(
            "get_total_norm", f"the norm of the gradients is {total.item()}",
            remedy="find the loss that is not finite, or pass error_if_nonfinite=False",
        )  # fmt: skip
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients by one number, in place, so that their common norm is at most `max_norm`.

    Args:
        parameters: tensors, those without a gradient being passed over.
        max_norm: the norm allowed, 0 or more.
        norm_type: the order of the norm; infinity for the largest magnitude. Default: 2.
        error_if_nonfinite: whether a norm that is infinite or NaN is an ArgumentError. Default:
            False, the gradients then become 0 or NaN.

    Returns:
        The norm before, as a tensor without dimensions; nothing waits for its value.

    Source: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013, alg. 1.
    """
    if not max_norm >= 0:
        raise ArgumentError("clip_grad_norm_", f"max_norm is {max_norm}, expected 0 or more")
    grads = _gradients(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    with no_grad():
        # The small number keeps 0 / 0 away, as in PyTorch.
        scale = _core.clamp(_core.div(max_norm, total + 1e-6), max=1.0)
        for grad in grads:
            grad.mul_(scale.to(grad.dtype))
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of the gradients to [-clip_value, clip_value], in place.

    Args:
        parameters: tensors, those without a gradient being passed over.
        clip_value: the limit, 0 or more; otherwise ArgumentError.
    """
    if not clip_value >= 0:
        raise ArgumentError("clip_grad_value_", f"clip_value is {clip_value}, expected 0 or more")
    with no_grad():
        for grad in _gradients(parameters):
            grad.copy_(_core.clamp(grad, min=-clip_value, max=clip_value))


def _as_list(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _as_list(parameters) if p.grad is not None]


def _wide(t: Tensor) -> Tensor:
    return t.to(_core.float32) if t.dtype.itemsize == 2 else t
