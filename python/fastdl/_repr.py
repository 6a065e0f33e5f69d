"""How a Tensor prints: NumPy's layout of the values, then what is not float32 on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastdl._core import Tensor


def tensor_repr(t: Tensor) -> str:
    """Return text such as ``tensor([1., 2.], dtype=float64)``, summarised past 1,000 elements."""
    values = t.detach().cpu()
    array = (values.float() if values.dtype.name == "bfloat16" else values).numpy()
    body = np.array2string(array, separator=", ", precision=4, prefix="tensor(", threshold=1000)
    extras = []
    if 0 in t.shape:
        extras.append(f"shape={t.shape}")
    if t.dtype.name not in ("float32", "int64", "bool"):
        extras.append(f"dtype={t.dtype.name}")
    if t.device != "cpu":
        extras.append(f"device='{t.device}'")
    if t.grad_fn is not None:
        extras.append(f"grad_fn={t.grad_fn}")
    elif t.requires_grad:
        extras.append("requires_grad=True")
    return f"tensor({', '.join([body, *extras])})"
