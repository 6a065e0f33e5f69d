"""Heads that learn vectors of words without a softmax over the whole vocabulary."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl import _core, init
from fastdl import functional as F
from fastdl._core import Generator, Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["HierarchicalSoftmax", "NegativeSampling"]

Counts = Tensor | Sequence[float]
CHANCES = 1 << 24


class NegativeSampling(Module):
    """Tells words that were found from words drawn at random.

    loss = -log sigmoid(w_target . input) - sum over K drawn words of log sigmoid(-w_word . input).

    Args:
        counts: how often each of the V words occurs; words are drawn in proportion to
            counts ** power.
        embedding_dim: features D of the inputs.
        num_negatives: words K drawn for each target. Default: 5.
        power: see counts. Default: 0.75.
        reduction: "mean" or "sum" over the samples, or "none". Default: "mean".
        device, dtype: of the table. Default: CPU, float32.

    Shapes: input [N, D], target int64 [N] below V; `weight` [V, D] holds the vectors of outputs,
    and starts as 0. Words are drawn from the default generator, or the one passed to `forward`;
    a word may be drawn that is the target. ArgumentError for counts that are negative, not finite,
    or all 0.

    Source: T. Mikolov et al., "Distributed representations of words and phrases and their
    compositionality", NIPS 2013, section 2.2. Drawing takes constant time by the alias method
    (A. Walker, 1977).
    """

    keep: Tensor
    alias: Tensor

    def __init__(
        self,
        counts: Counts,
        embedding_dim: int,
        num_negatives: int = 5,
        power: float = 0.75,
        reduction: str = "mean",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        name = "NegativeSampling"
        require_positive(name, embedding_dim=embedding_dim, num_negatives=num_negatives)
        if reduction not in ("mean", "sum", "none"):
            raise ArgumentError(name, f"reduction is {reduction!r}, expected mean, sum or none")
        if not 0.0 <= power <= 10.0:
            raise ArgumentError(name, f"power is {power}, expected between 0 and 10")
        values = _checked_counts(name, counts)
        self.embedding_dim = embedding_dim
        self.num_negatives = num_negatives
        self.power = power
        self.reduction = reduction
        shares = np.where(values > 0, (values / values.max()) ** power, 0.0)
        keep, alias = alias_tables(shares / shares.sum())
        # Chances in units of 2^-24, whole numbers that no change of the layer's dtype touches.
        chances = np.rint(keep * CHANCES).astype(np.int64)
        self.register_buffer("keep", _core.tensor(chances, device=device), False)
        self.register_buffer("alias", _core.tensor(alias, device=device), False)
        shape = (len(values), embedding_dim)
        self.weight = Parameter(_core.zeros(shape, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Set the table to 0."""
        init.zeros_(self.weight)

    def draw(self, shape: tuple[int, ...], generator: Generator | None = None) -> Tensor:
        """Words drawn at random, int64 [shape]."""
        size, device = self.weight.shape[0], self.weight.device
        word = _core.randint(0, size, shape, device=device, generator=generator)
        chance = _core.randint(0, CHANCES, shape, device=device, generator=generator)
        flat = _core.reshape(word, (word.numel(),))
        kept = chance < _core.reshape(self.keep.gather(0, flat), shape)
        return _core.where(kept, word, _core.reshape(self.alias.gather(0, flat), shape))

    def forward(self, input: Tensor, target: Tensor, generator: Generator | None = None) -> Tensor:
        noise = self.draw((target.shape[0], self.num_negatives), generator)
        found, drawn = _core.embedding(target, self.weight), _core.embedding(noise, self.weight)
        return F.negative_sampling_loss(input, found, drawn, self.reduction)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.embedding_dim}, num_negatives={self.num_negatives}"


class HierarchicalSoftmax(Module):
    """The probability of a word as the product of two-way decisions on its path in a Huffman tree.

    P(word | input) = product over the inner nodes n of its path of sigmoid(s_n w_n . input), with
    s_n = 1 where the path turns left and -1 where it turns right. The probabilities of all words
    sum to 1, and a loss costs as many decisions as the word's code is long.

    Args:
        counts: how often each of the V words occurs; frequent words have short paths.
        embedding_dim: features D of the inputs.
        reduction: "mean" or "sum" over the samples, or "none". Default: "mean".
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, D], target int64 [N] below V; the result of a call is the loss, the negative
    logarithm of the targets' probabilities. `weight` [V - 1, D] holds the vectors of inner nodes,
    and starts as 0: words then have probabilities of 2 to the minus length of their code.
    IndexRangeError for a target that is no word; ArgumentError for counts that are negative, not
    finite, or all 0.

    Source: F. Morin and Y. Bengio, "Hierarchical probabilistic neural network language model",
    AISTATS 2005; Huffman's tree after T. Mikolov et al., "Distributed representations of words and
    phrases and their compositionality", NIPS 2013, section 2.1.
    """

    nodes: Tensor
    turns: Tensor

    def __init__(
        self,
        counts: Counts,
        embedding_dim: int,
        reduction: str = "mean",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        name = "HierarchicalSoftmax"
        require_positive(name, embedding_dim=embedding_dim)
        if reduction not in ("mean", "sum", "none"):
            raise ArgumentError(name, f"reduction is {reduction!r}, expected mean, sum or none")
        values = _checked_counts(name, counts)
        self.embedding_dim = embedding_dim
        self.reduction = reduction
        self.num_words = len(values)
        nodes, turns = huffman_paths(values.tolist())
        shape = (max(self.num_words - 1, 1), embedding_dim)
        self.weight = Parameter(_core.zeros(shape, device=device, dtype=dtype))
        # [V, depth]: the inner nodes on the way to each word, and 1, -1, or 0 beyond its end.
        self.register_buffer("nodes", _core.tensor(nodes, device=device), False)
        turning = _core.tensor(turns, dtype=self.weight.dtype, device=device)
        self.register_buffer("turns", turning, False)

    def reset_parameters(self) -> None:
        """Set the vectors of the nodes to 0."""
        init.zeros_(self.weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self._check(input, target)
        turns = _core.embedding(target, self.turns)
        on_path = _core.embedding(_core.embedding(target, self.nodes), self.weight)
        decided = _core.matmul(on_path, input.unsqueeze(2)).squeeze(2)
        loss = -(_core.logsigmoid(turns * decided) * turns.abs()).sum(1)
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()

    def log_prob(self, input: Tensor) -> Tensor:
        """Logarithms of the probabilities of all words, [N, V]."""
        self._check(input)
        decided = _core.matmul(self.weight, input.transpose(0, 1))
        total = _core.zeros(
            (self.num_words, input.shape[0]), dtype=input.dtype, device=input.device
        )
        for step in range(self.nodes.shape[1]):
            turns = self.turns.narrow(1, step, 1)
            here = _core.embedding(self.nodes[:, step].contiguous(), decided)
            total = total + _core.logsigmoid(turns * here) * turns.abs()
        return total.transpose(0, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable word of each sample, int64 [N]."""
        return self.log_prob(input).argmax(1)

    def _check(self, input: Tensor, target: Tensor | None = None) -> None:
        if target is not None and tuple(target.shape) != tuple(input.shape[:1]):
            raise ShapeError(
                "hierarchical_softmax",
                f"the target has shape {list(target.shape)}, expected {list(input.shape[:1])}",
            )
        if input.ndim != 2 or input.shape[1] != self.embedding_dim:
            raise ShapeError(
                "hierarchical_softmax",
                f"the input has shape {list(input.shape)}, expected [N, {self.embedding_dim}]",
            )

    def extra_repr(self) -> str:
        return f"{self.num_words}, {self.embedding_dim}"


def alias_tables(
    shares: np.ndarray[Any, np.dtype[np.float64]],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(keep, alias): draw i evenly, and keep it with chance keep[i], else take alias[i]."""
    size = len(shares)
    keep, alias = shares * size, np.arange(size)
    small = [i for i in range(size) if keep[i] < 1]
    large = [i for i in range(size) if keep[i] >= 1]
    while small and large:
        i, j = small.pop(), large[-1]
        alias[i] = j
        keep[j] -= 1 - keep[i]
        if keep[j] < 1:
            small.append(large.pop())
    keep[small + large] = 1  # what rounding left over
    return keep, alias


def huffman_paths(counts: list[float]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(nodes, turns), each [V, depth], of the Huffman tree of the counts; see the class."""
    size = len(counts)
    parent, turn = [0] * (2 * size - 1), [0.0] * (2 * size - 1)
    heap = [(count, i) for i, count in enumerate(counts)]
    heapq.heapify(heap)
    for node in range(size, 2 * size - 1):  # inner nodes follow the words; the root is the last
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        parent[left] = parent[right] = node
        turn[left], turn[right] = 1.0, -1.0
        heapq.heappush(heap, (a + b, node))
    paths: list[list[int]] = []
    for word in range(size):
        path = [word]
        while path[-1] != 2 * size - 2:
            path.append(parent[path[-1]])
        paths.append(path)
    depth = max(1, max(map(len, paths)) - 1)
    nodes, turns = np.zeros((size, depth), np.int64), np.zeros((size, depth))
    for word, path in enumerate(paths):
        nodes[word, : len(path) - 1] = [n - size for n in path[1:]]
        turns[word, : len(path) - 1] = [turn[n] for n in path[:-1]]
    return nodes, turns


def _checked_counts(layer: str, counts: Counts) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.asarray(counts.tolist() if isinstance(counts, Tensor) else counts, np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ShapeError(
            layer,
            f"the counts have shape {list(values.shape)}, expected [V]",
            remedy="pass how often each of the words occurs",
        )
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ArgumentError(
            layer, "the counts are not all finite and 0 or more, or are all 0", {}, "count again"
        )
    return values
