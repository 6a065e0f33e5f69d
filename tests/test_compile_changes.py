"""Compiled models that change, those that cannot be compiled, and the compiled object itself."""

import copy
import threading

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, nn
from fastdl.models import LeNet5
from tests.compiled import Calls, agree, check, operations, prepared, small_resnet, values


class TestChanges:
    """The model changes after it was compiled."""

    def changed(self, change, model=None):
        model = model or prepared(small_resnet())
        compiled = fastdl.compile(model)
        x = values(2, 3, 32, 32)
        before = compiled(x)
        agree(before, model(x))
        with fastdl.no_grad():
            change(model)
        expected = model(x)
        assert np.abs(before.numpy() - expected.detach().numpy()).max() > 1e-3
        agree(compiled(x), expected)
        assert operations(compiled)

    def test_weights_in_place(self):
        self.changed(lambda m: m[0].weight.mul_(2.0))

    def test_statistics_in_place(self):
        self.changed(lambda m: m[1].running_var.mul_(3.0))

    def test_load_state_dict(self):
        other = prepared(small_resnet()).state_dict()
        self.changed(lambda m: m.load_state_dict(other))

    def test_optimizer_step(self):
        def train(model):
            with fastdl.enable_grad():
                model.train()
                optimizer = fastdl.optim.SGD(model.parameters(), lr=0.1)
                model(values(4, 3, 32, 32)).square().mean().backward()
                optimizer.step()
                model.eval()

        self.changed(train)

    def test_another_layer(self):
        self.changed(lambda m: m.__setitem__(2, nn.Tanh().eval()))

    def test_another_parameter_of_one_equal_element(self):
        model = Calls(lambda m, x: x * m.scale, scale=nn.Parameter(fastdl.tensor([2.0]))).eval()
        compiled = fastdl.compile(model)
        x = values(3, dtype="float32")
        compiled(x)
        model.scale = nn.Parameter(fastdl.tensor([2.0]))
        compiled(x)
        with fastdl.no_grad():
            model.scale.fill_(3.0)
        agree(compiled(x), x * 3.0)

    def test_an_attribute(self):
        class Config:
            slope = 1.0

        model = Calls(
            lambda m, x: (x if m.flag else -x) * m.table["a"][0] * m.config.slope,
            flag=True, table={"a": [1.0]}, config=Config(),
        ).eval()  # fmt: skip
        compiled = fastdl.compile(model)
        x = values(3)

        def flag():
            model.flag = False

        def entry():
            model.table["a"][0] = 2.0

        def config():
            model.config.slope = 5.0

        agree(compiled(x), model(x))
        for change in (flag, entry, config):
            change()
            agree(compiled(x), model(x))
            assert operations(compiled)

    def test_a_tensor_that_is_no_attribute(self):
        scale = values(3)
        model = Calls(lambda m, x: x * scale).eval()
        compiled = fastdl.compile(model)
        compiled(values(3))
        scale.mul_(2.0)
        agree(compiled(values(3)), values(3) * scale)
        weight, mean, var = values(4, 3, 1, 1), fastdl.zeros((4,), "float64"), values(4).square()
        model = Calls(lambda m, x: F.batch_norm(F.conv2d(x, weight), mean, var)).eval()
        compiled = check(model, x := values(2, 3, 4, 4))
        assert operations(compiled) == ["conv2d+batch_norm"]
        for tensor in (weight, mean, var):
            tensor.add_(1.0)
            agree(compiled(x), model(x))

    def test_a_list_that_grows(self):
        model = Calls(lambda m, x: sum((x * k for k in m.table), x), table=[1.0]).eval()
        compiled = fastdl.compile(model)
        for k in (2.0, 3.0):
            agree(compiled(values(3)), model(values(3)))
            model.table.append(k)
        agree(compiled(values(3)), model(values(3)))

    def test_weights_in_memory_that_others_see(self):
        weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3))
        conv = nn.Conv2d(3, 4, 3, dtype="float64").eval()
        conv.weight = nn.Parameter(fastdl.from_numpy(weight))
        compiled = check(conv, x := values(1, 3, 5, 5))
        # What is kept with such memory could be stale, so nothing is; the plan has its own copy.
        assert not compiled._newest.steps[0].kwargs["weight"]._shared
        weight *= 2.0
        compiled.reset()
        agree(compiled(x), conv(x))

    def test_another_dtype(self):
        model = prepared(LeNet5())
        compiled = fastdl.compile(model)
        compiled(values(1, 1, 32, 32))
        model.to("float32")
        x = values(1, 1, 32, 32, dtype="float32")
        agree(compiled(x), model(x), rtol=1e-4, atol=1e-5)


class TestEager:
    """What cannot be compiled runs as it is, and the reason is given."""

    def eager(self, model, *inputs, reason):
        compiled = fastdl.compile(model)
        for factor in (1.0, -1.0):
            scaled = [x * factor for x in inputs]
            expected = model(*scaled)
            np.testing.assert_array_equal(
                compiled(*scaled).detach().numpy(), expected.detach().numpy()
            )
        report = compiled.explain()
        assert report.rows == []
        assert reason in str(report)
        assert reason in str(compiled.profile(*inputs))

    @pytest.mark.parametrize(
        "forward",
        [
            lambda m, x: x if x.sum() > 0 else x * 2,
            lambda m, x: x * x.sum().item(),
            lambda m, x: x * float(x.sum()),
            lambda m, x: x * max(x.tolist()[0]),
            lambda m, x: x * fastdl.tensor(x.numpy().mean()).to(x.dtype),
        ],
    )
    def test_data_dependent(self, forward):
        self.eager(Calls(forward).eval(), values(3, 3), reason="elements")

    def test_a_refusal_that_the_model_catches(self):
        def forward(m, x):
            try:
                return x * 2 if x.sum() > 0 else x
            except Exception:
                return x * 3

        self.eager(Calls(forward).eval(), values(3, 3), reason="elements")

    def test_edits_in_place(self):
        def method(m, x):
            y = x * 1
            y.add_(1.0)
            return y

        def operator(m, x):
            y = x * 1
            y += 1
            return y

        def function(m, x):
            return F.batch_norm(x, fastdl.zeros((3,)), fastdl.ones((3,)), training=True)

        for forward in (method, operator):
            self.eager(Calls(forward).eval(), values(3, 3), reason="in place")
        self.eager(Calls(function).eval(), values(3, 3, dtype="float32"), reason="in place")

    def test_edits_of_the_model(self):
        def attribute(m, x):
            m.calls += 1
            m.seen[len(m.seen)] = m.calls
            m.order.append(m.calls)
            return x * m.calls

        def tensor(m, x):
            m.total.add_(1.0)
            return x * m.total

        def both(m, x):
            m.total.add_(x.sum().item())
            return x * m.total

        for forward in (attribute, tensor, both):
            models = [
                Calls(
                    forward, calls=0, seen={}, order=[], total=fastdl.zeros((1,), "float64")
                ).eval()
                for _ in range(2)
            ]
            compiled = fastdl.compile(models[0])
            for seed in range(4):
                x = values(3, seed=seed)
                agree(compiled(x), models[1](x))
            assert models[0].calls == models[1].calls
            assert models[0].seen == models[1].seen
            assert models[0].order == models[1].order
            assert compiled.explain().rows == []

    def test_random_numbers(self):
        def own(m, x):
            return F.dropout(x, 0.5, True, m.generator)

        for forward in (
            own,
            lambda m, x: x + fastdl.randn(64),
            lambda m, x: F.dropout(x, 0.5, True),
        ):
            results = []
            for wrap in (fastdl.compile, lambda model: model):
                fastdl.manual_seed(0)
                model = wrap(Calls(forward, generator=fastdl.Generator(1)).eval())
                results.append([model(fastdl.ones((64,))).tolist() for _ in range(4)])
            assert results[0] == results[1]
            assert results[0][0] != results[0][1]

    def test_hooks(self):
        model = prepared(LeNet5())
        seen = []
        model.features[0].register_forward_hook(lambda *_: seen.append(1))
        self.eager(model, values(1, 1, 32, 32), reason="features.0 has hooks")
        assert len(seen) == 4

    def test_training_mode(self):
        model = prepared(small_resnet())
        compiled = fastdl.compile(model)
        assert compiled.train() is compiled
        x = values(2, 3, 32, 32)
        count = model[1].num_batches_tracked.item()
        compiled(x).sum().backward()
        assert model[1].num_batches_tracked.item() == count + 1
        assert model[0].weight.grad is not None
        assert "training mode" in str(compiled.explain())
        compiled.eval()
        agree(compiled(x), model(x))
        assert operations(compiled)

    def test_one_layer_in_training_mode(self):
        model = prepared(small_resnet())
        model[4].bn1.train()
        compiled = fastdl.compile(model)
        compiled(values(2, 3, 32, 32))
        assert "4.bn1 is in training mode" in str(compiled.explain())

    def test_gradients_of_inputs(self):
        model = prepared(LeNet5())
        compiled = fastdl.compile(model)
        x = values(1, 1, 32, 32)
        x.requires_grad = True
        compiled(x).sum().backward()
        assert x.grad is not None
        with fastdl.no_grad():
            assert not compiled(x).requires_grad
        assert operations(compiled)

    def test_strange_results(self):
        class Box:
            def __init__(self, item):
                self.item = item

        compiled = fastdl.compile(Calls(lambda m, x: Box(x * 2)).eval())
        agree(compiled(values(3)).item, values(3) * 2)
        assert "Box" in str(compiled.explain())


class TestObject:
    def test_errors_are_those_of_the_model(self):
        model = prepared(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2)))
        compiled = fastdl.compile(model)
        compiled(values(1, 3, 4, 4))
        for shape in [(1, 3, 5, 5), (1, 2, 4, 4)]:
            with pytest.raises(errors.ShapeError) as expected:
                model(values(*shape))
            for _ in range(2):
                with pytest.raises(errors.ShapeError) as caught:
                    compiled(values(*shape))
                assert str(caught.value) == str(expected.value)
                assert caught.value.layer == expected.value.layer
        agree(compiled(values(1, 3, 4, 4)), model(values(1, 3, 4, 4)))

    def test_needs_a_module(self):
        with pytest.raises(errors.ArgumentError, match="expected a Module"):
            fastdl.compile(lambda x: x)

    def test_is_like_the_model(self):
        model = prepared(LeNet5())
        compiled = fastdl.compile(model)
        assert list(compiled.state_dict()) == list(model.state_dict())
        assert compiled.features is model.features
        assert "LeNet5" in repr(compiled)
        with pytest.raises(AttributeError, match="nonsense"):
            compiled.nonsense  # noqa: B018

    def test_deep_copies_are_independent(self):
        compiled = fastdl.compile(prepared(LeNet5()))
        x = values(1, 1, 32, 32)
        before = compiled(x)
        other = copy.deepcopy(compiled)
        with fastdl.no_grad():
            other.features[0].weight.mul_(0.0)
        agree(compiled(x), before)
        agree(other(x), other.model(x))
        assert np.abs(other(x).numpy() - before.numpy()).max() > 1e-3

    def test_threads_share_it(self):
        model = prepared(LeNet5())
        compiled = fastdl.compile(model)
        inputs = [values(1 + i % 3, 1, 32, 32, seed=i) for i in range(8)]
        expected = [model(x).detach().numpy() for x in inputs]
        failures = []

        def work(i):
            results = [compiled(inputs[i]).numpy() for _ in range(20)]
            if not np.allclose(results, expected[i], rtol=1e-9, atol=1e-10):
                failures.append(i)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_the_number_of_threads_does_not_matter(self):
        compiled = fastdl.compile(prepared(small_resnet(), "float32"))
        x = values(2, 3, 32, 32, dtype="float32")
        before = fastdl.get_num_threads()
        try:
            results = []
            for threads in (1, 2, 3):
                fastdl.set_num_threads(threads)
                results.append(compiled(x).numpy().tobytes())
        finally:
            fastdl.set_num_threads(before)
        assert len(set(results)) == 1

    def test_inside_a_capture(self):
        model = prepared(LeNet5())
        compiled = fastdl.compile(model)
        step = fastdl.capture(lambda x: compiled(x) * 2)
        for seed in range(5):
            x = values(1, 1, 32, 32, seed=seed)
            compiled(x)
            with fastdl.no_grad():
                agree(step(x), model(x) * 2)

    def test_memory_is_given_back(self):
        compiled = fastdl.compile(prepared(small_resnet(), "float32"))
        compiled.reset()
        before = fastdl.memory_stats()["in_use"]
        for batch in range(1, 20):
            for _ in range(3):
                compiled(values(batch, 3, 32, 32, dtype="float32"))
        compiled.reset()
        assert fastdl.memory_stats()["in_use"] <= before

    def test_compiled_models_nest(self):
        inner = fastdl.compile(prepared(LeNet5()))
        outer = Calls(lambda m, x: m.inner(x) * 2, inner=inner).eval()
        compiled = check(outer, x := values(1, 1, 32, 32))
        assert "linear+relu" in operations(compiled)
        inner(x)
        assert compiled._guard.holds()
        with fastdl.no_grad():
            inner.features[0].weight.mul_(2.0)
        agree(compiled(x), outer(x))

    def test_profile(self):
        compiled = fastdl.compile(prepared(LeNet5()))
        report = compiled.profile(values(2, 1, 32, 32), repeats=3)
        assert all(row.seconds > 0 for row in report.rows)
        assert report.rows[0].flops == 2 * 2 * 6 * 28 * 28 * 25
        assert "GFLOP/s" in str(report)
        assert [row.layer for row in report.rows][:2] == ["features.0", "features.2"]

    def test_explain_before_the_first_call(self):
        assert "first call" in str(fastdl.compile(prepared(LeNet5())).explain())
