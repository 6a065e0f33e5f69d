# Made by tools/stubs.py from the compiled module. Do not edit.

from fastdl._core import abs as abs
from fastdl._core import acos as acos
from fastdl._core import acosh as acosh
from fastdl._core import add as add
from fastdl._core import all as all
from fastdl._core import amax as amax
from fastdl._core import amin as amin
from fastdl._core import any as any
from fastdl._core import argmax as argmax
from fastdl._core import argmin as argmin
from fastdl._core import asin as asin
from fastdl._core import asinh as asinh
from fastdl._core import atan as atan
from fastdl._core import atan2 as atan2
from fastdl._core import atanh as atanh
from fastdl._core import avg_pool2d as avg_pool2d
from fastdl._core import batch_norm as batch_norm
from fastdl._core import binary_cross_entropy as binary_cross_entropy
from fastdl._core import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from fastdl._core import cat as cat
from fastdl._core import ceil as ceil
from fastdl._core import celu as celu
from fastdl._core import clamp as clamp
from fastdl._core import conv2d as conv2d
from fastdl._core import cos as cos
from fastdl._core import cosh as cosh
from fastdl._core import cross_entropy as cross_entropy
from fastdl._core import cumprod as cumprod
from fastdl._core import cumsum as cumsum
from fastdl._core import div as div
from fastdl._core import dropout as dropout
from fastdl._core import elu as elu
from fastdl._core import embedding as embedding
from fastdl._core import eq as eq
from fastdl._core import erf as erf
from fastdl._core import erfc as erfc
from fastdl._core import exp as exp
from fastdl._core import exp2 as exp2
from fastdl._core import expand as expand
from fastdl._core import expm1 as expm1
from fastdl._core import flatten as flatten
from fastdl._core import floor as floor
from fastdl._core import floor_divide as floor_divide
from fastdl._core import fmod as fmod
from fastdl._core import gather as gather
from fastdl._core import ge as ge
from fastdl._core import gelu as gelu
from fastdl._core import gru as gru
from fastdl._core import gt as gt
from fastdl._core import hardshrink as hardshrink
from fastdl._core import hardsigmoid as hardsigmoid
from fastdl._core import hardswish as hardswish
from fastdl._core import hardtanh as hardtanh
from fastdl._core import isfinite as isfinite
from fastdl._core import isinf as isinf
from fastdl._core import isnan as isnan
from fastdl._core import layer_norm as layer_norm
from fastdl._core import le as le
from fastdl._core import leaky_relu as leaky_relu
from fastdl._core import linear as linear
from fastdl._core import log as log
from fastdl._core import log1p as log1p
from fastdl._core import log2 as log2
from fastdl._core import log10 as log10
from fastdl._core import log_softmax as log_softmax
from fastdl._core import logical_and as logical_and
from fastdl._core import logical_not as logical_not
from fastdl._core import logical_or as logical_or
from fastdl._core import logical_xor as logical_xor
from fastdl._core import logsigmoid as logsigmoid
from fastdl._core import logsumexp as logsumexp
from fastdl._core import lstm as lstm
from fastdl._core import lt as lt
from fastdl._core import matmul as matmul
from fastdl._core import max as max
from fastdl._core import max_pool2d as max_pool2d
from fastdl._core import maximum as maximum
from fastdl._core import mean as mean
from fastdl._core import min as min
from fastdl._core import minimum as minimum
from fastdl._core import mish as mish
from fastdl._core import mse_loss as mse_loss
from fastdl._core import mul as mul
from fastdl._core import narrow as narrow
from fastdl._core import ne as ne
from fastdl._core import neg as neg
from fastdl._core import norm as norm
from fastdl._core import permute as permute
from fastdl._core import pow as pow
from fastdl._core import prod as prod
from fastdl._core import reciprocal as reciprocal
from fastdl._core import relu as relu
from fastdl._core import relu6 as relu6
from fastdl._core import remainder as remainder
from fastdl._core import reshape as reshape
from fastdl._core import round as round
from fastdl._core import rsqrt as rsqrt
from fastdl._core import scatter_add as scatter_add
from fastdl._core import selu as selu
from fastdl._core import sigmoid as sigmoid
from fastdl._core import sign as sign
from fastdl._core import silu as silu
from fastdl._core import sin as sin
from fastdl._core import sinh as sinh
from fastdl._core import softmax as softmax
from fastdl._core import softplus as softplus
from fastdl._core import softshrink as softshrink
from fastdl._core import softsign as softsign
from fastdl._core import sqrt as sqrt
from fastdl._core import square as square
from fastdl._core import squeeze as squeeze
from fastdl._core import stack as stack
from fastdl._core import std as std
from fastdl._core import sub as sub
from fastdl._core import sum as sum
from fastdl._core import tan as tan
from fastdl._core import tanh as tanh
from fastdl._core import tanhshrink as tanhshrink
from fastdl._core import threshold as threshold
from fastdl._core import transpose as transpose
from fastdl._core import trunc as trunc
from fastdl._core import unsqueeze as unsqueeze
from fastdl._core import var as var
from fastdl._core import view as view
from fastdl._core import where as where
from fastdl.composed.ctc import ctc_loss as ctc_loss
from fastdl.composed.embedding_losses import contrastive_loss as contrastive_loss
from fastdl.composed.embedding_losses import cosine_embedding_loss as cosine_embedding_loss
from fastdl.composed.embedding_losses import hinge_embedding_loss as hinge_embedding_loss
from fastdl.composed.embedding_losses import margin_ranking_loss as margin_ranking_loss
from fastdl.composed.embedding_losses import triplet_margin_loss as triplet_margin_loss
from fastdl.composed.gan_losses import discriminator_loss as discriminator_loss
from fastdl.composed.gan_losses import generator_loss as generator_loss
from fastdl.composed.gan_losses import gradient_penalty as gradient_penalty
from fastdl.composed.losses import dice_loss as dice_loss
from fastdl.composed.losses import focal_loss as focal_loss
from fastdl.composed.losses import gaussian_nll_loss as gaussian_nll_loss
from fastdl.composed.losses import hinge_loss as hinge_loss
from fastdl.composed.losses import huber_loss as huber_loss
from fastdl.composed.losses import kl_div as kl_div
from fastdl.composed.losses import l1_loss as l1_loss
from fastdl.composed.losses import multi_margin_loss as multi_margin_loss
from fastdl.composed.losses import nll_loss as nll_loss
from fastdl.composed.losses import poisson_nll_loss as poisson_nll_loss
from fastdl.composed.losses import sigmoid_focal_loss as sigmoid_focal_loss
from fastdl.composed.losses import smooth_l1_loss as smooth_l1_loss
from fastdl.composed.losses import soft_margin_loss as soft_margin_loss

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cat",
    "ceil",
    "celu",
    "clamp",
    "contrastive_loss",
    "conv2d",
    "cos",
    "cosh",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "cumprod",
    "cumsum",
    "dice_loss",
    "discriminator_loss",
    "div",
    "dropout",
    "elu",
    "embedding",
    "eq",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expand",
    "expm1",
    "flatten",
    "floor",
    "floor_divide",
    "fmod",
    "focal_loss",
    "gather",
    "gaussian_nll_loss",
    "ge",
    "gelu",
    "generator_loss",
    "gradient_penalty",
    "gru",
    "gt",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "isfinite",
    "isinf",
    "isnan",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "le",
    "leaky_relu",
    "linear",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsigmoid",
    "logsumexp",
    "lstm",
    "lt",
    "margin_ranking_loss",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "mse_loss",
    "mul",
    "multi_margin_loss",
    "narrow",
    "ne",
    "neg",
    "nll_loss",
    "norm",
    "permute",
    "poisson_nll_loss",
    "pow",
    "prod",
    "reciprocal",
    "relu",
    "relu6",
    "remainder",
    "reshape",
    "round",
    "rsqrt",
    "scatter_add",
    "selu",
    "sigmoid",
    "sigmoid_focal_loss",
    "sign",
    "silu",
    "sin",
    "sinh",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "softshrink",
    "softsign",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "tan",
    "tanh",
    "tanhshrink",
    "threshold",
    "transpose",
    "triplet_margin_loss",
    "trunc",
    "unsqueeze",
    "var",
    "view",
    "where",
]
