"""Bad input to normalisation, dropout and noise is answered by a typed exception."""

import math

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, DTypeError, ShapeError
from fastdl.nn import utils

X = fastdl.ones((2, 6, 4, 4))
C6, C5 = fastdl.ones((6,)), fastdl.ones((5,))


# name -> (call, error, what the message shows)
CASES = {
    "batch norm statistics too long": (
        lambda: F.batch_norm(X, fastdl.ones((7,)), C6), ShapeError, "running_mean"),
    "batch norm statistics too short": (
        lambda: F.batch_norm(X, C6, C5), ShapeError, "running_var"),
    "batch norm statistics of two dimensions": (
        lambda: F.batch_norm(X, fastdl.ones((2, 6)), C6), ShapeError, "running_mean"),
    "batch norm eps": (lambda: F.batch_norm(X, C6, C6, eps=-1e-5), ArgumentError, "eps"),
    "batch norm eps NaN": (lambda: F.batch_norm(X, C6, C6, eps=math.nan), ArgumentError, "eps"),
    "batch norm momentum NaN": (
        lambda: F.batch_norm(X, C6, C6, None, None, True, math.nan), ArgumentError, "momentum"),
    "batch norm without statistics": (lambda: F.batch_norm(X), ArgumentError, "running_mean"),
    "group norm groups": (lambda: F.group_norm(X, 4), ShapeError, "6 channels"),
    "group norm no groups": (lambda: F.group_norm(X, 0), ArgumentError, "num_groups is 0"),
    "group norm of no channels": (
        lambda: F.group_norm(fastdl.ones((2, 0, 3)), 0), ArgumentError, "num_groups is 0"),
    "group norm huge": (lambda: F.group_norm(X, 2**62), ShapeError, "groups"),
    "group norm weight": (lambda: F.group_norm(X, 2, C5), ShapeError, "weight"),
    "group norm weight of an expanded shape": (
        lambda: F.group_norm(X, 2, fastdl.ones((6, 1))), ShapeError, "weight"),
    "group norm weight dtype": (
        lambda: F.group_norm(X, 2, fastdl.ones((6,), dtype="float64")), DTypeError, "float64"),
    "group norm integers": (
        lambda: F.group_norm(np.ones((2, 6, 3), int), 2), DTypeError, "int64"),
    "group norm of a vector": (lambda: F.group_norm(C6, 2), ShapeError, "1 dimension"),
    "group norm eps": (lambda: F.group_norm(X, 2, eps=-1.0), ArgumentError, "eps"),
    "instance norm statistics": (lambda: F.instance_norm(X, C5, C6), ShapeError, "running_mean"),
    "instance norm without statistics": (
        lambda: F.instance_norm(X, use_input_stats=False), ArgumentError, "running_mean"),
    "instance norm of a pixel": (
        lambda: F.instance_norm(fastdl.ones((2, 6, 1, 1))), ShapeError, "one pixel"),
    "instance norm momentum": (
        lambda: F.instance_norm(X, C6, C6, momentum=math.nan), ArgumentError, "momentum"),
    "rms norm shape": (lambda: F.rms_norm(X, 5), ShapeError, "normalized_shape"),
    "rms norm weight": (lambda: F.rms_norm(X, 4, C5), ShapeError, "weight"),
    "rms norm eps": (lambda: F.rms_norm(X, 4, eps=math.nan), ArgumentError, "eps"),
    "local response size 0": (lambda: F.local_response_norm(X, 0), ArgumentError, "size is 0"),
    "local response size huge": (
        lambda: F.local_response_norm(X, 2**60), ArgumentError, "size"),
    "local response of a vector": (
        lambda: F.local_response_norm(C6, 3), ShapeError, "1 dimension"),
    "AdaIN without a style": (lambda: F.adaptive_instance_norm(X), ArgumentError, "style"),
    "AdaIN with half of the statistics": (
        lambda: F.adaptive_instance_norm(X, mean=fastdl.ones((2, 6))), ArgumentError, "std"),
    "AdaIN channels": (
        lambda: F.adaptive_instance_norm(X, fastdl.ones((2, 5, 4, 4))), ShapeError, "style"),
    "AdaIN statistics": (
        lambda: F.adaptive_instance_norm(X, None, C6, C6), ShapeError, "mean"),
    "pixel norm of a vector": (lambda: F.pixel_norm(C6), ShapeError, "1 dimension"),
    "normalize order": (lambda: F.normalize(X, -1.0), ArgumentError, "p is -1"),
    "normalize order NaN": (lambda: F.normalize(X, math.nan), ArgumentError, "p is nan"),
    "cosine similarity shapes": (
        lambda: F.cosine_similarity(X, fastdl.ones((2, 5, 4, 4))), ShapeError, "5"),
    "pairwise distance order": (
        lambda: F.pairwise_distance(X, X, math.nan), ArgumentError, "p is nan"),
    **{
        f"{f.__name__} p {p}": (lambda f=f, p=p: f(X, p), ArgumentError, "p is")
        for f in (F.dropout, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout,
                  F.gaussian_dropout)
        for p in (-0.1, 1.1, math.nan)
    },
    "dropout1d rank": (lambda: F.dropout1d(X), ShapeError, "4 dimensions"),
    "dropout3d rank": (lambda: F.dropout3d(C6), ShapeError, "1 dimension"),
    "dropout of integers": (lambda: F.dropout2d(np.ones((2, 3, 4), int)), DTypeError, "int64"),
    "gaussian dropout p 1": (lambda: F.gaussian_dropout(X, 1.0), ArgumentError, "p is 1"),
    "gaussian noise std": (lambda: F.gaussian_noise(X, -1.0), ArgumentError, "std"),
    "stochastic depth mode": (
        lambda: F.stochastic_depth(X, 0.5, "column"), ArgumentError, "'row'"),
    "stochastic depth p": (lambda: F.stochastic_depth(X, 2.0, "row"), ArgumentError, "p is 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    call, kind, shown = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert shown in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm1d(0),
        lambda: nn.BatchNorm2d(3, eps=-1.0),
        lambda: nn.BatchNorm3d(3, momentum=math.nan),
        lambda: nn.InstanceNorm2d(-1),
        lambda: nn.GroupNorm(4, 6),
        lambda: nn.GroupNorm(0, 6),
        lambda: nn.RMSNorm(0),
        lambda: nn.LocalResponseNorm(0),
        lambda: nn.Dropout1d(-0.1),
        lambda: nn.AlphaDropout(math.nan),
        lambda: nn.GaussianNoise(-1.0),
        lambda: nn.StochasticDepth(1.5, "row"),
        lambda: nn.StochasticDepth(0.5, "rows"),
        lambda: utils.spectral_norm(nn.Linear(2, 3), "wait"),
        lambda: utils.spectral_norm(nn.Linear(2, 3), dim=2),
        lambda: utils.spectral_norm(nn.Linear(2, 3), n_power_iterations=0),
        lambda: utils.spectral_norm(utils.weight_norm(nn.Linear(2, 3))),
        lambda: utils.remove_weight_norm(nn.Linear(2, 3)),
        lambda: utils.remove_spectral_norm(utils.weight_norm(nn.Linear(2, 3))),
        lambda: utils.weight_norm(nn.ReLU()),
        lambda: utils.clip_grad_norm_([], -1.0),
        lambda: utils.clip_grad_norm_([], 1.0, 0.0),
        lambda: utils.clip_grad_value_([], math.nan),
    ],
)
def test_layers(make):
    with pytest.raises(ArgumentError):
        make()
