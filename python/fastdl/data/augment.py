"""Random changes of a batch of images, drawn from the loader's own generator."""

from __future__ import annotations

import numpy as np

__all__ = ["RandomShift"]


class RandomShift:
    """Shift every image of a batch by a few pixels, each by an amount of its own.

    The pixels that come in at the edge take the value of `fill`. To be passed to a `DataLoader`
    as `transform`; fields other than the first pass through.

    Args:
        pixels: the largest shift in each direction.
        fill: value of the new pixels. Default: the smallest value of the batch.
    """

    def __init__(self, pixels: int, fill: float | None = None) -> None:
        self.pixels = pixels
        self.fill = fill

    def __call__(
        self, batch: tuple[np.ndarray, ...], generator: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        images, *rest = batch
        reach = self.pixels
        if reach == 0 or not len(images):
            return batch
        count, _, height, width = images.shape
        fill = images.min() if self.fill is None else self.fill
        edges = ((0, 0), (0, 0), (reach, reach), (reach, reach))
        padded = np.pad(images, edges, constant_values=fill)
        offsets = generator.integers(0, 2 * reach + 1, size=(2, count))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        shifted = windows[np.arange(count), :, offsets[0], offsets[1]]
        return (np.ascontiguousarray(shifted), *rest)
