"""Recurrent layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastdl import _core, init
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["LSTM"]

State = tuple[Tensor, Tensor]


class LSTM(Module):
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
        require_positive(
            "LSTM", input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        if not 0.0 <= dropout <= 1.0:
            raise ArgumentError("LSTM", f"dropout is {dropout}, expected between 0 and 1")
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
        gates = 4 * hidden_size
        for index, suffix in enumerate(self._suffixes):
            first = index < len(directions)
            features = input_size if first else hidden_size * len(directions)
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, features),
                "weight_hh": (gates, hidden_size),
            }
            if bias:
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            for name, shape in shapes.items():
                tensor = _core.empty(shape, device=device, dtype=dtype)
                self.register_parameter(name + suffix, Parameter(tensor))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if input.ndim != 3:
            layout = "[N, T, I]" if self.batch_first else "[T, N, I]"
            raise ShapeError(
                "lstm",
                f"the input has {input.ndim} dimensions, expected 3, {layout}",
                {"input": _describe(input)},
                "add the batch dimension with unsqueeze",
            )
        output = input.transpose(0, 1) if self.batch_first else input
        h_0, c_0 = self._initial_state(output, state)
        per_layer = 2 if self.bidirectional else 1
        last_h, last_c = [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(per_layer):
                index = layer * per_layer + direction
                steps = _reverse_time(output) if direction else output
                result, h_n, c_n = self._run(steps, h_0[index], c_0[index], self._suffixes[index])
                outputs.append(_reverse_time(result) if direction else result)
                last_h.append(h_n)
                last_c.append(c_n)
            output = outputs[0] if per_layer == 1 else _core.cat(outputs, 2)
            if self.dropout and layer + 1 < self.num_layers:
                output = _core.dropout(output, self.dropout, self.training)
        if self.batch_first:
            output = output.transpose(0, 1)
        return output, (_core.stack(last_h), _core.stack(last_c))

    def _run(self, steps: Tensor, h: Tensor, c: Tensor, suffix: str) -> tuple[Tensor, ...]:
        own = vars(self)
        weights = own["weight_ih" + suffix], own["weight_hh" + suffix]
        if not self.bias:
            return _core.lstm(steps, h, c, *weights)
        return _core.lstm(steps, h, c, *weights, own["bias_ih" + suffix], own["bias_hh" + suffix])

    def _initial_state(self, steps: Tensor, state: Any) -> State:
        shape = (len(self._suffixes), steps.shape[1], self.hidden_size)
        if state is None:
            zeros = _core.zeros(shape, dtype=steps.dtype, device=steps.device)
            return zeros, zeros
        if not isinstance(state, tuple | list) or len(state) != 2:
            raise ShapeError(
                "lstm", "the state is no pair of tensors", remedy="pass (h_0, c_0), or nothing"
            )
        for name, tensor in zip(("h_0", "c_0"), state, strict=True):
            if tuple(tensor.shape) != shape:
                raise ShapeError(
                    "lstm",
                    f"{name} has shape {list(tensor.shape)}, expected {list(shape)}",
                    {"input": _describe(steps), name: _describe(tensor)},
                    "give a state of shape [num_layers * directions, batch, hidden_size]",
                )
        return tuple(state)

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


def _reverse_time(steps: Tensor) -> Tensor:
    """The steps [T, N, F] in opposite order, as a look-up of rows, which has a gradient."""
    length, batch, features = steps.shape
    order = _core.arange(length - 1, -1, -1, device=steps.device)
    rows = _core.reshape(steps, (length, batch * features))
    return _core.reshape(_core.embedding(order, rows), (length, batch, features))


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype.name}{list(tensor.shape)}"
