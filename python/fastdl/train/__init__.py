"""The training loop."""

from fastdl.train.metrics import METRICS, RunningMeans
from fastdl.train.trainer import Trainer

__all__ = ["METRICS", "RunningMeans", "Trainer"]
