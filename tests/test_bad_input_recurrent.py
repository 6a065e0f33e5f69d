"""Bad input to recurrent layers, attention and embeddings: typed errors, never a crash."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from fastdl.nn.utils import rnn as packing

X = fastdl.zeros((5, 2, 3))


class TestRecurrentStates:
    @pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
    def test_fewer_layers_than_asked(self, kind):
        h = fastdl.zeros((1, 2, 4))
        state = (h, h) if kind is nn.LSTM else h
        packed = packing.pack_padded_sequence(X, [5, 3])
        for x in (X, packed):
            with pytest.raises(errors.ShapeError, match=r"h_0 has shape \[1, 2, 4\], expected \[2"):
                kind(3, 4, num_layers=2)(x, state)

    @pytest.mark.parametrize("state", [fastdl.zeros((1, 2, 4)), (None, None), "ab", (X, X, X), 3])
    def test_no_pair(self, state):
        with pytest.raises(errors.ShapeError, match="no pair of tensors"):
            nn.LSTM(3, 4)(X, state)

    @pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
    def test_a_pair_where_a_tensor_belongs(self, kind):
        h = fastdl.zeros((1, 2, 4))
        with pytest.raises(errors.ShapeError, match="no tensor"):
            kind(3, 4)(X, (h, h))

    @pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
    def test_a_batch_of_states_beside_one_sequence(self, kind):
        with pytest.raises(errors.ShapeError, match="expected 2 beside an input"):
            kind(3, 4)(X[:, 0], fastdl.zeros((1, 1, 4)))

    @pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
    def test_other_features_and_dtypes(self, kind):
        with pytest.raises(errors.ShapeError, match="input_size is 7"):
            kind(3, 4)(fastdl.zeros((5, 2, 7)))
        with pytest.raises(errors.DTypeError):
            kind(3, 4)(fastdl.zeros((5, 2, 3), dtype="int64"))
        with pytest.raises(errors.ShapeError, match="dimensions, expected 3"):
            kind(3, 4)(fastdl.zeros((3,)))

    def test_unknown_nonlinearity(self):
        with pytest.raises(errors.ArgumentError, match="nonlinearity is 'sine'"):
            nn.RNN(3, 4, nonlinearity="sine")


class TestLengths:
    @pytest.mark.parametrize("lengths", [[5, 0], [5, -1], [6, 5], [5, 2**40], [-(2**63), 1]])
    def test_out_of_range(self, lengths):
        with pytest.raises(errors.ArgumentError, match="a length is"):
            packing.pack_padded_sequence(X, lengths)

    @pytest.mark.parametrize("lengths", [[5], [5, 4, 3], [[5, 4]], 5, []])
    def test_wrong_count(self, lengths):
        with pytest.raises(errors.ShapeError, match="the batch is of 2"):
            packing.pack_padded_sequence(X, lengths)

    def test_others(self):
        with pytest.raises(errors.ArgumentError, match="increase"):
            packing.pack_padded_sequence(X, [3, 5])
        with pytest.raises(errors.ArgumentError, match="no whole numbers"):
            packing.pack_padded_sequence(X, [5.0, np.nan])
        with pytest.raises(errors.ShapeError, match="1 dimensions"):
            packing.pack_padded_sequence(fastdl.zeros((3,)), [3])
        with pytest.raises(errors.ShapeError):
            packing.pack_padded_sequence(fastdl.zeros((3, 0, 2)), [])
        packed = packing.pack_padded_sequence(X, [5, 2])
        with pytest.raises(errors.ArgumentError, match="total_length is 4"):
            packing.pad_packed_sequence(packed, total_length=4)

    def test_pad_sequence(self):
        with pytest.raises(errors.ArgumentError, match="no sequence"):
            packing.pad_sequence([])
        with pytest.raises(errors.ArgumentError, match="padding_side"):
            packing.pad_sequence([X], padding_side="top")
        for other in (fastdl.zeros((5, 3)), fastdl.zeros(())):
            with pytest.raises(errors.ShapeError, match="do not go together"):
                packing.pad_sequence([X, other])


class TestAttention:
    Q, K = fastdl.zeros((2, 3, 4)), fastdl.zeros((2, 5, 4))

    def test_masks(self):
        for mask, error in (
            (fastdl.zeros((3, 5), dtype="int64"), errors.DTypeError),
            (fastdl.zeros((3, 5), dtype="float64"), errors.DTypeError),
            (fastdl.zeros((3, 4)), errors.ShapeError),
            (fastdl.zeros((7, 2, 3, 5)), errors.ShapeError),
            (fastdl.ones((4, 1, 3, 5), dtype="bool"), errors.ShapeError),
        ):
            with pytest.raises(error):
                F.scaled_dot_product_attention(self.Q, self.K, self.K, mask)
        with pytest.raises(errors.ArgumentError, match="beside is_causal"):
            F.scaled_dot_product_attention(self.Q, self.K, self.K, fastdl.zeros((3, 5)), 0, True)

    def test_keys_that_do_not_fit(self):
        with pytest.raises(errors.ShapeError, match="E"):
            F.scaled_dot_product_attention(self.Q, fastdl.zeros((2, 5, 3)), self.K)
        with pytest.raises(errors.ShapeError, match="S"):
            F.scaled_dot_product_attention(self.Q, self.K, fastdl.zeros((2, 6, 4)))
        with pytest.raises(errors.ShapeError):
            F.scaled_dot_product_attention(self.Q, fastdl.zeros((3, 5, 4)), self.K)
        for p in (-0.1, 1.1, float("nan")):
            with pytest.raises(errors.ArgumentError, match="dropout_p"):
                F.scaled_dot_product_attention(self.Q, self.K, self.K, dropout_p=p)

    def test_heads_that_do_not_share(self):
        q = fastdl.zeros((2, 6, 3, 4))
        for groups in (4, 5, 12, 0):
            k, good = fastdl.zeros((2, groups, 5, 4)), fastdl.zeros((2, 2, 5, 4))
            for keys, values in ((k, good), (good, k)):
                with pytest.raises(errors.ShapeError, match="the heads of the query"):
                    F.scaled_dot_product_attention(q, keys, values, enable_gqa=True)
        with pytest.raises(errors.ShapeError, match="the heads of the query"):
            F.scaled_dot_product_attention(q[0, 0], self.K, self.K, enable_gqa=True)

    def test_heads(self):
        layer = nn.MultiheadAttention(4, 2, batch_first=True)
        with pytest.raises(errors.ShapeError, match=r"key_padding_mask has shape \[5, 2\]"):
            layer(self.Q, self.K, self.K, fastdl.zeros((5, 2)))
        with pytest.raises(errors.ShapeError, match=r"attn_mask has shape \[3, 3\]"):
            layer(self.Q, self.K, self.K, attn_mask=fastdl.zeros((3, 3)))
        with pytest.raises(errors.DTypeError, match="attn_mask is of int64"):
            layer(self.Q, self.K, self.K, attn_mask=fastdl.zeros((3, 5), dtype="int64"))
        with pytest.raises(errors.ShapeError, match="3, 2 and 3 dimensions"):
            layer(self.Q, self.K[0], self.K)
        with pytest.raises(errors.ShapeError):
            layer(self.Q, fastdl.zeros((2, 5, 7)), self.K)
        with pytest.raises(errors.ArgumentError, match="do not divide"):
            nn.MultiheadAttention(4, 3)
        with pytest.raises(errors.ArgumentError, match="num_heads is 0"):
            nn.MultiheadAttention(4, 0)
        with pytest.raises(errors.ArgumentError, match="dropout is nan"):
            nn.MultiheadAttention(4, 2, float("nan"))


class TestBags:
    TABLE, INDEX = fastdl.zeros((7, 3)), fastdl.tensor([0, 1, 2, 3])

    @pytest.mark.parametrize(
        ("offsets", "error", "problem"),
        [
            ([0, 5], errors.IndexRangeError, "the last offset is 5, but there are 4"),
            ([0, 2**62], errors.IndexRangeError, "the last offset"),
            ([0, 3, 2], errors.ArgumentError, "offset 2 is 2, less than the 3 before"),
            ([0, -1], errors.ArgumentError, "offset 1 is -1"),
            ([1, 2], errors.ArgumentError, "offsets start with 1"),
            ([-1, 2], errors.ArgumentError, "offsets start with -1"),
            ([-(2**63)], errors.ArgumentError, "offsets start with"),
        ],
    )
    @pytest.mark.parametrize("mode", ["sum", "mean", "max"])
    def test_offsets(self, mode, offsets, error, problem):
        with pytest.raises(error, match=problem):
            F.embedding_bag(self.INDEX, self.TABLE, fastdl.tensor(offsets), mode)

    def test_offsets_that_are_missing_or_too_many(self):
        none = fastdl.zeros((0,), dtype="int64")
        for offsets in (None, none):
            with pytest.raises(errors.ArgumentError, match="no offsets"):
                F.embedding_bag(self.INDEX, self.TABLE, offsets)
        with pytest.raises(errors.ArgumentError, match="no offsets"):
            F.embedding_bag(none, self.TABLE, none, include_last_offset=True)
        with pytest.raises(errors.ArgumentError, match="beside an input of two"):
            F.embedding_bag(self.INDEX.unsqueeze(0), self.TABLE, self.INDEX)
        offsets = fastdl.tensor([0, 3])
        with pytest.raises(errors.ArgumentError, match="the last bag ends at 4"):
            F.embedding_bag(self.INDEX, self.TABLE, offsets, include_last_offset=True)
        with pytest.raises(errors.DTypeError, match="offsets"):
            F.embedding_bag(self.INDEX, self.TABLE, fastdl.zeros((1,)))

    def test_others(self):
        x = self.INDEX.unsqueeze(0)
        with pytest.raises(errors.ArgumentError, match="unknown mode 'median'"):
            F.embedding_bag(x, self.TABLE, mode="median")
        with pytest.raises(errors.ArgumentError, match="mode is 'median'"):
            nn.EmbeddingBag(7, 3, mode="median")
        with pytest.raises(errors.ArgumentError, match="for mode 'mean'"):
            F.embedding_bag(x, self.TABLE, per_sample_weights=fastdl.zeros((1, 4)))
        weights = fastdl.zeros((1, 3))
        with pytest.raises(errors.ShapeError):
            F.embedding_bag(x, self.TABLE, mode="sum", per_sample_weights=weights)
        for bad in (7, -1, 2**40, -(2**63)):
            for mode in ("sum", "max"):
                with pytest.raises(errors.IndexRangeError):
                    F.embedding_bag(fastdl.tensor([[0, bad]]), self.TABLE, mode=mode)
        for bad in (7, -8, 2**62):
            with pytest.raises(errors.IndexRangeError, match="padding_idx is"):
                F.embedding_bag(x, self.TABLE, padding_idx=bad)
            with pytest.raises(errors.IndexRangeError, match="padding_idx is"):
                nn.Embedding(7, 3, padding_idx=bad)

    def test_tables(self):
        for bad in (0.0, -1.0, float("nan")):
            with pytest.raises(errors.ArgumentError, match="max_norm is"):
                nn.Embedding(7, 3, max_norm=bad)
            with pytest.raises(errors.ArgumentError, match="norm_type"):
                nn.EmbeddingBag(7, 3, 1.0, bad)
        with pytest.raises(errors.ShapeError, match="1 dimensions"):
            nn.Embedding.from_pretrained(fastdl.zeros((3,)))
        layer = nn.Embedding(7, 3, max_norm=1.0)
        with pytest.raises(errors.IndexRangeError):
            layer(fastdl.tensor([7]))
