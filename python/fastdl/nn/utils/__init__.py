"""What acts on modules and their data: parametrisation, clipping, vectors, packed sequences."""

from fastdl.nn.utils import parametrizations, parametrize, rnn
from fastdl.nn.utils.gradients import clip_grad_norm_, clip_grad_value_, get_total_norm
from fastdl.nn.utils.parametrizations import (
    remove_spectral_norm,
    remove_weight_norm,
    spectral_norm,
    weight_norm,
)
from fastdl.nn.utils.vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
