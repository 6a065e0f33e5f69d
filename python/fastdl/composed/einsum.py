"""Sums of products over named dimensions, on top of the matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.contraction import Labels, Plan, Program, contraction_order, shown
from fastdl.composed.door import composed
from fastdl.errors import ArgumentError, DeviceError, DTypeError, ShapeError

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["einsum", "tensordot"]


@composed("")
def einsum(equation: str, *operands: ArrayLike) -> Tensor:
    """The sum of the products of elements whose dimensions share names (Einstein's convention).

        einsum("ij,jk->ik", a, b)         a product of matrices
        einsum("bhqd,bhkd->bhqk", q, k)   products of two batches of them
        einsum("...ii->...i", a)          diagonals

    Args:
        equation: for each operand a letter per dimension, with commas between; after ``->`` the
            letters of the result. Letters that are not there are summed over. A letter twice in
            one operand is its diagonal. ``...`` stands for any further dimensions, which
            broadcast. Without ``->`` the result has those, then the letters that occur once, in
            alphabetical order.
        operands: tensors of one dtype and device, one for each part of the equation. Dimensions
            of one name have one size, or 1.

    More than two operands are contracted in pairs, in the order with the fewest multiplications
    (up to eight; beyond that, the pair that shrinks most comes first). The result may be a view.

    Raises:
        ArgumentError: the equation cannot be read, or there is another number of operands.
        ShapeError: sizes of one name differ, or an operand has other dimensions than its letters.
        DTypeError, DeviceError: the operands differ in these.
    """
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    tensors = [x if isinstance(x, _core.Tensor) else _core.from_numpy(x) for x in operands]
    _check_kinds("einsum", tensors)
    floating = not tensors or tensors[0].dtype.is_floating_point
    return _program(equation, tuple([tuple(x.shape) for x in tensors]), floating)(tensors)


@composed("dims: 0..")
def tensordot(a: ArrayLike, b: ArrayLike, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The sum of products over several dimensions of both tensors.

    Args:
        a: a tensor.
        b: another one of its dtype and device.
        dims: how many of the last dimensions of a meet the first ones of b, in order; or two
            lists, the dimensions of a and those of b that they meet. Default: 2.

    The result has the other dimensions of a, then those of b.

    Raises:
        ArgumentError: more dimensions than there are, the lists differ in length, or one names a
            dimension twice.
        ShapeError: the sizes of two dimensions that meet differ.
    """
    assert isinstance(a, _core.Tensor)
    assert isinstance(b, _core.Tensor)
    _check_kinds("tensordot", [a, b])
    if isinstance(dims, int):
        ours: Sequence[int] = range(a.ndim - dims, a.ndim)
        theirs: Sequence[int] = range(dims)
    else:
        if len(dims) != 2:
            raise ArgumentError(
                "tensordot", f"dims has {len(dims)} lists", {}, "give one for a and one for b"
            )
        ours = [_whole_dim(d, a) for d in dims[0]]
        theirs = [_whole_dim(d, b) for d in dims[1]]
    facts = {"a": shown(a), "b": shown(b), "dims": str(dims)}
    wrong = len(ours) != len(theirs) or len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs)
    if wrong or (isinstance(dims, int) and not 0 <= dims <= min(a.ndim, b.ndim)):
        raise ArgumentError(
            "tensordot", "the dimensions do not pair up", facts, "name each once, in pairs"
        )
    if any(a.shape[i] != b.shape[j] for i, j in zip(ours, theirs, strict=True)):
        raise ShapeError(
            "tensordot", "dimensions that meet differ in size", facts, "pair equal sizes"
        )
    met = dict(zip(theirs, ours, strict=True))
    left: Labels = tuple(f"a{i}" for i in range(a.ndim))
    right: Labels = tuple(f"a{met[j]}" if j in met else f"b{j}" for j in range(b.ndim))
    output = tuple(x for x in left + right if (x in left) != (x in right))
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    plan = Plan((left, right), output, sizes, ((0, 1),))
    return Program(plan, (a.shape, b.shape), a.dtype.is_floating_point)((a, b))


def _whole_dim(dim: int, x: Tensor) -> int:
    if not -x.ndim <= dim < x.ndim:
        raise ArgumentError(
            "tensordot", f"dimension {dim} does not exist", {"input": shown(x)}, "name another"
        )
    return dim % x.ndim


def _check_kinds(op: str, tensors: Sequence[Tensor]) -> None:
    kinds = {(x.dtype, x.device) for x in tensors}
    if len(kinds) <= 1:
        return
    facts = {f"operands[{i}]": shown(x) for i, x in enumerate(tensors)}
    if len({dtype for dtype, _ in kinds}) > 1:
        raise DTypeError(op, "the operands have different dtypes", facts, "convert with .to(...)")
    raise DeviceError(op, "the operands are on different devices", facts, "move with .to(...)")


# reading the equation


@lru_cache(maxsize=256)
def _program(equation: str, shapes: tuple[tuple[int, ...], ...], floating: bool) -> Program:
    return Program(_plan(equation, shapes), shapes, floating)


def _plan(equation: str, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != len(shapes):
        raise _refused(equation, f"it names {len(parts)} operands, {len(shapes)} are there")
    terms = tuple(_labels(equation, part, shape) for part, shape in zip(parts, shapes, strict=True))
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            known = sizes.setdefault(label, size)
            if known != size and 1 not in (known, size):
                raise ShapeError(
                    "einsum",
                    f"dimension {label!r} has sizes {known} and {size}",
                    {"equation": equation, "shapes": str([list(s) for s in shapes])},
                    "make the sizes equal, or one of them 1",
                )
            if size != 1:
                sizes[label] = size
    everything = [label for term in terms for label in term]
    dots = tuple(sorted({x for x in everything if x[0] == "."}, key=lambda x: -int(x[1:])))
    if arrow:
        output = _output(equation, out, dots, sizes)
    else:
        once = (x for x in everything if x[0] != "." and everything.count(x) == 1)
        output = (*dots, *sorted(once))
    return Plan(
        terms, output, sizes, contraction_order([frozenset(t) for t in terms], output, sizes)
    )


def _refused(equation: str, problem: str) -> ArgumentError:
    return ArgumentError(
        "einsum", problem, {"equation": repr(equation)}, "write it as in 'ij,jk->ik'"
    )


# A name is a letter, or ".0", ".1", ... for dimensions behind an ellipsis, from the last one.


def _labels(equation: str, part: str, shape: tuple[int, ...]) -> Labels:
    before, dots, after = part.partition("...")
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise _refused(equation, f"{letter!r} is no letter")
    further = len(shape) - len(before) - len(after)
    if further < 0 or (further > 0 and not dots):
        raise ShapeError(
            "einsum",
            f"'{part}' does not name {len(shape)} dimensions",
            {"equation": repr(equation), "operand": str(list(shape))},
            "give one letter for each dimension, or use '...'",
        )
    return (*before, *(f".{i}" for i in range(further - 1, -1, -1)), *after)


def _output(equation: str, part: str, dots: Labels, sizes: dict[str, int]) -> Labels:
    before, ellipsis, after = part.partition("...")
    letters = before + after
    for letter in letters:
        if letter not in sizes:
            raise _refused(equation, f"{letter!r} of the result is in no operand")
    if len(set(letters)) < len(letters):
        raise _refused(equation, "a letter is twice in the result")
    return (*before, *(dots if ellipsis else ()), *after)
