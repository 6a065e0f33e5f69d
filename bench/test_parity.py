"""Parity with PyTorch: what both have gives the same, on random shapes and options.

    pytest bench/test_parity.py                     50 calls of each function
    FASTDL_PARITY_CALLS=500 pytest bench/test_parity.py -k conv

Arguments are drawn from the doors (docs/door.md; bench/parity_calls.py), in float64: there, two
right implementations differ by rounding alone, and everything else is a difference of meaning.
Compared are results, arguments after the call and gradients, as often for every shape and kind of
target that a door offers. Only calls that both answer, with at least one element, count as
compared; a call that fastdl alone refuses is a failure, except for the errors that it promises
beyond PyTorch (`STRICTER`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import fastdl
import fastdl.functional as F
from bench.parity import NO_COUNTERPART, counterpart
from bench.parity_calls import CONSTANT, Call
from fastdl.errors import Error
from tests.doors import Function, functions, read

CALLS = int(os.environ.get("FASTDL_PARITY_CALLS", "50"))
FUNCTIONS = functions()
COMPARED = [name for name in FUNCTIONS if name not in NO_COUNTERPART]
# Sums of some dozens of terms of size 1, after functions with slopes up to e**4.
RELATIVE, ABSOLUTE = 1e-9, 1e-10
ROUGH = ("hardsigmoid",)  # PyTorch's slope is 1/6 in float32, in float64 too
# What PyTorch does with tensors of no elements, and fastdl does not.
NOT_EMPTY = {
    "group_norm": "its weight has a gradient of NaN",
    "instance_norm": "moves the running means to those of no sample, NaN",
    "pixel_unshuffle": "answers with the input",
}
# Errors of fastdl where PyTorch answers.
STRICTER = (
    "the window reaches over",  # with ceil_mode PyTorch takes a window larger than the input
    "evaluation needs running_mean",  # PyTorch does not ask for what it normalises nothing with
    "is out of range",  # PyTorch looks at no index where there is nothing to move
)
# How ours is called where bench/parity.py calls PyTorch's by another name or with other arguments.
OURS: dict[str, Any] = {
    "ctc_loss": lambda log_probs, **given: F.ctc_loss(F.log_softmax(log_probs, -1), **given),
    "einsum": lambda equation, operands: F.einsum(equation, *operands),
}


def test_every_function_is_compared_or_has_a_reason() -> None:
    assert not set(NO_COUNTERPART) - set(FUNCTIONS)
    missing = [name for name in COMPARED if counterpart(name) is None]
    assert not missing, "neither in PyTorch under its name nor in bench/parity.py"


class Enough(BaseException):
    """Ends the drawing; hypothesis lets it through."""


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", COMPARED)
def test_parity(name: str) -> None:
    kinds = kinds_of(FUNCTIONS[name])
    for i, kind in enumerate(kinds):
        wanted = (CALLS + len(kinds) - 1 - i) // len(kinds)
        assert compared(kind, i, wanted) == wanted, f"{kind} was seldom right"


def compared(function: Function, alternative: int, wanted: int) -> int:
    """Draws calls until `wanted` of them were right, and compared; how many were."""
    done = 0

    @hypothesis.settings(
        max_examples=40 * wanted,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def attempt(data: Any) -> None:
        nonlocal done
        done += compare(function.name, Call(function, data, alternative).arguments())
        if done == wanted:
            raise Enough

    with suppress(Enough):
        attempt()
    return done


def kinds_of(function: Function) -> list[Function]:
    """The function with each of the alternatives that its door offers, one after the other."""
    ways = [asked.count(" | ") + 1 for asked in function.text.split(";")]
    shapes = [len(c.patterns) for c in function.clauses.values()]
    kinds = [replace(function, clauses=read(function.text, way)) for way in range(max(ways))]
    return [kind for kind in kinds for _ in range(max(shapes, default=1))]


def compare(name: str, arguments: dict[str, Any]) -> bool:
    """Whether both answered with something; their results and gradients are alike then."""
    if name in NOT_EMPTY and not all(t.numel() for t in arguments.values() if hasattr(t, "numel")):
        return False
    ours = {k: v if name in CONSTANT.get(k, ()) else _grown(v) for k, v in arguments.items()}
    theirs = {k: _torch(v) for k, v in ours.items()}
    result, refused = _answer(OURS.get(name, FUNCTIONS[name].call), ours)
    expected, refused_too = _answer(counterpart(name), theirs)
    if refused or refused_too:
        stricter = any(text in str(refused) for text in STRICTER)
        assert refused_too or stricter, f"fastdl alone refuses {arguments}: {refused}"
        return False
    pairs = list(zip(_flat(result), _flat(expected), strict=True))
    for got, want in pairs:
        assert tuple(got.shape) == tuple(want.shape), f"{arguments}: {got.shape} {want.shape}"
        _same(got, want, arguments)
    for (argument, a), b in zip(ours.items(), theirs.values(), strict=True):
        if isinstance(a, fastdl.Tensor):  # some are written to
            _same(a, b, f"{argument} after the call, of {arguments}")
    something = any(got.numel() for got, _ in pairs)
    roots = [(g, w) for g, w in pairs if isinstance(g, fastdl.Tensor) and g.requires_grad]
    if not roots or not all(w.requires_grad for _, w in roots):
        return something
    rng = np.random.default_rng(0)
    total, wanted = 0, 0
    for got, want in roots:
        weight = rng.normal(size=tuple(got.shape))
        total = total + (got * fastdl.tensor(weight)).sum()
        wanted = wanted + (want * torch.from_numpy(np.asarray(weight))).sum()
    try:
        wanted.backward()  # type: ignore[attr-defined]
    except RuntimeError:  # some of its gradients refuse tensors of no elements
        return False
    total.backward()  # type: ignore[attr-defined]
    for (argument, a), b in zip(ours.items(), theirs.values(), strict=True):
        for x, y in zip(_flat(a), _flat(b), strict=True):
            if isinstance(x, fastdl.Tensor) and x.requires_grad:
                slope = y.grad if y.grad is not None else torch.zeros_like(y)
                mine = x.grad if x.grad is not None else x.detach() * 0
                _same(mine, slope, f"gradient of {argument} of {arguments}", name in ROUGH)
    return something


def _answer(function: Any, arguments: dict[str, Any]) -> tuple[Any, Exception | None]:
    """What a function answers, or why it refuses."""
    try:
        return function(**arguments), None
    except (Error, RuntimeError, IndexError, ValueError, TypeError, NotImplementedError) as e:
        return None, e


def _same(got: Any, want: Any, context: Any, rough: bool = False) -> None:
    a, b = got.detach().numpy(), want.detach().numpy()
    largest = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind == "f" else 1.0
    # Functions of integers and bools answer in float32.
    loose = 1e3 if rough or a.dtype == np.float32 else 1.0
    np.testing.assert_allclose(
        a,
        b,
        rtol=loose * RELATIVE,
        atol=loose * ABSOLUTE * float(largest),
        err_msg=str(context),
        equal_nan=True,
    )


def _grown(value: Any) -> Any:
    if isinstance(value, list):
        return [_grown(v) for v in value]
    if isinstance(value, fastdl.Tensor) and value.dtype.is_floating_point:
        return value.detach().clone().requires_grad_()
    return value


def _torch(value: Any) -> Any:
    if isinstance(value, list):
        return [_torch(v) for v in value]
    if not isinstance(value, fastdl.Tensor):
        return value
    t = torch.from_numpy(value.detach().numpy().copy())
    return t.requires_grad_(value.requires_grad)


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
