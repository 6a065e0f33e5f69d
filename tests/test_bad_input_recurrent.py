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
