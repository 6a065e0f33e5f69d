"""Recurrent layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["GRU", "LSTM"]

State = tuple[Tensor, Tensor]


class _Recurrent(Module):
    """A stack of layers over a sequence, each in one or two directions.

    A subclass says how many gates a unit has, and what one run over the sequence is.
    """

    _op: ClassVar[str]
    _gates: ClassVar[int]
    _states: ClassVar[tuple[str, ...]]  # what is handed from step to step

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
        gates = self._gates * hidden_size
        for index, suffix in enumerate(self._suffixes):
            first = index < len(directions)
            features = input_size if first else hidden_size * len(directions)
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, features),
                "weight_hh": (gates, hidden_size),
            }
            if bias:
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            for parameter, shape in shapes.items():
                tensor = _core.empty(shape, device=device, dtype=dtype)
                self.register_parameter(parameter + suffix, Parameter(tensor))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _run(self, steps: Tensor, states: Sequence[Tensor], suffix: str) -> tuple[Tensor, ...]:
        """One direction of one layer: (output, the last of each state)."""
        own = vars(self)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if self.bias else 2]
        function = getattr(_core, self._op)
        result: tuple[Tensor, ...] = function(steps, *states, *(own[n + suffix] for n in names))
        return result

    def _run_all(
        self, input: Tensor, states: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers: (output, the last states of all runs, stacked)."""
        if input.ndim != 3:
            layout = "[N, T, I]" if self.batch_first else "[T, N, I]"
            raise ShapeError(
                self._op,
                f"the input has {input.ndim} dimensions, expected 3, {layout}",
                {"input": _describe(input)},
                "add the batch dimension with unsqueeze",
            )
        output = input.transpose(0, 1) if self.batch_first else input
        states = self._initial_states(output, states)
        per_layer = 2 if self.bidirectional else 1
        last: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(per_layer):
                index = layer * per_layer + direction
                steps = _reverse_time(output) if direction else output
                first = [state[index] for state in states]
                result, *final = self._run(steps, first, self._suffixes[index])
                outputs.append(_reverse_time(result) if direction else result)
                for each, state in zip(last, final, strict=True):
                    each.append(state)
            output = outputs[0] if per_layer == 1 else _core.cat(outputs, 2)
            if self.dropout and layer + 1 < self.num_layers:
                output = _core.dropout(output, self.dropout, self.training)
        if self.batch_first:
            output = output.transpose(0, 1)
        return output, [_core.stack(each) for each in last]

    def _initial_states(self, steps: Tensor, states: Sequence[Tensor] | None) -> Sequence[Tensor]:
        shape = (len(self._suffixes), steps.shape[1], self.hidden_size)
        if states is None:
            zeros = _core.zeros(shape, dtype=steps.dtype, device=steps.device)
            return [zeros] * len(self._states)
        for name, tensor in zip(self._states, states, strict=True):
            if tuple(tensor.shape) != shape:
                raise ShapeError(
                    self._op,
                    f"{name} has shape {list(tensor.shape)}, expected {list(shape)}",
                    {"input": _describe(steps), name: _describe(tensor)},
                    "give a state of shape [num_layers * directions, batch, hidden_size]",
                )
        return states

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False,
        }  # fmt: skip
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class LSTM(_Recurrent):
    """Long short-term memory over a sequence, in one or more layers.

    Args:
        input_size: features I of each step.
        hidden_size: units H of each layer.
        num_layers: layers on top of each other. Default: 1.
        bias: whether the gates have biases. Default: True.
        batch_first: whether input and output are [N, T, ...] rather than [T, N, ...].
            Default: False.
        dropout: probability of dropping outputs between two layers in training. Default: 0.
        bidirectional: whether each layer also runs backwards; outputs are joined to 2H.
            Default: False.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [T, N, I]; the optional state is a pair (h_0, c_0), each [L, N, H] with
    L = num_layers * directions. Returns (output [T, N, H * directions], (h_n, c_n)). Parameters
    are named and shaped as in PyTorch (``weight_ih_l0`` [4H, I], gates in the order i f g o),
    and drawn evenly within 1 / sqrt(H).

    Raises:
        ShapeError: the input is not of rank 3, or the state is not of the shape above.

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9,
    1997; forget gates after F. Gers et al., 2000.
    """

    _op = "lstm"
    _gates = 4
    _states = ("h_0", "c_0")

    def forward(self, input: Tensor, state: Any = None) -> tuple[Tensor, State]:
        if state is not None and (not isinstance(state, tuple | list) or len(state) != 2):
            raise ShapeError(
                "lstm", "the state is no pair of tensors", remedy="pass (h_0, c_0), or nothing"
            )
        output, (h_n, c_n) = self._run_all(input, state)
        return output, (h_n, c_n)


class GRU(_Recurrent):
    """Gated recurrent units over a sequence, in one or more layers.

    Args:
        input_size: features I of each step.
        hidden_size: units H of each layer.
        num_layers: layers on top of each other. Default: 1.
        bias: whether the gates have biases. Default: True.
        batch_first: whether input and output are [N, T, ...] rather than [T, N, ...].
            Default: False.
        dropout: probability of dropping outputs between two layers in training. Default: 0.
        bidirectional: whether each layer also runs backwards; outputs are joined to 2H.
            Default: False.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [T, N, I]; the optional state h_0 is [L, N, H] with
    L = num_layers * directions. Returns (output [T, N, H * directions], h_n). Parameters are
    named and shaped as in PyTorch (``weight_ih_l0`` [3H, I], gates in the order r z n), and drawn
    evenly within 1 / sqrt(H). As in PyTorch, the reset gate scales W_hn h + b_hn.

    Raises:
        ShapeError: the input is not of rank 3, or the state is not of the shape above.

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", EMNLP 2014.
    """

    _op = "gru"
    _gates = 3
    _states = ("h_0",)

    def forward(self, input: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        if state is not None and not isinstance(state, Tensor):
            raise ShapeError("gru", "the state is no tensor", remedy="pass h_0, or nothing")
        output, (h_n,) = self._run_all(input, None if state is None else (state,))
        return output, h_n


def _reverse_time(steps: Tensor) -> Tensor:
    """The steps [T, N, F] in opposite order, as a look-up of rows, which has a gradient."""
    length, batch, features = steps.shape
    order = _core.arange(length - 1, -1, -1, device=steps.device)
    rows = _core.reshape(steps, (length, batch * features))
    return _core.reshape(_core.embedding(order, rows), (length, batch, features))


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype.name}{list(tensor.shape)}"
