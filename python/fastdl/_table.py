"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["render"]


def render(
    head: Sequence[str], body: Sequence[Sequence[str]], right: int, foot: Sequence[str] = ()
) -> str:
    """Columns under their heads, between rules.

    Args:
        head: the names of the columns.
        body: the cells, row by row.
        right: columns from this one on hold numbers, and are aligned to the right.
        foot: lines below.
    """
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]

    def aligned(line: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if i >= right else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * len(aligned(head))
    return "\n".join([aligned(head), rule, *map(aligned, body), rule, *foot])
