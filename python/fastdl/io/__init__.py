"""Files: safetensors for weights, and the one-file checkpoint of a training run. No pickle."""

from fastdl.io.atomic import atomic_write
from fastdl.io.checkpoint import load_checkpoint, save_checkpoint
from fastdl.io.weights import load_file, read_metadata, save_file

__all__ = [
    "atomic_write",
    "load_checkpoint",
    "load_file",
    "read_metadata",
    "save_checkpoint",
    "save_file",
]
