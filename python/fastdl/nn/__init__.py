"""Layers, losses and containers."""

from fastdl.nn import utils
from fastdl.nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from fastdl.nn.attention import AdditiveAttention, MultiheadAttention
from fastdl.nn.container import ModuleList, Sequential
from fastdl.nn.conv import Conv2d
from fastdl.nn.linear import Linear
from fastdl.nn.loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from fastdl.nn.module import Module
from fastdl.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from fastdl.nn.parameter import Parameter
from fastdl.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from fastdl.nn.recurrent import GRU, LSTM, RNN
from fastdl.nn.recurrent_cells import GRUCell, LSTMCell, RNNCell
from fastdl.nn.regularization import Dropout
from fastdl.nn.shape import Flatten
from fastdl.nn.sparse import Embedding, EmbeddingBag
from fastdl.nn.word_vectors import HierarchicalSoftmax, NegativeSampling

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool2d",
    "AdditiveAttention",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GRUCell",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HierarchicalSoftmax",
    "Identity",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleList",
    "MultiheadAttention",
    "NegativeSampling",
    "Parameter",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "utils",
]
