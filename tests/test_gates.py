"""Activations with thresholds, pieces, slopes and draws, and the layers of textbooks."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, ShapeError
from tests import references_activation as ref

X = np.random.default_rng(2).normal(size=(4, 6))


def test_step_has_a_gradient_of_zero_or_straight_through():
    for through, slope in ((False, 0.0), (True, 1.0)):
        x = fastdl.tensor([-1.0, 0.0, 0.3, np.nan], requires_grad=True)
        y = F.step(x, 0.0, through)
        np.testing.assert_array_equal(y.detach().numpy(), [0.0, 1.0, 1.0, np.nan])
        y.sum().backward()
        np.testing.assert_array_equal(x.grad.numpy()[:3], [slope] * 3)


def test_modules_are_the_functions():
    x = fastdl.tensor(X)
    for module, expected in (
        (nn.Step(0.5), ref.step(X, 0.5)),
        (nn.BipolarSigmoid(), ref.bipolar_sigmoid(X)),
        (nn.ClippedReLU(1.0), ref.clipped_relu(X, 1.0)),
        (nn.GLU(), ref.glu(X)),
        (nn.Maxout(3), ref.maxout(X, 3)),
        (nn.PReLU(6, 0.1, dtype="float64"), ref.prelu(X, np.full(6, 0.1))),
    ):
        np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-12)
        assert type(module).__name__ in repr(module)
    assert list(nn.PReLU(3).state_dict()) == ["weight"]


def test_gumbel_softmax_draws_from_the_softmax():
    """Of 20,000 draws the shares are within five standard deviations of the probabilities."""
    logits = fastdl.tensor(np.log([0.1, 0.2, 0.7])).expand(20_000, 3)
    generator = fastdl.Generator(5)
    hard = F.gumbel_softmax(logits, hard=True, generator=generator).numpy()
    assert set(np.unique(hard)) == {0.0, 1.0}
    shares, p = hard.mean(0), np.array([0.1, 0.2, 0.7])
    assert np.all(np.abs(shares - p) < 5 * np.sqrt(p * (1 - p) / 20_000))
    soft = F.gumbel_softmax(logits[:5].requires_grad_(), tau=0.5, generator=generator)
    np.testing.assert_allclose(soft.detach().numpy().sum(1), 1.0, rtol=1e-12)
    x = fastdl.tensor(X, requires_grad=True)
    (F.gumbel_softmax(x, hard=True) * fastdl.tensor(X)).sum().backward()
    assert np.abs(x.grad.numpy()).max() > 0
    assert nn.GumbelSoftmax(hard=True)(fastdl.zeros((0, 3))).shape == (0, 3)


def test_image_input_normalises():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    images = fastdl.tensor(x)
    mean, std = [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]
    m, s = (np.array(v, np.float32).reshape(3, 1, 1) for v in (mean, std))
    for kind, expected in (
        ("none", x),
        ("zerocenter", x - m),
        ("zscore", (x - m) / s),
        ("rescale", (x - m) / (s - m)),
    ):
        layer = nn.ImageInput((3, 4, 4), kind, mean, std)
        np.testing.assert_allclose(layer(images).numpy(), expected, rtol=1e-6)
        assert sorted(layer.state_dict()) == ["mean", "std"]
    with pytest.raises(ShapeError, match="expected"):
        layer(images[:, :, :3])
    with pytest.raises(ArgumentError):
        nn.ImageInput((3, 4, 4), "zscore", std=0.0)
    with pytest.raises(ArgumentError):
        nn.ImageInput((3, 4, 4), "whiten")


def test_joints_and_ends():
    a, b = fastdl.ones((2, 3, 4, 5)), fastdl.ones((2, 1, 4, 5))
    assert nn.DepthConcatenation()(a, b).shape == (2, 4, 4, 5)
    assert nn.Addition()(a, a, a).numpy().max() == 3.0
    for call in (
        lambda: nn.Addition()(a, b),
        lambda: nn.Addition()(a),
        lambda: nn.DepthConcatenation()(a, b[:, :, :3]),
        lambda: nn.DepthConcatenation()(a[0], a[0]),
        lambda: nn.SequenceInput(4)(a[0, 0]),
    ):
        with pytest.raises(ShapeError) as caught:
            call()
        assert caught.value.remedy
    assert nn.SequenceInput(5)(a[0]) is not None
    y, target = fastdl.tensor(X), fastdl.tensor([0, 1, 2, 5])
    np.testing.assert_allclose(nn.ClassificationOutput()(y).numpy().sum(1), 1.0, rtol=1e-12)
    assert nn.ClassificationOutput().loss(y, target).item() > 0
    assert nn.RegressionOutput().loss(y, y + 2).item() == pytest.approx(2 * 6)
    assert nn.RegressionOutput()(y) is y


def test_bad_input():
    x = fastdl.tensor(X)
    for call in (
        lambda: F.glu(x[:, :5]),
        lambda: F.maxout(x, 4),
        lambda: F.prelu(x, fastdl.ones((4,), dtype="float64")),
        lambda: F.glu(fastdl.tensor(1.0)),
    ):
        with pytest.raises(ShapeError) as caught:
            call()
        assert caught.value.remedy
    for call in (
        lambda: F.maxout(x, 0),
        lambda: F.gumbel_softmax(x, tau=0.0),
        lambda: F.clipped_relu(x, -1.0),
    ):
        with pytest.raises(ArgumentError):
            call()
