"""Recurrent layers besides the plain LSTM and GRU: variants, cells, sequences of unequal length."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from fastdl.nn.utils import rnn as packing
from tests import references_recurrent as ref

LENGTHS = [2, 5, 1, 5]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def flat(results):
    return [r for each in results for r in (flat(each) if isinstance(each, tuple) else [each])]


def parameters(layer, suffix=""):
    """The parameters of one run in NumPy, in the order of the functions."""
    return [p.detach().numpy() for n, p in layer.named_parameters() if n.endswith("_l0" + suffix)]


KINDS = [
    pytest.param(lambda **o: nn.RNN(3, 4, **o), ref.rnn, id="rnn"),
    pytest.param(lambda **o: nn.LSTM(3, 4, **o), ref.lstm, id="lstm"),
    pytest.param(lambda **o: nn.GRU(3, 4, **o), ref.gru, id="gru"),
    pytest.param(lambda **o: nn.GRU(3, 4, reset_after=False, **o), ref.gru_reset_before, id="gru1"),
    pytest.param(
        lambda **o: nn.LSTM(3, 4, peephole=True, **o),
        lambda x, h, c, w, u, b, d, p: ref.peephole_lstm(x, h, c, w, u, p, b, d),
        id="peephole",
    ),
]


def states_of(layer, rows, batch):
    """Initial states [rows, N, H] in NumPy, and as the layer takes them."""
    states = [normal(rows, batch, 4, seed=i + 1) for i in range(len(layer._states))]
    tensors = tuple(map(fastdl.tensor, states))
    return states, tensors if len(tensors) == 2 else tensors[0]


class TestLayers:
    @pytest.mark.parametrize(("kind", "reference"), KINDS)
    def test_both_directions(self, kind, reference):
        layer = kind(bidirectional=True).double()
        x, (states, given) = normal(5, 2, 3), states_of(layer, 2, 2)
        output, last = layer(fastdl.tensor(x), given)
        there, *ends = reference(x, *[s[0] for s in states], *parameters(layer))
        back, *begins = reference(x[::-1], *[s[1] for s in states], *parameters(layer, "_reverse"))
        close(output, np.concatenate([there, back[::-1]], axis=2))
        for got, end, begin in zip(flat([last]), ends, begins, strict=True):
            close(got, [end, begin])

    @pytest.mark.parametrize(("kind", "reference"), KINDS)
    @pytest.mark.parametrize("batch_first", [False, True])
    def test_unequal_lengths(self, kind, reference, batch_first):
        """Each sequence gives what it gives alone; its reverse run starts at its own end."""
        layer = kind(bidirectional=True, batch_first=batch_first).double()
        x, (states, given) = normal(5, 4, 3), states_of(layer, 2, 4)
        padded = fastdl.tensor(x.transpose(1, 0, 2) if batch_first else x)
        packed = packing.pack_padded_sequence(padded, LENGTHS, batch_first, enforce_sorted=False)
        output, last = layer(packed, given)
        assert isinstance(output, packing.PackedSequence)
        expected = np.zeros((5, 4, 8))
        for i, length in enumerate(LENGTHS):
            own = x[:length, i : i + 1]
            at = [s[:, i : i + 1] for s in states]
            there, *ends = reference(own, *[s[0] for s in at], *parameters(layer))
            run = parameters(layer, "_reverse")
            back, *begins = reference(own[::-1], *[s[1] for s in at], *run)
            expected[:length, i] = np.concatenate([there, back[::-1]], axis=2)[:, 0]
            for got, end, begin in zip(flat([last]), ends, begins, strict=True):
                close(got[:, i], np.stack([end, begin])[:, 0])
        unpacked, lengths = packing.pad_packed_sequence(output, batch_first)
        close(unpacked, expected.transpose(1, 0, 2) if batch_first else expected)
        assert lengths.tolist() == LENGTHS

    @pytest.mark.parametrize(("kind", "_"), KINDS)
    def test_equal_lengths_are_the_batch(self, kind, _):
        layer = kind(num_layers=2, bidirectional=True)
        x = fastdl.tensor(normal(5, 2, 3).astype(np.float32))
        output, last = layer(packing.pack_padded_sequence(x, [5, 5]))
        whole, ends = layer(x)
        pairs = zip(flat([output.blocks()[0], last]), flat([whole, ends]), strict=True)
        for got, expected in pairs:
            np.testing.assert_array_equal(got.detach().numpy(), expected.detach().numpy())

    @pytest.mark.parametrize(("kind", "_"), KINDS)
    def test_padding_gets_no_gradient_and_all_else_gets_some(self, kind, _):
        layer = kind(num_layers=2, bidirectional=True).double()
        x = fastdl.tensor(normal(5, 4, 3), requires_grad=True)
        packed = packing.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        layer(packed)[0].data.sum().backward()
        inside = np.arange(5)[:, None] < np.array(LENGTHS)
        assert (x.grad.numpy()[~inside] == 0).all()
        assert (x.grad.numpy()[inside] != 0).all()
        assert all(abs(p.grad.numpy()).max() > 0 for p in layer.parameters())

    @pytest.mark.parametrize(("kind", "_"), KINDS)
    def test_one_sequence_without_a_batch(self, kind, _):
        layer = kind(num_layers=2, bidirectional=True)
        x = fastdl.tensor(normal(5, 3).astype(np.float32))
        for batch_first in (False, True):
            layer.batch_first = batch_first
            batch = x.unsqueeze(0 if batch_first else 1)
            whole, ends = layer(batch)
            output, last = layer(x)
            assert output.shape == (5, 8)
            close(output, whole.detach().numpy()[0 if batch_first else slice(None)].reshape(5, 8))
            state = tuple(s[:, 0] for s in ends) if isinstance(ends, tuple) else ends[:, 0]
            for got, end in zip(flat([last]), flat([state]), strict=True):
                close(got, end.detach().numpy())
            assert layer(x, state)[0].shape == (5, 8)

    @pytest.mark.parametrize(("kind", "_"), KINDS)
    def test_no_steps_give_the_state(self, kind, _):
        layer = kind().double()
        states, given = states_of(layer, 1, 2)
        output, last = layer(fastdl.zeros((0, 2, 3), dtype="float64"), given)
        assert output.shape == (0, 2, 4)
        for got, state in zip(flat([last]), states, strict=True):
            close(got, state)

    def test_names_are_pytorchs(self):
        assert list(nn.RNN(3, 4, bidirectional=True, bias=False).state_dict()) == [
            "weight_ih_l0", "weight_hh_l0", "weight_ih_l0_reverse", "weight_hh_l0_reverse",
        ]  # fmt: skip
        assert list(nn.LSTMCell(3, 4).state_dict()) == [
            "weight_ih", "weight_hh", "bias_ih", "bias_hh",
        ]  # fmt: skip
        assert tuple(nn.LSTM(3, 4, peephole=True).weight_peephole_l0.shape) == (3, 4)

    def test_options_are_shown(self):
        assert repr(nn.RNN(3, 4, 2, "relu")) == "RNN(3, 4, num_layers=2, nonlinearity=relu)"
        assert "peephole=True" in repr(nn.LSTM(3, 4, peephole=True))
        assert "reset_after=False" in repr(nn.GRU(3, 4, reset_after=False))

    def test_long_sequences_cost_no_square(self):
        """The gradient of a step's slice must not be as large as the sequence, for each step."""
        layer = nn.RNN(8, 8)
        x = fastdl.tensor(normal(4000, 1, 8).astype(np.float32), requires_grad=True)
        layer(x)[0].sum().backward()
        assert np.isfinite(x.grad.numpy()).all()


class TestCells:
    @pytest.mark.parametrize(
        ("layer", "cell"),
        [
            (nn.RNN(3, 4), nn.RNNCell(3, 4)),
            (nn.RNN(3, 4, 1, "relu", bias=False), nn.RNNCell(3, 4, False, "relu")),
            (nn.LSTM(3, 4), nn.LSTMCell(3, 4)),
            (nn.GRU(3, 4), nn.GRUCell(3, 4)),
        ],
        ids=["rnn", "relu", "lstm", "gru"],
    )
    def test_steps_are_the_layer(self, layer, cell):
        cell.load_state_dict({n.removesuffix("_l0"): p for n, p in layer.state_dict().items()})
        x = fastdl.tensor(normal(5, 2, 3).astype(np.float32))
        _, last = layer(x)
        state = alone = None
        for step in x:
            state = cell(step, state)
            alone = cell(step[0], alone)
        for got, one, expected in zip(flat([state]), flat([alone]), flat([last]), strict=True):
            np.testing.assert_allclose(got.detach().numpy(), expected[0].detach().numpy(), 1e-5)
            np.testing.assert_allclose(one.detach().numpy(), got[0].detach().numpy(), 1e-5, 1e-6)

    def test_wrong_states(self):
        x = fastdl.zeros((2, 3))
        with pytest.raises(errors.ShapeError, match=r"h is \[1, 4\], expected .* \[2, 4\]"):
            nn.GRUCell(3, 4)(x, fastdl.zeros((1, 4)))
        with pytest.raises(errors.ShapeError, match="no pair of tensors"):
            nn.LSTMCell(3, 4)(x, fastdl.zeros((2, 4)))
        with pytest.raises(errors.ShapeError, match="3 dimensions"):
            nn.RNNCell(3, 4)(fastdl.zeros((5, 2, 3)))
        with pytest.raises(errors.ArgumentError, match="nonlinearity"):
            nn.RNNCell(3, 4, nonlinearity="sine")


class TestPacking:
    def test_the_order_is_pytorchs(self):
        x = fastdl.tensor(np.arange(12).reshape(4, 3))  # step t of sequence n is 3 t + n
        packed = packing.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        assert packed.data.tolist() == [1, 0, 2, 4, 3, 7, 10]
        assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
        assert packed.sorted_indices.tolist() == [1, 0, 2]
        assert packed.unsorted_indices.tolist() == [1, 0, 2]
        assert packed.lengths == [2, 4, 1]

    def test_there_and_back(self):
        sequences = [fastdl.tensor(normal(n, 2, 3)) for n in (3, 1, 4)]
        packed = packing.pack_sequence(sequences, enforce_sorted=False)
        padded, lengths = packing.pad_packed_sequence(packed, padding_value=9, total_length=6)
        assert padded.shape == (6, 3, 2, 3)
        assert (padded.numpy()[3:, 0] == 9).all()
        for got, s in zip(packing.unpad_sequence(padded, lengths), sequences, strict=True):
            np.testing.assert_array_equal(got.numpy(), s.numpy())

    def test_pad_sequence(self):
        sequences = [fastdl.tensor([1, 2]), fastdl.tensor([3])]
        assert packing.pad_sequence(sequences).tolist() == [[1, 3], [2, 0]]
        assert packing.pad_sequence(sequences, True, -1).tolist() == [[1, 2], [3, -1]]
        left = packing.pad_sequence(sequences, True, -1, "left")
        assert left.tolist() == [[1, 2], [-1, 3]]

    def test_embedded_tokens(self):
        """What is packed may be tokens; layers in between work on `data`."""
        tokens = fastdl.tensor([[1, 2, 3], [4, 0, 0]])
        packed = packing.pack_padded_sequence(tokens, fastdl.tensor([3, 1]), batch_first=True)
        table = nn.Embedding(5, 3)
        output, _ = nn.GRU(3, 4)(packed._replace(data=table(packed.data)))
        assert packing.pad_packed_sequence(output, batch_first=True)[0].shape == (2, 3, 4)

    def test_functions_keep_the_definition(self):
        operands = [fastdl.tensor(normal(*s)) for s in ((3, 2, 3), (2, 4), (4, 3), (4, 4))]
        output, h_n = F.rnn(*operands, nonlinearity="relu")
        expected, last = ref.rnn(*[o.numpy() for o in operands], nonlinearity="relu")
        close(output, expected)
        close(h_n, last)
