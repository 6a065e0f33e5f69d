"""The libraries side by side: equal inputs, equal threads, and whether results agree."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

import fastdl
from bench.timing import Call, Limit, Plan, Sides, measure
from fastdl import _core

__all__ = [
    "agree",
    "both",
    "copy_bandwidth",
    "forward",
    "forward_backward",
    "jax_here",
    "multiply_add_peak",
    "normal",
    "numpy_call",
    "optional",
    "set_threads",
    "threads",
]

Array = np.ndarray[Any, Any]
Arrange = Callable[[list[Any]], Sequence[Any]]
Check = Callable[[Any, Any], None]


_THREADS = [1]


def set_threads(count: int) -> None:
    """Give the same number of threads to fastdl, PyTorch and NumPy's BLAS.

    Those that take theirs when they are made (ONNX Runtime's sessions, JAX's client) ask `threads`
    then.
    """
    _THREADS[0] = count
    torch.set_num_threads(count)
    fastdl.set_num_threads(count)
    if (blas := _blas()) is not None:
        blas.limit(limits=count, user_api="blas")


def threads() -> int:
    """The number of threads that was set last."""
    return _THREADS[0]


def optional(name: str) -> ModuleType | None:
    """A library that may be missing; then a case says None for it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def numpy_call(call: Call) -> Call | None:
    """A call of NumPy's BLAS, or None where its threads cannot be set for want of threadpoolctl."""
    return call if _blas() is not None else None


def jax_here() -> Any:
    """JAX with a client of the number of threads that was set, or None.

    A client has as many threads as the variable NPROC says when it is made, so one of another
    number is dropped; what was compiled for it has to be compiled again.
    """
    count = str(threads())
    changed = os.environ.get("NPROC") != count
    os.environ["NPROC"] = count
    jax = optional("jax")
    if jax is not None and changed:
        importlib.import_module("jax.extend.backend").clear_backends()
    return jax


def multiply_add_peak() -> dict[str, Limit]:
    """The limit "peak": float32 multiply-adds in registers, on as many threads as ours."""
    run = functools.partial(_core._multiply_adds, 10000, 8 * threads())
    return {"peak": Limit(run, run())}


def copy_bandwidth(count: int) -> dict[str, Limit]:
    """The limit "copy": copying `count` bytes into memory that is there already.

    Of fastdl's copy, PyTorch's and NumPy's (the C library's), which differ in how they store, the
    one that is fastest here; read and written bytes count.
    """
    (x, y), (other_x, other_y) = both(*2 * [np.ones(count // 4, np.float32)])
    array, target = np.ones(count // 4, np.float32), np.ones(count // 4, np.float32)
    calls: list[Call] = [
        lambda: y.copy_(x),
        lambda: other_y.copy_(other_x),
        lambda: np.copyto(target, array),
    ]
    spreads = measure(calls, Plan(rounds=3, sample=0.0, settle=0.0, warm_up=0.0))
    best = min(range(len(calls)), key=lambda i: spreads[i].least)
    return {"copy": Limit(calls[best], 2.0 * count)}


@functools.cache
def _blas() -> Any:
    """Controls the thread pool of the OpenBLAS that came with NumPy."""
    threadpoolctl = optional("threadpoolctl")
    return threadpoolctl and threadpoolctl.ThreadpoolController()


def normal(*shape: int, seed: int = 0) -> Array:
    """Normally distributed float32 numbers."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def both(*arrays: Array, requires_grad: bool = False) -> tuple[list[Any], list[Any]]:
    """The arrays as tensors of fastdl and of PyTorch, copied."""
    ours: list[Any] = [fastdl.tensor(array) for array in arrays]
    theirs: list[Any] = [torch.tensor(array) for array in arrays]
    for tensor in [*ours, *theirs] if requires_grad else []:
        # Indices and masks among the inputs have no gradient.
        if "float" in str(tensor.dtype):
            tensor.requires_grad = True
    return ours, theirs


def agree(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    """Compare results, which may be tuples.

    Args:
        ours: what fastdl returned.
        theirs: what the reference returned.
        tolerance: largest difference, as a share of the largest value. Default: 1e-5.

    Raises:
        AssertionError: shape, kind of number or values differ.
    """
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs), f"{len(ours)} results, expected {len(theirs)}"
        for mine, other in zip(ours, theirs, strict=True):
            agree(mine, other, tolerance)
        return
    a, b = _array(ours), _array(theirs)
    assert a.dtype == b.dtype, f"dtype {a.dtype}, expected {b.dtype}"
    assert a.shape == b.shape, f"shape {a.shape}, expected {b.shape}"
    if b.size and b.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    else:
        np.testing.assert_array_equal(a, b)


def _array(value: Any) -> Array:
    """The numbers of a tensor of any library."""
    return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)


def forward(
    ours: Callable[..., Any],
    reference: Callable[..., Any],
    arrays: Sequence[Array],
    tolerance: float = 1e-5,
    arrange: Arrange = tuple,
    check: Check | None = None,
    numpy: Callable[..., Any] | None = None,
) -> Sides:
    """The functions applied to equal tensors, without recording gradients.

    Args:
        ours: function of fastdl.
        reference: function of PyTorch.
        arrays: become the tensors.
        tolerance: of the comparison, as in `agree`. Default: 1e-5.
        arrange: from the tensors to the arguments. Default: the tensors are the arguments.
        check: takes the place of `agree` where results are random. Default: None.
        numpy: the same function of the arrays themselves, a further reference. Default: None.
    """
    mine, others = (arrange(tensors) for tensors in both(*arrays))

    def run_ours() -> Any:
        return ours(*mine)

    def run_reference() -> Any:
        return reference(*others)

    references: dict[str, Call | None] = {"torch": run_reference}
    if numpy is not None:
        references["numpy"] = numpy_call(functools.partial(numpy, *arrays))

    def compare() -> None:
        result = run_ours()
        for run in filter(None, references.values()):
            (check or functools.partial(agree, tolerance=tolerance))(result, run())

    return Sides(run_ours, references, compare)


def forward_backward(
    ours: Callable[..., Any],
    reference: Callable[..., Any],
    arrays: Sequence[Array],
    tolerance: float = 1e-5,
    arrange: Arrange = tuple,
    check: Check | None = None,
    constant: Sequence[int] = (),
) -> Sides:
    """Both functions and the gradients of all floating inputs but the `constant` ones.

    The first result receives a normally distributed gradient. Other arguments as in `forward`;
    `constant` counts the arrays.
    """
    mine, others = both(*arrays, requires_grad=True)
    for tensors in (mine, others):
        for index in constant:
            if tensors[index].requires_grad:
                tensors[index].requires_grad = False
    shape = tuple(_first(reference(*arrange(others))).shape)
    (gradient,), (other_gradient,) = both(normal(*shape, seed=1))
    run_ours = _with_gradients(ours, mine, arrange(mine), gradient)
    run_reference = _with_gradients(reference, others, arrange(others), other_gradient)

    def compare() -> None:
        a, b = run_ours(), run_reference()
        if check:
            check(a, b)
            return
        agree(a, b, tolerance)
        for tensor, other in zip(mine, others, strict=True):
            if other.requires_grad:
                agree(tensor.grad, other.grad, tolerance)

    return Sides(run_ours, {"torch": run_reference}, compare)


def _with_gradients(
    function: Callable[..., Any], tensors: Sequence[Any], arguments: Sequence[Any], gradient: Any
) -> Callable[[], Any]:
    leaves = [tensor for tensor in tensors if tensor.requires_grad]

    def run() -> Any:
        for leaf in leaves:
            leaf.grad = None
        result = _first(function(*arguments))
        result.backward(gradient)
        return result

    return run


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result
