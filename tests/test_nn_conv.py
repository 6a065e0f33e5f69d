"""Convolutional layers against their functions, and how sizes follow from options."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn

LAYERS = [
    (nn.Conv1d, F.conv1d, 1),
    (nn.Conv2d, F.conv2d, 2),
    (nn.Conv3d, F.conv3d, 3),
    (nn.ConvTranspose1d, F.conv_transpose1d, 1),
    (nn.ConvTranspose2d, F.conv_transpose2d, 2),
    (nn.ConvTranspose3d, F.conv_transpose3d, 3),
]


def is_transposed(layer):
    return "Transpose" in layer.__name__


@pytest.mark.parametrize(("layer", "function", "rank"), LAYERS)
def test_layer_is_the_function_of_its_parameters(layer, function, rank):
    fastdl.manual_seed(0)
    conv = layer(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)
    inner = (4, 3) if is_transposed(layer) else (6, 2)
    assert conv.weight.shape == (*inner, *[3] * rank)
    assert list(conv.state_dict()) == ["weight", "bias"]
    bound = (inner[1] * 3**rank) ** -0.5
    assert 0.5 * bound < float(conv.weight.abs().max()) <= bound
    x = fastdl.randn((2, 4, *range(7, 7 + rank)))
    options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    wanted = function(x, conv.weight, conv.bias, **options)
    np.testing.assert_array_equal(conv(x).detach().numpy(), wanted.detach().numpy())
    one = conv(x[1])
    assert one.shape == wanted.shape[1:]
    np.testing.assert_allclose(one.detach().numpy(), wanted[1].detach().numpy(), atol=1e-5)
    conv(x).sum().backward()
    assert conv.weight.grad.shape == conv.weight.shape
    plain = layer(4, 6, [3] * rank, bias=False)
    assert plain.bias is None
    assert "bias=False" in repr(plain)
    assert "stride=" + str((2,) * rank) in repr(conv)


@pytest.mark.parametrize(("layer", "function", "rank"), LAYERS[:3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_keeps_the_size(layer, function, rank, kernel, dilation):
    conv = layer(2, 3, kernel, padding="same", dilation=dilation)
    x = fastdl.randn((2, 2, *range(4, 4 + rank)))
    y = conv(x)
    assert y.shape == (2, 3, *x.shape[2:])
    before = dilation * (kernel - 1) // 2
    behind = dilation * (kernel - 1) - before
    padded = np.pad(x.numpy(), [(0, 0)] * 2 + [(before, behind)] * rank)
    wanted = function(padded, conv.weight, conv.bias, dilation=dilation)
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), atol=1e-5)
    assert "padding='same'" in repr(conv)
    assert layer(2, 3, kernel, padding="valid")(x).shape[2] == 4 - kernel + 1


MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize(("layer", "function", "rank"), LAYERS[:3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [1, 2, "same", "valid"])
def test_padding_modes(layer, function, rank, mode, padding):
    conv = layer(2, 3, 4, padding=padding, padding_mode=mode)
    x = fastdl.randn((2, 2, *range(6, 6 + rank)))
    before, behind = {"same": (1, 2), "valid": (0, 0)}.get(padding, (padding, padding))
    padded = np.pad(x.numpy(), [(0, 0)] * 2 + [(before, behind)] * rank, MODES[mode])
    wanted = function(padded, conv.weight, conv.bias)
    np.testing.assert_allclose(conv(x).detach().numpy(), wanted.detach().numpy(), atol=1e-5)
    assert ("padding_mode" in repr(conv)) == (mode != "zeros")


@pytest.mark.parametrize(("layer", "function", "rank"), LAYERS[3:])
def test_output_size(layer, function, rank):
    conv = layer(2, 3, 3, stride=3, padding=1)
    x = fastdl.randn((2, 2, *[4] * rank))
    for size in (10, 11, 12):
        assert conv(x, [size] * rank).shape == (2, 3, *[size] * rank)
    whole = conv(x, (2, 3, *[12] * rank))
    wanted = function(x, conv.weight, conv.bias, 3, 1, 2)
    np.testing.assert_array_equal(whole.detach().numpy(), wanted.detach().numpy())
    assert conv(x[0], [11] * rank).shape == (3, *[11] * rank)


def test_a_compiled_model_of_one_image():
    model = nn.Sequential(nn.Conv2d(3, 8, 4, padding="same"), nn.ReLU()).eval()
    compiled = fastdl.compile(model)
    for shape in ((2, 3, 9, 9), (3, 9, 9)):
        x = fastdl.randn(shape)
        with fastdl.no_grad():
            wanted = model(x).numpy()
            np.testing.assert_allclose(compiled(x).numpy(), wanted, atol=1e-5)
    told = fastdl.explain(model[0], (2, 3, 9, 9))
    assert told.steps[0].name == "forward"
