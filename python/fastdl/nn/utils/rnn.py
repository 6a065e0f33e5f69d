"""Batches of sequences of different lengths: packed for recurrent layers, and padded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """Sequences of different lengths without padding, as PyTorch packs them.

    Made by `pack_padded_sequence` and `pack_sequence`; recurrent layers take and return it.

    Attributes:
        data: [the sum of all lengths, ...]: the first step of every sequence, longest sequence
            first, then the second step of those that have one, and so on.
        batch_sizes: int64 [longest length], on the CPU: the number of sequences at each step.
        sorted_indices: the place in the batch of each sequence of `data`, or None if they were
            sorted.
        unsorted_indices: the inverse: where in `data` each sequence of the batch is.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def sizes(self) -> list[int]:
        """`batch_sizes` as a list. ArgumentError where they do not fit `data`, as made by hand."""
        whole = self.batch_sizes.dtype in (_core.int64, _core.int32) and self.batch_sizes.ndim == 1
        sizes: list[int] = self.batch_sizes.tolist() if whole else []
        falling = all(a >= b for a, b in pairwise(sizes))
        if not sizes or sizes[-1] < 1 or not falling or sum(sizes) != len(self.data):
            raise ArgumentError(
                "PackedSequence",
                f"batch_sizes do not fit data of {len(self.data)} rows",
                {"batch_sizes": str(self.batch_sizes.tolist())},
                "pass whole numbers of 1 or more that do not increase and add up to the rows",
            )
        for name, order in zip(self._fields[2:], self[2:], strict=True):
            if order is not None and tuple(order.shape) != (sizes[0],):
                raise ArgumentError(
                    "PackedSequence",
                    f"{name} has shape {list(order.shape)}, but the batch is of {sizes[0]}",
                    remedy="pass one index for each sequence",
                )
        return sizes

    def blocks(self) -> list[Tensor]:
        """Views [t, n, ...] of `data`: one for each run of t steps that n sequences have."""
        blocks, at = [], 0
        for n, steps in groupby(self.sizes()):
            t = len(list(steps))
            rows = self.data.narrow(0, at, t * n)
            blocks.append(_core.reshape(rows, (t, n, *self.data.shape[1:])))
            at += t * n
        return blocks

    def with_blocks(self, blocks: list[Tensor]) -> PackedSequence:
        """The same lengths with other data, given as `blocks` gives it."""
        rows = [_core.flatten(block, 0, 1) for block in blocks]
        return self._replace(data=_core.cat(rows) if len(rows) > 1 else rows[0])

    def sorted(self, tensor: Tensor, dim: int) -> Tensor:
        """A tensor over the batch, along `dim`, in the order of `data`."""
        return _taken(tensor, dim, self.sorted_indices)

    def unsorted(self, tensor: Tensor, dim: int) -> Tensor:
        """The inverse of `sorted`."""
        return _taken(tensor, dim, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With `data` (and the indices) as ``Tensor.to`` makes it."""
        data = self.data.to(*args, **kwargs)
        indices = (i if i is None else i.to(data.device) for i in self[2:])
        return PackedSequence(data, self.batch_sizes, *indices)

    @property
    def lengths(self) -> list[int]:
        """Of the sequences, in the order of the batch."""
        sizes = np.asarray(self.sizes())
        lengths = (sizes[None, :] > np.arange(sizes[0])[:, None]).sum(1)
        order = self.unsorted_indices
        return (lengths if order is None else lengths[order.tolist()]).tolist()  # type: ignore[no-any-return]


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Args:
        input: [T, N, ...], or [N, T, ...] with batch_first.
        lengths: of the N sequences, each from 1 to T; a list, or an integer tensor.
        batch_first: see input. Default: False.
        enforce_sorted: whether the lengths must not increase; else they are sorted here, and the
            results of layers come in the order of the batch all the same. Default: True.

    Raises:
        ArgumentError: a length below 1 or above T, or lengths that increase where they must not.
        ShapeError: there is not one length for each sequence, or no batch.
    """
    if input.ndim < 2:
        raise ShapeError(
            "pack_padded_sequence",
            f"the input has {input.ndim} dimensions, expected 2 or more",
            remedy="pass [T, N, ...], or [N, T, ...] with batch_first",
        )
    length, batch = input.shape[:2]
    if batch_first:
        length, batch = batch, length
    sizes = _checked_lengths("pack_padded_sequence", lengths, batch, length)
    descending = np.argsort(-sizes, kind="stable")
    in_order = bool((np.diff(sizes) <= 0).all())
    if enforce_sorted and not in_order:
        raise ArgumentError(
            "pack_padded_sequence",
            "the lengths increase",
            {"lengths": str(sizes.tolist())},
            "sort the sequences by length, longest first, or pass enforce_sorted=False",
        )
    batch_sizes = (sizes[None, :] > np.arange(sizes.max())[:, None]).sum(1)
    step = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    place = np.concatenate([descending[:n] for n in batch_sizes])
    rows = place * length + step if batch_first else step * batch + place
    data = _taken(_core.flatten(input, 0, 1), 0, _indices(rows, input))
    if enforce_sorted:
        return PackedSequence(data, _core.tensor(batch_sizes))
    inverse = np.argsort(descending, kind="stable")
    return PackedSequence(
        data, _core.tensor(batch_sizes), _indices(descending, input), _indices(inverse, input)
    )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`.

    Args:
        sequence: what was packed.
        batch_first: whether the result is [N, T, ...] rather than [T, N, ...]. Default: False.
        padding_value: fills the steps behind the end of a sequence. Default: 0.
        total_length: T. Default: the longest length.

    Returns:
        The padded batch, and the lengths, int64 [N] on the CPU.

    Raises:
        ArgumentError: total_length is less than the longest length.
    """
    sizes = sequence.sizes()
    total = len(sizes) if total_length is None else total_length
    if total < len(sizes):
        raise ArgumentError(
            "pad_packed_sequence",
            f"total_length is {total}, but the longest sequence has {len(sizes)} steps",
            remedy="pass a total_length of at least that, or none",
        )
    rows = np.full((total, sizes[0]), sequence.data.shape[0])  # the padding's row
    at = 0
    for step, n in enumerate(sizes):
        rows[step, :n] = np.arange(at, at + n)
        at += n
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.tolist()
        if sorted(order) != list(range(sizes[0])):
            raise ArgumentError(
                "pad_packed_sequence",
                f"unsorted_indices are {order}, expected each of 0 to {sizes[0] - 1}",
                remedy="pass what pack_padded_sequence made",
            )
        rows = rows[:, order]
    rows = rows.T if batch_first else rows
    data = sequence.data
    padding = _core.full((1, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = _taken(_core.cat([data, padding]), 0, _indices(rows.reshape(-1), data))
    return _core.reshape(padded, (*rows.shape, *data.shape[1:])), _core.tensor(sequence.lengths)


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences [T_i, ...], padded to the longest: [T, N, ...], or [N, T, ...].

    Args:
        sequences: one or more, alike but for their lengths.
        batch_first: whether the result is [N, T, ...]. Default: False.
        padding_value: fills what is missing. Default: 0.
        padding_side: "right" (behind the end) or "left". Default: "right".

    Raises:
        ArgumentError: there is no sequence, or an unknown side.
        ShapeError: the sequences differ in other dimensions than the first.
    """
    if not sequences or padding_side not in ("left", "right"):
        raise ArgumentError(
            "pad_sequence",
            f"padding_side is {padding_side!r}, expected 'left' or 'right'"
            if sequences
            else "there is no sequence",
        )
    longest = max(len(s) if s.ndim else 0 for s in sequences)
    padded = []
    for s in sequences:
        if s.ndim == 0 or s.shape[1:] != sequences[0].shape[1:]:
            raise ShapeError(
                "pad_sequence",
                f"sequences of shapes {list(sequences[0].shape)} and {list(s.shape)} do not go "
                "together",
                remedy="pass sequences that differ in the first dimension only",
            )
        if missing := longest - len(s):
            shape = (missing, *s.shape[1:])
            fill = _core.full(shape, padding_value, dtype=s.dtype, device=s.device)
            s = _core.cat([s, fill] if padding_side == "right" else [fill, s])
        padded.append(s)
    return _core.stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The sequences [T_i, ...] of a padded batch [T, N, ...], or [N, T, ...] with batch_first.

    Errors are those of `pack_padded_sequence`; a length may be 0.
    """
    batched = padded if batch_first else padded.transpose(0, 1)
    batch, longest = batched.shape[:2]
    sizes = _checked_lengths("unpad_sequence", lengths, batch, longest, least=0)
    return [batched[i].narrow(0, 0, n) for i, n in enumerate(sizes.tolist())]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences [T_i, ...]; see `pad_sequence` and `pack_padded_sequence`."""
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def _checked_lengths(
    op: str, lengths: Tensor | Sequence[int], batch: int, longest: int, least: int = 1
) -> np.ndarray[Any, np.dtype[np.int64]]:
    sizes = np.asarray(lengths.tolist() if isinstance(lengths, Tensor) else lengths)
    if sizes.shape != (batch,) or batch == 0:
        raise ShapeError(
            op,
            f"the lengths have shape {list(sizes.shape)}, but the batch is of {batch}",
            remedy="pass one length for each of one or more sequences",
        )
    if sizes.dtype.kind not in "iu":
        raise ArgumentError(op, "the lengths are no whole numbers", {"lengths": str(sizes)})
    for size in sizes.tolist():
        if not least <= size <= longest:
            raise ArgumentError(
                op,
                f"a length is {size}, but sequences have {least} to {longest} steps here",
                {"lengths": str(sizes.tolist())},
            )
    return sizes.astype(np.int64)


def _taken(tensor: Tensor, dim: int, order: Tensor | None) -> Tensor:
    """The rows of dimension 0 or 1 at the indices, as a look-up, which has a gradient."""
    if order is None:
        return tensor
    if dim == 1:
        return _core.transpose(_taken(_core.transpose(tensor, 0, 1), 0, order), 0, 1)
    rest = tensor.shape[1:]
    rows = _core.reshape(tensor, (tensor.shape[0], int(np.prod(rest, dtype=np.int64))))
    return _core.reshape(_core.embedding(order, rows), (order.shape[0], *rest))


def _indices(values: np.ndarray[Any, Any], like: Tensor) -> Tensor:
    return _core.tensor(np.ascontiguousarray(values, np.int64), device=like.device)
