"""Recurrent layers: stacks, directions, states, and how they are run."""

import numpy as np
import pytest

import fastdl
from fastdl import errors, nn


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TestLSTM:
    @staticmethod
    def reference(layer, x, suffix):
        """One direction of one layer over x[T, N, I], from zero states."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (getattr(layer, n + suffix).detach().numpy() for n in names)
        h = c = np.zeros((x.shape[1], layer.hidden_size))
        outputs = []
        for step in x:
            i, f, g, o = np.split(step @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        return np.stack(outputs), h, c

    def test_two_layers(self):
        layer = nn.LSTM(3, 4, num_layers=2).double()
        x = normal(5, 2, 3)
        output, (h_n, c_n) = layer(fastdl.tensor(x))
        first, h_0, c_0 = self.reference(layer, x, "_l0")
        second, h_1, c_1 = self.reference(layer, first, "_l1")
        np.testing.assert_allclose(output.detach().numpy(), second, rtol=1e-9)
        np.testing.assert_allclose(h_n.detach().numpy(), [h_0, h_1], rtol=1e-9)
        np.testing.assert_allclose(c_n.detach().numpy(), [c_0, c_1], rtol=1e-9)

    def test_bidirectional_batch_first(self):
        layer = nn.LSTM(3, 4, batch_first=True, bidirectional=True).double()
        x = normal(2, 5, 3)
        output, (h_n, _) = layer(fastdl.tensor(x))
        steps = x.transpose(1, 0, 2)
        forward, h_f, _ = self.reference(layer, steps, "_l0")
        backward, h_b, _ = self.reference(layer, steps[::-1], "_l0_reverse")
        expected = np.concatenate([forward, backward[::-1]], axis=2).transpose(1, 0, 2)
        np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-9)
        np.testing.assert_allclose(h_n.detach().numpy(), [h_f, h_b], rtol=1e-9)

    def test_state_continues_a_sequence(self):
        layer = nn.LSTM(3, 4, num_layers=2, bias=False).double()
        x = fastdl.tensor(normal(6, 2, 3))
        whole, _ = layer(x)
        _, state = layer(x[:2])
        rest, _ = layer(x[2:], state)
        np.testing.assert_allclose(rest.detach().numpy(), whole[2:].detach().numpy(), rtol=1e-9)

    def test_every_parameter_gets_a_gradient(self):
        layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True, dropout=0.1)
        layer(fastdl.tensor(normal(5, 2, 3).astype(np.float32)))[0].sum().backward()
        assert all(abs(p.grad.numpy()).max() > 0 for p in layer.parameters())

    @pytest.mark.parametrize("shape", [(2, 4), (1, 3, 4), (1, 2, 5)])
    def test_wrong_state_is_a_shape_error(self, shape):
        layer = nn.LSTM(3, 4)
        state = fastdl.zeros((1, 2, 4)), fastdl.zeros(shape)
        with pytest.raises(errors.ShapeError) as caught:
            layer(fastdl.zeros((5, 2, 3)), state)
        assert f"c_0 has shape {list(shape)}, expected [1, 2, 4]" in str(caught.value)

    def test_the_state_is_a_pair(self):
        with pytest.raises(errors.ShapeError, match="no pair of tensors"):
            nn.LSTM(3, 4)(fastdl.zeros((5, 2, 3)), fastdl.zeros((1, 2, 4)))

    def test_wrong_input_rank_is_a_shape_error(self):
        with pytest.raises(errors.ShapeError, match="1 dimensions, expected 3"):
            nn.LSTM(3, 4)(fastdl.zeros((3,)))


class TestGRU:
    @staticmethod
    def reference(layer, x, suffix):
        """One direction of one layer over x[T, N, I], from a zero state."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (getattr(layer, n + suffix).detach().numpy() for n in names)
        h = np.zeros((x.shape[1], layer.hidden_size))
        outputs = []
        for step in x:
            by_x = np.split(step @ w_ih.T + b_ih, 3, axis=1)
            by_h = np.split(h @ w_hh.T + b_hh, 3, axis=1)
            r, z = sigmoid(by_x[0] + by_h[0]), sigmoid(by_x[1] + by_h[1])
            h = (1 - z) * np.tanh(by_x[2] + r * by_h[2]) + z * h
            outputs.append(h)
        return np.stack(outputs), h

    def test_two_layers(self):
        layer = nn.GRU(3, 4, num_layers=2).double()
        x = normal(5, 2, 3)
        output, h_n = layer(fastdl.tensor(x))
        first, h_0 = self.reference(layer, x, "_l0")
        second, h_1 = self.reference(layer, first, "_l1")
        np.testing.assert_allclose(output.detach().numpy(), second, rtol=1e-9)
        np.testing.assert_allclose(h_n.detach().numpy(), [h_0, h_1], rtol=1e-9)

    def test_bidirectional_batch_first(self):
        layer = nn.GRU(3, 4, batch_first=True, bidirectional=True).double()
        x = normal(2, 5, 3)
        output, h_n = layer(fastdl.tensor(x))
        steps = x.transpose(1, 0, 2)
        forward, h_f = self.reference(layer, steps, "_l0")
        backward, h_b = self.reference(layer, steps[::-1], "_l0_reverse")
        expected = np.concatenate([forward, backward[::-1]], axis=2).transpose(1, 0, 2)
        np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-9)
        np.testing.assert_allclose(h_n.detach().numpy(), [h_f, h_b], rtol=1e-9)

    def test_state_continues_a_sequence(self):
        layer = nn.GRU(3, 4, num_layers=2, bias=False).double()
        x = fastdl.tensor(normal(6, 2, 3))
        whole, _ = layer(x)
        _, state = layer(x[:2])
        rest, _ = layer(x[2:], state)
        np.testing.assert_allclose(rest.detach().numpy(), whole[2:].detach().numpy(), rtol=1e-9)

    def test_every_parameter_gets_a_gradient(self):
        layer = nn.GRU(3, 4, num_layers=2, bidirectional=True, dropout=0.1)
        layer(fastdl.tensor(normal(5, 2, 3).astype(np.float32)))[0].sum().backward()
        assert all(abs(p.grad.numpy()).max() > 0 for p in layer.parameters())

    @pytest.mark.parametrize("shape", [(2, 4), (1, 3, 4), (1, 2, 5)])
    def test_wrong_state_is_a_shape_error(self, shape):
        with pytest.raises(errors.ShapeError) as caught:
            nn.GRU(3, 4)(fastdl.zeros((5, 2, 3)), fastdl.zeros(shape))
        assert f"h_0 has shape {list(shape)}, expected [1, 2, 4]" in str(caught.value)

    def test_a_pair_is_no_state(self):
        zeros = fastdl.zeros((1, 2, 4))
        with pytest.raises(errors.ShapeError, match="no tensor"):
            nn.GRU(3, 4)(fastdl.zeros((5, 2, 3)), (zeros, zeros))

    def test_wrong_input_rank_is_a_shape_error(self):
        with pytest.raises(errors.ShapeError, match="4 dimensions, expected 3"):
            nn.GRU(3, 4)(fastdl.zeros((1, 5, 2, 3)))


class TestRecurrentModes:
    @pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
    @pytest.mark.parametrize("shape", [(9, 40, 20, 70), (30, 1, 5, 33), (3, 200, 4, 130)])
    def test_inference_has_the_bits_of_training(self, kind, shape):
        t, n, features, hidden = shape
        layer = kind(features, hidden)
        x = fastdl.tensor(normal(t, n, features).astype(np.float32))
        recorded = layer(x)
        with fastdl.no_grad():
            plain = layer(x)
        for a, b in zip(_flat(recorded), _flat(plain), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.numpy())

    @pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
    @pytest.mark.parametrize(("rows", "hidden"), [(33, 96), (1, 150)])
    def test_steps_on_several_threads_have_the_bits_of_one(self, kind, rows, hidden, threads):
        layer = kind(24, hidden)
        x = fastdl.tensor(normal(40, rows, 24).astype(np.float32), requires_grad=True)
        found = []
        for count in (1, 2, 3, 5):
            threads(count)
            output = layer(x)[0]
            found.append(
                [output, *fastdl.autograd.grad((output * output).sum(), [x, *layer.parameters()])]
            )
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())

    # Shapes: blocks of rows and of k, lines of columns, and groups of panels, each with a rest.
    @pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
    @pytest.mark.parametrize(
        "shape",
        [(41, 27, 150, 70), (1030, 1, 3, 2), (2, 3, 290, 17), (3, 90, 1, 129), (1, 6, 5, 5)],
    )
    def test_gradients_are_those_of_the_definition(self, kind, shape):
        t, n, features, hidden = shape
        layer = kind(features, hidden).double()
        x = fastdl.tensor(normal(t, n, features), requires_grad=True)
        weight = fastdl.tensor(np.cos(np.arange(t * n * hidden)).reshape(t, n, hidden))

        def gradients(layer, x, weight, **options):
            loss = (layer(x)[0] * weight).sum()
            found = fastdl.autograd.grad(loss, [x, *layer.parameters()], **options)
            return [g.detach().numpy() for g in found]

        # For higher derivatives the steps are written out in simple ops.
        expected = gradients(layer, x, weight, create_graph=True)
        narrow = x.detach().float()
        narrow.requires_grad = True
        for tolerance, found in (
            (1e-12, gradients(layer, x, weight)),
            (1e-5, gradients(layer.float(), narrow, weight.float())),
        ):
            for a, b in zip(found, expected, strict=True):
                largest = max(1.0, abs(b).max(initial=0))
                np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * largest)


def _flat(results):
    return [r for each in results for r in (_flat(each) if isinstance(each, tuple) else [each])]
