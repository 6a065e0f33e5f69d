"""Attention layers against the formula."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from tests import references_recurrent as ref


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def heads(q, k, v, layer, mask=None):
    """The definition: (output, weights [N, heads, L, S]) of q [N, L, E], k and v."""
    p = {n: t.detach().numpy() for n, t in layer.state_dict().items()}
    weights = [p.get(f"{c}_proj_weight") for c in "qkv"]
    if "in_proj_weight" in p:
        weights = np.split(p["in_proj_weight"], 3)
    biases = np.split(p["in_proj_bias"], 3) if "in_proj_bias" in p else [0.0] * 3
    q, k, v = (x @ w.T + b for x, w, b in zip((q, k, v), weights, biases, strict=True))
    size = layer.embed_dim // layer.num_heads
    outputs, found = [], []
    for i in range(layer.num_heads):
        own = slice(i * size, (i + 1) * size)
        scores = q[..., own] @ np.swapaxes(k[..., own], 1, 2) / np.sqrt(size)
        part = np.ones_like(scores, bool) if mask is None else np.broadcast_to(mask, scores.shape)
        found.append(ref.softmax_of_some(scores, part))
        outputs.append(found[-1] @ v[..., own])
    joined = np.concatenate(outputs, -1)
    bias = p.get("out_proj.bias", 0.0)
    return joined @ p["out_proj.weight"].T + bias, np.stack(found, 1)


class TestMultihead:
    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("sizes", [{}, {"kdim": 5, "vdim": 7}], ids=["alike", "kdim"])
    def test_definition(self, bias, sizes):
        layer = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True, **sizes).double()
        with fastdl.no_grad():
            for name, p in layer.named_parameters():
                p.copy_(fastdl.tensor(normal(*p.shape, seed=len(name))))
        q, k = normal(2, 3, 8), normal(2, 4, sizes.get("kdim", 8), seed=1)
        v = normal(2, 4, sizes.get("vdim", 8), seed=2)
        expected, weights = heads(q, k, v, layer)
        tensors = list(map(fastdl.tensor, (q, k, v)))
        output, mean = layer(*tensors)
        close(output, expected)
        close(mean, weights.mean(1))
        close(layer(*tensors, average_attn_weights=False)[1], weights)
        plain, nothing = layer(*tensors, need_weights=False)
        close(plain, expected)
        assert nothing is None
        layer.batch_first = False
        close(layer(*[t.transpose(0, 1) for t in tensors])[0].transpose(0, 1), expected)
        alone, one = layer(*[t[0] for t in tensors])
        close(alone, expected[0])
        close(one, weights.mean(1)[0])

    @pytest.mark.parametrize("need_weights", [True, False])
    def test_masks(self, need_weights):
        layer = nn.MultiheadAttention(8, 2, batch_first=True).double()
        x = normal(2, 4, 8)
        t = fastdl.tensor(x)
        out = np.zeros((2, 1, 4), bool)
        out[:, :, 3] = out[1, :, 2] = True  # padding
        later = np.triu(np.ones((4, 4), bool), 1)
        expected, _ = heads(x, x, x, layer, ~(out | later))
        padding = fastdl.tensor(out[:, 0])
        options = {"need_weights": need_weights}
        close(layer(t, t, t, padding, attn_mask=fastdl.tensor(later), **options)[0], expected)
        close(layer(t, t, t, padding, is_causal=True, **options)[0], expected)
        minus = fastdl.tensor(np.where(later, -np.inf, 0))
        close(layer(t, t, t, padding, attn_mask=minus, **options)[0], expected)
        per_head = fastdl.tensor(np.broadcast_to(later, (4, 4, 4)).copy())
        close(layer(t, t, t, padding, attn_mask=per_head, **options)[0], expected)

    def test_names_are_pytorchs(self):
        names = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
        layer = nn.MultiheadAttention(8, 2)
        assert list(layer.state_dict()) == names
        assert (layer.in_proj_bias.detach().numpy() == 0).all()
        assert list(nn.MultiheadAttention(8, 2, bias=False, kdim=3).state_dict()) == [
            "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight",
        ]  # fmt: skip

    def test_dropout_in_training_only(self):
        layer = nn.MultiheadAttention(8, 2, dropout=0.5)
        x = fastdl.tensor(normal(5, 3, 8).astype(np.float32))
        assert (layer(x, x, x)[0] != layer(x, x, x)[0]).any().item()
        layer.eval()
        close(layer(x, x, x)[0], layer(x, x, x)[0].detach().numpy())

    def test_compiled(self):
        layer = nn.MultiheadAttention(8, 2).eval()
        x = fastdl.tensor(normal(5, 3, 8).astype(np.float32))
        compiled = fastdl.compile(layer)
        with fastdl.no_grad():
            np.testing.assert_array_equal(compiled(x, x, x)[0].numpy(), layer(x, x, x)[0].numpy())


class TestScaledDotProduct:
    def test_a_query_without_keys_has_finite_gradients(self):
        q, k = (fastdl.tensor(normal(2, n, 3), requires_grad=True) for n in (4, 5))
        mask = np.ones((4, 5), bool)
        mask[1] = False
        output = F.scaled_dot_product_attention(q, k, k, fastdl.tensor(mask))
        assert (output[:, 1].detach().numpy() == 0).all()
        (output * output).sum().backward()
        assert (q.grad.numpy()[:, 1] == 0).all()
        assert np.isfinite(q.grad.numpy()).all()
        assert np.isfinite(k.grad.numpy()).all()

    def test_dropout_keeps_the_mean(self):
        fastdl.manual_seed(0)
        q, v = fastdl.zeros((1, 1, 2)), fastdl.ones((1, 20_000, 1))
        k = fastdl.zeros((1, 20_000, 2))
        assert abs(F.scaled_dot_product_attention(q, k, v, dropout_p=0.5).item() - 1) < 0.05


class TestAdditive:
    def test_definition(self):
        layer = nn.AdditiveAttention(3, 5, 7).double()
        p = {n: t.detach().numpy() for n, t in layer.state_dict().items()}
        query, key = normal(2, 4, 3), normal(2, 6, 5, seed=1)
        mask = np.array([[True] * 6, [True] * 4 + [False] * 2])
        expected, weights = ref.additive_attention(
            query @ p["query_projection.weight"].T, key @ p["key_projection.weight"].T,
            key, p["weight"], mask,
        )  # fmt: skip
        tensors = fastdl.tensor(query), fastdl.tensor(key), None, fastdl.tensor(mask)
        for got, wanted in zip(layer(*tensors), (expected, weights), strict=True):
            close(got, wanted)
        # One query each, as a decoder has at each step.
        context, one = layer(tensors[0][:, 1], *tensors[1:])
        close(context, expected[:, 1])
        close(one, weights[:, 1])
