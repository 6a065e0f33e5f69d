"""Recurrent layers, attention and bags of embeddings in NumPy and float64, step by step."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_steps(step, x, states):
    """(outputs, *last states) of step(x_t, *states), whose first state is the output."""
    outputs = np.zeros((len(x), *states[0].shape))
    for t, x_t in enumerate(x):
        states = step(x_t, *states)
        outputs[t] = states[0]
    return outputs, *states


def rnn(x, h0, w_ih, w_hh, b_ih=0.0, b_hh=0.0, nonlinearity="tanh"):
    f = np.tanh if nonlinearity == "tanh" else lambda z: np.maximum(z, 0)
    return by_steps(lambda x, h: (f(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh),), x, (h0,))


def gru(x, h0, w_ih, w_hh, b_ih=0.0, b_hh=0.0):
    def step(x, h):
        r_x, z_x, n_x = np.split(x @ w_ih.T + b_ih, 3, axis=1)
        r_h, z_h, n_h = np.split(h @ w_hh.T + b_hh, 3, axis=1)
        z = sigmoid(z_x + z_h)
        return ((1 - z) * np.tanh(n_x + sigmoid(r_x + r_h) * n_h) + z * h,)

    return by_steps(step, x, (h0,))


def gru_reset_before(x, h0, w_ih, w_hh, b_ih=None, b_hh=None):
    b_ih, b_hh = (np.zeros(len(w_ih)) if b is None else b for b in (b_ih, b_hh))
    u_r, u_z, u_n = np.split(w_hh, 3)
    c_r, c_z, c_n = np.split(b_hh, 3)

    def step(x, h):
        r_x, z_x, n_x = np.split(x @ w_ih.T + b_ih, 3, axis=1)
        r, z = sigmoid(r_x + h @ u_r.T + c_r), sigmoid(z_x + h @ u_z.T + c_z)
        return ((1 - z) * np.tanh(n_x + (r * h) @ u_n.T + c_n) + z * h,)

    return by_steps(step, x, (h0,))


def peephole_lstm(x, h0, c0, w_ih, w_hh, peephole=None, b_ih=0.0, b_hh=0.0):
    p_i, p_f, p_o = np.zeros((3, 1)) if peephole is None else peephole

    def step(x, h, c):
        i, f, g, o = np.split(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
        new = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        return sigmoid(o + p_o * new) * np.tanh(new), new

    return by_steps(step, x, (h0, c0))


def lstm(x, h0, c0, w_ih, w_hh, b_ih=0.0, b_hh=0.0):
    return peephole_lstm(x, h0, c0, w_ih, w_hh, None, b_ih, b_hh)


# attention


def softmax_of_some(scores, mask):
    """Over the last dimension, where the mask is true; zeros where nothing is."""
    e = np.where(mask, np.exp(scores - scores.max(-1, keepdims=True, initial=-1e300)), 0)
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def scaled_dot_product_attention(
    q, k, v, attn_mask=None, is_causal=False, scale=None, enable_gqa=False
):
    if enable_gqa:
        k, v = (np.repeat(t, q.shape[-3] // t.shape[-3], -3) for t in (k, v))
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * (q @ np.swapaxes(k, -1, -2))
    mask = np.ones(scores.shape, bool)
    if is_causal:
        mask = np.tril(mask)
    elif attn_mask is not None and attn_mask.dtype == bool:
        mask = np.broadcast_to(attn_mask, scores.shape)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return softmax_of_some(scores, mask) @ v


def additive_attention(q, k, v, weight, mask=None):
    scores = np.tanh(q[:, :, None] + k[:, None]) @ weight
    part = (
        np.ones_like(scores, bool) if mask is None else np.broadcast_to(mask[:, None], scores.shape)
    )
    weights = softmax_of_some(scores, part)
    return weights @ v, weights


# bags of embeddings


def embedding_bag(
    index, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False,
    padding_idx=None,
):  # fmt: skip
    if index.ndim == 2:
        bags = [range(i * index.shape[1], (i + 1) * index.shape[1]) for i in range(len(index))]
    else:
        ends = [*offsets[1:], len(index)]
        starts = offsets[:-1] if include_last_offset else offsets
        bags = [range(a, b) for a, b in zip(starts, ends, strict=False)]
    flat = index.reshape(-1)
    scale = np.ones(len(flat)) if per_sample_weights is None else per_sample_weights.reshape(-1)
    out = np.zeros((len(bags), weight.shape[1]))
    for row, bag in zip(out, bags, strict=True):
        rows = [weight[flat[i]] * scale[i] for i in bag if flat[i] != padding_idx]
        if rows:
            row[:] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)
    return out


def negative_sampling_loss(x, target, noise, reduction="mean"):
    loss = np.logaddexp(0, -(x * target).sum(1))
    loss = loss + np.logaddexp(0, np.einsum("nkd,nd->nk", noise, x)).sum(1)
    if reduction == "mean":
        return loss.mean() if loss.size else np.float64(np.nan)
    return loss.sum() if reduction == "sum" else loss
