"""Both libraries side by side: equal inputs, equal threads, and whether results agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import fastdl
from bench.timing import Pair

__all__ = ["agree", "both", "forward", "forward_backward", "normal", "set_threads"]

Array = np.ndarray[Any, Any]
Arrange = Callable[[list[Any]], Sequence[Any]]
Check = Callable[[Any, Any], None]


def set_threads(count: int) -> None:
    """Give both libraries the same number of threads."""
    torch.set_num_threads(count)
    fastdl.set_num_threads(count)


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
        theirs: what PyTorch returned.
        tolerance: largest difference, as a share of the largest value. Default: 1e-5.

    Raises:
        AssertionError: shape, kind of number or values differ.
    """
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs), f"{len(ours)} results, expected {len(theirs)}"
        for mine, other in zip(ours, theirs, strict=True):
            agree(mine, other, tolerance)
        return
    a, b = np.asarray(ours.detach().numpy()), theirs.detach().numpy()
    assert a.dtype == b.dtype, f"dtype {a.dtype}, expected {b.dtype}"
    assert a.shape == b.shape, f"shape {a.shape}, expected {b.shape}"
    if b.size and b.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    else:
        np.testing.assert_array_equal(a, b)


def forward(
    ours: Callable[..., Any],
    reference: Callable[..., Any],
    arrays: Sequence[Array],
    tolerance: float = 1e-5,
    arrange: Arrange = tuple,
    check: Check | None = None,
) -> Pair:
    """Both functions applied to equal tensors, without recording gradients.

    Args:
        ours: function of fastdl.
        reference: function of PyTorch.
        arrays: become the tensors.
        tolerance: of the comparison, as in `agree`. Default: 1e-5.
        arrange: from the tensors to the arguments. Default: the tensors are the arguments.
        check: takes the place of `agree` where results are random. Default: None.
    """
    mine, others = (arrange(tensors) for tensors in both(*arrays))

    def run_ours() -> Any:
        return ours(*mine)

    def run_reference() -> Any:
        return reference(*others)

    def compare() -> None:
        a, b = run_ours(), run_reference()
        check(a, b) if check else agree(a, b, tolerance)

    return Pair(run_ours, run_reference, compare)


def forward_backward(
    ours: Callable[..., Any],
    reference: Callable[..., Any],
    arrays: Sequence[Array],
    tolerance: float = 1e-5,
    arrange: Arrange = tuple,
    check: Check | None = None,
    constant: Sequence[int] = (),
) -> Pair:
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

    return Pair(run_ours, run_reference, compare)


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
