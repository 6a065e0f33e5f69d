"""The catalogue: architectures by name."""

from fastdl.models.lenet import LeNet5
from fastdl.models.lstm_classifier import LSTMClassifier
from fastdl.models.mlp import MLP
from fastdl.models.registry import ModelInfo, create, info
from fastdl.models.registry import names as list  # noqa: A004 - models.list()

__all__ = ["MLP", "LSTMClassifier", "LeNet5", "ModelInfo", "create", "info", "list"]
