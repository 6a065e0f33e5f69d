"""Attention: sums of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed
from fastdl.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["additive_attention", "attention_weights", "scaled_dot_product_attention"]

NOTHING = -math.inf


@composed(
    "query: floating [..., L, E]; key: like query [..., S, E]; value: like query [..., S, V]; "
    "dropout_p: 0..1"
)
def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale query key^T + mask) value, over the keys.

    Shapes: query[..., L, E], key[..., S, E], value[..., S, V] give [..., L, V]; the dimensions in
    front are broadcast. `attn_mask` broadcasts to [..., L, S]: bool, true where a key takes part,
    or of the query's dtype, added before the softmax. A query without any key gives zeros, as in
    PyTorch. `is_causal` lets query i see keys 0 to i, and excludes a mask. `scale` is by default
    1 / sqrt(E). `dropout_p` is applied to the weights whenever it is not 0: pass 0 in inference.
    With `enable_gqa` the queries' heads, dimension -3, share those of the keys and of the values,
    of which there are fewer: each serves as many heads in a row (Ainslie et al., 2023).
    Raises ShapeError, DTypeError or ArgumentError for what does not fit.
    Vaswani et al., 2017 ("Attention is all you need"), equation 1.
    """
    op = "scaled_dot_product_attention"
    q, k = as_tensor(query), as_tensor(key)
    if enable_gqa:
        k, value = _for_heads(op, q, k, "key"), _for_heads(op, q, as_tensor(value), "value")
    mask = None if attn_mask is None else as_tensor(attn_mask)
    if is_causal:
        if mask is not None:
            raise ArgumentError(op, "a mask is given beside is_causal", remedy="pass one of them")
        mask = causal_mask(q, k)
    scores = _core.matmul(_scaled(q, scale), _core.transpose(k, -2, -1))
    weights = attention_weights(op, scores, mask)
    if dropout_p:
        weights = _core.dropout(weights, dropout_p)
    return _core.matmul(weights, value)


def _for_heads(op: str, query: Tensor, shared: Tensor, name: str) -> Tensor:
    """Keys or values, each head in a row for as many heads of the queries as share it."""
    heads, groups = (t.shape[-3] if t.ndim > 2 else -1 for t in (query, shared))
    if heads < 0 or groups < 1 or heads % groups:
        raise ShapeError(
            op,
            f"the heads of the query do not share those of the {name}",
            {"query": str(list(query.shape)), name: str(list(shared.shape))},
            "with enable_gqa pass [..., H, L, E] beside [..., G, S, E], H a multiple of G",
        )
    return shared if heads == groups else _core.repeat_interleave(shared, heads // groups, -3)


def _scaled(query: Tensor, scale: float | None) -> Tensor:
    # The queries are scaled, not the scores, of which there are more.
    return query * (1.0 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale)


def causal_mask(query: Tensor, key: Tensor) -> Tensor:
    """True where query i (of L) may see key j (of S): j <= i."""
    i = _core.arange(query.shape[-2], device=query.device)
    return i.unsqueeze(1) >= _core.arange(key.shape[-2], device=query.device)


def attention_weights(op: str, scores: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax of masked scores[..., L, S] over the keys; zeros where none takes part."""
    if mask is None:
        return _core.softmax(scores, -1)
    if mask.dtype == _core.bool_:
        scores_in = _core.where(mask, scores, NOTHING)
    elif mask.dtype == scores.dtype:
        scores_in = scores + mask
    else:
        raise DTypeError(
            op,
            f"the mask is of {mask.dtype.name}, expected bool_ or {scores.dtype.name}",
            remedy="pass true where a key takes part, or what is to be added",
        )
    if tuple(scores_in.shape) != tuple(scores.shape):
        raise ShapeError(
            op,
            f"the mask of shape {list(mask.shape)} does not broadcast to {list(scores.shape)}",
            remedy="give a mask that broadcasts to [..., L, S]",
        )
    if 0 in scores.shape:
        return scores_in
    # Such a row would be 0 / 0; in place of it zeros go through the softmax, and out of it.
    empty = _core.amax(scores_in.detach(), -1, True) == NOTHING
    weights = _core.softmax(_core.where(empty, 0.0, scores_in), -1)
    return _core.where(empty, 0.0, weights)


@composed(
    "query: floating [N, L, A]; key: like query [N, S, A]; value: like query [N, S, V]; "
    "weight: like query [A]; mask: bool [N, S]"
)
def additive_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    weight: ArrayLike,
    mask: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Values weighted by softmax(weight . tanh(query + key)) over the keys.

    query[N, L, A] and key[N, S, A] are projected already (see `nn.AdditiveAttention`), value is
    [N, S, V], weight [A]; mask[N, S] is true where a key takes part, and a query without any gives
    zeros. Returns (context[N, L, V], weights[N, L, S]). Memory holds [N, L, S, A].
    Bahdanau et al., 2015 ("Neural machine translation by jointly learning to align and
    translate"), appendix A.1.2.
    """
    q, k = as_tensor(query), as_tensor(key)
    energy = _core.tanh(q.unsqueeze(2) + k.unsqueeze(1))
    part = None if mask is None else as_tensor(mask).unsqueeze(1)
    weights = attention_weights("additive_attention", _core.matmul(energy, weight), part)
    return _core.matmul(weights, value), weights
