"""Look-up tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["Embedding"]


class Embedding(Module):
    """A table of vectors, looked up by number.

    Args:
        num_embeddings: rows of the table; indices are 0 to num_embeddings - 1.
        embedding_dim: length of a vector.
        device, dtype: of the table. Default: CPU, float32.

    Shapes: input integers [...], output [..., embedding_dim]; `weight` [num_embeddings,
    embedding_dim], standard normal. IndexRangeError for an index outside the table.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        table = _core.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
        self.weight = Parameter(table)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew from the default generator."""
        init.normal_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return _core.embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
