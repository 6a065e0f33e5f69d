"""ResNet and VGG in PyTorch, with the names of torchvision; it imports nothing of fastdl."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["resnet", "vgg"]


class Block(nn.Module):
    """A basic block (widths of one convolution) or a bottleneck (expansion 4)."""

    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        out = width * expansion
        sizes = [(channels, width, 3, stride), (width, width, 3, 1)]
        if expansion > 1:
            sizes = [(channels, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        self.count = len(sizes)
        for i, (before, after, kernel, step) in enumerate(sizes, 1):
            conv = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x
        for i in range(1, self.count + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            if i < self.count:
                h = self.relu(h)
        return self.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """As `fastdl.models.ResNet`."""

    def __init__(self, expansion: int, layers: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, count in enumerate(layers):
            width, blocks = 64 << stage, []
            for i in range(count):
                stride = 2 if stage and i == 0 else 1
                blocks.append(Block(channels, width, stride, expansion))
                channels = width * expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet(layers: int) -> nn.Module:
    """ResNet-18 or 50."""
    return ResNet(*{18: (1, (2, 2, 2, 2)), 50: (4, (3, 4, 6, 3))}[layers])


class Vgg(nn.Module):
    """As `fastdl.models.VGG`."""

    def __init__(self, convolutions: Sequence[int]) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        channels = 3
        for count, width in zip(convolutions, (64, 128, 256, 512, 512), strict=True):
            for _ in range(count):
                modules += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            modules.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*modules)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 1000),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def vgg() -> nn.Module:
    """VGG-16."""
    return Vgg((2, 2, 3, 3, 3))
