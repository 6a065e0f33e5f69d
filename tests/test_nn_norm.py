"""Layers of normalisation, dropout and noise, and what reparametrises weights."""

import copy
import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd, errors, nn
from fastdl.nn import utils
from tests import references_norm as ref


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def tensor(*shape, seed=0):
    return fastdl.tensor(normal(*shape, seed=seed))


# normalisation


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3, dtype="float64"), (4, 3)),
        (nn.BatchNorm1d(3, dtype="float64"), (4, 3, 5)),
        (nn.BatchNorm2d(3, dtype="float64"), (4, 3, 5, 2)),
        (nn.BatchNorm3d(3, dtype="float64"), (4, 3, 5, 2, 3)),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else type(value).__name__,
)
def test_batch_norm_layers(layer, shape):
    x = normal(*shape) * 3 + 1
    axes = tuple(i for i in range(x.ndim) if i != 1)
    each = (1, -1, *[1] * (x.ndim - 2))
    y = layer(fastdl.tensor(x)).detach().numpy()
    mean, var = x.mean(axes).reshape(each), x.var(axes).reshape(each)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-12)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * mean.ravel(), atol=1e-14)
    unbiased = x.var(axes, ddof=1)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * unbiased, rtol=1e-14)
    assert layer.num_batches_tracked.item() == 1
    assert list(layer.state_dict()) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    layer.eval()
    y = layer(fastdl.tensor(x)).detach().numpy()
    mean, var = (t.numpy().reshape(each) for t in (layer.running_mean, layer.running_var))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-12)
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1, 1]
    assert layer.num_batches_tracked.item() == 0


def test_batch_norm_without_momentum_averages_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None, dtype="float64")
    batches = [normal(5, 2, seed=i) + i for i in range(3)]
    for x in batches:
        layer(fastdl.tensor(x))
    mean = np.mean([x.mean(0) for x in batches], 0)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    variance = np.mean([x.var(0, ddof=1) for x in batches], 0)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3


def test_batch_norm_without_state():
    plain = nn.BatchNorm2d(3, affine=False, track_running_stats=False)
    assert plain.state_dict() == {}
    assert list(plain.parameters()) == []
    x = fastdl.tensor(normal(2, 3, 4, 4).astype("float32"))
    trained, evaluated = plain(x), plain.eval()(x)
    np.testing.assert_array_equal(trained.numpy(), evaluated.numpy())


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [(nn.InstanceNorm1d, (7,)), (nn.InstanceNorm2d, (3, 5)), (nn.InstanceNorm3d, (2, 3, 2))],
)
def test_instance_norm_layers(kind, sizes):
    x = normal(4, 3, *sizes) * 2 + 1
    plain = kind(3)
    assert plain.state_dict() == {}
    wanted = ref.instance_norm(x)
    np.testing.assert_allclose(plain(fastdl.tensor(x)).numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose(plain(fastdl.tensor(x[0])).numpy(), wanted[0], atol=1e-12)
    layer = kind(3, affine=True, track_running_stats=True, momentum=0.3, dtype="float64")
    layer(fastdl.tensor(x))
    pixels = x.reshape(4, 3, -1)
    mean, var = pixels.mean(2).mean(0), pixels.var(2, ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.3 * mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.7 + 0.3 * var, rtol=1e-12)
    seen = layer.running_mean.numpy(), layer.running_var.numpy()
    wanted = ref.instance_norm(x, *seen, use_input_stats=False)
    np.testing.assert_allclose(layer.eval()(fastdl.tensor(x)).detach().numpy(), wanted, atol=1e-12)
    assert list(layer.state_dict()) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    with pytest.raises(errors.ShapeError, match="dimensions"):
        plain(fastdl.zeros((3,)))


def test_layers_are_their_functions():
    x, style = tensor(2, 6, 3, 4), tensor(2, 6, 5, 5, seed=1)
    group = nn.GroupNorm(3, 6, dtype="float64")
    rms = nn.RMSNorm((3, 4), dtype="float64")
    pairs = [
        (group(x), F.group_norm(x, 3)),
        (nn.GroupNorm(2, 6, affine=False)(x), F.group_norm(x, 2)),
        (rms(x), F.rms_norm(x, (3, 4))),
        (nn.LocalResponseNorm(3, 0.5)(x), F.local_response_norm(x, 3, 0.5)),
        (nn.AdaptiveInstanceNorm()(x, style), F.adaptive_instance_norm(x, style)),
        (nn.PixelNorm()(x), F.pixel_norm(x)),
        (nn.CosineSimilarity()(x, x), F.cosine_similarity(x, x)),
        (nn.PairwiseDistance(1.0)(x, x), F.pairwise_distance(x, x, 1.0)),
    ]
    for layer, function in pairs:
        np.testing.assert_array_equal(layer.detach().numpy(), function.numpy())
    assert list(group.state_dict()) == ["weight", "bias"]
    assert list(rms.state_dict()) == ["weight"]
    assert nn.GroupNorm(2, 6, affine=False).state_dict() == {}


def test_rms_norm_uses_the_epsilon_of_the_dtype():
    x = fastdl.full((1, 4), 1e-4)
    y = F.rms_norm(x, 4)
    np.testing.assert_allclose(y.numpy(), 1e-4 / math.sqrt(1e-8 + 2.0**-23), rtol=1e-6)


def test_memory_format_stays():
    x = fastdl.tensor(normal(2, 6, 5, 7).astype("float32"))
    last = x.contiguous(memory_format=fastdl.channels_last)
    g = fastdl.Generator
    for function in (
        lambda t: F.group_norm(t, 3),
        F.instance_norm,
        lambda t: F.local_response_norm(t, 3),
        lambda t: F.dropout(t, generator=g(1)),
        lambda t: F.dropout2d(t, generator=g(1)),
        lambda t: F.alpha_dropout(t, 0.5, True, generator=g(1)),
        lambda t: F.gaussian_noise(t, 0.5, generator=g(1)),
        lambda t: F.stochastic_depth(t, 0.5, "row", generator=g(1)),
    ):
        leaf = last.detach().requires_grad_()
        y = function(leaf)
        assert y.stride() == last.stride()
        np.testing.assert_allclose(y.detach().numpy(), function(x).numpy(), atol=1e-6)
        (grad,) = autograd.grad(y.square().sum(), [leaf])
        assert grad.stride() == last.stride()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((3, 6, 5, 7), 3), ((2, 5, 3, 2), 5), ((1, 300, 9, 8), 1), ((2, 280, 4, 20), 7),
     ((3, 64, 30, 31), 64), ((2, 96, 80, 81), 12), ((0, 4, 3, 3), 2)],
)  # fmt: skip
def test_group_norm_of_channels_last_images(shape, groups, dtype):
    """The kernels for channels-last give what those for channels first do."""
    x, start = tensor(*shape).to(dtype), tensor(*shape, seed=1).to(dtype)
    kind = "float64" if dtype == "float64" else "float32"
    affine = [tensor(shape[1], seed=2).to(kind), tensor(shape[1], seed=3).to(kind)]
    found = []
    for form in (fastdl.contiguous_format, fastdl.channels_last):
        for own in (affine, [None, None]):
            leaf = x.contiguous(memory_format=form).requires_grad_()
            leaves = [leaf] + [t.detach().requires_grad_() for t in own if t is not None]
            y = F.group_norm(leaf, groups, *(leaves[1:] or own))
            found.append([y.detach(), *autograd.grad([y], leaves, [start])])
    unit = {"float64": 1e-13, "float32": 1e-5, "bfloat16": 2e-2}[dtype]
    for first, last in zip(found[:2], found[2:], strict=True):
        for a, b in zip(first, last, strict=True):
            a, b = a.double().numpy(), b.double().numpy()
            np.testing.assert_allclose(b, a, rtol=unit, atol=unit * np.abs(a).max(initial=1))


# dropout and noise

N = 200_000


def close(got, expected, deviation):
    """Within five standard deviations of a mean over N draws."""
    assert abs(got - expected) < 5 * deviation / math.sqrt(N), f"{got}, expected {expected}"


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_channels_are_dropped_as_a_whole(p):
    for function, tail in ((F.dropout1d, (3,)), (F.dropout2d, (2, 2)), (F.dropout3d, (1, 2, 2))):
        y = function(fastdl.ones((N // 100, 100, *tail)), p, generator=fastdl.Generator(1)).numpy()
        channels = y.reshape(N, -1)
        assert (channels == channels[:, :1]).all()
        kept = channels[:, 0] != 0
        np.testing.assert_allclose(channels[kept, 0], 1 / (1 - p), rtol=1e-6)
        close(kept.mean(), 1 - p, math.sqrt(p * (1 - p)))


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7])
def test_alpha_dropout_keeps_mean_and_variance(p):
    x = fastdl.randn((N,), generator=fastdl.Generator(2))
    y = F.alpha_dropout(x, p, True, generator=fastdl.Generator(3)).numpy().astype("float64")
    close(y.mean(), 0, 1)
    fourth = (y**4).mean()
    close(y.var(), 1, math.sqrt(fourth - 1))
    values, counts = np.unique(y, return_counts=True)
    close(counts.max() / N, p, math.sqrt(p * (1 - p)))  # the one value of the dropped
    assert values[counts.argmax()] < 0
    channels = (
        F.feature_alpha_dropout(fastdl.ones((500, 20, 9)), p, True).numpy().reshape(10_000, 9)
    )
    assert (channels == channels[:, :1]).all()


def test_noise_has_its_moments():
    x = fastdl.full((N,), 2.0)
    y = F.gaussian_noise(x, 0.5, generator=fastdl.Generator(4)).numpy().astype("float64")
    close(y.mean(), 2, 0.5)
    close(y.var(), 0.25, 0.25 * math.sqrt(2))
    y = F.gaussian_dropout(x, 0.2, generator=fastdl.Generator(5)).numpy().astype("float64")
    close(y.mean(), 2, 1)
    close(y.var(), 1, math.sqrt(2))  # 2^2 * 0.2 / 0.8


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_stochastic_depth(mode):
    y = F.stochastic_depth(fastdl.ones((N, 2)), 0.3, mode, generator=fastdl.Generator(6)).numpy()
    kept = y != 0
    np.testing.assert_allclose(y[kept], 1 / 0.7, rtol=1e-6)
    assert (kept[:, 0] == kept[:, 1]).all()
    if mode == "row":
        close(kept[:, 0].mean(), 0.7, math.sqrt(0.21))
    else:
        assert len(np.unique(kept)) == 1


LAYERS = [
    nn.Dropout(0.5), nn.Dropout1d(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5),
    nn.FeatureAlphaDropout(0.5), nn.GaussianDropout(0.5), nn.GaussianNoise(0.5),
    nn.StochasticDepth(0.5, "row"), nn.DropPath(0.5),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_inference_changes_nothing(layer):
    x = fastdl.ones((6, 7, 4))
    assert (layer.train()(x).numpy() != 1).any()
    assert layer.eval()(x) is x or layer(x).tolist() == x.tolist()
    assert layer.state_dict() == {}


def test_modules_follow_the_generator():
    layer = nn.Dropout2d(0.5)
    x = fastdl.ones((8, 9, 2, 2))
    state = fastdl.default_generator.get_state()
    first, second = layer(x).tolist(), layer(x).tolist()
    fastdl.default_generator.set_state(state)
    assert layer(x).tolist() == first != second


# weights as functions of others


def layers():
    return [nn.Linear(5, 4, dtype="float64"), nn.Conv2d(3, 4, 2, dtype="float64")]


def feed(layer, seed=3):
    return (
        tensor(2, 5, seed=seed) if isinstance(layer, nn.Linear) else tensor(2, 3, 4, 4, seed=seed)
    )


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: type(layer).__name__)
def test_spectral_norm_divides_by_the_largest_singular_value(layer):
    weight, plain = layer.weight, layer.weight.detach().numpy().copy()
    assert utils.spectral_norm(layer, n_power_iterations=50) is layer
    assert list(layer.state_dict()) == [
        "bias", "parametrizations.weight.original", "parametrizations.weight.0._u",
        "parametrizations.weight.0._v",
    ]  # fmt: skip
    assert {id(p) for p in layer.parameters()} == {id(layer.bias), id(weight)}
    sigma = np.linalg.svd(plain.reshape(4, -1), compute_uv=False)[0]
    layer(feed(layer))
    np.testing.assert_allclose(layer.weight.detach().numpy(), plain / sigma, rtol=1e-6)
    before = layer.state_dict()["parametrizations.weight.0._u"].tolist()
    layer.eval()(feed(layer))
    assert layer.state_dict()["parametrizations.weight.0._u"].tolist() == before
    value = layer.weight.detach().numpy()
    utils.remove_spectral_norm(layer)
    assert layer.weight is weight
    np.testing.assert_array_equal(layer.weight.detach().numpy(), value)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert type(layer) in (nn.Linear, nn.Conv2d)


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("layer", layers(), ids=lambda layer: type(layer).__name__)
def test_weight_norm_changes_no_value(layer, dim):
    layer = copy.deepcopy(layer)
    plain = layer.weight.detach().numpy().copy()
    utils.weight_norm(layer, dim=dim)
    np.testing.assert_allclose(layer.weight.detach().numpy(), plain, rtol=1e-14)
    state = layer.state_dict()
    assert list(state) == [
        "bias", "parametrizations.weight.original0", "parametrizations.weight.original1",
    ]  # fmt: skip
    g, v = (state[f"parametrizations.weight.original{i}"].numpy() for i in (0, 1))
    axes = tuple(i for i in range(plain.ndim) if i != dim)
    np.testing.assert_allclose(g, np.sqrt((v**2).sum(axes, keepdims=True)), rtol=1e-14)
    with fastdl.no_grad():
        vars(layer.parametrizations)["weight"].original0.mul_(2.0)
    np.testing.assert_allclose(layer.weight.detach().numpy(), 2 * plain, rtol=1e-14)
    layer.weight = fastdl.tensor(3 * plain)
    np.testing.assert_allclose(layer.weight.detach().numpy(), 3 * plain, rtol=1e-14)
    utils.remove_weight_norm(layer)
    np.testing.assert_allclose(layer.weight.detach().numpy(), 3 * plain, rtol=1e-14)
    assert isinstance(layer.weight, nn.Parameter)


@pytest.mark.parametrize("norm", [utils.spectral_norm, utils.weight_norm])
def test_parametrised_layers_train_load_and_copy(norm):
    layer = norm(nn.Linear(5, 4, dtype="float64"))
    x = feed(layer)
    optimizer = fastdl.optim.SGD(layer.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (layer(x) - 1).square().mean()
        loss.backward()
        assert all(p.grad is not None for p in layer.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    layer.eval()
    twin = copy.deepcopy(layer)
    other = norm(nn.Linear(5, 4, dtype="float64")).eval()
    other.load_state_dict(layer.state_dict())
    for same in (twin, other):
        np.testing.assert_array_equal(same(x).detach().numpy(), layer(x).detach().numpy())
    with fastdl.no_grad():
        for p in layer.parameters():
            p.mul_(2.0)
    assert twin(x).tolist() == other(x).tolist() != layer(x).tolist()


@pytest.mark.parametrize("norm", [utils.spectral_norm, utils.weight_norm])
def test_gradients_of_parametrised_weights(norm):
    """First and second derivative against finite differences, the vectors being constant."""
    layer = norm(nn.Linear(5, 4, bias=False, dtype="float64")).eval()
    x, leaves = feed(layer), list(layer.parameters())
    start = [p.detach().numpy().copy() for p in leaves]
    ways = [fastdl.tensor(normal(*s.shape, seed=8 + i)) for i, s in enumerate(start)]

    def slope(step, record):
        with fastdl.no_grad():
            for p, s, w in zip(leaves, start, ways, strict=True):
                p.copy_(fastdl.tensor(s) + w * step)
        loss = layer(x).square().square().sum()
        grads = autograd.grad(loss, leaves, create_graph=record)
        return loss, sum((g * w).sum() for g, w in zip(grads, ways, strict=True))

    _, first = slope(0.0, True)
    bend = sum((g * w).sum() for g, w in zip(autograd.grad(first, leaves), ways, strict=True))
    (up, up_slope), (down, down_slope) = slope(1e-5, False), slope(-1e-5, False)
    assert first.item() == pytest.approx((up.item() - down.item()) / 2e-5, rel=1e-6)
    assert bend.item() == pytest.approx((up_slope.item() - down_slope.item()) / 2e-5, rel=1e-6)


def test_a_parametrisation_of_ones_own():
    class Symmetric(utils.parametrize.Parametrization):
        def forward(self, weight):
            return (weight + weight.T) / 2

    layer = nn.Linear(3, 3)
    plain = layer.weight.detach().numpy().copy()
    utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    np.testing.assert_allclose(layer.weight.detach().numpy(), (plain + plain.T) / 2, rtol=1e-6)
    utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    np.testing.assert_array_equal(layer.weight.detach().numpy(), plain)


# gradients and vectors


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_clip_grad_norm(order):
    parameters = [nn.Parameter(tensor(3, 4)), nn.Parameter(tensor(5)), nn.Parameter(tensor(2))]
    grads = [normal(3, 4, seed=1), normal(5, seed=2)]
    for p, g in zip(parameters, grads, strict=False):
        p.grad = fastdl.tensor(g)
    length = np.linalg.norm(np.concatenate([g.ravel() for g in grads]), order)
    assert utils.clip_grad_norm_(parameters, 1e9, order).item() == pytest.approx(length)
    np.testing.assert_array_equal(parameters[1].grad.numpy(), grads[1])
    utils.clip_grad_norm_(parameters, 0.5, order)
    np.testing.assert_allclose(parameters[0].grad.numpy(), grads[0] * 0.5 / length, rtol=1e-5)
    assert parameters[2].grad is None
    parameters[1].grad[0] = math.nan
    with pytest.raises(errors.ArgumentError, match="nan"):
        utils.clip_grad_norm_(parameters, 1.0, order, error_if_nonfinite=True)


def test_clip_grad_value():
    p = nn.Parameter(fastdl.zeros((3,)))
    p.grad = fastdl.tensor([-2.0, 0.25, 3.0])
    utils.clip_grad_value_(p, 0.5)
    assert p.grad.tolist() == [-0.5, 0.25, 0.5]


def test_parameters_as_a_vector():
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    vector = utils.parameters_to_vector(one.parameters())
    assert vector.shape == (8,)
    utils.vector_to_parameters(vector, two.parameters())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert a.tolist() == b.tolist()
    with pytest.raises(errors.ShapeError, match="8 elements"):
        utils.vector_to_parameters(vector[:7], two.parameters())
