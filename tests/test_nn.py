"""Modules: membership, state, modes, hooks, and the layers against NumPy."""

import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, init, nn


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


class Net(nn.Module):
    def __init__(self):
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Linear(4, 2, bias=False)
        self.scale = nn.Parameter(fastdl.ones((1,)))

    def forward(self, input):
        return self.second(self.norm(self.first(input))) * self.scale


class TestMembership:
    def test_names_follow_the_order_of_definition(self):
        names = [name for name, _ in Net().named_parameters()]
        assert names == [
            "scale", "first.weight", "first.bias", "norm.weight", "norm.bias", "second.weight",
        ]  # fmt: skip

    def test_parameters_are_tensors_that_require_gradients(self):
        parameter = nn.Parameter(fastdl.zeros((2,)))
        assert isinstance(parameter, fastdl.Tensor)
        assert parameter.requires_grad
        assert parameter.is_leaf
        assert not nn.Parameter(fastdl.zeros((2,)), requires_grad=False).requires_grad
        assert type(parameter + 1) is fastdl.Tensor
        assert type(parameter.detach()) is fastdl.Tensor

    def test_plain_tensors_are_no_parameters(self):
        net = Net()
        net.table = fastdl.zeros((5,))
        assert "table" not in dict(net.named_parameters())
        assert "table" not in net.state_dict()

    def test_replacing_a_parameter_by_a_tensor_is_an_error(self):
        with pytest.raises(errors.DTypeError, match="plain tensor"):
            Net().scale = fastdl.zeros((1,))

    def test_a_shared_module_counts_once(self):
        net = Net()
        net.again = net.first
        assert len(list(net.parameters())) == len(list(Net().parameters()))
        assert "again.weight" in net.state_dict()

    def test_buffers(self):
        net = Net()
        net.register_buffer("seen", fastdl.zeros((2,)))
        net.register_buffer("scratch", fastdl.zeros((2,)), persistent=False)
        assert {name for name, _ in net.named_buffers()} == {
            "seen", "scratch", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
        }  # fmt: skip
        assert "seen" in net.state_dict()
        assert "scratch" not in net.state_dict()
        del net.seen
        assert "seen" not in net.state_dict()

    def test_names_with_dots_are_refused(self):
        with pytest.raises(errors.ArgumentError, match="dot"):
            Net().register_buffer("a.b", None)

    def test_get_submodule(self):
        net = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()))
        assert net.get_submodule("0.1") is net[0][1]
        assert net.get_submodule("") is net
        with pytest.raises(errors.ArgumentError, match=r"no module '0\.7'"):
            net.get_submodule("0.7")

    def test_repr_shows_the_tree(self):
        assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))) == (
            "Sequential(\n"
            "  (0): Linear(2, 3, bias=True)\n"
            "  (1): Sequential(\n"
            "    (0): ReLU()\n"
            "  )\n"
            ")"
        )


class TestState:
    def test_round_trip(self):
        source, target = Net(), Net()
        source(fastdl.tensor(normal(8, 3).astype(np.float32)))
        report = target.load_state_dict(source.state_dict())
        assert report == ([], [])
        for name, tensor in source.state_dict().items():
            np.testing.assert_array_equal(target.state_dict()[name].numpy(), tensor.numpy())

    def test_shares_storage(self):
        net = Net()
        net.state_dict()["scale"].fill_(7.0)
        assert net.scale.item() == 7.0

    def test_missing_and_unexpected_names_are_listed(self):
        state = Net().state_dict()
        del state["first.bias"]
        state["third.weight"] = fastdl.zeros((1,))
        with pytest.raises(errors.ArgumentError) as caught:
            Net().load_state_dict(state)
        assert "missing:  first.bias" in str(caught.value)
        assert "third.weight" in str(caught.value)
        report = Net().load_state_dict(state, strict=False)
        assert report.missing == ["first.bias"]
        assert report.unexpected == ["third.weight"]

    def test_mismatched_shapes_change_nothing(self):
        net, state = Net(), Net().state_dict()
        before = net.state_dict()["first.weight"].tolist()
        state["second.weight"] = fastdl.zeros((2, 5))
        with pytest.raises(errors.ShapeError, match=r"\[2, 5\] given, \[2, 4\] expected"):
            net.load_state_dict(state)
        assert net.state_dict()["first.weight"].tolist() == before

    def test_integers_do_not_load_into_floats(self):
        state = Net().state_dict()
        state["scale"] = fastdl.ones((1,), dtype=fastdl.int64)
        with pytest.raises(errors.DTypeError, match="scale is int64"):
            Net().load_state_dict(state)

    def test_numpy_arrays_load(self):
        state = {name: tensor.numpy() for name, tensor in Net().state_dict().items()}
        state["scale"] = np.array([3.0], dtype=np.float64)
        net = Net()
        net.load_state_dict(state)
        assert net.scale.item() == 3.0
        assert net.scale.dtype == fastdl.float32

    def test_conversion_keeps_integers_sharing_and_kind(self):
        net = Net()
        net.tied = nn.Linear(3, 4)
        net.tied.weight = net.first.weight
        assert net.double() is net
        assert net.first.weight.dtype == fastdl.float64
        assert net.tied.weight is net.first.weight
        assert isinstance(net.first.weight, nn.Parameter)
        assert net.norm.running_mean.dtype == fastdl.float64
        assert net.norm.num_batches_tracked.dtype == fastdl.int64
        same = net.first.weight
        assert net.to("float64").first.weight is same
        assert net.to("cpu").first.weight is same


class TestModes:
    def test_train_and_eval_reach_everything(self):
        net = Net()
        assert all(module.training for module in net.modules())
        net.eval()
        assert not any(module.training for module in net.modules())
        net.train()
        assert net.norm.training

    def test_zero_grad_and_requires_grad(self):
        net = Net()
        net(fastdl.ones((4, 3))).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        net.zero_grad()
        assert all(parameter.grad is None for parameter in net.parameters())
        net.requires_grad_(False)
        assert not net(fastdl.ones((4, 3))).requires_grad

    def test_apply_visits_children_first(self):
        visited = []
        nn.Sequential(nn.ReLU(), nn.Tanh()).apply(lambda m: visited.append(type(m).__name__))
        assert visited == ["ReLU", "Tanh", "Sequential"]


class TestHooks:
    def test_they_see_and_replace(self):
        layer = nn.ReLU()
        seen = []
        before = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
        after = layer.register_forward_hook(lambda module, args, output: seen.append(args[0]))
        twice = layer.register_forward_hook(lambda module, args, output: output * 2)
        assert layer(fastdl.tensor([-3.0, 4.0])).tolist() == [0.0, 10.0]
        assert seen[0].tolist() == [-2.0, 5.0]
        for handle in (before, after, twice, twice):
            handle.remove()
        assert layer(fastdl.tensor([-3.0, 4.0])).tolist() == [0.0, 4.0]
        assert len(seen) == 1


class TestContainers:
    def test_sequential_is_a_sequence(self):
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        assert len(net) == 3
        assert isinstance(net[-1], nn.Linear)
        assert isinstance(net[:2], nn.Sequential)
        assert len(net[:2]) == 2
        assert net[:2][0] is net[0]
        net[1] = nn.Tanh()
        assert [type(module).__name__ for module in net] == ["Linear", "Tanh", "Linear"]
        net.append(nn.Sigmoid())
        x = normal(4, 2).astype(np.float32)
        hidden = np.tanh(x @ net[0].weight.detach().numpy().T + net[0].bias.detach().numpy())
        output = sigmoid(hidden @ net[2].weight.detach().numpy().T + net[2].bias.detach().numpy())
        np.testing.assert_allclose(net(fastdl.tensor(x)).detach().numpy(), output, rtol=1e-5)

    def test_a_module_may_appear_twice(self):
        double = nn.Linear(1, 1, bias=False)
        net = nn.Sequential(double, double)
        init.constant_(double.weight, 3.0)
        assert len(net) == 2
        assert net(fastdl.ones((1, 1))).item() == 9.0

    def test_named(self):
        net = fastdl.Sequential({"hidden": nn.Linear(2, 3), "output": nn.Linear(3, 1)})
        assert net.hidden is net[0]
        assert next(iter(net.state_dict())) == "hidden.weight"

    def test_only_modules(self):
        with pytest.raises(errors.ArgumentError, match="expected a Module"):
            nn.Sequential(nn.Linear(2, 2), fastdl.functional.relu)
        with pytest.raises(errors.IndexRangeError):
            nn.ModuleList([nn.ReLU()])[1]

    def test_module_list(self):
        layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        layers.append(nn.ReLU())
        assert len(layers) == 4
        assert len(list(layers.parameters())) == 6
        assert len(layers.extend([nn.Tanh(), nn.ReLU()])) == 6

    def test_module_dict(self):
        heads = nn.ModuleDict({"class": nn.Linear(2, 3), "box": nn.Linear(2, 4)})
        assert list(heads) == heads.keys() == ["class", "box"]
        assert "box" in heads
        assert list(heads.state_dict()) == ["class.weight", "class.bias", "box.weight", "box.bias"]
        heads["box"] = nn.ReLU()
        heads.update([("mask", nn.Tanh())])
        del heads["class"]
        assert [(name, type(module)) for name, module in heads.items()] == [
            ("box", nn.ReLU),
            ("mask", nn.Tanh),
        ]
        with pytest.raises(errors.IndexRangeError, match="no module is named 'class'"):
            heads["class"]
        with pytest.raises(errors.ArgumentError, match="forward"):
            heads["forward"] = nn.ReLU()
        with pytest.raises(errors.ArgumentError, match="expected a Module"):
            heads["x"] = fastdl.ones(1)

    def test_parameter_list(self):
        scales = nn.ParameterList([fastdl.ones(2), nn.Parameter(fastdl.zeros(3))])
        assert list(scales.state_dict()) == ["0", "1"]
        assert scales[-1].shape == (3,)
        assert [p.requires_grad for p in scales] == [True, True]
        assert len(scales) == 2
        with pytest.raises(errors.IndexRangeError, match="2 parameters"):
            scales[2]
        with pytest.raises(errors.ArgumentError, match="expected a Parameter"):
            scales.append(1.0)


class TestLayers:
    def test_default_initialisation(self):
        fastdl.manual_seed(0)
        for layer, fan_in in (
            (nn.Linear(100, 200), 100),
            (nn.Conv2d(8, 64, 5), 200),
            (nn.Conv2d(8, 64, 5, groups=4), 50),
            (nn.LSTM(30, 64), 64),
            (nn.GRU(30, 64), 64),
        ):
            bound = 1 / math.sqrt(fan_in)
            for parameter in layer.parameters():
                values = parameter.detach().numpy()
                assert abs(values).max() <= bound
                assert abs(values).max() > 0.8 * bound
        weights = nn.Embedding(100, 100).weight.detach().numpy()
        assert abs(weights.mean()) < 0.05
        assert abs(weights.std() - 1) < 0.05

    def test_linear(self):
        layer = nn.Linear(3, 2).double()
        x = normal(4, 5, 3)
        expected = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        np.testing.assert_allclose(layer(fastdl.tensor(x)).detach().numpy(), expected, rtol=1e-12)

    def test_conv2d(self):
        layer = nn.Conv2d(2, 3, 3, padding=1).double()
        x = normal(1, 2, 5, 5)
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        expected = np.einsum("ncyxij,ocij->noyx", windows, weight) + bias[:, None, None]
        np.testing.assert_allclose(layer(fastdl.tensor(x)).detach().numpy(), expected, rtol=1e-10)

    def test_pooling(self):
        x = normal(2, 3, 4, 6)
        blocks = x.reshape(2, 3, 2, 2, 3, 2)
        for layer, expected in (
            (nn.MaxPool2d(2), blocks.max(axis=(3, 5))),
            (nn.AvgPool2d(2), blocks.mean(axis=(3, 5))),
        ):
            np.testing.assert_allclose(layer(fastdl.tensor(x)).numpy(), expected, rtol=1e-12)

    def test_activations(self):
        x = normal(3, 4)
        exponentials = np.exp(x)
        softmax = exponentials / exponentials.sum(axis=-1, keepdims=True)
        for layer, expected in (
            (nn.ReLU(), np.maximum(x, 0)),
            (nn.Tanh(), np.tanh(x)),
            (nn.Sigmoid(), sigmoid(x)),
            (nn.Softmax(), softmax),
            (nn.LogSoftmax(-1), np.log(softmax)),
            (nn.Softmax(0), exponentials / exponentials.sum(axis=0)),
            (nn.Flatten(0), x.reshape(-1)),
        ):
            np.testing.assert_allclose(layer(fastdl.tensor(x)).numpy(), expected, rtol=1e-12)

    def test_activations_pass_their_numbers_on(self):
        x = fastdl.tensor(normal(3, 40) * 4)
        for layer, expected, text in (
            (nn.Identity(), x, "Identity()"),
            (nn.ReLU6(), F.relu6(x), "ReLU6()"),
            (nn.SELU(), F.selu(x), "SELU()"),
            (nn.SiLU(), F.silu(x), "SiLU()"),
            (nn.Mish(), F.mish(x), "Mish()"),
            (nn.Hardswish(), F.hardswish(x), "Hardswish()"),
            (nn.LogSigmoid(), F.logsigmoid(x), "LogSigmoid()"),
            (nn.Tanhshrink(), F.tanhshrink(x), "Tanhshrink()"),
            (nn.Softsign(), F.softsign(x), "Softsign()"),
            (nn.GELU("tanh"), F.gelu(x, "tanh"), "GELU(approximate='tanh')"),
            (nn.LeakyReLU(0.2), F.leaky_relu(x, 0.2), "LeakyReLU(negative_slope=0.2)"),
            (nn.ELU(0.5), F.elu(x, 0.5), "ELU(alpha=0.5)"),
            (nn.CELU(0.5), F.celu(x, 0.5), "CELU(alpha=0.5)"),
            (nn.Softplus(2.0, 1.0), F.softplus(x, 2, 1), "Softplus(beta=2.0, threshold=1.0)"),
            (nn.Hardtanh(-1.0, 3.0), F.hardtanh(x, -1, 3), "Hardtanh(min_val=-1.0, max_val=3.0)"),
            (
                nn.Hardsigmoid(0.2, 0.4),
                F.hardsigmoid(x, 0.2, 0.4),
                "Hardsigmoid(alpha=0.2, beta=0.4)",
            ),
            (nn.Hardshrink(1.0), F.hardshrink(x, 1), "Hardshrink(lambd=1.0)"),
            (nn.Softshrink(1.0), F.softshrink(x, 1), "Softshrink(lambd=1.0)"),
            (
                nn.Threshold(1.0, -2.0),
                F.threshold(x, 1, -2),
                "Threshold(threshold=1.0, value=-2.0)",
            ),
        ):
            np.testing.assert_array_equal(layer(x).numpy(), expected.numpy(), err_msg=text)
            assert repr(layer) == text

    @pytest.mark.parametrize(
        ("layer", "shape", "axes"),
        [(nn.BatchNorm1d(3), (8, 3), 0), (nn.BatchNorm2d(3), (4, 3, 2, 5), (0, 2, 3))],
    )
    def test_batch_norm(self, layer, shape, axes):
        layer = layer.double().train()
        x = normal(*shape) * 2 + 1
        mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        output = layer(fastdl.tensor(x)).detach().numpy()
        np.testing.assert_allclose(output, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-9)
        count = x.size // 3
        running_var = 0.9 + 0.1 * var.ravel() * count / (count - 1)
        np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * mean.ravel(), rtol=1e-9)
        np.testing.assert_allclose(layer.running_var.numpy(), running_var, rtol=1e-9)
        assert layer.num_batches_tracked.item() == 1
        layer.eval()
        broadcast = [1 if i != 1 else 3 for i in range(len(shape))]
        expected = (x - layer.running_mean.numpy().reshape(broadcast)) / np.sqrt(
            running_var.reshape(broadcast) + 1e-5
        )
        output = layer(fastdl.tensor(x)).detach().numpy()
        np.testing.assert_allclose(output, expected, rtol=1e-9)
        assert layer.num_batches_tracked.item() == 1

    def test_batch_norm_checks_the_rank(self):
        with pytest.raises(errors.ShapeError, match=r"expected \[N, C, H, W\]"):
            nn.BatchNorm2d(3)(fastdl.zeros((2, 3)))

    def test_dropout(self):
        fastdl.manual_seed(1)
        layer = nn.Dropout(0.25)
        output = layer(fastdl.ones((100, 100))).numpy()
        assert set(np.unique(output)) == {np.float32(0), np.float32(1 / 0.75)}
        assert abs((output == 0).mean() - 0.25) < 0.02
        assert layer.eval()(fastdl.ones((3,))).tolist() == [1.0, 1.0, 1.0]
        with pytest.raises(errors.ArgumentError):
            nn.Dropout(1.5)

    def test_embedding(self):
        layer = nn.Embedding(5, 3)
        indices = np.array([[1, 4], [0, 1]])
        expected = layer.weight.detach().numpy()[indices]
        np.testing.assert_array_equal(layer(fastdl.tensor(indices)).detach().numpy(), expected)
        with pytest.raises(errors.IndexRangeError) as caught:
            layer(fastdl.tensor([5]))
        assert caught.value.layer == "(Embedding)"

    def test_losses(self):
        logits, classes = normal(6, 4), np.array([0, 1, 2, 3, 0, 1])
        log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        cross_entropy = -log_softmax[np.arange(6), classes]
        a, b = normal(6), (normal(6, seed=1) > 0).astype(float)
        bce = -(b * np.log(sigmoid(a)) + (1 - b) * np.log(1 - sigmoid(a)))
        tensor = fastdl.tensor
        for kind, arguments, values in (
            (nn.CrossEntropyLoss, (tensor(logits), tensor(classes)), cross_entropy),
            (nn.MSELoss, (tensor(a), tensor(b)), (a - b) ** 2),
            (nn.BCELoss, (tensor(sigmoid(a)), tensor(b)), bce),
            (nn.BCEWithLogitsLoss, (tensor(a), tensor(b)), bce),
        ):
            for reduction, expected in (
                ("mean", values.mean()), ("sum", values.sum()), ("none", values),
            ):  # fmt: skip
                result = kind(reduction=reduction)(*arguments).numpy()
                np.testing.assert_allclose(result, expected, rtol=1e-9)

    def test_losses_refuse_what_does_not_match(self):
        with pytest.raises(errors.ShapeError):
            nn.MSELoss()(fastdl.zeros((4, 1)), fastdl.zeros((4,)))
        with pytest.raises(errors.IndexRangeError):
            nn.CrossEntropyLoss()(fastdl.zeros((2, 3)), fastdl.tensor([0, 3]))
        with pytest.raises(errors.ArgumentError, match="median"):
            nn.MSELoss("median")

    @pytest.mark.parametrize("layer", [nn.Linear, nn.Embedding, nn.LSTM, nn.GRU])
    def test_sizes_must_be_positive(self, layer):
        with pytest.raises(errors.ArgumentError, match="is 0, expected 1 or more"):
            layer(0, 3)
        with pytest.raises(errors.ArgumentError, match="groups"):
            nn.Conv2d(3, 4, 1, groups=2)


class TestInit:
    def test_bounds_and_spread(self):
        fastdl.manual_seed(0)
        weight = fastdl.empty((200, 50, 2, 2))
        fan_in, fan_out = 200, 800
        for function, std in (
            (init.xavier_uniform_, math.sqrt(2 / (fan_in + fan_out))),
            (init.xavier_normal_, math.sqrt(2 / (fan_in + fan_out))),
            (init.kaiming_uniform_, math.sqrt(2 / fan_in)),
            (init.kaiming_normal_, math.sqrt(2 / fan_in)),
        ):
            assert function(weight) is weight
            assert weight.numpy().std() == pytest.approx(std, rel=0.02)
            assert abs(weight.numpy().mean()) < 0.02 * std
        init.kaiming_normal_(weight, mode="fan_out", nonlinearity="tanh")
        assert weight.numpy().std() == pytest.approx(5 / 3 / math.sqrt(fan_out), rel=0.02)

    def test_fills(self):
        bias = fastdl.empty((3,))
        assert init.ones_(bias).tolist() == [1.0] * 3
        assert init.zeros_(bias).tolist() == [0.0] * 3
        assert init.constant_(bias, 2.5).tolist() == [2.5] * 3

    def test_a_generator_decides(self):
        draws = [
            init.normal_(fastdl.empty((4,)), generator=fastdl.Generator(7)).tolist()
            for _ in range(2)
        ]
        assert draws[0] == draws[1]
        assert init.normal_(fastdl.empty((4,)), generator=fastdl.Generator(8)).tolist() != draws[0]

    def test_errors(self):
        with pytest.raises(errors.ShapeError, match="two or more dimensions"):
            init.xavier_normal_(fastdl.empty((3,)))
        with pytest.raises(errors.ArgumentError, match="swish"):
            init.calculate_gain("swish")
        assert init.calculate_gain("leaky_relu", 1.0) == 1.0


def test_summary_counts():
    model = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 28 * 28, 10))
    model.train()
    table = model.summary((1, 32, 32), show=False)
    assert [row.path for row in table.rows] == ["0", "1", "2", "3"]
    assert table.rows[0] == ("0", "Conv2d", "[N, 6, 28, 28]", 156, 2 * 6 * 28 * 28 * 25)
    assert table.rows[3].flops == 2 * 6 * 28 * 28 * 10
    assert table.parameters == 156 + 47050
    assert table.trainable == table.parameters
    assert model.training
    assert model[0].training
    assert f"{table.parameters:,}" in str(table)


def test_summary_of_a_shared_layer_counts_it_once():
    shared = nn.Linear(4, 4)
    table = nn.Sequential(shared, shared).summary((4,), show=False)
    assert [row.parameters for row in table.rows] == [20, 0]
    assert table.parameters == 20
    assert table.flops == 2 * 2 * 16
