"""Parity with PyTorch: what both have gives the same, on random shapes and options.

    pytest bench/test_parity.py                     50 calls of each function
    FASTDL_PARITY_CALLS=500 pytest bench/test_parity.py -k conv

Arguments are drawn from the doors (docs/door.md), as the fuzz test draws them, in float64: there,
two right implementations differ by rounding alone, and everything else is a difference of meaning.
Calls that both refuse do not count; a call that only one refuses is a failure, except where
fastdl's error is one of those that it promises beyond PyTorch (`STRICTER`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import fastdl
from bench.parity import NO_COUNTERPART, counterpart
from fastdl.errors import Error
from tests.doors import Clause, functions
from tests.fuzz_doors import Drawn

CALLS = int(os.environ.get("FASTDL_PARITY_CALLS", "50"))
FUNCTIONS = functions()
COMPARED = [name for name in FUNCTIONS if name not in NO_COUNTERPART]
# Sums of some dozens of terms of size 1, after functions with slopes up to e**4.
RELATIVE, ABSOLUTE = 1e-9, 1e-10


# Sizes that windows fit into, and windows.
SIDES = dict.fromkeys("HWDL", st.integers(3, 9)) | dict.fromkeys("RST", st.integers(1, 3))
# Targets that are labels of two kinds: between them PyTorch has no one meaning.
SIGNS = ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss")
# Operands and numbers that have no meaning below 0, and one whose powers overflow near it.
POSITIVE = {("batch_norm", "running_var"), ("poisson_nll_loss", "target"),
            ("gaussian_nll_loss", "var")}  # fmt: skip
CONSTANT = {"target": SIGNS}  # without a gradient in PyTorch
LEFT_OUT = {
    "batch_norm": ("residual", "activation", "slope"),  # ours alone
    "cosine_similarity": ("eps",),  # PyTorch differentiates as if there were none
    "scaled_dot_product_attention": ("dropout_p",),
}


class Call(Drawn):
    """A call that the door lets pass, with plain tensors of float64."""

    def faults(self) -> list[Any]:
        return []

    def arguments(self) -> dict[str, Any]:
        left_out = LEFT_OUT.get(self.f.name, ())
        return {k: v for k, v in super().arguments().items() if k not in left_out}

    def one(self, name: str, annotation: str, c: Any, fault: Any) -> Any:
        if name == "shape":
            if self.f.name == "expand":
                return [*self.draw(st.lists(st.integers(0, 3), max_size=2)), *self.shape]
            return self.draw(st.permutations(self.shape))
        if name == "correction":  # none that leaves no degree of freedom
            return 0
        if name == "normalized_shape":
            return list(self.shape[self.draw(st.integers(0, len(self.shape) - 1)) :])
        value = super().one(name, annotation, c, fault)
        if c and c.above and isinstance(value, float):
            return max(value, 0.5)
        if name == "target" and self.f.name in SIGNS:
            return fastdl.tensor(np.where(value.numpy() > 0, 1.0, -1.0))
        if (self.f.name, name) in POSITIVE:
            return value.abs() + 0.1
        return value

    def tensor(self, name: str, c: Any, fault: Any) -> Any:
        if not c or not (c.dtypes or c.like):  # where any dtype does, a float
            c = replace(c or Clause(), dtypes=("float64",))
        return super().tensor(name, c, fault)

    def dim(self, annotation: str, c: Any, fault: Any) -> Any:
        value = super().dim(annotation, c, fault)
        return [0] if value == [] else value  # of no dimension, PyTorch's var has a slope of inf

    def size(self, text: str) -> int:
        if self.f.name.startswith("conv") and text not in self.sizes:
            self.sizes |= dict.fromkeys({"C", "K", "N"} & {text}, self.draw(st.integers(1, 4)))
        if text == "input_size" and text not in self.sizes:  # of 0, PyTorch forgets the biases
            self.sizes[text] = self.draw(st.integers(1, 4))
        if text in SIDES and text not in self.sizes:
            self.sizes[text] = self.draw(SIDES[text])
        return super().size(text)

    def dress(self, values: Any, dtype: str) -> Any:
        kind = dtype if dtype in ("bool_", "int64") else "float64"
        return fastdl.tensor(np.asarray(values)).to(getattr(fastdl, kind))

    def array(self, shape: Any, dtype: str, c: Any, fault: Any) -> Any:
        values = super().array(shape, dtype, c, fault)
        if values.dtype == np.float64:  # no NaN, no ties, no 0
            rng = np.random.default_rng(self.draw(st.integers(0, 2**20)))
            steps = rng.permutation(values.size).reshape(shape) + rng.uniform(0.1, 0.9)
            values = (4 * steps / max(values.size, 1) - 1.7) * rng.uniform(0.5, 1.0)
        return values


def test_every_function_is_compared_or_has_a_reason() -> None:
    assert not set(NO_COUNTERPART) - set(FUNCTIONS)
    missing = [name for name in COMPARED if counterpart(name) is None]
    assert not missing, "neither in PyTorch under its name nor in bench/parity.py"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", COMPARED)
def test_parity(name: str) -> None:
    done = 0

    @hypothesis.settings(
        max_examples=10 * CALLS,
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
        arguments = Call(FUNCTIONS[name], data).arguments()
        if done < CALLS:
            done += compare(name, arguments)

    attempt()
    assert done >= CALLS // 2, f"only {done} calls were right"


def compare(name: str, arguments: dict[str, Any]) -> bool:
    """Whether both could be called; their results and gradients are alike then."""
    if name in ("binary_cross_entropy",):
        arguments = {k: v.sigmoid() if k in ("input", "target") else v
                     for k, v in arguments.items()}  # fmt: skip
    ours = {k: v if name in CONSTANT.get(k, ()) else _grown(v) for k, v in arguments.items()}
    theirs = {k: _torch(v) for k, v in ours.items()}
    try:
        result = FUNCTIONS[name].call(**ours)
    except (Error, TypeError, ValueError):
        return False
    try:
        expected = counterpart(name)(**theirs)  # type: ignore[misc]
    except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError):
        return False
    pairs = list(zip(_flat(result), _flat(expected), strict=True))
    assert len(_flat(result)) == len(_flat(expected))
    for got, want in pairs:
        assert tuple(got.shape) == tuple(want.shape), f"{arguments}: {got.shape} {want.shape}"
        _same(got, want, arguments)
    roots = [(g, w) for g, w in pairs if isinstance(g, fastdl.Tensor) and g.requires_grad]
    if not roots or not all(w.requires_grad for _, w in roots):
        return True
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
                _same(mine, slope, f"gradient of {argument} of {arguments}")
    return True


def _same(got: Any, want: Any, context: Any) -> None:
    a, b = got.detach().numpy(), want.detach().numpy()
    largest = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind == "f" else 1.0
    # Functions of integers and bools answer in float32.
    loose = 1e3 if a.dtype == np.float32 else 1.0
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
