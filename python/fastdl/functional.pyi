# Made by tools/stubs.py from the compiled module. Do not edit.

from fastdl._core import abs as abs
from fastdl._core import add as add
from fastdl._core import amax as amax
from fastdl._core import amin as amin
from fastdl._core import argmax as argmax
from fastdl._core import argmin as argmin
from fastdl._core import avg_pool2d as avg_pool2d
from fastdl._core import batch_norm as batch_norm
from fastdl._core import binary_cross_entropy as binary_cross_entropy
from fastdl._core import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from fastdl._core import cat as cat
from fastdl._core import conv2d as conv2d
from fastdl._core import cos as cos
from fastdl._core import cross_entropy as cross_entropy
from fastdl._core import div as div
from fastdl._core import dropout as dropout
from fastdl._core import embedding as embedding
from fastdl._core import eq as eq
from fastdl._core import exp as exp
from fastdl._core import expand as expand
from fastdl._core import flatten as flatten
from fastdl._core import gather as gather
from fastdl._core import ge as ge
from fastdl._core import gt as gt
from fastdl._core import isfinite as isfinite
from fastdl._core import isnan as isnan
from fastdl._core import layer_norm as layer_norm
from fastdl._core import le as le
from fastdl._core import linear as linear
from fastdl._core import log as log
from fastdl._core import log_softmax as log_softmax
from fastdl._core import logical_not as logical_not
from fastdl._core import lstm as lstm
from fastdl._core import lt as lt
from fastdl._core import matmul as matmul
from fastdl._core import max as max
from fastdl._core import max_pool2d as max_pool2d
from fastdl._core import maximum as maximum
from fastdl._core import mean as mean
from fastdl._core import min as min
from fastdl._core import minimum as minimum
from fastdl._core import mse_loss as mse_loss
from fastdl._core import mul as mul
from fastdl._core import narrow as narrow
from fastdl._core import ne as ne
from fastdl._core import neg as neg
from fastdl._core import permute as permute
from fastdl._core import pow as pow
from fastdl._core import reciprocal as reciprocal
from fastdl._core import relu as relu
from fastdl._core import reshape as reshape
from fastdl._core import rsqrt as rsqrt
from fastdl._core import scatter_add as scatter_add
from fastdl._core import sigmoid as sigmoid
from fastdl._core import sign as sign
from fastdl._core import sin as sin
from fastdl._core import softmax as softmax
from fastdl._core import softplus as softplus
from fastdl._core import sqrt as sqrt
from fastdl._core import square as square
from fastdl._core import squeeze as squeeze
from fastdl._core import stack as stack
from fastdl._core import sub as sub
from fastdl._core import sum as sum
from fastdl._core import tanh as tanh
from fastdl._core import transpose as transpose
from fastdl._core import unsqueeze as unsqueeze
from fastdl._core import var as var
from fastdl._core import view as view
from fastdl._core import where as where

__all__ = [
    "abs",
    "add",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cat",
    "conv2d",
    "cos",
    "cross_entropy",
    "div",
    "dropout",
    "embedding",
    "eq",
    "exp",
    "expand",
    "flatten",
    "gather",
    "ge",
    "gt",
    "isfinite",
    "isnan",
    "layer_norm",
    "le",
    "linear",
    "log",
    "log_softmax",
    "logical_not",
    "lstm",
    "lt",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "mul",
    "narrow",
    "ne",
    "neg",
    "permute",
    "pow",
    "reciprocal",
    "relu",
    "reshape",
    "rsqrt",
    "scatter_add",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "view",
    "where",
]
