"""Progress display: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self, TextIO

__all__ = ["Progress"]

_BAR_INTERVAL = 0.1  # seconds between two refreshes of a bar
_LINE_INTERVAL = 5.0  # seconds between two plain lines; a log should stay short
_BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {remaining} left  "  # and the figures


class Progress:
    """Shows how far a long task is.

    The bar is drawn by tqdm where `stream` is a terminal, `total` is known and tqdm is installed.
    To be used as a context manager, so that the bar is closed whatever happens.

    Args:
        label: what is going on; may be changed at any time.
        total: units of work altogether; 0 if unknown.
        unit: name of a unit; ``"B"`` is shown in kB and MB.
        stream: where to write. Default: standard error.
        enabled: whether to show anything. Default: True.
    """

    def __init__(
        self,
        label: str,
        total: int,
        unit: str = "batch",
        stream: TextIO | None = None,
        enabled: bool = True,
    ) -> None:
        self.label = label
        self._stream = stream or sys.stderr
        self._total = total
        self._unit = unit
        self._enabled = enabled
        self._done = 0
        self._start = self._shown = time.monotonic()
        self._bar = _make_bar(label, total, self._stream) if enabled else None
        self._interval = _LINE_INTERVAL if self._bar is None else _BAR_INTERVAL

    def due(self) -> bool:
        """Whether it is time to refresh the display: ask before computing costly figures."""
        return self._enabled and time.monotonic() - self._shown >= self._interval

    def advance(self, count: int = 1, figures: str = "") -> None:
        """Count work as done, and show it if the display is due."""
        self._done += count
        if self.due():
            self._show(figures)

    def note(self, line: str) -> None:
        """Print a line that stays."""
        if not self._enabled:
            return
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def seconds_left(self) -> float:
        """Estimated time until all is done, at the mean speed so far; nan before the start."""
        elapsed = time.monotonic() - self._start
        return elapsed / self._done * (self._total - self._done) if self._done else float("nan")

    def _show(self, figures: str) -> None:
        self._shown = time.monotonic()
        figures = figures or self._amount()
        if self._bar is not None:
            self._bar.n = self._done
            self._bar.set_description_str(self.label, refresh=False)
            self._bar.bar_format = _BAR_FORMAT + figures.replace("{", "{{").replace("}", "}}")
            self._bar.refresh()
        elif self._total:
            left = time.strftime("%M:%S", time.gmtime(self.seconds_left()))
            print(f"{self.label}  {figures}  {left} left", file=self._stream, flush=True)
        else:
            print(f"{self.label}  {figures}", file=self._stream, flush=True)

    def _amount(self) -> str:
        if self._unit == "B":
            total = f" of {self._total / 1e6:.1f}" if self._total else ""
            return f"{self._done / 1e6:.1f}{total} MB"
        return f"{self._unit} {self._done}/{self._total}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.n = self._done
            self._bar.close()


def _make_bar(label: str, total: int, stream: TextIO) -> Any:
    """A tqdm bar, or None where plain lines are wanted."""
    if not total or not stream.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        total=total,
        desc=label,
        file=stream,
        leave=False,
        dynamic_ncols=True,
        bar_format=_BAR_FORMAT,
    )
