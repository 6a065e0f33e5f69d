"""The training loop."""

from fastdl.train.grad_scaler import GradScaler
from fastdl.train.metrics import METRICS, RunningMeans
from fastdl.train.trainer import Trainer

__all__ = ["METRICS", "GradScaler", "RunningMeans", "Trainer"]
