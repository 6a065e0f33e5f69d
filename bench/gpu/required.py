"""What an H100 is to show: the least ratio, or share of a copy's bandwidth, by kind of case."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["REQUIRED", "Requirement", "required"]


class Requirement(NamedTuple):
    """What is asked of the cases whose "subject: case size" a pattern matches.

    Attributes:
        pattern: a regular expression, matched from the start.
        ratio: PyTorch's time over fastdl's, at least; 0 where it does not count.
        share: of the bandwidth of the fastest copy, at least; 0 where it does not count.
    """

    pattern: str
    ratio: float = 0.0
    share: float = 0.0


REQUIRED = (
    Requirement(r"gemm: matmul bfloat16 (4096|8192)x", ratio=1.0),
    Requirement(r"gemm: matmul bfloat16 (512|1024|2048)x", ratio=1.1),
    Requirement(r"gemm: matmul, skinny bfloat16", ratio=1.1),
    Requirement(r"gemm: matmul float32 (4096|8192)x", ratio=1.8),
    Requirement(r"conv2d: .* bfloat16, forward with bias and ReLU", ratio=1.5),
    Requirement(r"conv2d: .* bfloat16, [dw]grad", ratio=1.0),
    Requirement(r"LSTM: .* float16 T=1024 N=16 H=768", ratio=1.0),
    Requirement(r"LSTM: .* float32 T=1024 N=16 H=768", ratio=1.5),
    Requirement(r"(softmax|layer norm|batch norm|pool|elementwise): ", share=0.9),
    Requirement(r"optimiser: Adam", share=0.9),
    Requirement(r"(LeNet-5|MLP): training step, captured", ratio=5.0),
)


def required(case: str) -> Requirement | None:
    """What is asked of a case, by its "subject: case size"; None if nothing is."""
    return next((r for r in REQUIRED if re.match(r.pattern, case)), None)
