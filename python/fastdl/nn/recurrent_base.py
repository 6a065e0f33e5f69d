"""What all recurrent layers have in common: layers on layers, directions, states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["RecurrentBase", "Sequences", "check_pair", "known_nonlinearity"]

Sequences = Tensor | PackedSequence


class RecurrentBase(Module):
    """A stack of layers over a sequence, each in one or two directions.

    A subclass says what is handed from step to step, how many gates a unit has, and which function
    runs over a sequence.
    """

    _gates: ClassVar[int]
    _states: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        name = type(self).__name__
        require_positive(
            name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        if not 0.0 <= dropout <= 1.0:
            raise ArgumentError(name, f"dropout is {dropout}, expected between 0 and 1")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        # One suffix per run over the sequence, in the order of the rows of the state.
        directions = ("", "_reverse") if bidirectional else ("",)
        self._suffixes = tuple(f"_l{layer}{d}" for layer in range(num_layers) for d in directions)
        self._parameters_of_a_run = tuple(self._shapes(0))
        for index, suffix in enumerate(self._suffixes):
            first = index < len(directions)
            features = input_size if first else hidden_size * len(directions)
            for parameter, shape in self._shapes(features).items():
                tensor = _core.empty(shape, device=device, dtype=dtype)
                self.register_parameter(parameter + suffix, Parameter(tensor))
        self.reset_parameters()

    def _shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """The parameters of one run, in the order in which the function takes them."""
        rows = self._gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, features),
            "weight_hh": (rows, self.hidden_size),
        }
        return shapes | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _function(self, *operands: Tensor) -> tuple[Tensor, ...]:
        """(output[T, N, H], the last of each state [N, H]) of input, states and parameters."""
        raise NotImplementedError

    def _one(self, steps: Tensor, states: Sequence[Tensor], suffix: str) -> tuple[Tensor, ...]:
        own = vars(self)
        parameters = [own[name + suffix] for name in self._parameters_of_a_run]
        return self._function(steps, *states, *parameters)

    def _run(
        self, input: Sequences, states: Sequence[Tensor] | None
    ) -> tuple[Sequences, list[Tensor]]:
        """All layers: (output, the last states of all runs, stacked)."""
        if isinstance(input, PackedSequence):
            blocks, last = self._run_blocks(input.blocks(), self._sorted(input, states))
            return input.with_blocks(blocks), [input.unsorted(state, 1) for state in last]
        op = type(self).__name__.lower()
        if input.ndim not in (2, 3):
            layout = "[N, T, I]" if self.batch_first else "[T, N, I]"
            raise ShapeError(
                op,
                f"the input has {input.ndim} dimensions, expected 3, {layout}, or 2, [T, I]",
                {"input": _describe(input)},
                "pass one sequence [T, I], or a batch of them",
            )
        if input.ndim == 2:
            if states is not None:
                pairs = zip(states, self._states, strict=True)
                states = [self._batched(state, name) for state, name in pairs]
            steps = input.unsqueeze(1)
        else:
            steps = input.transpose(0, 1) if self.batch_first else input
        (output,), last = self._run_blocks([steps], self._initial(steps, states))
        if input.ndim == 2:
            return output.squeeze(1), [state.squeeze(1) for state in last]
        return output.transpose(0, 1) if self.batch_first else output, last

    def _run_blocks(
        self, blocks: list[Tensor], states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """All layers over blocks [t, n, F], of which each has no more sequences than the last."""
        per_layer = 2 if self.bidirectional else 1
        last: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(per_layer):
                index = layer * per_layer + direction
                run = self._run_backwards if direction else self._run_forwards
                first = [state[index] for state in states]
                output, final = run(blocks, first, self._suffixes[index])
                outputs.append(output)
                for each, state in zip(last, final, strict=True):
                    each.append(state)
            blocks = [
                pair[0] if per_layer == 1 else _core.cat(pair, 2)
                for pair in zip(*outputs, strict=True)
            ]
            if self.dropout and layer + 1 < self.num_layers:
                blocks = [_core.dropout(b, self.dropout, self.training) for b in blocks]
        return blocks, [_core.stack(each) for each in last]

    def _run_forwards(
        self, blocks: list[Tensor], states: Sequence[Tensor], suffix: str
    ) -> tuple[list[Tensor], Sequence[Tensor]]:
        outputs, ended = [], []
        for block in blocks:
            going, have = block.shape[1], states[0].shape[0]
            if going < have:  # the sequences behind have ended
                ended.append([s.narrow(0, going, have - going) for s in states])
                states = [s.narrow(0, 0, going) for s in states]
            output, *states = self._one(block, states, suffix)
            outputs.append(output)
        for each in reversed(ended):
            states = [_core.cat(pair) for pair in zip(states, each, strict=True)]
        return outputs, states

    def _run_backwards(
        self, blocks: list[Tensor], first: Sequence[Tensor], suffix: str
    ) -> tuple[list[Tensor], Sequence[Tensor]]:
        outputs: list[Tensor] = []
        states: Sequence[Tensor] = []
        for block in reversed(blocks):
            have, going = states[0].shape[0] if states else 0, block.shape[1]
            if have == 0:
                states = first if len(blocks) == 1 else [s.narrow(0, 0, going) for s in first]
            elif have < going:  # sequences that end here begin with the first state
                more = [s.narrow(0, have, going - have) for s in first]
                states = [_core.cat(pair) for pair in zip(states, more, strict=True)]
            output, *states = self._one(_reverse_time(block), states, suffix)
            outputs.append(_reverse_time(output))
        return outputs[::-1], states

    def _sorted(self, input: PackedSequence, states: Sequence[Tensor] | None) -> Sequence[Tensor]:
        """Checked initial states in the order of the packed sequences."""
        states = self._initial(input.blocks()[0], states)
        return [input.sorted(state, 1) for state in states]

    def _initial(self, steps: Tensor, states: Sequence[Tensor] | None) -> Sequence[Tensor]:
        shape = (len(self._suffixes), steps.shape[1], self.hidden_size)
        if states is None:
            zeros = _core.zeros(shape, dtype=steps.dtype, device=steps.device)
            return [zeros] * len(self._states)
        for name, tensor in zip(self._states, states, strict=True):
            if tuple(tensor.shape) != shape:
                raise ShapeError(
                    type(self).__name__.lower(),
                    f"{name} has shape {list(tensor.shape)}, expected {list(shape)}",
                    {"input": _describe(steps), name: _describe(tensor)},
                    "give a state of shape [num_layers * directions, batch, hidden_size]",
                )
        return states

    def _batched(self, state: Tensor, name: str) -> Tensor:
        """The state [L, H] of one sequence as that of a batch of one."""
        if state.ndim != 2:
            raise ShapeError(
                type(self).__name__.lower(),
                f"{name} has {state.ndim} dimensions, expected 2 beside an input [T, I]",
                {name: _describe(state)},
                "give a state of shape [num_layers * directions, hidden_size]",
            )
        return state.unsqueeze(1)

    def _lone_state(self, state: Any) -> Sequence[Tensor] | None:
        """The one state of a layer that hands on no more."""
        if state is not None and not isinstance(state, Tensor):
            raise ShapeError(
                type(self).__name__.lower(),
                "the state is no tensor",
                remedy="pass h_0, or nothing",
            )
        return None if state is None else (state,)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in self._defaults().items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text

    def _defaults(self) -> dict[str, Any]:
        return {
            "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False,
        }  # fmt: skip


def known_nonlinearity(layer: str, nonlinearity: str) -> str:
    """The word itself; ArgumentError unless it is one of those that there are."""
    if nonlinearity not in ("tanh", "relu"):
        raise ArgumentError(layer, f"nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return nonlinearity


def check_pair(op: str, state: Any) -> None:
    """Raise ShapeError for a state that is neither None nor a pair of tensors."""
    pair = isinstance(state, tuple | list) and len(state) == 2
    if state is not None and not (pair and all(isinstance(s, Tensor) for s in state)):
        raise ShapeError(
            op, "the state is no pair of tensors", remedy="pass (h_0, c_0), or nothing"
        )


def _reverse_time(steps: Tensor) -> Tensor:
    """The steps [T, N, F] in opposite order, as a look-up of rows, which has a gradient."""
    length, batch, features = steps.shape
    order = _core.arange(length - 1, -1, -1, device=steps.device)
    rows = _core.reshape(steps, (length, batch * features))
    return _core.reshape(_core.embedding(order, rows), (length, batch, features))


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype.name}{list(tensor.shape)}"
