"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from fastdl.composed.attention import additive_attention, scaled_dot_product_attention
from fastdl.composed.embedding_bag import embedding_bag
from fastdl.composed.losses import l1_loss
from fastdl.composed.recurrent import gru_reset_before, peephole_lstm, rnn
from fastdl.composed.word_vectors import negative_sampling_loss

__all__ = [
    "additive_attention",
    "embedding_bag",
    "gru_reset_before",
    "l1_loss",
    "negative_sampling_loss",
    "peephole_lstm",
    "rnn",
    "scaled_dot_product_attention",
]
