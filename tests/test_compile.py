"""fastdl.compile: compiled and eager results agree, and rewrites happen where they hold."""

import copy

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from fastdl.models import MLP, LeNet5, LSTMClassifier
from tests.compiled import Calls, agree, check, operations, prepared, small_resnet, values


class TestModels:
    def test_mlp(self):
        model = prepared(MLP((12, 8, 8, 3), dropout=0.5))
        compiled = check(model, values(4, 3, 4))
        assert operations(compiled) == ["flatten", "linear+relu", "linear+relu", "linear"]

    def test_lenet(self):
        compiled = check(prepared(LeNet5()), values(3, 1, 32, 32))
        assert operations(compiled)[:2] == ["conv2d+relu", "max_pool2d"]

    def test_lenet_in_single_precision(self):
        model = prepared(LeNet5(), "float32")
        # 400 products of a few roundings each; the logits are of the order of 1.
        check(model, values(3, 1, 32, 32, dtype="float32"), rtol=1e-4, atol=1e-5)

    def test_residual_network(self):
        compiled = check(prepared(small_resnet()), values(2, 3, 32, 32))
        kinds = [kind for kind in operations(compiled) if kind.startswith("conv2d")]
        assert kinds == [
            "conv2d+batch_norm+relu",
            "conv2d+batch_norm+relu",
            "conv2d+batch_norm+add+relu",
            "conv2d+batch_norm+relu",
            "conv2d+batch_norm",
            "conv2d+batch_norm+add+relu",
        ]
        assert "batch_norm" not in operations(compiled)

    def test_lstm_classifier(self):
        model = prepared(LSTMClassifier(50, 8, 16, 3, num_layers=2, bidirectional=True))
        tokens = fastdl.tensor(np.random.default_rng(0).integers(0, 50, (4, 7)))
        compiled = check(model, tokens)
        assert "lstm" in operations(compiled)
        for _ in range(2):
            with pytest.raises(errors.IndexRangeError) as caught:
                compiled(tokens + 50)
            assert caught.value.layer == "embedding (Embedding)"
        agree(compiled(tokens), model(tokens))

    def test_functional_api(self):
        a, b = fastdl.Input((4, 8, 8), "float64"), fastdl.Input((4, 8, 8), "float64")
        shared = nn.Conv2d(4, 4, 3, padding=1, dtype="float64")
        y = nn.ReLU()(shared(a)) + shared(b) * 2 - 1
        z = (1 - y).flatten(1)
        model = fastdl.Model([a, b], [z, y]).eval()
        compiled = check(model, values(2, 4, 8, 8), values(2, 4, 8, 8, seed=1))
        assert operations(compiled).count("conv2d+relu") == 1
        assert operations(compiled).count("conv2d") == 1

    def test_pooling(self):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, dtype="float64"),
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            nn.AvgPool2d((2, 3), 1, 1, count_include_pad=False),
            nn.MaxPool2d(2, 1, dilation=2),
            nn.Conv2d(8, 8, 3, groups=8, dtype="float64"),
        ).eval()
        check(model, values(2, 3, 21, 19))

    @pytest.mark.parametrize("affine", [True, False])
    @pytest.mark.parametrize("bias", [True, False])
    def test_batch_norm_is_folded(self, affine, bias):
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=bias, groups=3),
            nn.BatchNorm2d(6, affine=affine, eps=0.1),
            nn.Flatten(),
            nn.Linear(6 * 9, 4, bias=bias),
            nn.BatchNorm1d(4, affine=affine),
            nn.Sigmoid(),
        )
        compiled = check(prepared(model), values(3, 3, 5, 5))
        assert operations(compiled) == [
            "conv2d+batch_norm", "flatten", "linear+batch_norm", "sigmoid"
        ]  # fmt: skip

    def test_float32_folding_is_as_exact_as_eager(self):
        model = prepared(small_resnet(), "float32")
        exact = copy.deepcopy(model).to("float64")
        x = values(2, 3, 32, 32, dtype="float32")
        expected = exact(x.double()).detach().numpy()
        worst = [
            np.abs(y.detach().numpy() - expected).max()
            for y in (model(x), fastdl.compile(model)(x))
        ]
        # A thousand products to an output and eight layers: about sqrt(1000) * 8 * 2^-24.
        assert max(worst) < 1.5e-5 * np.abs(expected).max()


class TestGraphs:
    """Rewrites happen where they hold, and nowhere else."""

    def test_a_result_with_two_readers_is_not_folded(self):
        conv, norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        model = Calls(lambda m, x: (m.norm(y := m.conv(x)), y), conv=conv, norm=norm)
        compiled = check(prepared(model), values(2, 3, 4, 4))
        assert operations(compiled) == ["conv2d", "batch_norm"]

    def test_one_convolution_under_two_norms(self):
        model = Calls(
            lambda m, x: m.first(m.conv(x)) - m.second(m.conv(x)),
            conv=nn.Conv2d(3, 4, 1), first=nn.BatchNorm2d(4), second=nn.BatchNorm2d(4),
        )  # fmt: skip
        check(prepared(model), values(2, 3, 4, 4))

    def test_batch_norm_of_a_sequence_is_not_folded(self):
        model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(3))
        compiled = check(prepared(model), values(2, 3, 5))
        assert operations(compiled) == ["linear", "batch_norm"]

    def test_batch_norm_without_statistics(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
        compiled = check(prepared(model), values(2, 3, 4, 4))
        assert operations(compiled) == ["conv2d", "batch_norm"]

    def test_order_of_addition_and_activation(self):
        conv = nn.Conv2d(3, 3, 3, padding=1)
        model = Calls(
            lambda m, x: [
                F.relu(m.conv(x)) + x, F.relu(m.conv(x) + x), F.relu(x + m.conv(x)),
                m.conv(x) + m.conv(x * 2), m.conv(x) + 1, (y := m.conv(x)) + y,
            ],
            conv=conv,
        )  # fmt: skip
        compiled = check(prepared(model), values(2, 3, 5, 5))
        assert operations(compiled) == [
            "conv2d+relu", "add", "conv2d+add+relu", "conv2d+add+relu",
            "mul", "conv2d", "conv2d+add", "conv2d", "add", "conv2d", "add",
        ]  # fmt: skip

    def test_what_does_not_fit_stays(self):
        # A second residual, a sum with what is read elsewhere, a second norm.
        model = Calls(
            lambda m, x: (
                m.conv(x) + x + x * 2, (y := m.norm(m.conv(x))) + F.relu(y),
                m.norm(m.norm(m.conv(x))),
            ),
            conv=nn.Conv2d(3, 3, 1), norm=nn.BatchNorm2d(3),
        )  # fmt: skip
        check(prepared(model), values(2, 3, 5, 5))

    def test_a_broadcast_addition_is_not_fused(self):
        model = Calls(
            lambda m, x, y: (m.conv(x) + y, m.linear(x) + m.linear(x)[:, :1]),
            conv=nn.Conv2d(3, 4, 1), linear=nn.Linear(4, 4),
        )  # fmt: skip
        check(prepared(model), values(2, 3, 4, 4), values(4, 1, 1))

    def test_norm_and_activation_after_an_addition(self):
        model = Calls(
            lambda m, x: m.norm(m.conv(x) + x) + m.norm(F.relu(m.conv(x))),
            conv=nn.Conv2d(3, 3, 1), norm=nn.BatchNorm2d(3),
        )  # fmt: skip
        check(prepared(model), values(2, 3, 4, 4))

    def test_batch_norm_with_an_epilogue_of_its_own(self):
        model = Calls(
            lambda m, x: (
                m.norm(m.conv(x), x, "relu"), m.norm(m.conv(x), m.conv(x)),
                m.norm(m.conv(x) + x, x),
                F.relu(m.norm(m.conv(x), x)), F.relu(m.norm(m.conv(x), None, "relu") + x),
            ),
            conv=nn.Conv2d(3, 3, 1), norm=nn.BatchNorm2d(3),
        )  # fmt: skip
        compiled = check(prepared(model), values(2, 3, 4, 4))
        assert operations(compiled) == [
            "conv2d+batch_norm", "conv2d", "conv2d+batch_norm", "conv2d+add", "batch_norm",
            "conv2d+batch_norm+relu", "conv2d+batch_norm", "add", "relu",
        ]  # fmt: skip

    def test_batch_norm_that_is_not_folded_takes_an_epilogue(self):
        model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1))
        compiled = check(prepared(model), values(2, 3, 4, 4))
        assert operations(compiled) == ["batch_norm+relu", "conv2d"]

    def test_views_of_images_in_another_format(self):
        model = Calls(
            lambda m, x: (
                m.conv(x).view(2, -1), m.conv(x).permute((0, 2, 3, 1)).reshape(-1),
                m.conv(x).contiguous().view(x.shape[0], 16, -1).sum(2),
                m.conv(x)[:, 1:3].transpose(2, 3),
            ),
            conv=nn.Conv2d(8, 16, 3),
        )  # fmt: skip
        check(prepared(model), values(2, 8, 6, 5))

    def test_images_leave_as_from_an_eager_call(self):
        model = prepared(nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU()))
        compiled = check(model, x := values(2, 8, 6, 5))
        assert "channels-last" in str(compiled.explain())
        for _ in range(3):
            assert compiled(x).stride() == model(x).stride()

    def test_norms_that_differ_in_eps(self):
        model = Calls(
            lambda m, x: [F.batch_norm(m.conv(x), m.mean, m.var, eps=eps) for eps in (0.1, 1.0)],
            conv=nn.Conv2d(3, 4, 1), mean=fastdl.zeros((4,)), var=fastdl.ones((4,)),
        ).eval()  # fmt: skip
        compiled = check(model, values(2, 3, 4, 4, dtype="float32"), rtol=1e-5, atol=1e-6)
        assert operations(compiled) == ["conv2d+batch_norm"] * 2

    def test_computed_weights(self):
        model = Calls(
            lambda m, x, w: F.conv2d(x, w * 2) + F.conv2d(x, m.weight / m.weight.abs().sum()),
            weight=nn.Parameter(values(4, 3, 1, 1)),
        ).eval()
        compiled = check(model, values(2, 3, 4, 4), values(4, 3, 1, 1))
        with fastdl.no_grad():
            model.weight.add_(values(4, 3, 1, 1, seed=3))
        agree(compiled(*(args := (values(2, 3, 4, 4), values(4, 3, 1, 1)))), model(*args))

    def test_operators_methods_and_functions(self):
        def forward(m, x, y):
            a = -x + 2 * y - y / 3 + (x**2) @ y.T + abs(x) @ F.softmax(y, 0)
            b = fastdl.cat([a, x.tanh()], 1)[:, 1:-1]
            large, where = b.max(1)
            c = fastdl.where(b > 0, b, b * 0.1) + fastdl.zeros_like(b)
            rows = [row.sum() for row in x]
            return {"c": c, "pair": (large, where), "rows": rows, "n": len(x), "size": x.size(0)}

        compiled = fastdl.compile(Calls(forward).eval())
        x, y = values(4, 4), values(4, 4, seed=1)
        ours, expected = compiled(x, y), forward(None, x, y)
        assert operations(compiled)
        assert list(ours) == list(expected)
        agree(ours["c"], expected["c"])
        agree(ours["pair"][0], expected["pair"][0])
        assert ours["pair"][1].tolist() == expected["pair"][1].tolist()
        agree(ours["rows"], expected["rows"])
        assert (ours["n"], ours["size"]) == (4, 4)

    def test_results_that_are_inputs_or_constants(self):
        model = Calls(
            lambda m, x: (x, x.reshape(-1), m.weight, None), weight=nn.Parameter(values(3))
        )
        compiled = fastdl.compile(model.eval())
        x = values(2, 2)
        same, flat, weight, nothing = compiled(x)
        agree((same, flat), (x, x.reshape(-1)))
        assert weight is model.weight
        assert nothing is None

    def test_unused_work_is_dropped(self):
        def forward(m, x):
            x.exp().sum()
            return x * 2

        compiled = check(Calls(forward).eval(), values(3, 3))
        assert operations(compiled) == ["mul"]


class TestSignatures:
    def test_batch_sizes(self):
        model = prepared(small_resnet())
        compiled = fastdl.compile(model)
        for batch in (1, 3, 1, 2, 3, *range(1, 12), 1):
            x = values(batch, 3, 32, 32, seed=batch)
            agree(compiled(x), model(x))
        assert len(compiled._plans) == 8  # each holds memory

    def test_empty_batch(self):
        model = prepared(LeNet5())
        agree(fastdl.compile(model)(values(0, 1, 32, 32)), model(values(0, 1, 32, 32)))

    def test_results_stay_valid(self):
        compiled = fastdl.compile(prepared(LeNet5()))
        results = [compiled(values(2, 1, 32, 32, seed=seed)) for seed in range(4)]
        kept = [result.numpy().copy() for result in results]
        for seed in range(4):
            agree(result := compiled(values(2, 1, 32, 32, seed=seed)), results[seed])
            result.zero_()
        for result, copied in zip(results, kept, strict=True):
            np.testing.assert_array_equal(result.numpy(), copied)
        assert np.abs(kept[0] - kept[1]).max() > 1e-3

    def test_arguments_that_are_no_tensors(self):
        model = Calls(lambda m, x, scale=1.0, *, power=1, other=None: x**power * scale).eval()
        compiled = fastdl.compile(model)
        x = values(3, 3)
        for args, kwargs in [((), {}), ((2.0,), {}), ((), {"power": 3}), ((1,), {}), ((True,), {})]:
            agree(compiled(x, *args, **kwargs), model(x, *args, **kwargs))
        agree(compiled(x, other=[x, (x, {"k": x})]), x)
        compiled = fastdl.compile(Calls(lambda m, x, kind: x * 2 if kind is True else x).eval())
        for kind in (1, True, 1.0, True):
            agree(compiled(x, kind), x * 2 if kind is True else x)

    def test_facts_about_an_input(self):
        model = Calls(
            lambda m, x: x * 2 if x.is_contiguous() and x.dtype.itemsize == 8 else x
        ).eval()
        compiled = fastdl.compile(model)
        x = values(3, 3)
        for one in (x, x.T, x.to("float32"), x, x.T):
            agree(compiled(one), model(one))
            assert operations(compiled) or one.dtype == fastdl.float32 or one is not x

    def test_strided_and_channels_last_inputs(self):
        model = prepared(small_resnet())
        compiled = fastdl.compile(model)
        x = values(2, 32, 32, 3).permute((0, 3, 1, 2))
        agree(compiled(x), model(x))
        wide = values(2, 3, 32, 64)[:, :, :, 16:48]
        agree(compiled(wide), model(wide))

    def test_arrays_run_eagerly(self):
        model = prepared(LeNet5())
        array = np.random.default_rng(0).standard_normal((1, 1, 32, 32))
        compiled = fastdl.compile(model)
        np.testing.assert_array_equal(
            compiled(array).detach().numpy(), model(array).detach().numpy()
        )

    def test_several_dtypes(self):
        model = Calls(lambda m, x: x * 2).eval()
        compiled = fastdl.compile(model)
        for dtype in ("float32", "float64", "int64", "float16"):
            x = fastdl.tensor([1, 2]).to(dtype)
            assert compiled(x).dtype == x.dtype
