"""The functional API: recording, shapes, running, and its errors."""

import numpy as np
import pytest

import fastdl
from fastdl import errors, nn


def values(*shape):
    data = np.random.default_rng(0).standard_normal(shape)
    return fastdl.tensor(data.astype(np.float32))


def same(a, b):
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_a_chain_is_a_sequential():
    layers = [nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)]
    x = fastdl.Input((3,))
    y = x
    for layer in layers:
        y = layer(y)
    assert x.shape == (None, 3)
    assert y.shape == (None, 2)
    assert y.dtype == fastdl.float32
    model = fastdl.Model([x], [y])
    data = values(5, 3)
    same(model(data), nn.Sequential(*layers)(data))
    assert [name for name, _ in model.named_children()] == ["linear", "relu", "linear_1"]
    assert len(list(model.parameters())) == 4


def test_branches_skips_and_operators():
    x = fastdl.Input((3, 8, 8))
    conv, point = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
    y = nn.ReLU()(conv(x)) + point(x) * 2 - 1
    z = (1 - y).flatten(1)
    model = fastdl.Model(x, z)
    data = values(2, 3, 8, 8)
    expected = 1 - (fastdl.functional.relu(conv(data)) + point(data) * 2 - 1)
    same(model(data), expected.flatten(1))
    assert z.shape == (None, 256)


def test_several_inputs_and_outputs_with_a_shared_layer():
    shared = nn.Linear(4, 3)
    a, b = fastdl.Input((4,)), fastdl.Input((4,))
    left, right = shared(a), shared(b)
    model = fastdl.Model([a, b], [left + right, right])
    x, y = values(2, 4), values(2, 4) + 1
    total, second = model(x, y)
    same(total, shared(x) + shared(y))
    same(second, shared(y))
    assert len(list(model.parameters())) == 2
    total.sum().backward()
    np.testing.assert_allclose(shared.bias.grad.numpy(), [4.0] * 3)


def test_layers_with_several_results():
    tokens = fastdl.Input((7,), dtype="int64")
    output, (hidden, _) = nn.LSTM(5, 6, batch_first=True)(nn.Embedding(10, 5)(tokens))
    assert output.shape == (None, 7, 6)
    assert hidden.shape == (1, 2, 6)  # a batch that is not leading keeps the probe's size
    model = fastdl.Model([tokens], [output[:, -1], hidden[0]])
    last, state = model(fastdl.tensor(np.arange(21).reshape(3, 7) % 10))
    assert tuple(last.shape) == (3, 6)
    np.testing.assert_allclose(last.detach().numpy(), state.detach().numpy(), rtol=1e-6)


def test_functions_of_symbols_are_recorded():
    x = fastdl.Input((4,))
    y = fastdl.functional.relu(x)
    z = fastdl.functional.cat([x, y], 1)
    data = values(3, 4)
    same(fastdl.Model([x], [z])(data), fastdl.cat([data, fastdl.functional.relu(data)], 1))


def test_constants_take_part():
    x = fastdl.Input((2,))
    offset = fastdl.tensor([1.0, 2.0])
    model = fastdl.Model([x], [offset + x, (-x) ** 2 / 2])
    total, square = model(fastdl.tensor([[3.0, 4.0]]))
    assert total.tolist() == [[4.0, 6.0]]
    assert square.tolist() == [[4.5, 8.0]]


def test_models_nest():
    x = fastdl.Input((3,))
    inner = fastdl.Model([x], [nn.Linear(3, 3)(x)])
    y = fastdl.Input((3,))
    outer = fastdl.Model([y], [inner(inner(y))])
    data = values(2, 3)
    same(outer(data), inner(inner(data)))
    assert list(outer.state_dict()) == ["model.linear.weight", "model.linear.bias"]


def test_recording_leaves_the_layers_alone():
    norm, drop = nn.BatchNorm1d(3), nn.Dropout()
    norm.eval()
    x = fastdl.Input((3,))
    model = fastdl.Model([x], [drop(norm(x))])
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [0.0] * 3
    assert not norm.training
    assert drop.training
    model.train()
    model(values(4, 3))
    assert norm.num_batches_tracked.item() == 1


def test_deep_graphs():
    x = y = fastdl.Input((1,))
    for _ in range(3000):
        y = y + 1
    assert fastdl.Model([x], [y])(fastdl.zeros((1, 1))).item() == 3000.0


def test_summary_and_state_of_a_graph():
    x = fastdl.Input((3,))
    model = fastdl.Model([x], [nn.Linear(3, 2)(x)])
    table = model.summary((3,), show=False)
    assert [row.path for row in table.rows] == ["linear"]
    other = fastdl.Model([y := fastdl.Input((3,))], [nn.Linear(3, 2)(y)])
    other.load_state_dict(model.state_dict())
    same(other(values(2, 3)), model(values(2, 3)))


class TestErrors:
    def test_shapes_are_checked_when_recording(self):
        with pytest.raises(errors.ShapeError) as caught:
            nn.Linear(4, 2)(fastdl.Input((3,)))
        assert caught.value.layer == "(Linear)"

    def test_an_error_when_running_names_the_layer(self):
        x = fastdl.Input((3,))
        model = fastdl.Model([x], [nn.Sequential(nn.ReLU(), nn.Linear(3, 2))(x)])
        with pytest.raises(errors.ShapeError) as caught:
            model(fastdl.zeros((2, 5)))
        assert caught.value.layer == "sequential.1 (Linear)"

    def test_unlisted_input(self):
        a, b = fastdl.Input((3,)), fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="depends on an input that is not listed"):
            fastdl.Model([a], [a + b])

    def test_unused_input(self):
        a, b = fastdl.Input((3,)), fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="does not reach any output"):
            fastdl.Model([a, b], [a + 1])

    def test_input_listed_twice(self):
        a = fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="twice"):
            fastdl.Model([a, a], [a + 1])

    def test_inputs_must_be_inputs(self):
        a = fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="is no input"):
            fastdl.Model([a + 1], [a + 2])

    def test_tensors_are_no_symbols(self):
        a = fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="outputs holds a Tensor"):
            fastdl.Model([a], [fastdl.zeros((2, 3))])
        with pytest.raises(errors.ArgumentError, match="empty"):
            fastdl.Model([a], [])

    def test_wrong_number_of_inputs(self):
        a = fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="got 2 inputs, expected 1"):
            fastdl.Model([a], [a + 1])(fastdl.zeros((1, 3)), fastdl.zeros((1, 3)))

    def test_sizes_must_be_positive(self):
        with pytest.raises(errors.ShapeError):
            fastdl.Input((3, 0))

    def test_symbols_have_no_values(self):
        a = fastdl.Input((3,))
        with pytest.raises(errors.ArgumentError, match="no values to branch on"):
            bool(a)
        with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
            a.frobnicate()
        with pytest.raises(errors.ArgumentError, match="iterated"):
            list(a)
