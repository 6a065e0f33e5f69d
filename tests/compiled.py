"""What the tests of fastdl.compile share: models, and the comparison with eager."""

import numpy as np

import fastdl
from fastdl import nn


def values(*shape, dtype="float64", seed=0):
    return fastdl.tensor(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def prepared(model, dtype="float64"):
    """The model in inference mode, with running statistics and scales as after some training."""
    generator = np.random.default_rng(1)
    with fastdl.no_grad():
        for module in model.modules():
            if getattr(module, "running_mean", None) is not None:
                size = module.num_features
                module.running_mean.copy_(generator.normal(0, 0.5, size).astype(np.float32))
                module.running_var.copy_(generator.uniform(0.5, 2, size).astype(np.float32))
                if module.weight is not None:
                    module.weight.copy_(generator.uniform(0.5, 1.5, size).astype(np.float32))
                    module.bias.copy_(generator.normal(0, 0.5, size).astype(np.float32))
    return model.to(dtype).eval()


def agree(ours, expected, **tolerance):
    if isinstance(expected, tuple | list):
        assert type(ours) is type(expected)
        assert len(ours) == len(expected)
        for one, other in zip(ours, expected, strict=True):
            agree(one, other, **tolerance)
        return
    assert ours.dtype == expected.dtype
    assert not ours.requires_grad
    ours, expected = ours.numpy(), expected.detach().numpy()
    assert np.abs(expected).max(initial=0) > 1e-3 or expected.size == 0
    # Folding and fusing reorder a handful of roundings: float64 leaves them below 1e-10.
    np.testing.assert_allclose(ours, expected, **({"rtol": 1e-9, "atol": 1e-10} | tolerance))


def check(model, *inputs, **tolerance):
    """Compile, compare calls from Python, captured and replayed, and return the compiled model."""
    compiled = fastdl.compile(model)
    expected = model(*inputs)
    agree(compiled(*inputs), expected, **tolerance)
    other = [x * 0.5 if x.dtype.is_floating_point else x for x in inputs]
    agree(compiled(*other), model(*other), **tolerance)
    agree(compiled(*inputs), expected, **tolerance)
    assert "replays" in str(compiled.explain())
    return compiled


def operations(compiled):
    """What runs, as "conv2d+relu"; empty where the model runs eagerly."""
    rows = compiled.explain().rows
    return ["+".join(filter(None, [row.operation, *row.fused.split(", ")])) for row in rows]


class Residual(nn.Module):
    """A residual block as in ResNet."""

    def __init__(self, channels, out_channels, stride=1):
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        skip = x if self.downsample is None else self.downsample(x)
        return self.relu(y + skip)


def small_resnet():
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Residual(16, 16),
        Residual(16, 32, 2),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


class Calls(nn.Module):
    """Runs a function of itself and the inputs; what it sets is an attribute."""

    def __init__(self, function, **attributes):
        self.function = function
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, *inputs, **options):
        return self.function(self, *inputs, **options)
