"""Tables of vectors: padding, norms, bags, and the heads that learn word vectors."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


class TestEmbedding:
    def test_padding_starts_at_zero_and_stays_there(self):
        layer = nn.Embedding(5, 3, padding_idx=-2)
        assert layer.padding_idx == 3
        assert (layer.weight[3].detach().numpy() == 0).all()
        (layer(fastdl.tensor([[3, 1], [1, 3]])) + 1).square().sum().backward()
        found = layer.weight.grad.numpy()
        assert (found[3] == 0).all()
        assert (found[1] != 0).all()

    def test_rows_that_are_looked_up_are_shortened(self):
        layer = nn.Embedding(5, 3, max_norm=0.5, norm_type=1)
        before = layer.weight.detach().numpy().copy()
        found = layer(fastdl.tensor([[1, 2], [2, 1]]))
        after = layer.weight.detach().numpy()
        np.testing.assert_array_equal(after[[0, 3, 4]], before[[0, 3, 4]])
        expected = before[[1, 2]] * np.minimum(1, 0.5 / abs(before[[1, 2]]).sum(1, keepdims=True))
        np.testing.assert_allclose(after[[1, 2]], expected, rtol=1e-5)
        np.testing.assert_array_equal(found[0].detach().numpy(), after[[1, 2]])

    def test_from_pretrained(self):
        table = fastdl.tensor(normal(5, 3))
        layer = nn.Embedding.from_pretrained(table)
        assert layer.weight.data_ptr() == table.data_ptr()
        assert not layer.weight.requires_grad
        assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
        bag = nn.EmbeddingBag.from_pretrained(table, mode="max")
        index = fastdl.tensor([[0, 4]])
        np.testing.assert_array_equal(bag(index).numpy(), table.numpy()[[0, 4]].max(0)[None])

    def test_options_are_shown(self):
        assert repr(nn.Embedding(5, 3, 1)) == "Embedding(5, 3, padding_idx=1)"
        assert repr(nn.EmbeddingBag(5, 3)) == "EmbeddingBag(5, 3, mode='mean')"


class TestEmbeddingBag:
    def test_layer_is_the_function(self):
        layer = nn.EmbeddingBag(7, 3, mode="sum", include_last_offset=True, padding_idx=2)
        index, offsets = fastdl.tensor([0, 2, 1, 6, 6]), fastdl.tensor([0, 2, 2, 5])
        scale = fastdl.tensor(normal(5).astype(np.float32))
        found = layer(index, offsets, scale).detach().numpy()
        w, s = layer.weight.detach().numpy(), scale.numpy()
        expected = [s[0] * w[0], np.zeros(3), s[2] * w[1] + (s[3] + s[4]) * w[6]]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert list(layer.state_dict()) == ["weight"]

    def test_the_first_of_equal_maxima_gets_the_gradient(self):
        table = fastdl.tensor(np.ones((4, 2)), requires_grad=True)
        index, offsets = fastdl.tensor([3, 1, 2, 0, 2]), fastdl.tensor([0, 3])
        F.embedding_bag(index, table, offsets, "max").sum().backward()
        np.testing.assert_array_equal(table.grad.numpy(), [[1, 1], [0, 0], [0, 0], [1, 1]])

    def test_one_long_bag_costs_no_square(self):
        lengths = [1] * 20_000 + [20_000]
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        index = np.arange(sum(lengths)) % 50
        table = fastdl.tensor(normal(50, 8))
        found = F.embedding_bag(fastdl.tensor(index), table, fastdl.tensor(offsets), "max")
        np.testing.assert_array_equal(found.numpy()[-1], table.numpy().max(0))

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_long_sums_of_16_bits(self, dtype):
        table = fastdl.ones((1, 1), dtype=dtype)
        index = fastdl.zeros((5000,), dtype="int64")
        found = F.embedding_bag(index, table, fastdl.tensor([0]), "sum").item()
        assert abs(found - 5000) < 20
