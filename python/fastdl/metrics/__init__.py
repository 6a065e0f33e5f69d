"""Figures of merit over NumPy arrays (or CPU tensors) of whole data sets."""

from fastdl.metrics.classification import accuracy, confusion_matrix

__all__ = ["accuracy", "confusion_matrix"]
