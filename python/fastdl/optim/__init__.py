"""Optimisers, each a fused kernel over all parameters, and learning-rate schedules."""

from fastdl.optim import lr_scheduler
from fastdl.optim.adam import Adam, AdamW
from fastdl.optim.optimizer import Optimizer
from fastdl.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
