"""ONNX's attention in terms of `fastdl.functional`."""

from __future__ import annotations

import math

import onnx

import fastdl
import fastdl.functional as F

NOTHING = -math.inf


def heads_of(x, heads):
    """[N, L, heads * E] as [N, heads, L, E]; four dimensions as they are."""
    if x.ndim == 4:
        return x
    return x.reshape([*x.shape[:2], heads, x.shape[2] // heads]).transpose(1, 2)


def for_heads(t, heads):
    """The heads of keys or values repeated, for each of the queries' heads."""
    return t if t.shape[1] == heads else F.repeat_interleave(t, heads // t.shape[1], 1)


def seen(length, keys, past, lengths, attributes):
    """Which of the keys a query may see, [..., length, keys], or None for all."""
    causal = attributes.get("is_causal")
    left, right = (attributes.get(f"{side}_window_size", -1) for side in ("left", "right"))
    if not causal and left < 0 and right < 0 and lengths is None:
        return None
    first = past if lengths is None else lengths.reshape(-1, 1, 1, 1) - length
    query, key = fastdl.arange(length).unsqueeze(1) + first, fastdl.arange(keys)
    allowed = query == query
    if causal:
        allowed = allowed.logical_and(key <= query)
    if left >= 0:
        allowed = allowed.logical_and(query - key <= left)
    if right >= 0:
        allowed = allowed.logical_and(key - query <= right)
    if lengths is not None:
        allowed = allowed.logical_and(key < lengths.reshape(-1, 1, 1, 1))
    return allowed


def combined(mask, allowed, keys):
    """The mask of both: bool, or a number to be added."""
    if mask is None:
        return allowed
    missing = keys - mask.shape[-1]
    if mask.dtype == fastdl.bool_:
        mask = F.pad(mask.int(), [0, missing]).bool()
        return mask if allowed is None else mask.logical_and(allowed)
    mask = F.pad(mask, [0, missing], value=NOTHING)
    return mask if allowed is None else F.where(allowed, mask, NOTHING)


def weights_of(scores, mask, dtype):
    """The softmax of scores with the mask added; 0 where a query sees nothing."""
    if mask is None:
        return F.softmax(scores.to(dtype), -1)
    if mask.dtype == fastdl.bool_:
        mask = F.where(mask, 0.0, NOTHING).to(scores.dtype)
    none = F.amax(mask, -1, True) == NOTHING
    added = F.where(none, 0.0, scores + mask)
    return F.where(none, 0.0, F.softmax(added.to(dtype), -1))


def attention(inputs, attributes):
    q, k, v, mask, past_k, past_v, lengths = [*inputs, *[None] * 4][:7]
    rank, heads, groups = q.ndim, attributes.get("q_num_heads"), attributes.get("kv_num_heads")
    q, k, v = heads_of(q, heads), heads_of(k, groups), heads_of(v, groups)
    past = 0 if past_k is None else past_k.shape[2]
    k = k if past_k is None else F.cat([past_k, k], 2)
    v = v if past_v is None else F.cat([past_v, v], 2)
    keys, values = for_heads(k, q.shape[1]), for_heads(v, q.shape[1])
    allowed = seen(q.shape[2], k.shape[2], past, lengths, attributes)
    mask = combined(mask, allowed, k.shape[2])
    cap, scores = attributes.get("softcap", 0.0), None
    scale = attributes.get("scale") or 1 / math.sqrt(q.shape[-1])
    precision = attributes.get("softmax_precision")
    if not cap and attributes["outputs"] < 4 and precision is None:
        y = F.scaled_dot_product_attention(q, k, v, mask, scale=scale, enable_gqa=True)
    else:
        steps = [q * scale @ keys.transpose(-2, -1)]
        steps.append(cap * F.tanh(steps[0] / cap) if cap else steps[0])
        added = mask
        if mask is not None and mask.dtype == fastdl.bool_:
            added = F.where(mask, 0.0, NOTHING).to(q.dtype)
        steps.append(steps[1] if mask is None else steps[1] + added)
        dtype = q.dtype if precision is None else dtype_of(precision)
        steps.append(weights_of(steps[1], mask, dtype).to(q.dtype))
        y, scores = steps[3] @ values, steps[attributes.get("qk_matmul_output_mode", 0)]
    y = y if rank == 4 else y.transpose(1, 2).flatten(2)
    return y, k, v, scores


def dtype_of(number):
    return getattr(fastdl, onnx.helper.tensor_dtype_to_np_dtype(number).name)


def flex_attention(inputs, attributes):
    q, k, v = inputs
    score_mod, prob_mod = (attributes.get(f"{name}_mod") for name in ("score", "prob"))
    keys, values = for_heads(k, q.shape[1]), for_heads(v, q.shape[1])
    scale = attributes.get("scale") or 1 / math.sqrt(q.shape[-1])
    wide = fastdl.float32 if q.dtype.itemsize < 4 else q.dtype
    scores = (q * scale @ keys.transpose(-2, -1)).to(wide)
    weights = F.softmax(score_mod(scores)[0] if score_mod else scores, -1)
    weights = prob_mod(weights)[0] if prob_mod else weights
    return (weights @ values.to(wide)).to(q.dtype)


def rotary_embedding(inputs, attributes):
    x, cos, sin, positions = [*inputs, None][:4]
    rank = x.ndim
    x = heads_of(x, attributes.get("num_heads"))
    size = attributes.get("rotary_embedding_dim") or x.shape[-1]
    if positions is not None:
        cos, sin = F.embedding(positions, cos), F.embedding(positions, sin)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    turned, rest = x[..., :size], x[..., size:]
    if attributes.get("interleaved"):
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = F.stack([cos * a - sin * b, sin * a + cos * b], -1).flatten(3)
    else:
        a, b = turned.chunk(2, -1)
        turned = F.cat([cos * a - sin * b, sin * a + cos * b], -1)
    y = F.cat([turned, rest], -1)
    return y if rank == 4 else y.transpose(1, 2).flatten(2)


def tensor_scatter(inputs, attributes):
    cache, update, start = [*inputs, None][:3]
    axis = attributes.get("axis", -2) % cache.ndim
    at = fastdl.arange(update.shape[axis])
    if start is not None:
        at = at + start.unsqueeze(1)
    at = at % cache.shape[axis] if attributes.get("mode") == "circular" else at
    shape = [1] * cache.ndim
    shape[0], shape[axis] = (1 if start is None else cache.shape[0]), update.shape[axis]
    return F.scatter(cache, axis, at.reshape(shape).expand(update.shape), update)


def linear_attention(inputs, attributes):
    q, k, v, state, decay, beta = [*inputs, *[None] * 3][:6]
    heads, groups = attributes["q_num_heads"], attributes["kv_num_heads"]
    dtype = q.dtype
    scale = attributes.get("scale") or 1 / math.sqrt(q.shape[-1] // heads)
    q, k, v = (heads_of(t.float(), n) for t, n in ((q, heads), (k, groups), (v, groups)))
    kept = dtype if state is None else state.dtype
    if state is None:
        state = fastdl.zeros((*k.shape[:2], k.shape[3], v.shape[3]))
    state = state.float()
    decay = None if decay is None else heads_of(decay.float(), groups)
    beta = None if beta is None else heads_of(beta.float(), beta.shape[-1])
    outputs = []
    for t in range(q.shape[2]):
        key, value = k[:, :, t], v[:, :, t]
        if decay is not None:
            state = state * F.exp(decay[:, :, t]).unsqueeze(-1)
        if beta is not None:
            value = beta[:, :, t] * (value - F.einsum("nhkv,nhk->nhv", state, key))
        state = state + F.einsum("nhk,nhv->nhkv", key, value)
        read = for_heads(state, heads)
        outputs.append(scale * F.einsum("nhk,nhkv->nhv", q[:, :, t], read))
    return F.stack(outputs, 1).flatten(2).to(dtype), state.to(kept)


OPERATORS = {
    "Attention": attention,
    "FlexAttention": flex_attention,
    "LinearAttention": linear_attention,
    "RotaryEmbedding": rotary_embedding,
    "TensorScatter": tensor_scatter,
}
