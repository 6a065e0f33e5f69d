# Made by tools/stubs.py. Do not edit.

from fastdl._core import abs as abs
from fastdl._core import acos as acos
from fastdl._core import acosh as acosh
from fastdl._core import adaptive_avg_pool1d as adaptive_avg_pool1d
from fastdl._core import adaptive_avg_pool2d as adaptive_avg_pool2d
from fastdl._core import adaptive_avg_pool3d as adaptive_avg_pool3d
from fastdl._core import adaptive_max_pool1d as adaptive_max_pool1d
from fastdl._core import adaptive_max_pool2d as adaptive_max_pool2d
from fastdl._core import adaptive_max_pool3d as adaptive_max_pool3d
from fastdl._core import add as add
from fastdl._core import addmm as addmm
from fastdl._core import affine_grid as affine_grid
from fastdl._core import all as all
from fastdl._core import alpha_dropout as alpha_dropout
from fastdl._core import amax as amax
from fastdl._core import amin as amin
from fastdl._core import any as any
from fastdl._core import argmax as argmax
from fastdl._core import argmin as argmin
from fastdl._core import argsort as argsort
from fastdl._core import argwhere as argwhere
from fastdl._core import asin as asin
from fastdl._core import asinh as asinh
from fastdl._core import atan as atan
from fastdl._core import atan2 as atan2
from fastdl._core import atanh as atanh
from fastdl._core import avg_pool1d as avg_pool1d
from fastdl._core import avg_pool2d as avg_pool2d
from fastdl._core import avg_pool3d as avg_pool3d
from fastdl._core import baddbmm as baddbmm
from fastdl._core import batch_norm as batch_norm
from fastdl._core import batched_nms as batched_nms
from fastdl._core import binary_cross_entropy as binary_cross_entropy
from fastdl._core import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from fastdl._core import bincount as bincount
from fastdl._core import bitwise_and as bitwise_and
from fastdl._core import bitwise_left_shift as bitwise_left_shift
from fastdl._core import bitwise_not as bitwise_not
from fastdl._core import bitwise_or as bitwise_or
from fastdl._core import bitwise_right_shift as bitwise_right_shift
from fastdl._core import bitwise_xor as bitwise_xor
from fastdl._core import blur2d as blur2d
from fastdl._core import bmm as bmm
from fastdl._core import broadcast_to as broadcast_to
from fastdl._core import bucketize as bucketize
from fastdl._core import cat as cat
from fastdl._core import ceil as ceil
from fastdl._core import celu as celu
from fastdl._core import channel_shuffle as channel_shuffle
from fastdl._core import chunk as chunk
from fastdl._core import clamp as clamp
from fastdl._core import conv1d as conv1d
from fastdl._core import conv2d as conv2d
from fastdl._core import conv3d as conv3d
from fastdl._core import conv_transpose1d as conv_transpose1d
from fastdl._core import conv_transpose2d as conv_transpose2d
from fastdl._core import conv_transpose3d as conv_transpose3d
from fastdl._core import cos as cos
from fastdl._core import cosh as cosh
from fastdl._core import cross_entropy as cross_entropy
from fastdl._core import cummax as cummax
from fastdl._core import cummin as cummin
from fastdl._core import cumprod as cumprod
from fastdl._core import cumsum as cumsum
from fastdl._core import depth_to_space as depth_to_space
from fastdl._core import diag as diag
from fastdl._core import diagonal as diagonal
from fastdl._core import div as div
from fastdl._core import dot as dot
from fastdl._core import dropout as dropout
from fastdl._core import dropout1d as dropout1d
from fastdl._core import dropout2d as dropout2d
from fastdl._core import dropout3d as dropout3d
from fastdl._core import elu as elu
from fastdl._core import embedding as embedding
from fastdl._core import eq as eq
from fastdl._core import erf as erf
from fastdl._core import erfc as erfc
from fastdl._core import exp as exp
from fastdl._core import exp2 as exp2
from fastdl._core import expand as expand
from fastdl._core import expm1 as expm1
from fastdl._core import feature_alpha_dropout as feature_alpha_dropout
from fastdl._core import flatten as flatten
from fastdl._core import flip as flip
from fastdl._core import floor as floor
from fastdl._core import floor_divide as floor_divide
from fastdl._core import fmod as fmod
from fastdl._core import fold as fold
from fastdl._core import gather as gather
from fastdl._core import gaussian_dropout as gaussian_dropout
from fastdl._core import gaussian_noise as gaussian_noise
from fastdl._core import ge as ge
from fastdl._core import gelu as gelu
from fastdl._core import grid_sample as grid_sample
from fastdl._core import group_norm as group_norm
from fastdl._core import gru as gru
from fastdl._core import gt as gt
from fastdl._core import hardshrink as hardshrink
from fastdl._core import hardsigmoid as hardsigmoid
from fastdl._core import hardswish as hardswish
from fastdl._core import hardtanh as hardtanh
from fastdl._core import histc as histc
from fastdl._core import histogram as histogram
from fastdl._core import index_add as index_add
from fastdl._core import index_copy as index_copy
from fastdl._core import index_fill as index_fill
from fastdl._core import index_put as index_put
from fastdl._core import index_select as index_select
from fastdl._core import instance_norm as instance_norm
from fastdl._core import interpolate as interpolate
from fastdl._core import isfinite as isfinite
from fastdl._core import isinf as isinf
from fastdl._core import isnan as isnan
from fastdl._core import layer_norm as layer_norm
from fastdl._core import le as le
from fastdl._core import leaky_relu as leaky_relu
from fastdl._core import linear as linear
from fastdl._core import local_response_norm as local_response_norm
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
from fastdl._core import masked_fill as masked_fill
from fastdl._core import masked_scatter as masked_scatter
from fastdl._core import masked_select as masked_select
from fastdl._core import matmul as matmul
from fastdl._core import max as max
from fastdl._core import max_pool1d as max_pool1d
from fastdl._core import max_pool2d as max_pool2d
from fastdl._core import max_pool3d as max_pool3d
from fastdl._core import max_unpool1d as max_unpool1d
from fastdl._core import max_unpool2d as max_unpool2d
from fastdl._core import max_unpool3d as max_unpool3d
from fastdl._core import maximum as maximum
from fastdl._core import mean as mean
from fastdl._core import median as median
from fastdl._core import meshgrid as meshgrid
from fastdl._core import min as min
from fastdl._core import minimum as minimum
from fastdl._core import mish as mish
from fastdl._core import mm as mm
from fastdl._core import movedim as movedim
from fastdl._core import mse_loss as mse_loss
from fastdl._core import mul as mul
from fastdl._core import mv as mv
from fastdl._core import nanmedian as nanmedian
from fastdl._core import narrow as narrow
from fastdl._core import ne as ne
from fastdl._core import neg as neg
from fastdl._core import nms as nms
from fastdl._core import nonzero as nonzero
from fastdl._core import norm as norm
from fastdl._core import one_hot as one_hot
from fastdl._core import outer as outer
from fastdl._core import pad as pad
from fastdl._core import permute as permute
from fastdl._core import pixel_shuffle as pixel_shuffle
from fastdl._core import pixel_unshuffle as pixel_unshuffle
from fastdl._core import pow as pow
from fastdl._core import prod as prod
from fastdl._core import put as put
from fastdl._core import reciprocal as reciprocal
from fastdl._core import relu as relu
from fastdl._core import relu6 as relu6
from fastdl._core import remainder as remainder
from fastdl._core import repeat as repeat
from fastdl._core import repeat_interleave as repeat_interleave
from fastdl._core import reshape as reshape
from fastdl._core import rms_norm as rms_norm
from fastdl._core import roi_align as roi_align
from fastdl._core import roi_pool as roi_pool
from fastdl._core import roll as roll
from fastdl._core import round as round
from fastdl._core import rsqrt as rsqrt
from fastdl._core import scatter as scatter
from fastdl._core import scatter_add as scatter_add
from fastdl._core import scatter_reduce as scatter_reduce
from fastdl._core import searchsorted as searchsorted
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
from fastdl._core import sort as sort
from fastdl._core import space_to_depth as space_to_depth
from fastdl._core import split as split
from fastdl._core import sqrt as sqrt
from fastdl._core import square as square
from fastdl._core import squeeze as squeeze
from fastdl._core import stack as stack
from fastdl._core import std as std
from fastdl._core import stochastic_depth as stochastic_depth
from fastdl._core import sub as sub
from fastdl._core import sum as sum
from fastdl._core import swapaxes as swapaxes
from fastdl._core import take as take
from fastdl._core import take_along_dim as take_along_dim
from fastdl._core import tan as tan
from fastdl._core import tanh as tanh
from fastdl._core import tanhshrink as tanhshrink
from fastdl._core import threshold as threshold
from fastdl._core import tile as tile
from fastdl._core import topk as topk
from fastdl._core import transpose as transpose
from fastdl._core import tril as tril
from fastdl._core import triu as triu
from fastdl._core import trunc as trunc
from fastdl._core import unbind as unbind
from fastdl._core import unflatten as unflatten
from fastdl._core import unfold as unfold
from fastdl._core import unique as unique
from fastdl._core import unsqueeze as unsqueeze
from fastdl._core import var as var
from fastdl._core import view as view
from fastdl._core import where as where
from fastdl.composed.activations import bipolar_sigmoid as bipolar_sigmoid
from fastdl.composed.activations import clipped_relu as clipped_relu
from fastdl.composed.activations import glu as glu
from fastdl.composed.activations import gumbel_softmax as gumbel_softmax
from fastdl.composed.activations import maxout as maxout
from fastdl.composed.activations import prelu as prelu
from fastdl.composed.activations import step as step
from fastdl.composed.attention import additive_attention as additive_attention
from fastdl.composed.attention import scaled_dot_product_attention as scaled_dot_product_attention
from fastdl.composed.boxes import box_area as box_area
from fastdl.composed.boxes import box_convert as box_convert
from fastdl.composed.boxes import box_decode as box_decode
from fastdl.composed.boxes import box_encode as box_encode
from fastdl.composed.boxes import box_iou as box_iou
from fastdl.composed.boxes import clip_boxes_to_image as clip_boxes_to_image
from fastdl.composed.boxes import generalized_box_iou as generalized_box_iou
from fastdl.composed.boxes import yolo_decode as yolo_decode
from fastdl.composed.ctc import ctc_loss as ctc_loss
from fastdl.composed.deformable import deform_conv2d as deform_conv2d
from fastdl.composed.distance import cosine_similarity as cosine_similarity
from fastdl.composed.distance import normalize as normalize
from fastdl.composed.distance import pairwise_distance as pairwise_distance
from fastdl.composed.einsum import einsum as einsum
from fastdl.composed.einsum import tensordot as tensordot
from fastdl.composed.embedding_bag import embedding_bag as embedding_bag
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
from fastdl.composed.normalization import adaptive_instance_norm as adaptive_instance_norm
from fastdl.composed.normalization import pixel_norm as pixel_norm
from fastdl.composed.pooling import global_average_pool as global_average_pool
from fastdl.composed.pooling import global_lp_pool as global_lp_pool
from fastdl.composed.pooling import global_max_pool as global_max_pool
from fastdl.composed.pooling import lp_pool1d as lp_pool1d
from fastdl.composed.pooling import lp_pool2d as lp_pool2d
from fastdl.composed.pooling import lp_pool3d as lp_pool3d
from fastdl.composed.pooling import spatial_pyramid_pool as spatial_pyramid_pool
from fastdl.composed.recurrent import gru_reset_before as gru_reset_before
from fastdl.composed.recurrent import peephole_lstm as peephole_lstm
from fastdl.composed.recurrent import rnn as rnn
from fastdl.composed.word_vectors import negative_sampling_loss as negative_sampling_loss

__all__ = [
    "abs",
    "acos",
    "acosh",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_instance_norm",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "additive_attention",
    "addmm",
    "affine_grid",
    "all",
    "alpha_dropout",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "baddbmm",
    "batch_norm",
    "batched_nms",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bincount",
    "bipolar_sigmoid",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "blur2d",
    "bmm",
    "box_area",
    "box_convert",
    "box_decode",
    "box_encode",
    "box_iou",
    "broadcast_to",
    "bucketize",
    "cat",
    "ceil",
    "celu",
    "channel_shuffle",
    "chunk",
    "clamp",
    "clip_boxes_to_image",
    "clipped_relu",
    "contrastive_loss",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cos",
    "cosh",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "deform_conv2d",
    "depth_to_space",
    "diag",
    "diagonal",
    "dice_loss",
    "discriminator_loss",
    "div",
    "dot",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "einsum",
    "elu",
    "embedding",
    "embedding_bag",
    "eq",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expand",
    "expm1",
    "feature_alpha_dropout",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "fmod",
    "focal_loss",
    "fold",
    "gather",
    "gaussian_dropout",
    "gaussian_nll_loss",
    "gaussian_noise",
    "ge",
    "gelu",
    "generalized_box_iou",
    "generator_loss",
    "global_average_pool",
    "global_lp_pool",
    "global_max_pool",
    "glu",
    "gradient_penalty",
    "grid_sample",
    "group_norm",
    "gru",
    "gru_reset_before",
    "gt",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "hinge_loss",
    "histc",
    "histogram",
    "huber_loss",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_select",
    "instance_norm",
    "interpolate",
    "isfinite",
    "isinf",
    "isnan",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "le",
    "leaky_relu",
    "linear",
    "local_response_norm",
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
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "lstm",
    "lt",
    "margin_ranking_loss",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "maximum",
    "maxout",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mish",
    "mm",
    "movedim",
    "mse_loss",
    "mul",
    "multi_margin_loss",
    "mv",
    "nanmedian",
    "narrow",
    "ne",
    "neg",
    "negative_sampling_loss",
    "nll_loss",
    "nms",
    "nonzero",
    "norm",
    "normalize",
    "one_hot",
    "outer",
    "pad",
    "pairwise_distance",
    "peephole_lstm",
    "permute",
    "pixel_norm",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "pow",
    "prelu",
    "prod",
    "put",
    "reciprocal",
    "relu",
    "relu6",
    "remainder",
    "repeat",
    "repeat_interleave",
    "reshape",
    "rms_norm",
    "rnn",
    "roi_align",
    "roi_pool",
    "roll",
    "round",
    "rsqrt",
    "scaled_dot_product_attention",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
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
    "sort",
    "space_to_depth",
    "spatial_pyramid_pool",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "step",
    "stochastic_depth",
    "sub",
    "sum",
    "swapaxes",
    "take",
    "take_along_dim",
    "tan",
    "tanh",
    "tanhshrink",
    "tensordot",
    "threshold",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triplet_margin_loss",
    "triu",
    "trunc",
    "unbind",
    "unflatten",
    "unfold",
    "unique",
    "unsqueeze",
    "var",
    "view",
    "where",
    "yolo_decode",
]
