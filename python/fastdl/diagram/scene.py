"""A picture as boxes with text and curves, at the same places for every kind of file."""

from __future__ import annotations

from dataclasses import dataclass

from fastdl.diagram.layout import Point, arrange
from fastdl.diagram.network import Box, Network

__all__ = ["ARROW", "FONT", "MARGIN", "Label", "Scene", "Shape", "scene_of"]

FONT = "DejaVu Sans"
MARGIN = 16.0
ARROW = 7.0  # length of an arrow's head
_PAD_X, _PAD_Y = 12.0, 8.0
_LINE = 1.35  # height of a line of text in sizes of its font
_TITLE, _SMALL = 13.0, 10.5
# What letters take at most on average in a common font, in sizes of the font; wide ones alone.
_LETTER, _BOLD, _WIDE = 0.64, 0.72, 1.12
_LONGEST = 48


@dataclass(frozen=True)
class Label:
    """A line of text around a point in the middle of its base line."""

    text: str
    at: Point
    size: float
    bold: bool


@dataclass(frozen=True)
class Shape:
    """A box with its corner, its size and its text."""

    box: Box
    corner: Point
    size: Point
    labels: list[Label]


@dataclass(frozen=True)
class Scene:
    """All that is drawn, in points from the upper left corner.

    Attributes:
        size: width and height.
        shapes: in the order of the network's boxes.
        arrows: in the order of the network's, the box that each leaves, the one that it reaches,
            and its points (`fastdl.diagram.layout.Layout.routes`).
    """

    size: Point
    shapes: list[Shape]
    arrows: list[tuple[int, int, list[Point]]]


def scene_of(network: Network) -> Scene:
    """Place a network."""
    texts = [_lines(box) for box in network.boxes]
    sizes = [_size(lines) for lines in texts]
    layout = arrange(sizes, network.arrows)
    shapes = []
    for box, lines, (width, height), (x, y) in zip(
        network.boxes, texts, sizes, layout.centres, strict=True
    ):
        corner = (x - width / 2 + MARGIN, y - height / 2 + MARGIN)
        shapes.append(Shape(box, corner, (width, height), _labels(lines, x + MARGIN, corner[1])))
    arrows = [
        (tail, head, [(x + MARGIN, y + MARGIN) for x, y in points])
        for (tail, head), points in zip(network.arrows, layout.routes, strict=True)
    ]
    return Scene((layout.size[0] + 2 * MARGIN, layout.size[1] + 2 * MARGIN), shapes, arrows)


def _lines(box: Box) -> list[str]:
    """The title, then what there is to say in small letters."""
    details = [box.path] if box.path else []
    details.append(box.shape)
    if box.parameters is None:
        details.append("parameters shared")
    elif box.parameters:
        details.append(f"{box.parameters:,} parameters")
    return [_printable(line) for line in [box.title, *details]]


def _printable(text: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else f"...{text[3 - _LONGEST :]}"


def _size(lines: list[str]) -> Point:
    title, *small = lines
    width = max(_TITLE * _width(title, _BOLD), *(_SMALL * _width(text, _LETTER) for text in small))
    return width + 2 * _PAD_X, _LINE * (_TITLE + _SMALL * len(small)) + 2 * _PAD_Y


def _width(text: str, letter: float) -> float:
    wide = sum(c in "mwMW@%" or ord(c) > 0x2E80 for c in text)
    return wide * _WIDE + (len(text) - wide) * letter


def _labels(lines: list[str], x: float, top: float) -> list[Label]:
    labels, y = [], top + _PAD_Y
    for number, text in enumerate(lines):
        size = _SMALL if number else _TITLE
        labels.append(Label(text, (x, y + size), size, bold=not number))
        y += _LINE * size
    return labels
