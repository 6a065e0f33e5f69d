"""The table of a model: layers, output shapes, parameters and FLOPs.

The model runs once on zeros, without gradients and in inference mode, with hooks that note the
shapes. One multiply-add counts as two FLOPs. Counted are convolutions, linear layers, LSTMs and
GRUs, which make up nearly all of the work; other layers count as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastdl import _core
from fastdl._core import Tensor
from fastdl._table import render
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError
from fastdl.nn.conv import ConvBase
from fastdl.nn.linear import Linear
from fastdl.nn.module import Module
from fastdl.nn.recurrent import GRU, LSTM

__all__ = ["Row", "Summary", "example_inputs", "inference_mode", "shape_text", "summarize"]


class Row(NamedTuple):
    """One call of a layer. `parameters` are counted at the first call only."""

    path: str
    kind: str
    output_shape: str
    parameters: int
    flops: int


class Summary(NamedTuple):
    """The rows of a model with their totals; `str` renders the table."""

    rows: list[Row]
    parameters: int
    trainable: int
    flops: int

    def __str__(self) -> str:
        head = ("layer", "type", "output shape", "parameters", "FLOPs")
        body = [
            (row.path, row.kind, row.output_shape, f"{row.parameters:,}", f"{row.flops:,}")
            for row in self.rows
        ]
        foot = (
            f"parameters: {self.parameters:,} ({self.trainable:,} trainable)",
            f"FLOPs: {self.flops:,} per example "
            f"({self.flops // 2:,} multiply-adds, two FLOPs each)",
        )
        return render(head, body, right=3, foot=foot)


def summarize(module: Module, *input_shapes: tuple[int, ...], dtype: Any = None) -> Summary:
    """Run `module` once and tabulate its layers.

    Args:
        module: the model.
        input_shapes: the shape of each input, without the batch.
        dtype: of the inputs; one for all, or a sequence with one for each. Default: float32.

    Returns:
        The summary. Its rows are the calls of modules without children, in order of execution,
        and those of modules that have parameters of their own.
    """
    inputs = example_inputs("summary", input_shapes, dtype)
    rows: list[Row] = []
    counted: set[int] = set()
    handles = [
        part.register_forward_hook(_observer(path or type(part).__name__, rows, counted))
        for path, part in module.named_modules()
        if not any(part.children()) or _own_parameters(part)
    ]
    try:
        with inference_mode(module):
            module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    parameters = list(module.parameters())
    return Summary(
        rows,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(row.flops for row in rows),
    )


def example_inputs(op: str, inputs: Sequence[Tensor | tuple[int, ...]], dtype: Any) -> list[Tensor]:
    """Batches of one example of zeros, for the shapes among `inputs`."""
    if not inputs:
        raise ArgumentError(
            op, "needs the shape of each input, without the batch",
            remedy=f"model.{op}({'' if op == 'summary' else 'path, '}(1, 32, 32))",
        )  # fmt: skip
    dtypes = list(dtype) if isinstance(dtype, list | tuple) else [dtype] * len(inputs)
    for given in inputs:
        if not isinstance(given, Tensor | tuple | list):
            raise ArgumentError(
                op, f"an input is {given!r}, expected a shape without the batch",
                remedy="write a tuple, as (1, 32, 32) or (20,)",
            )  # fmt: skip
    return [
        given if isinstance(given, Tensor) else _core.zeros((1, *given), dtype=kind)
        for given, kind in zip(inputs, dtypes, strict=True)
    ]


@contextmanager
def inference_mode(module: Module) -> Iterator[None]:
    """No gradients, and no training mode, in the module and below it."""
    were_training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with no_grad():
            yield
    finally:
        for part in were_training:
            part.training = True


def _own_parameters(module: Module) -> list[Tensor]:
    """The parameters set directly on a module."""
    return list(module.parameters(recurse=False))


def _observer(path: str, rows: list[Row], counted: set[int]) -> Any:
    def observe(module: Module, args: tuple[Any, ...], output: Any) -> None:
        own = [p for p in _own_parameters(module) if id(p) not in counted]
        counted.update(id(p) for p in own)
        rows.append(
            Row(
                path,
                type(module).__name__,
                shape_text(output),
                sum(p.numel() for p in own),
                _flops(module, args, output),
            )
        )

    return observe


def shape_text(output: Any) -> str:
    """The shape with the batch, of one example here, written as N."""
    first = output
    while isinstance(first, tuple | list):
        first = first[0]
    sizes = [str(size) for size in first.shape]
    return f"[{', '.join(['N', *sizes[1:]])}]" if sizes else "[]"


def _flops(module: Module, args: tuple[Any, ...], output: Any) -> int:
    """FLOPs of one call on one example, biases left out."""
    if isinstance(module, ConvBase):
        elements = _size(args[0]) if module.transposed else _size(output)
        return 2 * elements * math.prod(module.weight.shape[1:])
    if isinstance(module, Linear):
        return 2 * _size(output) * module.in_features
    if isinstance(module, GRU | LSTM):
        steps: int = math.prod(args[0].shape[:2])
        weights = [p for p in module.parameters() if p.ndim == 2]
        return 2 * steps * sum(weight.numel() for weight in weights)
    return 0


def _size(tensor: Tensor) -> int:
    return tensor.numel()
