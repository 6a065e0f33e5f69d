"""Datasets: anything with a length and items; arrays are indexed a whole batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fastdl._core import Tensor
from fastdl.errors import ArgumentError, IndexRangeError, ShapeError

__all__ = ["Dataset", "Subset", "TensorDataset", "stratified_split"]

Indices = npt.NDArray[np.int64]


class Dataset:
    """Base class: defines `__len__` and `__getitem__`; `get_batch` may be made faster."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__()")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def get_batch(self, indices: Indices) -> tuple[np.ndarray, ...]:
        """The items at `indices`, stacked: one array per field, batch first.

        The default calls `__getitem__` once an item; a dataset of arrays overrides it.
        """
        items = [self[int(index)] for index in indices]
        if items and not isinstance(items[0], tuple):
            items = [(item,) for item in items]
        fields = zip(*items, strict=True)
        return tuple(np.stack([_as_array(value) for value in field]) for field in fields)


class TensorDataset(Dataset):
    """Arrays or tensors of equal length, indexed together.

    Args:
        arrays: NumPy arrays or CPU tensors, all with the same first dimension. Not copied.

    Raises:
        ShapeError: the first dimensions differ.
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays = tuple(_as_array(array) for array in arrays)
        if not self.arrays:
            raise ArgumentError("TensorDataset", "needs at least one array")
        if any(array.ndim == 0 for array in self.arrays):
            raise ShapeError("TensorDataset", "an array without dimensions has no items")
        if len({len(array) for array in self.arrays}) > 1:
            raise ShapeError(
                "TensorDataset",
                "the arrays differ in their first dimension",
                {f"array {i}": str(list(a.shape)) for i, a in enumerate(self.arrays)},
                "give one row per example in every array",
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not -len(self) <= index < len(self):
            raise IndexRangeError(
                "TensorDataset", f"index {index} is out of range for {len(self)} examples"
            )
        return tuple(array[index] for array in self.arrays)

    def get_batch(self, indices: Indices) -> tuple[np.ndarray, ...]:
        return tuple(array[indices] for array in self.arrays)


class Subset(Dataset):
    """Some items of another dataset.

    Args:
        dataset: the dataset to choose from.
        indices: which of its items, in which order.
    """

    def __init__(self, dataset: Dataset, indices: npt.ArrayLike) -> None:
        self.dataset = dataset
        self.indices: Indices = np.asarray(indices, dtype=np.int64)
        if len(self.indices) and not (
            self.indices.min() >= 0 and self.indices.max() < len(dataset)
        ):
            raise IndexRangeError("Subset", f"an index is out of range for {len(dataset)} examples")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def get_batch(self, indices: Indices) -> tuple[np.ndarray, ...]:
        return self.dataset.get_batch(self.indices[indices])


def stratified_split(
    labels: npt.ArrayLike, test_fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Split example numbers so that every class has the same share in both parts.

    Args:
        labels: class of each example, integers[N].
        test_fraction: share of the second part, between 0 and 1; rounded per class.
        seed: the same seed gives the same split.

    Returns:
        The example numbers of the two parts, each in ascending order.
    """
    if not 0.0 < test_fraction < 1.0:
        raise ArgumentError(
            "stratified_split", f"test_fraction is {test_fraction}, expected between 0 and 1"
        )
    classes = np.asarray(labels)
    generator = np.random.Generator(np.random.Philox(seed))
    held_out = [np.empty(0, dtype=np.int64)]
    for value in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == value))
        held_out.append(members[: round(len(members) * test_fraction)])
    test = np.sort(np.concatenate(held_out))
    train = np.setdiff1d(np.arange(len(classes)), test)
    return train, test


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        array: np.ndarray = value.detach().cpu().numpy()
        return array
    if isinstance(value, float):
        return np.asarray(value, dtype=np.float32)  # as fastdl.tensor does with Python numbers
    return np.asarray(value)
