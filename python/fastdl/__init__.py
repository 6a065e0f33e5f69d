"""fastdl: deep learning on hand-written C++ and CUDA kernels.

    >>> import fastdl
    >>> x = fastdl.tensor([[1.0, 2.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad.tolist()
    [[2.0, 4.0]]

Tensors, their functions and autograd are here at once. The other parts (`nn`, `optim`, `data`, ...)
and each layer are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import autograd, errors, functional
from fastdl._core import (
    Generator,
    Tensor,
    __version__,
    arange,
    bernoulli,
    bfloat16,
    bool_,
    cat,
    channels_last,
    contiguous_format,
    default_generator,
    device,
    dtype,
    empty,
    empty_cache,
    empty_like,
    eye,
    float16,
    float32,
    float64,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    get_float32_matmul_precision,
    get_num_threads,
    int32,
    int64,
    linspace,
    manual_seed,
    matmul,
    memory_format,
    memory_stats,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    set_float32_matmul_precision,
    set_num_threads,
    set_winograd,
    stack,
    tensor,
    uint8,
    uniform,
    where,
    winograd_enabled,
    zeros,
    zeros_like,
)
from fastdl._lazy import attach
from fastdl.autocast import autocast
from fastdl.autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from fastdl.capture import capture
from fastdl.errors import Error

if TYPE_CHECKING:
    from fastdl import (
        compiler,
        cuda,
        data,
        diagram,
        init,
        io,
        metrics,
        models,
        nn,
        optim,
        recipes,
        train,
        viz,
    )
    from fastdl.compiler import compile  # noqa: A004 - an attribute of the package, as in PyTorch
    from fastdl.explanation import explain
    from fastdl.graph import Input, Model
    from fastdl.nn.container import Sequential

# Parts of the package, and what of them is here, too; imported when first used (fastdl/_lazy.py).
_HOMES = {
    "cli": "",
    "compiler": "compile",
    "cuda": "",
    "data": "",
    "diagram": "",
    "explanation": "explain",
    "graph": "Input Model",
    "init": "",
    "io": "",
    "metrics": "",
    "models": "",
    "nn": "Sequential",
    "optim": "",
    "recipes": "",
    "train": "",
    "viz": "",
}

__all__ = [
    "Error",
    "Generator",
    "Input",
    "Model",
    "Sequential",
    "Tensor",
    "__version__",
    "arange",
    "autocast",
    "autograd",
    "bernoulli",
    "bfloat16",
    "bool_",
    "capture",
    "cat",
    "channels_last",
    "compile",
    "compiler",
    "contiguous_format",
    "cuda",
    "data",
    "default_generator",
    "device",
    "diagram",
    "dtype",
    "empty",
    "empty_cache",
    "empty_like",
    "enable_grad",
    "errors",
    "explain",
    "eye",
    "float16",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "functional",
    "get_float32_matmul_precision",
    "get_num_threads",
    "init",
    "int32",
    "int64",
    "io",
    "is_grad_enabled",
    "linspace",
    "manual_seed",
    "matmul",
    "memory_format",
    "memory_stats",
    "metrics",
    "models",
    "multinomial",
    "nn",
    "no_grad",
    "normal",
    "ones",
    "ones_like",
    "optim",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "recipes",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_num_threads",
    "set_winograd",
    "stack",
    "tensor",
    "train",
    "uint8",
    "uniform",
    "viz",
    "where",
    "winograd_enabled",
    "zeros",
    "zeros_like",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
