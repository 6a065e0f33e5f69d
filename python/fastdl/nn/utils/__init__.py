"""What goes with layers and is none."""

from fastdl.nn.utils import rnn

__all__ = ["rnn"]
