"""What the case table (`opcases.py`) is made of: rows, calls, inputs, tolerances, layouts.

A row (`Op`) names the function, a NumPy reference that computes in float64, the calls (`Call`) that
exercise it (several shapes and options each; inputs are described, not stored), what can be
differentiated, the dtypes, and how far a result may be from the reference. `Op.make(size)` gives
the arguments of one call over about `size` elements, for timing and for thread tests.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import fastdl

FLOATS = ("float64", "float32", "float16", "bfloat16")
WIDE_FLOATS = ("float64", "float32")
INTEGERS = ("int64", "int32", "uint8")
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}


# inputs


@dataclass(frozen=True)
class Array:
    """An input to be drawn: its shape, and how its values are spread.

    kind: ``uniform`` in [low, high); ``distinct``: evenly spaced there, none 0, in random order,
    so that a finite difference never steps over a tie or a kink; ``grid``: whole numbers from low
    to high, with many ties; ``sign``: -1 or 1; ``index``: int64 below high; ``mask``: bool;
    ``special``: the values at which formulas break.
    """

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    kind: str = "uniform"
    grad: bool = True  # whether a gradient to it is tested

    @property
    def floating(self) -> bool:
        return self.kind not in ("index", "mask")

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        count = int(np.prod(self.shape, dtype=np.int64))
        values: np.ndarray
        if self.kind == "uniform":
            values = rng.uniform(self.low, self.high, count)
        elif self.kind == "distinct":
            # The shift keeps the values of two such inputs apart, and all of them from 0.
            shift = 0.3 + 0.4 * rng.uniform()
            steps = (rng.permutation(count) + shift) / max(count, 1)
            values = self.low + (self.high - self.low) * steps
        elif self.kind == "grid":
            values = rng.integers(int(self.low), int(self.high) + 1, count).astype(np.float64)
        elif self.kind == "sign":
            values = rng.integers(0, 2, count) * 2.0 - 1.0
        elif self.kind == "index":
            values = rng.integers(0, int(self.high), count)
        elif self.kind == "mask":
            values = rng.integers(0, 2, count).astype(bool)
        elif self.kind == "special":
            values = np.resize(SPECIAL_VALUES, count)[rng.permutation(count)]
        else:
            raise ValueError(self.kind)
        return values.reshape(self.shape)


SPECIAL_VALUES = np.array(
    [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        0.5,
        -0.5,
        1e-30,
        -1e-30,
        80.0,
        -80.0,
        3e38,
    ]
)


def uniform(*shape: int, low: float = -2.0, high: float = 2.0) -> Array:
    return Array(shape, low, high)


def distinct(*shape: int, low: float = -2.0, high: float = 2.0) -> Array:
    return Array(shape, low, high, "distinct")


def grid(*shape: int, low: int = -2, high: int = 2) -> Array:
    return Array(shape, low, high, "grid", grad=False)


def sign(*shape: int) -> Array:
    return Array(shape, kind="sign", grad=False)


def index(*shape: int, below: int) -> Array:
    return Array(shape, 0, below, "index", grad=False)


def mask(*shape: int) -> Array:
    return Array(shape, kind="mask", grad=False)


def special(*shape: int) -> Array:
    return Array(shape, kind="special", grad=False)


def constant(array: Array) -> Array:
    """The input without a gradient, such as running statistics."""
    return replace(array, grad=False)


# calls


@dataclass(frozen=True)
class Call:
    """One call of an op: arguments, among them `Array`s to be drawn, and keyword arguments."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    gradient: bool = True  # False: too large for finite differences, or not differentiable there
    wide_only: bool = False  # True: the values overflow or tie in 16 bits

    @property
    def arrays(self) -> list[Array]:
        return [a for a in _flat(self.args) if isinstance(a, Array)]

    @property
    def label(self) -> str:
        parts = [_label(a) for a in self.args] + [
            f"{k}={_label(v)}" for k, v in self.kwargs.items()
        ]
        return (self.note + " " if self.note else "") + " ".join(parts)

    @property
    def empty(self) -> bool:
        return any(0 in a.shape for a in self.arrays)

    def draw(self, seed: str = "") -> list[np.ndarray]:
        """The values of `arrays`, the same in every run."""
        rng = np.random.default_rng(zlib.crc32((seed + self.label).encode()))
        return [a.draw(rng) for a in self.arrays]

    def fill(self, values: list[Any]) -> tuple[Any, ...]:
        """The arguments with `values` in place of the `Array`s, in order."""
        rest = iter(values)
        return tuple(_fill(a, rest) for a in self.args)


def call(
    *args: Any, note: str = "", gradient: bool = True, wide_only: bool = False, **kwargs: Any
) -> Call:
    return Call(args, kwargs, note, gradient, wide_only)


def large(*args: Any, **kwargs: Any) -> Call:
    """A call that crosses several chunks of threads; only its forward pass is compared."""
    return Call(args, kwargs, "large", gradient=False)


def _flat(args: Any) -> Iterator[Any]:
    for a in args:
        if isinstance(a, list):
            yield from _flat(a)
        else:
            yield a


def _label(a: Any) -> str:
    if isinstance(a, Array):
        return "[" + ",".join(map(str, a.shape)) + "]"
    if isinstance(a, list):
        return "(" + "".join(map(_label, a)) + ")"
    return str(a).replace(" ", "")


def _fill(a: Any, values: Iterator[Any]) -> Any:
    if isinstance(a, Array):
        return next(values)
    if isinstance(a, list) and any(isinstance(v, Array) for v in _flat(a)):
        return [_fill(v, values) for v in a]
    return a


# tolerances


@dataclass(frozen=True)
class Tolerance:
    """Allowed error in units of the dtype's epsilon.

    factor: times epsilon. scale: ``element``: of the reference's own element; ``largest``: of the
    largest element of the result, for sums whose terms cancel; ``one``: of 1, for functions
    bounded by 1 whose zeros have no relative accuracy. Subnormal results may be off by the
    smallest normal number. half: the factor for 16-bit dtypes, where every intermediate tensor is
    rounded to 16 bits. single: the factor for float32, where it has algorithms of its own.
    """

    factor: float = 4.0
    scale: str = "element"
    half: float = 2.0
    reason: str = ""
    single: float | None = None

    def bound(self, reference: np.ndarray, dtype: str) -> np.ndarray:
        finite = np.abs(np.where(np.isfinite(reference), reference, 0.0))
        if self.scale == "largest":
            finite = np.full_like(finite, finite.max(initial=0.0))
        elif self.scale == "one":
            finite = np.maximum(finite, 1.0)
        factor = self.half if dtype in ("float16", "bfloat16") else self.factor
        if dtype == "float32" and self.single is not None:
            factor = self.single
        return factor * EPSILON[dtype] * finite + TINY[dtype]


EXACT = Tolerance(factor=0.0, half=0.0, reason="moves or chooses elements")
ROUNDED = Tolerance(factor=0.5, half=0.5, reason="one correctly rounded operation")


# rows


@dataclass(frozen=True, kw_only=True)
class Op:
    """A row of the table."""

    name: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    calls: tuple[Call, ...]
    sized: Callable[[int], Call]  # one call over about this many elements
    tolerance: Tolerance = Tolerance()
    dtypes: tuple[str, ...] = FLOATS
    integers: tuple[str, ...] = ()  # integer dtypes whose results equal NumPy's
    differentiable: bool = True
    # What is summed in the order of the strides, so that another layout rounds differently:
    # "result", "gradient" (over broadcast dimensions), or nothing.
    follows_strides: str = ""

    def make(
        self, size: int, dtype: str = "float32", device: str = "cpu"
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(args, kwargs) of one call over about `size` elements, as tensors."""
        one = self.sized(size)
        tensors = [to_tensor(a, dtype, device) for a in one.draw(self.name)]
        return one.fill(tensors), one.kwargs


def to_tensor(values: np.ndarray, dtype: str, device: str = "cpu") -> fastdl.Tensor:
    """Floating values in `dtype`, indices and masks as they are."""
    t = fastdl.tensor(values)
    t = t.to(dtype) if values.dtype == np.float64 else t
    return t if device == "cpu" else t.to(device)


def round_to(values: np.ndarray, dtype: str) -> np.ndarray:
    """float64 values rounded to nearest even in `dtype`, by NumPy alone."""
    if values.dtype != np.float64 or dtype == "float64":
        return values
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return values.astype(dtype).astype(np.float64)
        bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
    out = rounded.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(np.isnan(values), np.nan, out)


def results(returned: Any) -> list[Any]:
    """An op's results as a list."""
    return list(returned) if isinstance(returned, tuple) else [returned]


def to_array(t: fastdl.Tensor) -> np.ndarray:
    """The values in float64, or the integer or bool dtype that they have."""
    t = t.detach().cpu()
    values: np.ndarray = (t.double() if t.dtype.is_floating_point else t).numpy()
    return values


def check(got: fastdl.Tensor, expected: np.ndarray, dtype: str, tolerance: Tolerance) -> None:
    """Assert that a result has the reference's shape and, within the tolerance, its values."""
    values = to_array(got)
    expected = np.asarray(expected)
    assert values.shape == expected.shape, f"shape {values.shape}, expected {expected.shape}"
    if not got.dtype.is_floating_point:
        assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values, expected)
        return
    assert got.dtype == getattr(fastdl, dtype), f"{got.dtype}, expected {dtype}"
    rounded = round_to(expected.astype(np.float64), dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(values[~finite], rounded[~finite])
    with np.errstate(invalid="ignore"):
        error = np.abs(values - (expected if tolerance.factor else rounded))
        excess = error - tolerance.bound(expected, dtype)
        # A 16-bit result is at best rounded.
        if dtype in ("float16", "bfloat16"):
            excess -= EPSILON[dtype] * np.abs(expected) * 0.5
    bad = finite & ~(excess <= 0)
    if bad.any():
        at = np.unravel_index(np.argmax(np.where(bad, excess, -np.inf)), bad.shape)
        unit = EPSILON[dtype] * max(abs(float(expected[at])), TINY[dtype])
        raise AssertionError(
            f"{int(bad.sum())} of {bad.size} elements are off, worst at {tuple(map(int, at))}: "
            f"{values[at]!r}, expected {expected[at]!r} ({error[at] / unit:.1f} epsilon)"
        )


# The same values in another layout


def relayout(values: np.ndarray, layout: str) -> np.ndarray:
    """An equal array with other strides."""
    if layout == "contiguous" or values.ndim == 0:
        return values.copy()
    if layout == "transposed":
        return values.T.copy().T
    if layout == "strided":  # every second element of a larger array, from an odd offset
        big = np.full([2 * n + 1 for n in values.shape], 77, values.dtype)
        window = big[tuple(slice(1, None, 2) for _ in values.shape)]
        window[...] = values
        return window
    if layout == "reversed":
        turn = tuple(slice(None, None, -1) for _ in values.shape)
        return values[turn].copy()[turn]
    if layout == "offset":  # contiguous, but no vector of it is aligned
        flat = np.full(values.size + 1, 77, values.dtype)
        flat[1:] = values.reshape(-1)
        return flat[1:].reshape(values.shape)
    raise ValueError(layout)


DEVICES = ("cpu", "cuda") if fastdl.cuda.is_available() else ("cpu",)
LAYOUTS = ("transposed", "strided", "reversed", "offset")
