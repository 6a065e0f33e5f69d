"""In which order products of several tensors are summed, and how: what `einsum` stands on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastdl import _core
from fastdl.errors import ShapeError

if TYPE_CHECKING:
    from fastdl._core import Tensor

__all__ = ["Labels", "Plan", "contraction_order", "run", "shown"]

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


def run(plan: Plan, tensors: list[Tensor]) -> Tensor:
    """The sum of products that the plan describes."""
    named = [_distinct(x, term, plan.sizes) for x, term in zip(tensors, plan.terms, strict=True)]
    alive: dict[int, tuple[Tensor, Labels]] = dict(enumerate(named))
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


def _distinct(x: Tensor, labels: Labels, sizes: dict[str, int]) -> tuple[Tensor, Labels]:
    """Diagonals of names that occur twice; dimensions that broadcast are dropped."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    "einsum",
                    f"dimension {label!r} has sizes {x.shape[i]} and {x.shape[j]} in one operand",
                    {"operand": shown(x)},
                    "make the sizes equal",
                )
            x = x.diagonal(0, i, j)
            labels = (*labels[:i], *labels[i + 1 : j], *labels[j + 1 :], label)
    for i in reversed(range(len(labels))):
        if x.shape[i] == 1 and sizes[labels[i]] != 1:
            x, labels = x.squeeze(i), labels[:i] + labels[i + 1 :]
    return x, labels


def _summed(x: Tensor, labels: Labels, kept: set[str]) -> tuple[Tensor, Labels]:
    dims = [i for i, label in enumerate(labels) if label not in kept]
    if dims:
        # Integers stay what they are.
        x = x.sum(dims).to(x.dtype)
    return x, tuple(label for label in labels if label in kept)


def _permuted(x: Tensor, labels: Labels, order: Sequence[str]) -> Tensor:
    return x if labels == tuple(order) else x.permute([labels.index(label) for label in order])


def _spread(x: Tensor, labels: Labels, order: Labels) -> Tensor:
    """The dimensions in `order`, with size 1 where x has none."""
    x = _permuted(x, labels, [label for label in order if label in labels])
    for i, label in enumerate(order):
        if label not in labels:
            x = x.unsqueeze(i)
    return x


def _contract(
    a: Tensor, left: Labels, b: Tensor, right: Labels, kept: set[str], output: Labels
) -> tuple[Tensor, Labels]:
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
    order = left if a.numel() >= b.numel() else right
    inner = tuple(x for x in order if x in left and x in right and x not in kept)
    result = batch + rows + columns
    if not inner or not a.dtype.is_floating_point:
        everything = result + inner
        product = _core.mul(_spread(a, left, everything), _spread(b, right, everything))
        return _summed(product, everything, set(result))
    shape_a, shape_b = dict(zip(left, a.shape, strict=True)), dict(zip(right, b.shape, strict=True))
    batches = [shape_a[x] for x in batch]
    if len(batches) > 6:  # with two more, a tensor's most dimensions
        batches = [math.prod(batches)]
    m, n = math.prod(shape_a[x] for x in rows), math.prod(shape_b[x] for x in columns)
    k = math.prod(shape_a[x] for x in inner)
    product = _core.matmul(
        _permuted(a, left, batch + rows + inner).reshape([*batches, m, k]),
        _permuted(b, right, batch + inner + columns).reshape([*batches, k, n]),
    )
    sizes = shape_a | shape_b
    return product.reshape([sizes[x] for x in result]), result
