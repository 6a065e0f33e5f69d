"""LeNet-5 on handwritten digits or on Fashion-MNIST.

AdamW with a one-cycle learning rate. The digits, of which there are few, are shifted at random by
up to two pixels in training. Seed, version, device and instruction set determine every bit of the
result; the number of threads does not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from fastdl import io, metrics, models, nn, optim, viz
from fastdl.data import DataLoader, ImageData, RandomShift, digits, fashion_mnist
from fastdl.errors import ArgumentError
from fastdl.recipes import report
from fastdl.train import Trainer

__all__ = ["DESCRIPTION", "Setting", "add_arguments", "run"]

DESCRIPTION = "LeNet-5 on handwritten digits, or on Fashion-MNIST with --data fashion-mnist"

_LEARNING_RATE = 3e-3
_BATCH_SIZE = 64
_EVALUATION_BATCH = 500


class Setting(NamedTuple):
    """What differs between the data sets."""

    title: str
    load: Callable[[], ImageData]
    epochs: int
    shift: int


SETTINGS = {
    "digits": Setting("handwritten digits", digits, epochs=40, shift=2),
    "fashion-mnist": Setting("Fashion-MNIST", fashion_mnist, epochs=5, shift=0),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the recipe."""
    report.add_common_arguments(parser, "runs/lenet5")
    parser.add_argument(
        "--data", choices=list(SETTINGS), default="digits", help="what to train on (digits)"
    )


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train, evaluate, and write everything into `options.out`; returns the metrics."""
    setting = SETTINGS[options.data]
    epochs = setting.epochs if options.epochs is None else options.epochs
    if epochs < 1:
        raise ArgumentError("lenet5", f"epochs is {epochs}, expected 1 or more")
    start = time.perf_counter()
    out = report.prepare(options)
    data = setting.load()
    model = models.LeNet5(num_classes=len(data.classes)).to(options.device)
    loader = DataLoader(
        data.train,
        _BATCH_SIZE,
        shuffle=True,
        seed=options.seed,
        transform=RandomShift(setting.shift) if setting.shift else None,
    )
    test = DataLoader(data.test, _EVALUATION_BATCH)
    optimizer = optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, epochs * len(loader), warmup=0.2)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule, device=options.device
    )
    checkpoint = out / "checkpoint.safetensors"
    if options.resume:
        trainer.load(checkpoint, loader)
    trainer.fit(loader, epochs, validation=test, checkpoint=checkpoint)
    scores = trainer.predict(test)
    images, labels = data.test.arrays
    figures = {
        "recipe": "lenet5",
        "data": options.data,
        "test_accuracy": metrics.accuracy(scores, labels),
        "test_loss": trainer.history[-1]["val_loss"],
        "epochs": trainer.history,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **report.circumstances(options),
        "wall_time_seconds": time.perf_counter() - start,
    }
    title = f"LeNet-5 on {setting.title}"
    paths = report.Paths(out)
    io.save_file(model.cpu().state_dict(), paths.weights, {"model": "lenet5", "data": options.data})
    viz.learning_curves(trainer.history, paths.curves, title)
    matrix = metrics.confusion_matrix(scores, labels)
    viz.confusion_matrix(matrix, data.classes, paths.confusion, f"{title}, test split")
    viz.worst_mistakes(images, scores, labels, data.classes, paths.mistakes, title)
    report.write_json(figures, paths.metrics)
    report.announce(figures, paths, checkpoint)
    return figures
