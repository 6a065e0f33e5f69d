"""Both libraries on equal inputs on a GPU, and whether their results are right.

The two libraries work on the same memory (DLPack). Inputs that would stay in the L2 cache are drawn
several times and used in rotation. Results are compared with PyTorch's in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

import fastdl
from bench.gpu.timing import DEVICE, Sides
from bench.timing import Call
from fastdl import autograd

__all__ = ["Reference", "agree", "backward", "forward", "normal", "rotated", "shared"]

# Largest ‖result − exact‖ / ‖exact‖. float32 leaves room for sums of 100,000 products, 16-bit
# numbers for a few roundings of 2^-11 and 2^-8.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}

Tensors = list[torch.Tensor]


@dataclass(frozen=True)
class Reference:
    """A way in which PyTorch computes a case.

    Attributes:
        function: of the tensors.
        prepare: puts the tensors into the layout that this way likes best, before the clock runs.
    """

    function: Callable[..., Any]
    prepare: Callable[[Tensors], Tensors] = list


References = Mapping[str, Reference]


# inputs


def normal(*shape: int, dtype: str = "float32", seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    """Normally distributed numbers on PyTorch's device."""
    generator = torch.Generator(DEVICE).manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, device=DEVICE) * scale
    return drawn.to(getattr(torch, dtype))


def shared(tensor: torch.Tensor) -> fastdl.Tensor:
    """The tensor as one of fastdl's on CUDA: the same memory, or a copy where that is the CPU's."""
    return fastdl.from_dlpack(tensor.detach()).to("cuda")


def rotated(make: Callable[[int], Tensors]) -> list[Tensors]:
    """Sets of inputs that take twice the L2 cache together, 32 at most; one where there is none."""
    sets = [make(0)]
    if DEVICE == "cuda":
        cache = torch.cuda.get_device_properties(DEVICE).L2_cache_size
        size = sum(tensor.nbytes for tensor in sets[0])
        sets += [make(seed) for seed in range(1, min(32, -(-2 * cache // max(size, 1))))]
    return sets


# checks


def agree(
    results: Any, exact: Any, what: str, tolerance: float | None = None, slack: float = 1.0
) -> float:
    """The largest error among results, in proportion to the norm of the exact ones.

    Args:
        results: a tensor of either library, or several.
        exact: the same in float64.
        what: for the message.
        tolerance: of the error. Default: that of the results' dtype.
        slack: multiplies it. Default: 1.

    Raises:
        AssertionError: a shape differs, or an error is larger than its dtype allows.
    """
    if isinstance(exact, tuple | list):
        pairs = zip(results, exact, strict=True)
        return max(agree(a, b, what, tolerance, slack) for a, b in pairs)
    if isinstance(results, fastdl.Tensor):
        results = results.detach()
        results = torch.from_dlpack(results if DEVICE == "cuda" else results.cpu())
    results, exact = results.detach(), exact.detach()
    assert results.shape == exact.shape, f"{what}: {results.shape}, expected {exact.shape}"
    if not results.is_floating_point():
        assert torch.equal(results, exact.to(results.dtype)), f"{what}: values differ"
        return 0.0
    norm = float(exact.norm()) or 1.0
    error = float((results.double() - exact).norm()) / norm
    limit = slack * (TOLERANCE[results.dtype] if tolerance is None else tolerance)
    assert error <= limit, f"{what}: relative error {error:.2g}, at most {limit:.2g} is allowed"
    return error


def _exact(tensors: Sequence[torch.Tensor]) -> Tensors:
    return [t.detach().double() if t.is_floating_point() else t for t in tensors]


# sides


def forward(
    ours: Callable[..., Any],
    references: References,
    inputs: Callable[[int], Tensors],
    tolerance: float | None = None,
    prepare: Callable[[Tensors], Tensors] = list,
) -> Sides:
    """Functions of equal tensors, without recording.

    Args:
        ours: function of fastdl.
        references: ways of PyTorch, the first of which also computes the exact result.
        inputs: draws the tensors from a seed.
        tolerance: as in `agree`.
        prepare: puts fastdl's tensors into a layout, before the clock runs.
    """
    sets = rotated(inputs)

    def ours_on(tensors: Tensors) -> Call:
        return partial(ours, *(shared(t) for t in prepare(tensors)))

    def reference_on(reference: Reference, tensors: Tensors) -> Call:
        return partial(reference.function, *reference.prepare(tensors))

    def exact() -> Any:
        return _first(references).function(*_exact(sets[0]))

    return _sides(sets, ours_on, reference_on, references, exact, tolerance)


def backward(
    ours: Callable[..., Any],
    references: References,
    inputs: Callable[[int], Tensors],
    wanted: Sequence[int],
    tolerance: float | None = None,
    prepare: Callable[[Tensors], Tensors] = list,
) -> Sides:
    """The gradients of functions with regard to the `wanted` inputs, without the way forward.

    The graph is recorded once; a call runs its backward pass with a normally distributed gradient.
    Other arguments as in `forward`.
    """
    sets = rotated(inputs)
    dtype = sets[0][wanted[0]].dtype

    def gradient(shape: Sequence[int]) -> torch.Tensor:
        return normal(*shape, seed=7).to(dtype)

    def ours_on(tensors: Tensors) -> Call:
        leaves = [shared(t) for t in prepare(tensors)]
        given = lambda shape: shared(prepare([gradient(shape)])[0])  # noqa: E731
        return _pass(autograd.grad, ours, leaves, wanted, given)

    def reference_on(reference: Reference, tensors: Tensors) -> Call:
        leaves = [t.detach() for t in reference.prepare(tensors)]
        return _pass(
            torch.autograd.grad,
            reference.function,
            leaves,
            wanted,
            lambda shape: reference.prepare([gradient(shape)])[0],
        )

    def exact() -> Any:
        # The same gradient, rounded as the others see it.
        function = _first(references).function
        leaves = _exact(sets[0])
        double = lambda shape: gradient(shape).double()  # noqa: E731
        return _pass(torch.autograd.grad, function, leaves, wanted, double)()

    return _sides(sets, ours_on, reference_on, references, exact, tolerance)


def _pass(
    grad: Callable[..., Any],
    function: Callable[..., Any],
    leaves: list[Any],
    wanted: Sequence[int],
    gradient: Callable[[Sequence[int]], Any],
) -> Call:
    """The backward pass of a graph that is recorded now."""
    targets = [leaves[i] for i in wanted]
    for target in targets:
        target.requires_grad = True
    y = function(*leaves)
    g = gradient(y.shape)
    return lambda: grad(y, targets, g, retain_graph=True)


def _sides(
    sets: list[Tensors],
    ours_on: Callable[[Tensors], Call],
    reference_on: Callable[[Reference, Tensors], Call],
    references: References,
    exact: Callable[[], Any],
    tolerance: float | None,
) -> Sides:
    """Calls that take the sets in turn; the check uses the first set."""
    ours = [ours_on(tensors) for tensors in sets]
    others = {
        name: [reference_on(reference, tensors) for tensors in sets]
        for name, reference in references.items()
    }

    def check() -> dict[str, float]:
        right = exact()
        errors = {"fastdl": agree(ours[0](), right, "fastdl", tolerance)}
        # What PyTorch trades for speed is its own affair, as long as it computes the same thing.
        for name, calls in others.items():
            errors[name] = agree(calls[0](), right, name, tolerance, slack=10.0)
        return errors

    return Sides(_turns(ours), {name: _turns(calls) for name, calls in others.items()}, check)


def _turns(calls: Sequence[Call]) -> Call:
    turn = itertools.cycle(calls)
    return lambda: next(turn)()


def _first(references: References) -> Reference:
    return next(iter(references.values()))
