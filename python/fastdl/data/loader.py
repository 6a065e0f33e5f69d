"""`DataLoader`: shuffled batches of a dataset, made ahead of time by a background thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastdl import _core
from fastdl._core import Tensor
from fastdl.data.dataset import Dataset
from fastdl.data.prefetch import prefetched
from fastdl.errors import ArgumentError

__all__ = ["DataLoader"]

Arrays = tuple[np.ndarray, ...]
Transform = Callable[[Arrays, np.random.Generator], Arrays]


class DataLoader:
    """Iterate over a dataset in batches; each iteration is one epoch.

    Args:
        dataset: what to read. `TensorDataset` and its subsets are indexed a batch at a time.
        batch_size: examples a batch; None gives single examples without a batch dimension.
            Default: 1.
        shuffle: whether each epoch has an order of its own. Default: False.
        seed: with the number of the epoch it determines order and `transform`, and nothing else
            does: not the number of threads, not what other generators were used for. Default: 0.
        drop_last: whether to leave out a last batch that is smaller. Default: False.
        prefetch: batches made ahead by a background thread; 0 makes them on demand. Default: 2.
        transform: called as ``transform(arrays, generator)`` on the NumPy arrays of each batch,
            for augmentation. The generator depends on seed, epoch and batch only.
        pin_memory: whether batches are put into page-locked memory, by the background thread where
            there is one, so that ``batch.to("cuda", non_blocking=True)`` does not wait.
            Default: False.

    Yields:
        A tuple of tensors, one per field of the dataset.

    Attributes:
        epoch: number of the next epoch. Set it to repeat or to skip epochs.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        prefetch: int = 2,
        transform: Transform | None = None,
        pin_memory: bool = False,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ArgumentError("DataLoader", f"batch_size is {batch_size}, expected 1 or more")
        if prefetch < 0:
            raise ArgumentError("DataLoader", f"prefetch is {prefetch}, expected 0 or more")
        if not 0 <= seed < 2**64:
            raise ArgumentError("DataLoader", f"seed is {seed}, expected 0 to 2**64 - 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.prefetch = prefetch
        self.transform = transform
        self.pin_memory = pin_memory
        self.epoch = 0

    def __len__(self) -> int:
        """Number of batches of an epoch."""
        size = self.batch_size or 1
        count = len(self.dataset)
        return count // size if self.drop_last else -(-count // size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch = self.epoch
        self.epoch += 1
        batches = map(self._tensors, self._batches(epoch))
        yield from prefetched(batches, self.prefetch) if self.prefetch else batches

    def _tensors(self, arrays: Arrays) -> tuple[Tensor, ...]:
        tensors = (_core.from_numpy(np.require(a, requirements="W")) for a in arrays)
        return tuple(t.pin_memory() if self.pin_memory else t for t in tensors)

    def _batches(self, epoch: int) -> Iterator[Arrays]:
        count = len(self.dataset)
        order = self._generator(epoch, 0).permutation(count) if self.shuffle else np.arange(count)
        size = self.batch_size or 1
        for number in range(len(self)):
            arrays = self.dataset.get_batch(order[number * size : (number + 1) * size])
            if self.transform is not None:
                arrays = self.transform(arrays, self._generator(epoch, number + 1))
            if self.batch_size is None:
                arrays = tuple(np.asarray(array[0]) for array in arrays)
            yield arrays

    def _generator(self, epoch: int, stream: int) -> np.random.Generator:
        """An independent generator for each (seed, epoch, stream); stream 0 is the order."""
        # Philox is keyed and counted, so a stream is a choice of counter, not a warm-up.
        key = np.array([self.seed, epoch], dtype=np.uint64)
        counter = np.array([0, 0, 0, stream], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=counter))

    def state_dict(self) -> dict[str, Any]:
        """What decides the coming epochs, for a checkpoint."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue as the loader did that gave this state."""
        self.seed = int(state["seed"])
        self.epoch = int(state["epoch"])
