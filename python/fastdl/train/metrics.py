"""Metrics of a batch, and their means over an epoch without a wait at every batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastdl import _core
from fastdl._core import Tensor

__all__ = ["METRICS", "RunningMeans", "accuracy"]

Metric = Callable[[Tensor, Tensor], Tensor]

_PENDING_LIMIT = 256  # batches whose figures may wait on the device


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Share of the batch whose largest score (in the last dimension) is the target's."""
    hits = _core.eq(_core.argmax(output, -1), target)
    return _core.mean(hits.to(_core.float32))


METRICS: dict[str, Metric] = {"accuracy": accuracy}


class RunningMeans:
    """Means of named figures, each batch weighted by its size.

    Figures stay tensors until somebody asks for the means: reading a number from a GPU waits
    for all work before it, which would stop the queue at every batch.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, float] = {}
        self._pending: list[tuple[int, Mapping[str, Tensor]]] = []

    def add(self, count: int, figures: Mapping[str, Tensor]) -> None:
        """Add the figures of a batch of `count` examples."""
        self.count += count
        self._pending.append((count, figures))
        if len(self._pending) >= _PENDING_LIMIT:
            self._settle()

    def means(self) -> dict[str, float]:
        """The means so far; nan before the first example."""
        self._settle()
        return {
            name: total / self.count if self.count else float("nan")
            for name, total in self._sums.items()
        }

    def _settle(self) -> None:
        for count, figures in self._pending:
            for name, value in figures.items():
                # An empty batch has the mean nan, and no weight.
                addend = value.item() * count if count else 0.0
                self._sums[name] = self._sums.get(name, 0.0) + addend
        self._pending.clear()
