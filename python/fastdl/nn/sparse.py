"""Look-up tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from fastdl import _core, init
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.autograd import is_grad_enabled, no_grad
from fastdl.composed.embedding_bag import padding_row
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """A table of vectors, and what may be done to its rows."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        device: DeviceLike | None,
        dtype: DTypeLike | None,
    ) -> None:
        name = type(self).__name__
        require_positive(name, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if not (max_norm is None or max_norm > 0) or not norm_type > 0:
            raise ArgumentError(
                name, f"max_norm is {max_norm} and norm_type {norm_type}, expected above 0"
            )
        if padding_idx is not None:
            padding_idx = padding_row(name, padding_idx, num_embeddings)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        table = _core.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
        self.weight = Parameter(table)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew from the default generator; the padding's row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0.0)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> Self:
        """A layer over a table [num_embeddings, embedding_dim], which it shares.

        Args:
            embeddings: the table.
            freeze: whether it is not trained. Default: True.
            options: as for the class.
        """
        if embeddings.ndim != 2:
            raise ShapeError(
                cls.__name__,
                f"the table has {embeddings.ndim} dimensions, expected 2",
                remedy="pass [num_embeddings, embedding_dim]",
            )
        rows, columns = embeddings.shape
        layer = cls(num_embeddings=rows, embedding_dim=columns, **options)
        layer.weight = Parameter(embeddings.detach(), requires_grad=not freeze)
        return layer

    def _shorten(self, input: Tensor) -> None:
        """Bring the rows that are looked up to a norm of at most `max_norm`, in place.

        It costs a pass over the table, whatever is looked up.
        """
        if self.max_norm is None:
            return
        with no_grad():
            # The look-up comes first: it refuses indices that are out of range.
            _core.embedding(input, self.weight)
            flat = _core.reshape(input, (input.numel(),))
            ones = _core.ones(flat.shape, dtype="int64", device=flat.device)
            shape = (self.num_embeddings,)
            uses = _core.zeros(shape, dtype="int64", device=flat.device).scatter_add(0, flat, ones)
            norms = _core.norm(self.weight, self.norm_type, 1)
            long = _core.logical_and(uses > 0, norms > self.max_norm)
            scale = _core.where(long, self.max_norm / (norms + 1e-7), 1.0)
            self.weight.mul_(scale.unsqueeze(1))

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in {"padding_idx": None, "max_norm": None, "norm_type": 2.0}.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class Embedding(_Table):
    """A table of vectors, looked up by number.

    Args:
        num_embeddings: rows of the table; indices are 0 to num_embeddings - 1.
        embedding_dim: length of a vector.
        padding_idx: a row that starts as 0 and gets no gradient. Default: None.
        max_norm: rows with a larger norm are shortened to it, in place, whenever they are looked
            up; this costs a pass over the table. Default: None.
        norm_type: p of that norm. Default: 2.
        device, dtype: of the table. Default: CPU, float32.

    Shapes: input integers [...], output [..., embedding_dim]; `weight` [num_embeddings,
    embedding_dim], standard normal. IndexRangeError for an index outside the table.
    PyTorch's `scale_grad_by_freq` and `sparse` are left out.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        *,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        self._shorten(input)
        output = _core.embedding(input, self.weight)
        if self.padding_idx is None or not is_grad_enabled():
            return output
        padding = (input == self.padding_idx).unsqueeze(-1)
        return _core.where(padding, output.detach(), output)


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the vectors of each bag of numbers.

    Args:
        num_embeddings: rows of the table; indices are 0 to num_embeddings - 1.
        embedding_dim: length of a vector.
        max_norm: rows with a larger norm are shortened to it, in place, whenever they are looked
            up; this costs a pass over the table. Default: None.
        norm_type: p of that norm. Default: 2.
        mode: "sum", "mean" or "max". Default: "mean".
        include_last_offset: whether offsets say where the last bag ends, too. Default: False.
        padding_idx: a row that starts as 0, and does not count in any bag. Default: None.
        device, dtype: of the table. Default: CPU, float32.

    Shapes: input int64 [bags, length], or [count] with offsets int64 [bags]; per_sample_weights
    (mode "sum" only) like input; output [bags, embedding_dim]. See `functional.embedding_bag` for
    what is refused. PyTorch's `scale_grad_by_freq` and `sparse` are left out.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if mode not in ("sum", "mean", "max"):
            raise ArgumentError("EmbeddingBag", f"mode is {mode!r}, expected sum, mean or max")
        self.mode = mode
        self.include_last_offset = include_last_offset
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, device, dtype
        )

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        self._shorten(input)
        return F.embedding_bag(
            input, self.weight, offsets, self.mode, per_sample_weights,
            self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, mode={self.mode!r}"
        return text + (", include_last_offset=True" if self.include_last_offset else "")
