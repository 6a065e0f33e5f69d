"""Residual networks and VGG: names and sizes of torchvision, shapes, and that they learn."""

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import models, nn, optim
from fastdl.errors import ShapeError

# parameters: as torchvision's documentation has them
RESNETS = {
    "resnet18": (1, (2, 2, 2, 2), 11_689_512),
    "resnet34": (1, (3, 4, 6, 3), 21_797_672),
    "resnet50": (4, (3, 4, 6, 3), 25_557_032),
    "resnet101": (4, (3, 4, 23, 3), 44_549_160),
    "resnet152": (4, (3, 8, 36, 3), 60_192_808),
}
# the numbers of the convolutions among `features`, without and with batch norm
VGGS = {
    "vgg11": [0, 3, 6, 8, 11, 13, 16, 18],
    "vgg11_bn": [0, 4, 8, 11, 15, 18, 22, 25],
    "vgg13": [0, 2, 5, 7, 10, 12, 15, 17, 20, 22],
    "vgg13_bn": [0, 3, 7, 10, 14, 17, 21, 24, 28, 31],
    "vgg16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    "vgg16_bn": [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40],
    "vgg19": [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
    "vgg19_bn": [0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49],
}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def norm(name):
    return [f"{name}.{part}" for part in NORM]


def resnet_keys(expansion, layers):
    """The names of torchvision's state_dict, in its order."""
    keys = ["conv1.weight", *norm("bn1")]
    for stage, count in enumerate(layers, 1):
        for block in range(count):
            path = f"layer{stage}.{block}"
            for i in range(1, 4 if expansion == 4 else 3):
                keys += [f"{path}.conv{i}.weight", *norm(f"{path}.bn{i}")]
            if block == 0 and (stage > 1 or expansion == 4):
                keys += [f"{path}.downsample.0.weight", *norm(f"{path}.downsample.1")]
    return [*keys, "fc.weight", "fc.bias"]


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_have_torchvision_s_names_and_parameters(name):
    expansion, layers, parameters = RESNETS[name]
    model = models.create(name)
    state = model.state_dict()
    assert list(state) == resnet_keys(expansion, layers)
    assert count(model) == parameters
    assert state["layer3.0.downsample.0.weight"].shape == (256 * expansion, 128 * expansion, 1, 1)


def test_the_stride_of_a_bottleneck_is_that_of_its_3x3_convolution():
    block = models.create("resnet50").layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))


@pytest.mark.parametrize("name", VGGS)
def test_vgg_has_torchvision_s_features(name):
    from fastdl.models import vgg

    stages = {"11": vgg._A, "13": vgg._B, "16": vgg._D, "19": vgg._E}[name[3:5]]
    bn = name.endswith("_bn")
    features = vgg._features(stages, bn, 3)
    expected = []
    for i in VGGS[name]:
        expected += [f"{i}.weight", f"{i}.bias"] + (norm(f"{i + 1}") if bn else [])
    assert list(features.state_dict()) == expected
    assert [*features][-1].kernel_size == 2
    assert models.info(name).input_shape == (3, 224, 224)


def test_vgg_has_torchvision_s_parameters():
    model = models.create("vgg16_bn")  # one of them: each holds half a gigabyte
    assert count(model) == 138_365_992
    assert [k for k in model.state_dict() if k.startswith("classifier")] == [
        f"classifier.{i}.{part}" for i in (0, 3, 6) for part in ("weight", "bias")
    ]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("size", [(64, 64), (33, 70)])
def test_resnet_shapes(name, size):
    model = models.create(name, num_classes=7, in_channels=2).eval()
    with fastdl.no_grad():
        images = fastdl.randn(2, 2, *size)
        assert model(images).shape == (2, 7)
        assert model.layer1(model.maxpool(model.conv1(images))).shape[2:] == tuple(
            -(-side // 4) for side in size
        )


def test_vgg_shapes():
    model = models.vgg11(num_classes=5, in_channels=1).eval()
    with fastdl.no_grad():
        assert model(fastdl.randn(1, 1, 32, 64)).shape == (1, 5)


def test_zero_init_residual_makes_blocks_the_identity():
    fastdl.manual_seed(0)
    for name in ("resnet18", "resnet50"):
        block = models.create(name, zero_init_residual=True).layer1[1].eval()
        x = fastdl.randn(1, 64 if name == "resnet18" else 256, 5, 5).relu()
        np.testing.assert_array_equal(block(x).detach().numpy(), x.numpy())


def test_weights_are_drawn_by_fan_out():
    fastdl.manual_seed(0)
    weight = models.resnet18().layer2[0].conv1.weight.detach().numpy()  # 64 to 128, 3x3
    assert weight.std() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert abs(weight.mean()) < 1e-3


def test_a_block_adds_its_input():
    fastdl.manual_seed(1)
    block = models.resnet18().layer1[0].eval()
    x = fastdl.randn(2, 64, 6, 6)
    with fastdl.no_grad():
        inner = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
        expected = np.maximum(inner.numpy() + x.numpy(), 0)
        np.testing.assert_allclose(block(x).numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [models.resnet18, models.resnet50])
def test_a_few_steps_lower_the_loss(make):
    fastdl.manual_seed(0)
    model = make(num_classes=3, zero_init_residual=True)
    images, labels = fastdl.randn(6, 3, 32, 32), fastdl.tensor([0, 1, 2, 0, 1, 2])
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("size", [(7, 7), (14, 21), (1, 1), (3, 10), (13, 8)])
def test_adaptive_average_pooling(size):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    (h, w), out = size, (7, 5)
    expected = np.empty((2, 3, *out))
    for i in range(out[0]):
        for j in range(out[1]):
            rows = slice(i * h // out[0], -(-(i + 1) * h // out[0]))
            columns = slice(j * w // out[1], -(-(j + 1) * w // out[1]))
            expected[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
    layer = nn.AdaptiveAvgPool2d(out)
    np.testing.assert_allclose(layer(fastdl.tensor(x)).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_adaptive_average_pooling_needs_images():
    with pytest.raises(ShapeError, match="2 dimensions"):
        nn.AdaptiveAvgPool2d(1)(fastdl.ones(2, 3))
    with pytest.raises(ShapeError, match="dimension 2 of input is 0"):
        nn.AdaptiveAvgPool2d(1)(fastdl.ones(2, 3, 0, 4))
