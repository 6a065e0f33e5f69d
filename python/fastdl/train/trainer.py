"""`Trainer`: epochs of training and validation, with progress, checkpoints and history."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autocast import autocast
from fastdl.autograd import no_grad
from fastdl.capture import capture
from fastdl.errors import ArgumentError
from fastdl.io.checkpoint import load_checkpoint, save_checkpoint
from fastdl.nn.module import Module
from fastdl.optim.lr_scheduler import LRScheduler
from fastdl.optim.optimizer import Optimizer
from fastdl.progress import Progress
from fastdl.train.grad_scaler import GradScaler
from fastdl.train.metrics import METRICS, Metric, RunningMeans

__all__ = ["Trainer"]

# Where a step keeps what its scaler asks for, besides the figures.
_VERDICT = " verdict"

Record = dict[str, float]
Callback = Callable[["Trainer", Record], object]


class Trainer:
    """Trains a model.

    Args:
        model: the module to train; it should be on `device` already.
        loss: called as ``loss(output, target)``, returns the mean over the batch.
        optimizer: over the model's parameters.
        metrics: names from `METRICS`, or a mapping of names to functions like `loss`.
            Default: ("accuracy",).
        scheduler: stepped after every batch. Default: none.
        device: where batches go. Default: they stay where the loader put them.
        callbacks: each called after every epoch as ``callback(trainer, record)``.
        progress: whether to show a bar (on a terminal) or lines (elsewhere). Default: True.
        compile: run the training step from C++, with the same results (see `fastdl.capture`), on
            a GPU as CUDA graphs. It is recorded anew in every epoch. Where that cannot be, as with
            hooks, where the model reads values of a tensor, or where shapes keep changing, nothing
            changes. What cannot be noticed is Python code of the model or loss that does something
            else from step to step: pass False then. Default: "auto", for models on a GPU, where
            starting kernels one by one is most of the time of a small model's step.
        precision: "float32"; or "bfloat16" or "float16", in which forward passes run under
            `fastdl.autocast`, training in float16 with a `GradScaler`. Default: "float32".

    A batch is a tuple whose last element is the target and whose others are the model's inputs.

    Attributes:
        history: one record per epoch: epoch, loss, the metrics, the same with ``val_`` before
            them, lr (the rate after the epoch), seconds, samples_per_second.
        scaler: the `GradScaler` of precision "float16"; else None.

    Raises:
        ArgumentError: an unknown metric or precision.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        *,
        metrics: Sequence[str] | Mapping[str, Metric] = ("accuracy",),
        scheduler: LRScheduler | None = None,
        device: Any = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = True,
        compile: bool | Literal["auto"] = "auto",
        precision: str = "float32",
    ) -> None:
        if precision not in ("float32", "bfloat16", "float16"):
            raise ArgumentError(
                "Trainer",
                f"precision is {precision!r}",
                remedy="use 'float32', 'bfloat16' or 'float16'",
            )
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.metrics = _resolve_metrics(metrics)
        self.scheduler = scheduler
        self.device = device
        self.callbacks = list(callbacks)
        self.progress = progress
        self.compile = compile
        self.precision = precision
        self.scaler = GradScaler() if precision == "float16" else None
        self.history: list[Record] = []

    def fit(
        self,
        loader: Any,
        epochs: int,
        validation: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> list[Record]:
        """Train until `epochs` epochs are done, those of a loaded checkpoint included.

        Args:
            loader: batches to train on, for example a `DataLoader`; iterated once an epoch.
            epochs: total number of epochs.
            validation: batches to evaluate on after each epoch. Default: none.
            checkpoint: file to which everything is saved after each epoch. A KeyboardInterrupt
                passes through and leaves the file of the last whole epoch.

        Returns:
            `history`.
        """
        done = len(self.history)
        total = max(epochs - done, 0) * len(loader)
        with Progress("", total, enabled=self.progress) as progress:
            for epoch in range(done + 1, epochs + 1):
                progress.label = f"epoch {epoch}/{epochs}"
                record: Record = {"epoch": epoch, **self._train_epoch(loader, progress)}
                if validation is not None:
                    figures = self.evaluate(validation)
                    record |= {f"val_{name}": value for name, value in figures.items()}
                record["lr"] = float(self.optimizer.param_groups[0]["lr"])
                self.history.append(record)
                progress.note(_epoch_line(record, epochs))
                if checkpoint is not None:
                    self.save(checkpoint, loader)
                for callback in self.callbacks:
                    callback(self, record)
        return self.history

    def _train_epoch(self, loader: Any, progress: Progress) -> Record:
        self.model.train()
        means = RunningMeans()
        step = self._make_step()
        start = time.perf_counter()
        for number, batch in enumerate(loader, 1):
            placed = self._place(batch)
            measured = step(*placed)
            if self.scheduler is not None:
                self.scheduler.step()
            means.add(len(placed[-1]), measured)
            figures = ""
            if progress.due():
                rate = means.count / (time.perf_counter() - start)
                shown = "  ".join(f"{name} {value:.4f}" for name, value in means.means().items())
                figures = f"batch {number}/{len(loader)}  {shown}  {rate:,.0f} samples/s"
            progress.advance(1, figures)
        results = means.means()  # reading the figures waits for the device, so before the clock
        seconds = time.perf_counter() - start
        return {
            **results,
            "seconds": seconds,
            "samples_per_second": means.count / seconds if seconds else float("nan"),
        }

    def _in_precision(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return autocast(self.precision)

    def _step(self, *batch: Tensor) -> dict[str, Tensor]:
        """What of a step is work of tensors alone; the figures, and with a scaler its verdict."""
        *inputs, target = batch
        with self._in_precision():
            output = self.model(*inputs)
            loss = self.loss(output, target)
        self.optimizer.zero_grad()
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
            return self._figures(loss, output, target)
        self.scaler.scale(loss).backward()
        verdict = self.scaler._unscaled(self.optimizer)
        return {**self._figures(loss, output, target), _VERDICT: verdict}

    def _make_step(self) -> Callable[..., dict[str, Tensor]]:
        work: Callable[..., dict[str, Tensor]] = self._step
        recorded = self._wants_recording()
        if recorded:
            work = capture(work, strict=False)

        def step(*batch: Tensor) -> dict[str, Tensor]:
            figures = dict(work(*batch))
            if self.scaler is not None:
                self.scaler._found[id(self.optimizer)] = figures.pop(_VERDICT)
                self.scaler.step(self.optimizer)
                self.scaler.update()
            if not recorded:
                return figures
            # The next step overwrites the figures, which wait until somebody asks for them.
            return {name: value.clone() for name, value in figures.items()}

        return step

    def _wants_recording(self) -> bool:
        if any(module._hooks is not None for module in self.model.modules()):
            return False
        if self.compile == "auto":
            return any(not _is_on_cpu(parameter) for parameter in self.model.parameters())
        return self.compile

    def evaluate(self, loader: Any) -> Record:
        """Loss and metrics over a loader, in inference mode."""
        means = RunningMeans()
        self.model.eval()
        with no_grad():
            for batch in loader:
                *inputs, target = self._place(batch)
                with self._in_precision():
                    output = self.model(*inputs)
                    loss = self.loss(output, target)
                figures = self._figures(loss, output, target)
                means.add(len(target), figures)
        return means.means()

    def predict(self, loader: Any) -> np.ndarray:
        """The model's outputs over a loader, joined, in inference mode. Targets are ignored."""
        outputs = []
        self.model.eval()
        with no_grad():
            for batch in loader:
                *inputs, _ = self._place(batch)
                with self._in_precision():
                    output = self.model(*inputs)
                outputs.append(_wide(output).cpu().numpy())
        if not outputs:
            raise ArgumentError("predict", "the loader has no batches")
        return np.concatenate(outputs)

    def save(self, path: str | os.PathLike[str], loader: Any = None) -> None:
        """Write everything that `load` needs to go on as if there had been no break."""
        save_checkpoint(
            path,
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict() if self.scheduler else None,
                "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
                "generator": _core.default_generator.get_state(),
                "history": self.history,
                "scaler": self.scaler.state_dict() if self.scaler else None,
            },
        )

    def load(self, path: str | os.PathLike[str], loader: Any = None) -> None:
        """Take over the state of a checkpoint: model, optimizer, scheduler, loader, generator.

        Raises:
            FormatError: the file is damaged or no checkpoint.
            ArgumentError, ShapeError: it is that of another model or optimizer.
        """
        state = load_checkpoint(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None and state["scheduler"] is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        if loader is not None and state["loader"] is not None:
            loader.load_state_dict(state["loader"])
        if self.scaler is not None and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        _core.default_generator.set_state(state["generator"])
        self.history = state["history"]

    def _place(self, batch: Iterable[Tensor]) -> list[Tensor]:
        if self.device is None:
            return list(batch)
        return [tensor.to(self.device) for tensor in batch]

    def _figures(self, loss: Tensor, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        scores = _wide(output.detach())
        with no_grad():
            measured = {name: metric(scores, target) for name, metric in self.metrics.items()}
        return {"loss": loss.detach(), **measured}


def _is_on_cpu(tensor: Tensor) -> bool:
    return str(tensor.device) == "cpu"


def _wide(tensor: Tensor) -> Tensor:
    """In float32 where it was in 16 bits."""
    return tensor.to(_core.float32) if tensor.dtype.itemsize == 2 else tensor


def _resolve_metrics(metrics: Sequence[str] | Mapping[str, Metric]) -> dict[str, Metric]:
    if isinstance(metrics, Mapping):
        return dict(metrics)
    for name in metrics:
        if name not in METRICS:
            raise ArgumentError(
                "Trainer",
                f"unknown metric {name!r}",
                {"known": ", ".join(METRICS)},
                "pass a mapping of names to functions for metrics of your own",
            )
    return {name: METRICS[name] for name in metrics}


def _epoch_line(record: Record, epochs: int) -> str:
    """One line that stays, as ``epoch  3/20  loss 0.1234  accuracy 0.9612  ...``."""
    width = len(str(epochs))
    skipped = ("epoch", "seconds", "samples_per_second", "lr")
    figures = [f"{name} {value:.4f}" for name, value in record.items() if name not in skipped]
    return "  ".join(
        [
            f"epoch {int(record['epoch']):>{width}}/{epochs}",
            *figures,
            f"{record['samples_per_second']:,.0f} samples/s",
            f"{record['seconds']:.1f} s",
        ]
    )
