"""Lazy layers: nothing is there before the first input, and the ordinary layer is afterwards."""

import copy

import numpy as np
import pytest

import fastdl
from fastdl import errors, nn, optim

SPACE = (6, 5, 7)
LAYERS = [
    (nn.LazyLinear(3), nn.Linear(4, 3), (2, 5, 4)),
    (nn.LazyLinear(3, bias=False), nn.Linear(4, 3, bias=False), (4,)),
]
for d in (1, 2, 3):
    image = SPACE[:d]
    conv, turned = getattr(nn, f"Conv{d}d"), getattr(nn, f"ConvTranspose{d}d")
    batch, instance = getattr(nn, f"BatchNorm{d}d"), getattr(nn, f"InstanceNorm{d}d")
    lazy = {kind: getattr(nn, "Lazy" + kind.__name__) for kind in (conv, turned, batch, instance)}
    options = {"stride": 2, "padding": 1, "groups": 2}
    LAYERS += [
        (lazy[conv](6, 3), conv(4, 6, 3), (2, 4, *image)),
        (lazy[conv](6, 3, **options), conv(4, 6, 3, **options), (4, *image)),
        (lazy[turned](6, 3), turned(4, 6, 3), (4, *image)),
        (lazy[turned](6, 3, **options), turned(4, 6, 3, **options), (2, 4, *image)),
        (lazy[batch](), batch(4), (2, 4, *image)),
        (lazy[batch](affine=False), batch(4, affine=False), (2, 4, *image)),
        (lazy[instance](), instance(4, affine=True, track_running_stats=True), (2, 4, *image)),
        (
            lazy[instance](affine=False, track_running_stats=False),
            instance(4),
            (4, *image),
        ),
    ]
LAYERS.append((nn.LazyBatchNorm1d(), nn.BatchNorm1d(4), (5, 4)))


def pairs():
    return [
        pytest.param(lazy, plain, shape, id=f"{type(lazy).__name__}-{len(shape)}d-{i}")
        for i, (lazy, plain, shape) in enumerate(LAYERS)
    ]


def fresh(layer):
    return copy.deepcopy(layer)


def normal(*shape):
    return fastdl.tensor(np.random.default_rng(1).standard_normal(shape), dtype="float32")


def network():
    return nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )


IMAGES = normal(3, 2, 6, 6)


@pytest.mark.parametrize(("lazy", "plain", "shape"), pairs())
class TestEveryLayer:
    def test_the_first_input_makes_the_ordinary_layer(self, lazy, plain, shape):
        layer, x = fresh(lazy), normal(*shape)
        fastdl.manual_seed(3)
        y = layer(x)
        assert type(layer) is type(plain)
        assert repr(layer) == repr(plain)
        ordinary = fresh(plain)
        if hasattr(ordinary, "reset_parameters"):
            fastdl.manual_seed(3)
            ordinary.reset_parameters()
        np.testing.assert_array_equal(y.detach().numpy(), ordinary(x).detach().numpy())
        one, other = layer.state_dict(), ordinary.state_dict()
        assert list(one) == list(other)
        for name in one:
            np.testing.assert_array_equal(one[name].numpy(), other[name].numpy())
        assert vars(layer).keys() == vars(plain).keys()
        assert [n for n, _ in layer.named_parameters()] == [n for n, _ in plain.named_parameters()]

    def test_state_tells_the_size(self, lazy, plain, shape):
        layer = fresh(lazy)
        report = layer.load_state_dict(plain.state_dict())
        assert report == ([], [])
        x = normal(*shape)
        np.testing.assert_array_equal(layer(x).detach().numpy(), fresh(plain)(x).detach().numpy())
        assert type(layer) is type(plain)
        assert repr(layer) == repr(plain)

    def test_before_the_first_input(self, lazy, plain, shape):
        assert isinstance(lazy, type(plain))
        assert lazy.has_uninitialized_params()
        assert repr(lazy).startswith(f"Lazy{type(plain).__name__}(0, ")
        for ask in (lazy.parameters, lazy.buffers):
            with pytest.raises(errors.UninitializedError, match="first input"):
                list(ask())
        with pytest.raises(errors.UninitializedError, match="first input"):
            lazy.state_dict()
        for name in plain.state_dict():
            assert not hasattr(lazy, name)

    def test_copies_and_conversions(self, lazy, plain, shape):
        layer = fresh(lazy).double().eval()
        layer(normal(*shape).double())
        assert type(layer) is type(plain)
        assert not layer.training
        assert all(p.dtype == fastdl.float64 for p in layer.parameters())
        assert lazy.has_uninitialized_params()

    def test_an_input_of_another_kind_is_refused(self, lazy, plain, shape):
        layer = fresh(lazy)
        with pytest.raises(errors.ShapeError, match="dimensions"):
            layer(fastdl.ones(() if "Linear" in repr(lazy) else (1,) * 7))
        assert type(layer) is type(lazy)
        layer(normal(*shape))
        assert type(layer) is type(plain)


class TestRefusals:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda m: optim.SGD(m.parameters(), lr=0.1),
            lambda m: optim.Adam([{"params": m[0].parameters()}]),
            lambda m: nn.utils.clip_grad_norm_(m.parameters(), 1.0),
            lambda m: sum(p.numel() for p in m.parameters()),
            lambda m: m.requires_grad_(False),
            lambda m: m[0].weight.mean(),
        ],
    )
    def test_nothing_is_handed_out(self, ask):
        model = network()
        with pytest.raises(errors.UninitializedError, match="call the model once") as caught:
            ask(model)
        assert "LazyConv2d" in str(caught.value)
        model(IMAGES)
        ask(model)

    def test_there_is_nothing_to_parametrise(self):
        with pytest.raises(errors.ArgumentError, match="LazyLinear has no tensor 'weight'"):
            nn.utils.weight_norm(nn.LazyLinear(2))

    def test_the_error_names_the_layer(self):
        model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.LazyLinear(2)))
        with pytest.raises(errors.UninitializedError, match=r"layer: +1\.0"):
            optim.SGD(model.parameters(), lr=0.1)

    def test_an_attribute_that_no_layer_has(self):
        with pytest.raises(AttributeError, match="'LazyLinear' object has no attribute 'wieght'"):
            nn.LazyLinear(2).wieght  # noqa: B018
        assert nn.LazyLinear(2, bias=False).bias is None

    def test_sizes_that_do_not_fit(self):
        layer = nn.LazyConv2d(4, 3, groups=2)
        with pytest.raises(errors.ShapeError, match="in_channels is 3, expected a multiple of 2"):
            layer(fastdl.ones((1, 3, 5, 5)))
        with pytest.raises(errors.ShapeError, match="in_features is 0, expected 1 or more"):
            nn.LazyLinear(2)(fastdl.ones((3, 0)))
        assert layer(fastdl.ones((1, 6, 5, 5))).shape == (1, 4, 3, 3)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: nn.LazyLinear(0),
            lambda: nn.LazyConv2d(4, 3, groups=3),
            lambda: nn.LazyConv2d(4, 3, groups=0),
            lambda: nn.LazyConv1d(4, (3, 3)),
            lambda: nn.LazyConvTranspose2d(4, 3, padding_mode="reflect"),
            lambda: nn.LazyBatchNorm1d(eps=-1.0),
        ],
    )
    def test_options_are_checked_when_the_layer_is_made(self, make):
        with pytest.raises(errors.ArgumentError):
            make()


class TestLoading:
    def test_a_saved_model_initialises_a_lazy_one(self):
        saved, model = network(), network()
        saved(IMAGES)
        model.load_state_dict(saved.state_dict())
        assert repr(model) == repr(saved)
        np.testing.assert_array_equal(
            model.eval()(IMAGES).detach().numpy(), saved.eval()(IMAGES).detach().numpy()
        )
        optim.SGD(model.parameters(), lr=0.1)

    def test_a_failure_leaves_it_lazy(self):
        saved, model = network(), network()
        saved(IMAGES)
        state = saved.state_dict()
        shown = repr(model)
        for change in (
            {"4.bias": fastdl.zeros(7)},
            {"0.weight": fastdl.zeros(4, 3, 3)},
            {"more": fastdl.zeros(1)},
            {"1.weight": "no array"},
        ):
            with pytest.raises((errors.Error, TypeError)):
                model.load_state_dict(state | change)
            assert repr(model) == shown
        model(normal(3, 5, 8, 8))
        assert model[0].in_channels == 5

    def test_what_the_tensors_do_not_have_stays_lazy(self):
        saved, model = network(), network()
        saved(IMAGES)
        state = {name: t for name, t in saved.state_dict().items() if name[0] != "4"}
        with pytest.raises(errors.ArgumentError, match=r"4\.weight"):
            model.load_state_dict(state)
        report = model.load_state_dict(state, strict=False)
        assert report.missing == ["4.weight", "4.bias"]
        assert type(model[0]) is nn.Conv2d
        assert type(model[4]) is nn.LazyLinear
        assert model(IMAGES).shape == (3, 2)

    def test_arrays_of_numpy(self):
        layer = nn.LazyLinear(2)
        layer.load_state_dict({"weight": np.ones((2, 3), "f4"), "bias": np.zeros(2, "f4")})
        assert layer(fastdl.ones(3)).tolist() == [3, 3]


class TestWithTheRest:
    def test_graphs_find_the_sizes(self):
        x = fastdl.Input((2, 6, 6))
        hidden = nn.Flatten()(nn.LazyBatchNorm2d()(nn.LazyConv2d(4, 3)(x)))
        model = fastdl.Model(x, nn.LazyLinear(2)(hidden))
        assert [type(m).__name__ for m in model.children()] == [
            "Conv2d", "BatchNorm2d", "Flatten", "Linear",
        ]  # fmt: skip
        assert model.linear.in_features == 64
        assert model.batchnorm2d.training
        assert model(IMAGES).shape == (3, 2)

    def test_summary_initialises(self):
        model = network()
        assert model.summary((2, 6, 6), show=False).parameters == 76 + 8 + 130
        assert model[4].in_features == 64

    def test_compile_runs_eagerly_first(self):
        model = network().eval()
        compiled = fastdl.compile(model)
        x = normal(3, 2, 6, 6)
        with fastdl.no_grad():
            first, second = compiled(x), compiled(x)
        assert type(model[0]) is nn.Conv2d
        assert "lazy" not in str(compiled.explain())
        np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=1e-5, atol=1e-6)

    def test_capture(self):
        model = network().eval()
        step = fastdl.capture(lambda x: model(x))
        with fastdl.no_grad():
            first = step(IMAGES).numpy().copy()
            for _ in range(3):
                np.testing.assert_array_equal(step(IMAGES).numpy(), first)

    def test_hooks_stay(self):
        layer, seen = nn.LazyLinear(2), []
        layer.register_forward_hook(lambda module, args, output: seen.append(type(module)))
        layer(fastdl.ones(1, 3))
        layer(fastdl.ones(1, 3))
        assert seen == [nn.Linear, nn.Linear]

    def test_a_shared_layer_is_one(self):
        layer = nn.LazyLinear(3)
        model = nn.Sequential(layer, nn.ReLU(), layer)
        model(fastdl.ones(1, 3))
        assert len(list(model.parameters())) == 2

    def test_training(self):
        fastdl.manual_seed(0)
        model, x = network(), normal(8, 2, 6, 6)
        target = fastdl.tensor([0, 1] * 4)
        model(x)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.2 * losses[0]
