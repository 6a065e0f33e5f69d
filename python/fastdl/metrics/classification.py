"""Metrics of classifiers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastdl.errors import ArgumentError, IndexRangeError, ShapeError

__all__ = ["accuracy", "confusion_matrix"]

MOST_CLASSES = 2**15  # a matrix of 8 GiB


def accuracy(predicted: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Share of examples whose class was predicted.

    Args:
        predicted: classes, integers[N], or scores [N, C], of which the largest counts.
        target: true classes, integers[N].

    Returns:
        A number from 0 to 1; nan for no examples.
    """
    classes, truth = _classes(predicted, target)
    return float(np.mean(classes == truth)) if len(truth) else float("nan")


def confusion_matrix(
    predicted: npt.ArrayLike, target: npt.ArrayLike, num_classes: int | None = None
) -> npt.NDArray[np.int64]:
    """How often each class (row) was taken for each class (column).

    Args:
        predicted: classes, integers[N], or scores [N, C], of which the largest counts.
        target: true classes, integers[N].
        num_classes: C. Default: as many as appear, or as there are scores.

    Returns:
        int64[C, C].

    Raises:
        IndexRangeError: a class is negative or not below `num_classes`.
        ArgumentError: there are more than 32768 classes, or less than none.
    """
    classes, truth = _classes(predicted, target)
    if num_classes is None:
        scores = np.asarray(predicted)
        highest = max(classes.max(initial=-1), truth.max(initial=-1)) + 1
        num_classes = scores.shape[1] if scores.ndim == 2 else int(highest)
    for name, values in (("predicted", classes), ("target", truth)):
        if len(values) and not (values.min() >= 0 and values.max() < num_classes):
            raise IndexRangeError(
                "confusion_matrix",
                f"{name} has classes from {values.min()} to {values.max()}, "
                f"expected 0 to {num_classes - 1}",
            )
    if not 0 <= num_classes <= MOST_CLASSES:
        raise ArgumentError(
            "confusion_matrix",
            f"num_classes is {num_classes}, expected 0 to {MOST_CLASSES}",
            remedy="count the classes of interest apart",
        )
    counts = np.bincount(truth * num_classes + classes, minlength=num_classes**2)
    return counts.astype(np.int64).reshape(num_classes, num_classes)


def _classes(
    predicted: npt.ArrayLike, target: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    classes, truth = np.asarray(predicted), np.asarray(target)
    if classes.ndim == 2 and (classes.shape[1] or not len(classes)):
        classes = classes.argmax(axis=1) if len(classes) else np.empty(0, np.int64)
    if classes.ndim != 1 or classes.shape != truth.shape:
        raise ShapeError(
            "metrics",
            "predictions and targets do not match",
            {"predicted": str(list(np.shape(predicted))), "target": str(list(truth.shape))},
            "give one class, or one row of scores, per target",
        )
    return classes.astype(np.int64), truth.astype(np.int64)
