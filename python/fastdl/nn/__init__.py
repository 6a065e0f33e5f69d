"""Layers, losses and containers."""

from fastdl.nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from fastdl.nn.container import ModuleList, Sequential
from fastdl.nn.conv import Conv2d
from fastdl.nn.linear import Linear
from fastdl.nn.loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from fastdl.nn.module import Module
from fastdl.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from fastdl.nn.parameter import Parameter
from fastdl.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from fastdl.nn.recurrent import LSTM
from fastdl.nn.regularization import Dropout
from fastdl.nn.shape import Flatten
from fastdl.nn.sparse import Embedding

__all__ = [
    "LSTM",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
