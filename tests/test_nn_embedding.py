"""Tables of vectors: padding, norms, bags, and the heads that learn word vectors."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from fastdl.nn.word_vectors import CHANCES


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


COUNTS = [40, 1, 7, 7, 0, 25, 3]


def softmax_over_tree(counts=COUNTS, size=4, seed=0):
    """A layer with random vectors of nodes, in float64."""
    layer = nn.HierarchicalSoftmax(counts, size, dtype="float64")
    with fastdl.no_grad():
        layer.weight.copy_(fastdl.tensor(normal(*layer.weight.shape, seed=seed)))
    return layer


class TestHierarchicalSoftmax:
    @pytest.mark.parametrize(
        "counts", [COUNTS, [1], [0, 1], [1] * 33, [1.6**i for i in range(20)]], ids=len
    )
    def test_probabilities_sum_to_one(self, counts):
        layer = softmax_over_tree(counts)
        x = fastdl.tensor(normal(5, 4))
        probabilities = layer.log_prob(x).exp().detach().numpy()
        assert probabilities.shape == (5, len(counts))
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
        np.testing.assert_array_equal(layer.predict(x).numpy(), probabilities.argmax(1))

    def test_the_loss_is_that_of_the_probabilities(self):
        layer, x = softmax_over_tree(), fastdl.tensor(normal(7, 4), requires_grad=True)
        target = fastdl.tensor(np.arange(7))
        expected = -layer.log_prob(x).gather(1, target.unsqueeze(1)).mean()
        loss = layer(x, target)
        np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-12)
        tensors = [x, layer.weight]
        pairs = zip(
            fastdl.autograd.grad(loss, tensors), fastdl.autograd.grad(expected, tensors),
            strict=True,
        )  # fmt: skip
        for a, b in pairs:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
        layer.reduction = "none"
        assert layer(x, target).shape == (7,)

    def test_codes_are_huffmans(self):
        """Of all trees none has a shorter mean code; for these counts it is known."""
        layer = nn.HierarchicalSoftmax([45, 13, 12, 16, 9, 5], 2)  # Cormen et al., figure 16.3
        lengths = layer.turns.abs().sum(1).tolist()
        assert lengths == [1, 3, 3, 3, 4, 4]
        start = layer.log_prob(fastdl.zeros((1, 2))).exp().detach().numpy()[0]
        np.testing.assert_allclose(start, [2.0**-n for n in lengths], rtol=1e-6)

    def test_it_learns(self):
        fastdl.manual_seed(0)
        layer = nn.HierarchicalSoftmax(COUNTS, 7)
        table = nn.Parameter(fastdl.randn((7, 7)))
        target = fastdl.tensor(np.roll(np.arange(7), 3))
        optimizer = fastdl.optim.SGD([table, *layer.parameters()], lr=1.0)
        for _ in range(300):
            optimizer.zero_grad()
            layer(table, target).backward()
            optimizer.step()
        assert layer.predict(table).tolist() == target.tolist()

    def test_bad_input(self):
        layer, x = nn.HierarchicalSoftmax(COUNTS, 4), fastdl.zeros((1, 4))
        for bad in (7, -1, 2**40):
            with pytest.raises(errors.IndexRangeError):
                layer(x, fastdl.tensor([bad]))
        with pytest.raises(errors.ShapeError, match=r"expected \[N, 4\]"):
            layer(fastdl.zeros((1, 3)), fastdl.tensor([0]))
        with pytest.raises(errors.ShapeError):
            layer(x, fastdl.tensor([0, 1]))


class TestNegativeSampling:
    def test_words_are_drawn_by_their_counts(self):
        layer = nn.NegativeSampling(COUNTS, 4)
        keep, alias = layer.keep.numpy() / CHANCES, layer.alias.numpy()
        shares = keep / 7
        np.add.at(shares, alias, (1 - keep) / 7)
        expected = np.array(COUNTS) ** 0.75
        np.testing.assert_allclose(shares, expected / expected.sum(), atol=1e-6)
        drawn = layer.draw((20_000,), fastdl.Generator(0)).numpy()
        frequency = np.bincount(drawn, minlength=7) / 20_000
        np.testing.assert_allclose(frequency, expected / expected.sum(), atol=0.02)
        assert frequency[4] == 0

    def test_the_loss_is_the_functions(self):
        layer = nn.NegativeSampling(COUNTS, 4, 3, dtype="float64")
        with fastdl.no_grad():
            layer.weight.copy_(fastdl.tensor(normal(7, 4)))
        x, target = fastdl.tensor(normal(5, 4, seed=1)), fastdl.tensor([0, 5, 6, 2, 2])
        found = layer(x, target, fastdl.Generator(3))
        noise = layer.draw((5, 3), fastdl.Generator(3))
        rows = (F.embedding(i, layer.weight) for i in (target, noise))
        assert found.item() == F.negative_sampling_loss(x, *rows).item()
        found.backward()
        assert (layer.weight.grad.numpy()[5] != 0).all()
        assert list(layer.state_dict()) == ["weight"]

    @pytest.mark.parametrize("layer", [nn.NegativeSampling, nn.HierarchicalSoftmax])
    def test_bad_counts(self, layer):
        for counts in ([-1, 2], [0, 0], [float("nan"), 1], [float("inf"), 1]):
            with pytest.raises(errors.ArgumentError, match="counts"):
                layer(counts, 4)
        for counts in ([], [[1, 2]], 3):
            with pytest.raises(errors.ShapeError, match=r"expected \[V\]"):
                layer(counts, 4)
        with pytest.raises(errors.ArgumentError, match="reduction"):
            layer([1, 2], 4, reduction="median")
        with pytest.raises(errors.ArgumentError, match="embedding_dim is 0"):
            layer([1, 2], 0)

    def test_bad_input(self):
        layer = nn.NegativeSampling(COUNTS, 4)
        with pytest.raises(errors.IndexRangeError):
            layer(fastdl.zeros((1, 4)), fastdl.tensor([7]))
        with pytest.raises(errors.ShapeError):
            layer(fastdl.zeros((2, 4)), fastdl.tensor([1]))
        with pytest.raises(errors.ArgumentError, match="power is nan"):
            nn.NegativeSampling(COUNTS, 4, power=float("nan"))
