"""In which order products of several tensors are summed, and how: what `einsum` stands on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastdl import _core
from fastdl.errors import ShapeError

if TYPE_CHECKING:
    from fastdl._core import Tensor

__all__ = ["Labels", "Plan", "Program", "contraction_order", "shown"]

# The names of a tensor's dimensions.
Labels = tuple[str, ...]
Pairs = tuple[tuple[int, int], ...]

# Up to so many operands the cheapest order is searched for, beyond it is built step by step.
SEARCHED = 8


class Plan(NamedTuple):
    """What is to be done for one equation and shapes.

    Attributes:
        terms: the names of each operand's dimensions.
        output: those of the result.
        sizes: the size of each name.
        pairs: which operands to contract, one pair after the other; the result is appended.
    """

    terms: tuple[Labels, ...]
    output: Labels
    sizes: dict[str, int]
    pairs: tuple[tuple[int, int], ...]


def shown(x: Tensor) -> str:
    """Dtype and shape, for messages."""
    return f"{x.dtype.name}{list(x.shape)}"


# the order


def contraction_order(terms: list[frozenset[str]], output: Labels, sizes: dict[str, int]) -> Pairs:
    """The pairs to contract; each result counts as one more operand."""
    if len(terms) <= 2:
        return ((0, 1),) if len(terms) == 2 else ()
    return (_searched if len(terms) <= SEARCHED else _greedy)(terms, frozenset(output), sizes)


def _count(labels: Iterable[str], sizes: dict[str, int]) -> int:
    return math.prod(sizes[x] for x in labels)


def _searched(terms: list[frozenset[str]], output: frozenset[str], sizes: dict[str, int]) -> Pairs:
    """The order with the fewest multiplications, by the best of every subset of the operands."""
    n = len(terms)
    everyone = (1 << n) - 1

    def union(subset: int) -> frozenset[str]:
        return frozenset().union(*(terms[i] for i in range(n) if subset >> i & 1))

    left = {s: union(s) & (output | union(everyone & ~s)) for s in range(1, everyone + 1)}
    best: dict[int, tuple[int, int]] = {1 << i: (0, 0) for i in range(n)}  # cost, one half
    for subset in range(1, everyone + 1):
        half = (subset - 1) & subset
        while half:
            rest = subset ^ half
            if half > rest:
                cost = best[half][0] + best[rest][0] + _count(left[half] | left[rest], sizes)
                if subset not in best or cost < best[subset][0]:
                    best[subset] = (cost, half)
            half = (half - 1) & subset
    pairs: list[tuple[int, int]] = []

    def contract(subset: int) -> int:
        half = best[subset][1]
        if not half:
            return subset.bit_length() - 1
        pairs.append((contract(subset ^ half), contract(half)))
        return n + len(pairs) - 1

    contract(everyone)
    return tuple(pairs)


def _greedy(terms: list[frozenset[str]], output: frozenset[str], sizes: dict[str, int]) -> Pairs:
    """At every step the pair whose result is smallest beside its operands."""
    alive = dict(enumerate(terms))
    pairs: list[tuple[int, int]] = []
    while len(alive) > 1:
        found: tuple[int, int, int, int] | None = None
        for i in alive:
            for j in (j for j in alive if j > i):
                others = output.union(*(t for k, t in alive.items() if k not in (i, j)))
                result = (alive[i] | alive[j]) & others
                gain = _count(result, sizes) - _count(alive[i], sizes) - _count(alive[j], sizes)
                rank = (gain, _count(alive[i] | alive[j], sizes), i, j)
                found = rank if found is None else min(found, rank)
        assert found is not None
        i, j = found[2:]
        others = output.union(*(t for k, t in alive.items() if k not in (i, j)))
        alive[len(terms) + len(pairs)] = (alive.pop(i) | alive.pop(j)) & others
        pairs.append((i, j))
    return tuple(pairs)


# carrying it out


class Traced:
    """Stands for a tensor while the steps are worked out, once for each equation and shapes.

    Args:
        program: to which the calls are written.
        shape: of the tensor.
        floating: whether its dtype is.
    """

    def __init__(self, program: Program, shape: Sequence[int], floating: bool) -> None:
        self.program, self.shape, self.floating = program, tuple(shape), floating
        self.place = program.count
        program.count += 1

    def _step(self, name: str, shape: Sequence[int], *arguments: Any) -> Traced:
        self.program.steps.append((getattr(_core, name), (self.place,), arguments))
        return Traced(self.program, shape, self.floating)

    def _with(self, name: str, other: Traced, shape: Sequence[int]) -> Traced:
        self.program.steps.append((getattr(_core, name), (self.place, other.place), ()))
        return Traced(self.program, shape, self.floating)

    def diagonal(self, i: int, j: int) -> Traced:
        rest = [n for d, n in enumerate(self.shape) if d not in (i, j)]
        return self._step("diagonal", [*rest, self.shape[i]], 0, i, j)

    def squeeze(self, i: int) -> Traced:
        return self._step("squeeze", self.shape[:i] + self.shape[i + 1 :], i)

    def unsqueeze(self, i: int) -> Traced:
        return self._step("unsqueeze", (*self.shape[:i], 1, *self.shape[i:]), i)

    def permute(self, order: list[int]) -> Traced:
        return self._step("permute", [self.shape[i] for i in order], order)

    def reshape(self, shape: Sequence[int]) -> Traced:
        return self if tuple(shape) == self.shape else self._step("reshape", shape, [*shape])

    def sum(self, dims: list[int]) -> Traced:
        rest = [n for d, n in enumerate(self.shape) if d not in dims]
        if self.floating:
            return self._step("sum", rest, dims)
        # Integers stay what they are.
        self.program.steps.append((lambda x: _core.sum(x, dims).to(x.dtype), (self.place,), ()))
        return Traced(self.program, rest, False)

    def mul(self, other: Traced) -> Traced:
        return self._with("mul", other, [
            n if m == 1 else m for m, n in zip(self.shape, other.shape, strict=True)
        ])  # fmt: skip

    def matmul(self, other: Traced) -> Traced:
        return self._with("matmul", other, (*self.shape[:-1], other.shape[-1]))


class Program:
    """The calls that a plan comes to: each of some values so far gives one more."""

    def __init__(self, plan: Plan, shapes: Sequence[Sequence[int]], floating: bool) -> None:
        self.count = 0
        self.steps: list[tuple[Callable[..., Tensor], tuple[int, ...], tuple[Any, ...]]] = []
        self.result = _traced(plan, [Traced(self, shape, floating) for shape in shapes]).place

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        values: list[Any] = list(tensors)
        for function, places, arguments in self.steps:
            values.append(function(*[values[i] for i in places], *arguments))
            for i in places:  # nobody else wants it
                values[i] = None
        return values[self.result]  # type: ignore[no-any-return]


def _traced(plan: Plan, tensors: list[Traced]) -> Traced:
    """The sum of products that the plan describes."""
    named = [_distinct(x, term, plan.sizes) for x, term in zip(tensors, plan.terms, strict=True)]
    alive: dict[int, tuple[Traced, Labels]] = dict(enumerate(named))
    for step, (i, j) in enumerate(plan.pairs):
        (a, left), (b, right) = alive.pop(i), alive.pop(j)
        kept = set(plan.output).union(*(labels for _, labels in alive.values()))
        alive[len(tensors) + step] = _contract(a, left, b, right, kept, plan.output)
    ((x, labels),) = alive.values()
    x, labels = _summed(x, labels, set(plan.output))
    # What only has size 1, and was dropped where it met itself, comes back.
    for label in plan.output:
        if label not in labels:
            x, labels = x.unsqueeze(len(labels)), (*labels, label)
    return _permuted(x, labels, plan.output)


def _distinct(x: Traced, labels: Labels, sizes: dict[str, int]) -> tuple[Traced, Labels]:
    """Diagonals of names that occur twice; dimensions that broadcast are dropped."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    "einsum",
                    f"dimension {label!r} has sizes {x.shape[i]} and {x.shape[j]} in one operand",
                    {"operand": str(list(x.shape))},
                    "make the sizes equal",
                )
            x = x.diagonal(i, j)
            labels = (*labels[:i], *labels[i + 1 : j], *labels[j + 1 :], label)
    for i in reversed(range(len(labels))):
        if x.shape[i] == 1 and sizes[labels[i]] != 1:
            x, labels = x.squeeze(i), labels[:i] + labels[i + 1 :]
    return x, labels


def _summed(x: Traced, labels: Labels, kept: set[str]) -> tuple[Traced, Labels]:
    dims = [i for i, label in enumerate(labels) if label not in kept]
    if dims:
        x = x.sum(dims)
    return x, tuple(label for label in labels if label in kept)


def _permuted(x: Traced, labels: Labels, order: Sequence[str]) -> Traced:
    return x if labels == tuple(order) else x.permute([labels.index(label) for label in order])


def _spread(x: Traced, labels: Labels, order: Labels) -> Traced:
    """The dimensions in `order`, with size 1 where x has none."""
    x = _permuted(x, labels, [label for label in order if label in labels])
    for i, label in enumerate(order):
        if label not in labels:
            x = x.unsqueeze(i)
    return x


def _contract(
    a: Traced, left: Labels, b: Traced, right: Labels, kept: set[str], output: Labels
) -> tuple[Traced, Labels]:
    """The product of two operands, summed over what nobody else needs."""
    a, left = _summed(a, left, kept.union(right))
    b, right = _summed(b, right, kept.union(left))

    # So that the result comes out in the order that is asked for, where that is possible.
    def place(x: str) -> int:
        return output.index(x) if x in output else len(output)

    own = [min(map(place, set(x) - set(y)), default=len(output))
           for x, y in ((left, right), (right, left))]  # fmt: skip
    if own[1] < own[0]:
        a, left, b, right = b, right, a, left
    batch = tuple(sorted((x for x in left if x in right and x in kept), key=place))
    rows = tuple(x for x in left if x not in right)
    columns = tuple(x for x in right if x not in left)
    order = left if math.prod(a.shape) >= math.prod(b.shape) else right
    inner = tuple(x for x in order if x in left and x in right and x not in kept)
    result = batch + rows + columns
    if not inner or not a.floating:
        everything = result + inner
        product = _spread(a, left, everything).mul(_spread(b, right, everything))
        return _summed(product, everything, set(result))
    shape_a, shape_b = dict(zip(left, a.shape, strict=True)), dict(zip(right, b.shape, strict=True))
    batches = [shape_a[x] for x in batch]
    if len(batches) > 6:  # with two more, a tensor's most dimensions
        batches = [math.prod(batches)]
    m, n = math.prod(shape_a[x] for x in rows), math.prod(shape_b[x] for x in columns)
    k = math.prod(shape_a[x] for x in inner)
    product = (
        _permuted(a, left, batch + rows + inner)
        .reshape([*batches, m, k])
        .matmul(_permuted(b, right, batch + inner + columns).reshape([*batches, k, n]))
    )
    sizes = shape_a | shape_b
    return product.reshape([sizes[x] for x in result]), result
