"""Pictures of a training run, written as PNG. Needs matplotlib (extra ``fastdl[recipes]``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastdl.errors import UnavailableError

__all__ = ["confusion_matrix", "learning_curves", "worst_mistakes"]

PathLike = str | os.PathLike[str]

_BLUE, _ORANGE, _GREY = "#2f6db5", "#e07b28", "#5f6670"
_DPI = 144


def learning_curves(history: Sequence[Mapping[str, float]], path: PathLike, title: str) -> None:
    """Draw loss and accuracy of training and validation against the epoch.

    Args:
        history: records as `Trainer.history` has them.
        path: the PNG to write.
        title: of the whole picture.
    """
    epochs = [record["epoch"] for record in history]
    names = [name for name in ("loss", "accuracy") if name in history[0]]
    figure = _figure(5.0 * len(names), 3.8)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), number)
        for key, label, colour in ((name, "training", _BLUE), (f"val_{name}", "test", _ORANGE)):
            if key in history[0]:
                values = [record[key] for record in history]
                axes.plot(epochs, values, "o-", color=colour, label=label, markersize=3)
        _style(axes, "epoch", name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if name == "loss":
            axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    figure.suptitle(title)
    _save(figure, path)


def confusion_matrix(
    matrix: npt.NDArray[np.int64], classes: Sequence[str], path: PathLike, title: str
) -> None:
    """Draw how often each true class (row) was predicted as each class (column).

    Colour is the share of the row, so that rare classes show; the numbers are counts.

    Args:
        matrix: int64[C, C], as `fastdl.metrics.confusion_matrix` returns it.
        classes: the C names.
        path: the PNG to write.
        title: of the picture.
    """
    count = len(classes)
    side = 2.6 + 0.5 * count
    figure = _figure(side + 0.6, side)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if shares[row, column] > 0.5 else _GREY
        axes.text(
            column, row, f"{matrix[row, column]:,}", ha="center", va="center",
            color=colour, fontsize=8,
        )  # fmt: skip
    slanted = max(len(name) for name in classes) > 2
    axes.set_xticks(range(count), classes, rotation=45 if slanted else 0,
                    ha="right" if slanted else "center")  # fmt: skip
    axes.set_yticks(range(count), classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046, pad=0.03)
    _save(figure, path)


def worst_mistakes(
    images: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
    path: PathLike,
    title: str,
    count: int = 24,
) -> None:
    """Draw the examples that the model got wrong with the least doubt.

    They are ordered by the probability that the model gave to the true class, lowest first.

    Args:
        images: float[N, 1, H, W].
        scores: logits, float[N, C].
        labels: true classes, int64[N].
        classes: the C names.
        path: the PNG to write.
        title: of the whole sheet.
        count: pictures at most. Default: 24.
    """
    shifted = scores - scores.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    predicted = scores.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:count]
    columns = min(max(len(worst), 3), 6)
    rows = max(-(-len(worst) // columns), 1)
    figure = _figure(1.75 * columns, 2.1 * rows + 0.7)
    for position, example in enumerate(worst, 1):
        axes = figure.add_subplot(rows, columns, position)
        axes.imshow(images[example, 0], cmap="gray_r", interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        truth, guess = labels[example], predicted[example]
        axes.set_title(
            f"{classes[truth]}, taken for {classes[guess]}\n"
            f"{probabilities[example, truth]:.1%} against {probabilities[example, guess]:.1%}",
            fontsize=7,
        )
    if not len(worst):
        figure.text(0.5, 0.4, "no mistakes", ha="center", color=_GREY, fontsize=14)
    figure.suptitle(f"{title}: {len(wrong):,} of {len(labels):,} wrong")
    _save(figure, path)


def _figure(width: float, height: float) -> Any:
    """A figure that belongs to no window system and to no global state of pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnavailableError(
            "viz",
            "matplotlib, which draws the pictures, is not installed",
            remedy="pip install 'fastdl[recipes]'",
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: PathLike) -> None:
    figure.savefig(path, dpi=_DPI, bbox_inches="tight", pad_inches=0.15)


def _style(axes: Any, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color="#d8dce2", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
