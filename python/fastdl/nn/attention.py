"""Attention as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core, init
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.composed.attention import attention_weights, causal_mask
from fastdl.errors import ArgumentError, DTypeError, ShapeError
from fastdl.nn.linear import Linear, require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["AdditiveAttention", "MultiheadAttention"]


class AdditiveAttention(Module):
    """For each query, the values weighted by softmax(w . tanh(W query + U key)) over the keys.

    Args:
        query_dim: features Q of a query, such as the state of a decoder.
        key_dim: features K of a key, such as the output of an encoder.
        hidden_dim: units A in which the two meet.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: query [N, L, Q] or [N, Q]; key [N, S, K]; value [N, S, V], by default the keys; mask
    bool [N, S], true where a key takes part (by default all). Returns (context, weights):
    [N, L, V] and [N, L, S], or [N, V] and [N, S]. A query without any key gives zeros.

    Source: D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning to
    align and translate", ICLR 2015, appendix A.1.2.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        hidden_dim: int,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.query_projection = Linear(query_dim, hidden_dim, False, device, dtype)
        self.key_projection = Linear(key_dim, hidden_dim, False, device, dtype)
        self.weight = Parameter(_core.empty((hidden_dim,), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        self.query_projection.reset_parameters()
        self.key_projection.reset_parameters()
        bound = self.weight.shape[0] ** -0.5
        init.uniform_(self.weight, -bound, bound)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        alone = query.ndim == 2
        projected = self.query_projection(query.unsqueeze(1) if alone else query)
        context, weights = F.additive_attention(
            projected, self.key_projection(key), key if value is None else value, self.weight, mask
        )
        return (context.squeeze(1), weights.squeeze(1)) if alone else (context, weights)


class MultiheadAttention(Module):
    """Attention in several heads, each over its own projection of queries, keys and values.

    Args:
        embed_dim: features E of queries and of the output.
        num_heads: heads, each of E / num_heads features.
        dropout: probability of dropping a weight in training. Default: 0.
        bias: whether the projections have biases. Default: True.
        kdim, vdim: features of keys and values. Default: E.
        batch_first: whether inputs and output are [N, L, E] rather than [L, N, E].
            Default: False.
        device, dtype: of the parameters. Default: CPU, float32.

    PyTorch's `add_bias_kv` and `add_zero_attn` are left out. Parameters are named and drawn as
    there: ``in_proj_weight`` [3E, E], or ``q_proj_weight``, ``k_proj_weight`` and
    ``v_proj_weight`` where keys or values have other features; ``in_proj_bias`` [3E];
    ``out_proj``, a `Linear`.

    Source: A. Vaswani et al., "Attention is all you need", NIPS 2017, section 3.2.2.
    """

    in_proj_weight: Parameter
    in_proj_bias: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.batch_first = batch_first
        name = "MultiheadAttention"
        require_positive(
            name, embed_dim=embed_dim, num_heads=num_heads, kdim=self.kdim, vdim=self.vdim
        )
        if embed_dim % num_heads:
            raise ArgumentError(
                name, f"embed_dim is {embed_dim}, which {num_heads} heads do not divide"
            )
        if not 0.0 <= dropout <= 1.0:
            raise ArgumentError(name, f"dropout is {dropout}, expected between 0 and 1")
        self._joint = self.kdim == embed_dim == self.vdim
        shapes: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * embed_dim, embed_dim)}
        if not self._joint:
            shapes = {
                f"{letter}_proj_weight": (embed_dim, size)
                for letter, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim))
            }
        if bias:
            shapes["in_proj_bias"] = (3 * embed_dim,)
        for parameter, shape in shapes.items():
            empty = _core.empty(shape, device=device, dtype=dtype)
            self.register_parameter(parameter, Parameter(empty))
        if not bias:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator; biases are 0."""
        for name, parameter in self.named_parameters(recurse=False):
            if name != "in_proj_bias":
                init.xavier_uniform_(parameter)
        self.out_proj.reset_parameters()
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from queries to keys.

        Args:
            query: [L, N, E]; with batch_first [N, L, E]; without a batch [L, E].
            key: [S, N, kdim], and likewise.
            value: [S, N, vdim], and likewise.
            key_padding_mask: [N, S], or [S]: bool, true for keys to be left out, or floats that are
                added to their scores. Default: None.
            need_weights: whether to return the weights. Default: True.
            attn_mask: [L, S] or [N * num_heads, L, S]: likewise, for each query. Default: None.
            average_attn_weights: whether weights are averaged over the heads. Default: True.
            is_causal: whether query i sees only keys 0 to i, besides the masks. Default: False.

        Returns:
            (output, weights): the output in the query's layout; the weights [N, L, S], or
            [N, num_heads, L, S] without averaging (and without N where there is no batch), or
            None.
        """
        alone = query.ndim == 2
        if any(t.ndim != query.ndim or t.ndim not in (2, 3) for t in (query, key, value)):
            raise ShapeError(
                "multihead_attention",
                f"query, key and value have {query.ndim}, {key.ndim} and {value.ndim} dimensions, "
                "expected 3 each, or 2 without a batch",
            )
        if alone:
            query, key, value = (t.unsqueeze(0) for t in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        q, k, v = map(self._heads, self._projected(query, key, value))
        mask = self._mask(q, k, key_padding_mask, attn_mask, is_causal)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scale = (self.embed_dim // self.num_heads) ** -0.5
            scores = _core.matmul(q * scale, k.transpose(-2, -1))
            weights = attention_weights("multihead_attention", scores, mask)
            if dropout:
                weights = _core.dropout(weights, dropout)
            output = _core.matmul(weights, v)
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights.squeeze(0) if alone else weights
        else:
            output = F.scaled_dot_product_attention(q, k, v, mask, dropout)
        output = self.out_proj(_core.flatten(output.transpose(1, 2), 2))
        if alone:
            return output.squeeze(0), weights
        return output if self.batch_first else output.transpose(0, 1), weights

    def _projected(self, *inputs: Tensor) -> list[Tensor]:
        """Queries, keys and values after their projections."""
        size, own = self.embed_dim, vars(self)
        biases: list[Tensor | None] = [None] * 3
        if self.in_proj_bias is not None:
            biases = [self.in_proj_bias.narrow(0, i * size, size) for i in range(3)]
        if not self._joint:
            weights = [own[f"{letter}_proj_weight"] for letter in "qkv"]
        elif inputs[0] is inputs[1] is inputs[2]:
            return _thirds(_core.linear(inputs[0], self.in_proj_weight, self.in_proj_bias), size)
        else:
            weights = [self.in_proj_weight.narrow(0, i * size, size) for i in range(3)]
        rows = zip(inputs, weights, biases, strict=True)
        return [_core.linear(x, weight, bias) for x, weight, bias in rows]

    def _heads(self, x: Tensor) -> Tensor:
        """[N, L, E] as [N, heads, L, E / heads]."""
        batch, length, size = x.shape
        split = _core.reshape(x, (batch, length, self.num_heads, size // self.num_heads))
        return split.transpose(1, 2)

    def _mask(
        self,
        q: Tensor,
        k: Tensor,
        key_padding_mask: Tensor | None,
        attn_mask: Tensor | None,
        is_causal: bool,
    ) -> Tensor | None:
        """All masks as one that broadcasts to [N, heads, L, S]: true to take part, or added."""
        batch, heads, queries, _ = q.shape
        keys = k.shape[2]
        masks = []
        if key_padding_mask is not None:
            _check_mask("key_padding_mask", key_padding_mask, q, [(batch, keys)])
            masks.append(_core.reshape(key_padding_mask, (batch, 1, 1, keys)))
        if attn_mask is not None:
            _check_mask(
                "attn_mask", attn_mask, q, [(queries, keys), (batch * heads, queries, keys)]
            )
            shape = (batch, heads) if attn_mask.ndim == 3 else (1, 1)
            masks.append(_core.reshape(attn_mask, (*shape, queries, keys)))
        parts = [m.logical_not() for m in masks if m.dtype == _core.bool_]
        added = [m for m in masks if m.dtype != _core.bool_]
        if is_causal:
            parts.append(causal_mask(q, k))
        if not parts and not added:
            return None
        part = None
        for each in parts:
            part = each if part is None else _core.logical_and(part, each)
        if not added:
            return part
        total = added[0] if len(added) == 1 else added[0] + added[1]
        return total if part is None else _core.where(part, total, float("-inf"))

    def extra_repr(self) -> str:
        text = f"{self.embed_dim}, {self.num_heads}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        return text + (", batch_first=True" if self.batch_first else "")


def _thirds(joint: Tensor, size: int) -> list[Tensor]:
    return [joint.narrow(-1, i * size, size) for i in range(3)]


def _check_mask(name: str, mask: Tensor, like: Tensor, shapes: list[tuple[int, ...]]) -> None:
    if mask.dtype not in (_core.bool_, like.dtype):
        raise DTypeError(
            "multihead_attention",
            f"{name} is of {mask.dtype.name}, expected bool_ or {like.dtype.name}",
            remedy="pass true for what is to be left out, or what is to be added",
        )
    if tuple(mask.shape) not in shapes:
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise ShapeError(
            "multihead_attention", f"{name} has shape {list(mask.shape)}, expected {wanted}"
        )
