"""The catalogue: architectures by name."""

from fastdl.models.lenet import LeNet5
from fastdl.models.lstm_classifier import LSTMClassifier
from fastdl.models.mlp import MLP
from fastdl.models.registry import ModelInfo, create, info
from fastdl.models.registry import names as list  # noqa: A004 - models.list()
from fastdl.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from fastdl.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)

__all__ = [
    "MLP",
    "VGG",
    "LSTMClassifier",
    "LeNet5",
    "ModelInfo",
    "ResNet",
    "create",
    "info",
    "list",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
