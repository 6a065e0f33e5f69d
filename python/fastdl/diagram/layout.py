"""Where the boxes of a directed graph without cycles go, and how the arrows run between them.

Layers, as Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", 1981: a box stands below all that it takes results from; where its own result passes
others by, that has a place in each row, shared by all who read it further down; rows are ordered by
the mean positions of neighbours; then every place moves to where its neighbours are, as far as the
order lets it.

Arrows change sides only between rows and are vertical inside them, so none runs through a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Layout", "arrange", "spaced"]

_GAP_X, _GAP_Y = 28.0, 40.0  # between boxes of a row, and between rows
_LANE = 18.0  # width of the place of an arrow that passes by
_RUN_IN = 10.0  # of an arrow, straight before its box
_PORT = 14.0  # between the ends of two arrows at one box
_SWEEPS = 12
_HEAVY = 1e6  # of a box against a passing arrow, which goes around it

Point = tuple[float, float]
Arrow = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Positions in units of the sizes given, from the upper left corner.

    Attributes:
        size: of the whole, width and height.
        centres: of the boxes.
        routes: of each arrow, points from the lower side of its box to the upper side of the
            other. Between two points of different x it is a curve that begins and ends vertical.
    """

    size: Point
    centres: list[Point]
    routes: list[list[Point]]


def arrange(sizes: Sequence[Point], arrows: Sequence[Arrow]) -> Layout:
    """Lay out boxes of these widths and heights; an arrow leads to a later box."""
    graph = _Graph(sizes, arrows)
    graph.order()
    x = graph.places()
    shift = -min(x[row[0]] - graph.widths[row[0]] / 2 for row in graph.rows)
    x = [each + shift for each in x]
    width = max(x[row[-1]] + graph.widths[row[-1]] / 2 for row in graph.rows)
    tops, bottoms, height = [], [], 0.0
    for row in graph.rows:
        tops.append(height)
        bottoms.append(height + max((sizes[p][1] for p in row if p < len(sizes)), default=0.0))
        height = bottoms[-1] + _GAP_Y
    centres = [
        (x[p], (tops[graph.rank[p]] + bottoms[graph.rank[p]]) / 2) for p in range(len(sizes))
    ]
    routes = graph.routes(x, centres, tops, bottoms)
    return Layout((width, bottoms[-1]), centres, routes)


class _Graph:
    """Places in rows: those of the boxes, by number, and then those of arrows that pass by."""

    def __init__(self, sizes: Sequence[Point], arrows: Sequence[Arrow]) -> None:
        self.sizes = sizes
        self.widths = [width for width, _ in sizes]
        self.rank = _ranks(len(sizes), arrows)
        self.chains: list[list[int]] = []  # the places of each arrow, from box to box
        self.lines: dict[int, list[int]] = {}  # the places where a box's arrows pass by, together
        for tail, head in arrows:
            line = self.lines.setdefault(tail, [])
            between = self.rank[head] - self.rank[tail] - 1
            while len(line) < between:
                line.append(len(self.rank))
                self.rank.append(self.rank[tail] + len(line))
                self.widths.append(_LANE)
            self.chains.append([tail, *line[:between], head])
        self.rows: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for place, rank in enumerate(self.rank):
            self.rows[rank].append(place)
        self.above: list[list[int]] = [[] for _ in self.rank]
        self.below: list[list[int]] = [[] for _ in self.rank]
        for upper, lower in sorted({pair for chain in self.chains for pair in pairwise(chain)}):
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def order(self) -> None:
        """Sort the rows by the means of their neighbours' positions, down and up in turn."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            at = self._positions()
            for row in self.rows if down else reversed(self.rows):
                row.sort(
                    key=lambda p, at=at, near=neighbours: (  # type: ignore[misc]
                        sum(at[q] for q in near[p]) / len(near[p]) if near[p] else at[p]
                    )
                )
                at.update({place: i for i, place in enumerate(row)})
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _positions(self) -> dict[int, int]:
        return {place: i for row in self.rows for i, place in enumerate(row)}

    def _crossings(self) -> int:
        at, count = self._positions(), 0
        for row in self.rows:
            ends = [at[q] for p in row for q in sorted(self.below[p], key=at.__getitem__)]
            count += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
        return count

    def places(self) -> list[float]:
        """The x of every place: near to its neighbours', in order, and without overlaps."""
        x = [0.0] * len(self.rank)
        for row in self.rows:
            for place, at in zip(row, self._spaced(row, [0.0] * len(row)), strict=True):
                x[place] = at
        for sweep in range(4 * _SWEEPS):
            down = sweep % 2 == 0
            for row in self.rows if down else reversed(self.rows):
                wanted = [self._wanted(place, x, down) for place in row]
                for place, at in zip(row, self._spaced(row, wanted), strict=True):
                    x[place] = at
        self._straighten(x)
        return x

    def _straighten(self, x: list[float]) -> None:
        """Move the places of arrows that pass boxes by out to the outermost of them."""
        sides: dict[int, int] = {}  # of each place, boxes to the left less those to the right
        for row in self.rows:
            boxes = [place < len(self.sizes) for place in row]
            for i, place in enumerate(row):
                sides[place] = sum(boxes[:i]) - sum(boxes[i:])
        for _ in range(_SWEEPS):
            wanted = list(x)
            for lanes in self.lines.values():
                side = sum(sides[place] for place in lanes)
                for place in lanes:
                    at = [x[other] for other in lanes]
                    wanted[place] = max(at) if side > 0 else min(at) if side < 0 else wanted[place]
            for row in self.rows:
                positions = self._spaced(row, [wanted[place] for place in row])
                for place, position in zip(row, positions, strict=True):
                    x[place] = position

    def _wanted(self, place: int, x: list[float], down: bool) -> float:
        """The mean of the neighbours that a sweep comes from; of all of a lane's, to straighten."""
        near = self.above[place] if down else self.below[place]
        if place >= len(self.sizes):
            near = self.above[place] + self.below[place]
        boxes = [q for q in near if q < len(self.sizes)]
        if place < len(self.sizes) and boxes:
            near = boxes  # the main line of boxes stays straight, and what passes by goes around
        return sum(x[q] for q in near) / len(near) if near else x[place]

    def _spaced(self, row: list[int], wanted: list[float]) -> list[float]:
        widths = [self.widths[place] for place in row]
        apart = [(a + b) / 2 + _GAP_X for a, b in pairwise(widths)]
        weights = [_HEAVY if place < len(self.sizes) else 1.0 for place in row]
        return spaced(wanted, apart, weights)

    def routes(
        self, x: list[float], centres: list[Point], tops: list[float], bottoms: list[float]
    ) -> list[list[Point]]:
        """The points of every arrow."""
        leaving = self._ports(x, [(chain[0], chain[1]) for chain in self.chains])
        coming = self._ports(x, [(chain[-1], chain[-2]) for chain in self.chains])
        routes = []
        for chain, start, end in zip(self.chains, leaving, coming, strict=True):
            tail, head = chain[0], chain[-1]
            points = [(start, centres[tail][1] + self.sizes[tail][1] / 2)]
            points.append((start, bottoms[self.rank[tail]]))
            for place in chain[1:-1]:
                points += [
                    (x[place], tops[self.rank[place]]),
                    (x[place], bottoms[self.rank[place]]),
                ]
            points.append((end, tops[self.rank[head]] - _RUN_IN))
            points.append((end, centres[head][1] - self.sizes[head][1] / 2))
            routes.append(_without_straights(points))
        return routes

    def _ports(self, x: list[float], ends: list[tuple[int, int]]) -> list[float]:
        """Where arrows touch their boxes: near to the places where they come from or go to.

        Between two boxes that is half way, so that the arrow is straight where it can be.
        """
        by_box: dict[int, list[int]] = {}
        for box, other in dict.fromkeys(ends):
            by_box.setdefault(box, []).append(other)
        found: dict[tuple[int, int], float] = {}
        for box, others in by_box.items():
            others.sort(key=x.__getitem__)
            room = max(self.widths[box] / 2 - _PORT, 0.0)
            apart = min(_PORT, 2 * room / max(len(others) - 1, 1))
            wanted = []
            for i, other in enumerate(others):
                near = x[other] if other >= len(self.sizes) else (x[box] + x[other]) / 2
                low = x[box] - room + apart * i
                high = x[box] + room - apart * (len(others) - 1 - i)
                wanted.append(min(max(near, low), high))
            ports = spaced(wanted, [apart] * (len(others) - 1), [1.0] * len(others))
            found |= {(box, other): port for other, port in zip(others, ports, strict=True)}
        return [found[end] for end in ends]


def spaced(wanted: list[float], apart: list[float], weights: list[float]) -> list[float]:
    """Positions nearest to the wanted ones, each at least `apart` from the one before.

    The weighted least squares under that condition, by pooling neighbours that violate it (Ayer et
    al., "An empirical distribution function for sampling with incomplete information", 1955).
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, offset, weight in zip(wanted, offsets, weights, strict=False):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, others, number = pools.pop()
            mean = (mean * total + other * others) / (total + others)
            total, count = total + others, count + number
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _ranks(count: int, arrows: Sequence[Arrow]) -> list[int]:
    """The row of each box: below what it takes from; an input, above its first reader."""
    rank = [0] * count
    for tail, head in sorted(arrows, key=lambda arrow: arrow[1]):
        rank[head] = max(rank[head], rank[tail] + 1)
    heads = {head for _, head in arrows}
    for box in range(count):
        readers = [rank[head] for tail, head in arrows if tail == box]
        if box not in heads and readers:
            rank[box] = min(readers) - 1
    return rank


def _without_straights(points: list[Point]) -> list[Point]:
    """The points less those in the middle of a vertical line."""
    kept = points[:1]
    for i in range(1, len(points) - 1):
        if not points[i - 1][0] == points[i][0] == points[i + 1][0] or kept[-1][0] != points[i][0]:
            kept.append(points[i])
    return [*kept, points[-1]]
