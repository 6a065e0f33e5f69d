"""Models in float16 and bfloat16 compute what they do in float32, rounded at each layer."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from tests.oprow import EPSILON


def classifier():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 16, 5),
    )


def step(model, x):
    scores = model(x)
    F.cross_entropy(scores, fastdl.tensor([0, 1, 2, 3])).backward()
    return scores.float().detach().numpy(), model[0].weight.grad.float().numpy()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_classifier_and_its_gradient(dtype):
    fastdl.manual_seed(0)
    model, x = classifier(), fastdl.randn(4, 3, 8, 8)
    expected = step(model, x)
    model.zero_grad()
    (model.half if dtype == "float16" else model.bfloat16)()
    assert {str(p.dtype) for p in model.parameters()} == {f"fastdl.{dtype}"}
    # Six layers round results of about 1. Gradients pass twice as many, and a rounded value that
    # changes sides at ReLU, or its rank in a window, changes them by more than rounding.
    for got, wanted, layers in zip(step(model, x.to(dtype)), expected, (6, 40), strict=True):
        assert np.abs(got - wanted).max() <= layers * EPSILON[dtype] * np.abs(wanted).max()


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(layer):
    fastdl.manual_seed(0)
    model, x = layer(4, 6), fastdl.randn(5, 2, 4)
    expected = model(x)[0].detach().numpy()
    got = model.half()(x.half())[0]
    assert got.dtype == fastdl.float16
    np.testing.assert_allclose(got.float().detach().numpy(), expected, atol=8 * EPSILON["float16"])
