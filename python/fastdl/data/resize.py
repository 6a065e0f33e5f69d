"""Scaling images with NumPy alone."""

from __future__ import annotations

import numpy as np

__all__ = ["resize_bilinear"]


def resize_bilinear(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale images by bilinear interpolation between pixel centres, edges extended.

    Args:
        images: float[N, H, W].
        size: (height, width) of the result.

    Returns:
        float[N, height, width].
    """
    rows = _weights(images.shape[1], size[0])
    columns = _weights(images.shape[2], size[1])
    # Summed as einsum's own loops, never through BLAS: the same bits on every machine matter
    # more here than speed, since training starts from them.
    stretched = np.einsum("yh,nhw->nyw", rows, images, optimize=False)
    resized: np.ndarray = np.einsum("xw,nyw->nyx", columns, stretched, optimize=False)
    return resized


def _weights(source: int, target: int) -> np.ndarray:
    """The interpolation as a matrix[target, source], two weights a row."""
    centre = (np.arange(target) + 0.5) * source / target - 0.5
    centre = np.clip(centre, 0, source - 1)
    low = np.minimum(centre.astype(np.int64), max(source - 2, 0))
    high = np.minimum(low + 1, source - 1)
    fraction = centre - low
    matrix = np.zeros((target, source))
    np.add.at(matrix, (np.arange(target), low), 1.0 - fraction)
    np.add.at(matrix, (np.arange(target), high), fraction)
    return matrix
