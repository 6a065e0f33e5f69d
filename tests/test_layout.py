"""Memory formats: a tensor [N, C, H, W] whose channels are neighbours in memory."""

import copy
import pickle

import numpy as np
import pytest

import fastdl
from fastdl import _core, nn
from fastdl import functional as F
from fastdl.errors import ArgumentError, AutogradError, ShapeError

LAST = fastdl.channels_last
FIRST = fastdl.contiguous_format


def image(*shape: int, seed: int = 0) -> fastdl.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return fastdl.tensor(values)


def test_strides_and_values():
    x = image(2, 3, 4, 5)
    y = x.contiguous(memory_format=LAST)
    assert y.shape == x.shape
    assert y.stride() == (60, 1, 15, 3)
    assert y.is_contiguous(memory_format=LAST)
    assert not y.is_contiguous()
    assert not x.is_contiguous(memory_format=LAST)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    back = y.contiguous()
    assert back.stride() == x.stride()
    np.testing.assert_array_equal(back.numpy(), x.numpy())
    assert y.to(memory_format=FIRST).is_contiguous(memory_format=FIRST)
    assert x.to(fastdl.float64, memory_format=LAST).stride() == (60, 1, 15, 3)


@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 3, 1, 1), (0, 3, 4, 5)])
def test_a_tensor_in_both_formats_is_not_copied(shape):
    x = image(*shape)
    assert x.is_contiguous(memory_format=FIRST)
    assert x.is_contiguous(memory_format=LAST)
    assert x.contiguous(memory_format=LAST).data_ptr() == x.data_ptr()


def test_only_four_dimensions_have_channels_last():
    with pytest.raises(ShapeError, match="4"):
        image(2, 3, 4).contiguous(memory_format=LAST)
    assert not image(2, 3, 4).is_contiguous(memory_format=LAST)
    with pytest.raises(TypeError, match="channels_last"):
        image(2, 3, 4, 5).contiguous(memory_format="last")


def test_the_gradient_passes_through():
    x = image(2, 3, 4, 5)
    x.requires_grad = True
    w = image(2, 3, 4, 5, seed=1)
    (x.contiguous(memory_format=LAST) * w).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), w.numpy())


def test_copies_and_tensors_like_it_lie_as_it_does():
    x = image(2, 3, 4, 5).to(memory_format=LAST)
    for y in (x.clone(), copy.deepcopy(x), fastdl.zeros_like(x), fastdl.empty_like(x)):
        assert y.stride() == x.stride()
    np.testing.assert_array_equal(copy.deepcopy(x).numpy(), x.numpy())


def test_an_optimiser_steps_parameters_of_either_format():
    values = []
    for layout in (FIRST, LAST):
        model = nn.Conv2d(3, 4, 3)
        with fastdl.no_grad():
            model.weight.copy_(image(4, 3, 3, 3, seed=5))
        model.to(memory_format=layout)
        optimizer = fastdl.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            F.conv2d(image(2, 3, 6, 6), model.weight).sum().backward()
            optimizer.step()
        assert model.weight.is_contiguous(memory_format=layout)
        values.append(model.weight.detach().numpy())
    np.testing.assert_array_equal(*values)


def test_names():
    assert repr(LAST) == "fastdl.channels_last"
    assert repr(FIRST) == "fastdl.contiguous_format"
    assert pickle.loads(pickle.dumps(LAST)) is LAST
    assert copy.copy(FIRST) is FIRST


def test_a_module_changes_format():
    model = nn.Conv2d(3, 8, 3)
    bias, before = model.bias, model.weight.detach().numpy().copy()
    model.to(memory_format=LAST)
    assert model.weight.is_contiguous(memory_format=LAST)
    assert not model.weight.is_contiguous()
    assert isinstance(model.weight, nn.Parameter)
    assert model.weight.requires_grad
    assert model.bias is bias
    np.testing.assert_array_equal(model.weight.detach().numpy(), before)
    model.to(fastdl.float64, memory_format=FIRST)
    assert model.weight.is_contiguous()
    assert model.bias.dtype == fastdl.float64


def test_convolution_keeps_the_format():
    x, w, b = image(2, 3, 9, 8), image(5, 3, 3, 3, seed=1), image(5, seed=2)
    results = []
    for layout in (FIRST, LAST):
        xs = x.detach().to(memory_format=layout)
        xs.requires_grad = True
        ws = w.clone().requires_grad_()
        bs = b.clone().requires_grad_()
        y = F.conv2d(xs, ws, bs, stride=2, padding=1)
        assert y.is_contiguous(memory_format=layout)
        dy = image(*y.shape, seed=3)
        # A gradient that lies otherwise than the result is converted.
        y.backward(dy)
        results.append([t.detach().numpy() for t in (y, xs.grad, ws.grad, bs.grad)])
    for first, last in zip(*results, strict=True):
        np.testing.assert_allclose(last, first, rtol=1e-5, atol=1e-5)


def test_the_gradient_lies_as_the_input():
    x = image(2, 3, 9, 8).to(memory_format=LAST).requires_grad_()
    y = F.conv2d(x, image(5, 3, 3, 3, seed=1))
    y.backward(image(*y.shape, seed=2).to(memory_format=LAST))
    assert x.grad.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("layout", [FIRST, LAST])
@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("with_residual", [False, True])
def test_fused_convolution(layout, activation, with_residual):
    x, w, b = image(2, 6, 9, 8), image(10, 3, 3, 3, seed=1), image(10, seed=2)
    y = F.conv2d(x, w, b, padding=1, groups=2).numpy()
    residual = image(*y.shape, seed=3) if with_residual else None
    if residual is not None:
        y = y + residual.numpy()
    slope = {"none": 1.0, "relu": 0.0, "leaky_relu": 0.2}[activation]
    expected = np.where(y < 0, slope * y, y)
    got = _core.conv2d_fused(
        x.to(memory_format=layout), w, b, residual, activation, 0.2, padding=1, groups=2
    )
    assert got.is_contiguous(memory_format=layout)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_fused_convolution_refuses():
    x, w = image(2, 3, 9, 8), image(5, 3, 3, 3, seed=1)
    with pytest.raises(ArgumentError, match="relu6"):
        _core.conv2d_fused(x, w, activation="relu6")
    with pytest.raises(ShapeError, match="residual"):
        _core.conv2d_fused(x, w, residual=image(2, 5, 7, 1))
    w.requires_grad = True
    with pytest.raises(AutogradError, match="no gradient"):
        _core.conv2d_fused(x, w)
    with fastdl.no_grad():
        _core.conv2d_fused(x, w)
