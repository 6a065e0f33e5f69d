"""A scene as the bytes of an SVG or, through matplotlib, of a PNG."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from fastdl.diagram.layout import Point
from fastdl.diagram.scene import ARROW, FONT, Scene
from fastdl.errors import UnavailableError

__all__ = ["write_png", "write_svg"]

# Fill and border by the kind of box; a layer without parameters is as a function with a border.
_COLOURS = {
    "input": ("#e7f3e8", "#4d8f55"),
    "output": ("#e7f3e8", "#4d8f55"),
    "layer": ("#e3edf8", "#2f6db5"),
    "plain layer": ("#f4f6f9", "#8a93a0"),
    "function": ("#fdf1e4", "#e07b28"),
}
_INK, _LINE = "#22262b", "#5f6670"
_CORNER = 6.0
_DPI = 144
_LARGEST = 32_000  # pixels of a PNG's side


def write_svg(scene: Scene) -> bytes:
    """A group for each box, with its text, and a path for each arrow."""
    width, height = scene.size
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "viewBox": f"0 0 {width:.1f} {height:.1f}",
            "font-family": f"{FONT}, Verdana, Arial, sans-serif",
            "text-anchor": "middle",
            "fill": _INK,
        },
    )
    ElementTree.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    for tail, head, points in scene.arrows:
        ElementTree.SubElement(
            root,
            "path",
            {
                "class": "arrow",
                "data-from": f"box{tail}",
                "data-to": f"box{head}",
                "d": " ".join(f"{c} {_numbers(ps)}" for c, ps in _strokes(points)),
                "fill": "none",
                "stroke": _LINE,
                "stroke-width": "1.3",
            },
        )
        ElementTree.SubElement(
            root, "polygon", {"points": _numbers(_head(points[-1])), "fill": _LINE}
        )
    for number, shape in enumerate(scene.shapes):
        fill, border = _colours(shape.box)
        group = ElementTree.SubElement(root, "g", {"class": shape.box.kind, "id": f"box{number}"})
        ElementTree.SubElement(
            group,
            "rect",
            {
                "x": f"{shape.corner[0]:.1f}",
                "y": f"{shape.corner[1]:.1f}",
                "width": f"{shape.size[0]:.1f}",
                "height": f"{shape.size[1]:.1f}",
                "rx": f"{_CORNER:g}",
                "fill": fill,
                "stroke": border,
            },
        )
        for label in shape.labels:
            attributes = {
                "x": f"{label.at[0]:.1f}",
                "y": f"{label.at[1]:.1f}",
                "font-size": f"{label.size:g}",
            }
            if label.bold:
                attributes["font-weight"] = "bold"
            ElementTree.SubElement(group, "text", attributes).text = label.text
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def write_png(scene: Scene) -> bytes:
    """The same by matplotlib."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
        from matplotlib.path import Path
    except ImportError as error:
        raise UnavailableError(
            "plot",
            "matplotlib, which draws PNG files, is not installed",
            remedy="pip install 'fastdl[recipes]', or use a path that ends in .svg",
        ) from error
    width, height = scene.size
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    codes = {"M": [Path.MOVETO], "L": [Path.LINETO], "C": [Path.CURVE4] * 3}
    for _, _, points in scene.arrows:
        strokes = _strokes(points)
        path = Path(
            [p for _, ps in strokes for p in ps], [code for c, _ in strokes for code in codes[c]]
        )
        axes.add_patch(PathPatch(path, fill=False, edgecolor=_LINE, linewidth=1.3))
        axes.add_patch(Polygon(_head(points[-1]), facecolor=_LINE, linewidth=0))
    for shape in scene.shapes:
        fill, border = _colours(shape.box)
        style = f"round,pad=0,rounding_size={_CORNER}"
        axes.add_patch(
            FancyBboxPatch(
                shape.corner, *shape.size, boxstyle=style, facecolor=fill, edgecolor=border
            )
        )
        for label in shape.labels:
            axes.text(
                *label.at,
                label.text,
                size=label.size,
                color=_INK,
                ha="center",
                weight="bold" if label.bold else "normal",
                family=FONT,
                parse_math=False,
            )
    content = io.BytesIO()
    dpi = min(_DPI, 72 * _LARGEST / max(width, height))
    figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def _colours(box: Any) -> tuple[str, str]:
    plain = box.kind == "layer" and box.parameters == 0
    return _COLOURS["plain layer" if plain else box.kind]


def _strokes(points: list[Point]) -> list[tuple[str, list[Point]]]:
    """The path of an arrow in the commands of SVG: M, and L or C."""
    *others, (x, y) = points
    points = [*others, (x, y - ARROW / 2)]  # its tip is that of the head
    strokes = [("M", points[:1])]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        if x0 == x1:
            strokes.append(("L", [(x1, y1)]))
        else:
            strokes.append(("C", [(x0, middle), (x1, middle), (x1, y1)]))
    return strokes


def _head(tip: Point) -> list[Point]:
    x, y = tip
    return [(x, y), (x - ARROW / 2, y - ARROW), (x + ARROW / 2, y - ARROW)]


def _numbers(points: list[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
