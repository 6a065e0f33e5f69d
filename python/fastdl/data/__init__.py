"""Datasets, splits and the loader that makes batches of them."""

from fastdl.data.augment import RandomShift
from fastdl.data.dataset import Dataset, Subset, TensorDataset, stratified_split
from fastdl.data.datasets import ImageData, digits, fashion_mnist
from fastdl.data.idx import read_idx
from fastdl.data.loader import DataLoader

__all__ = [
    "DataLoader",
    "Dataset",
    "ImageData",
    "RandomShift",
    "Subset",
    "TensorDataset",
    "digits",
    "fashion_mnist",
    "read_idx",
    "stratified_split",
]
