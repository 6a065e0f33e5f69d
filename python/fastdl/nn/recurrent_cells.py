"""Recurrent cells: one step of the recurrent layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from fastdl import _core, init
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.linear import require_positive
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.nn.recurrent_base import check_pair, known_nonlinearity

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Module):
    """One step of a recurrent layer: the layer's function over a sequence of one."""

    _gates: ClassVar[int]
    _states: ClassVar[tuple[str, ...]]

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        require_positive(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self._gates * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        for name, shape in shapes.items():
            wanted = bias or name.startswith("weight")
            tensor = Parameter(_core.empty(shape, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, tensor)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _function(self, *operands: Any) -> tuple[Tensor, ...]:
        """(output[T, N, H], the last of each state) of input, states and parameters."""
        raise NotImplementedError

    def _step(self, input: Tensor, states: Any) -> list[Tensor]:
        """The next states."""
        op = type(self).__name__
        if input.ndim not in (1, 2):
            raise ShapeError(
                op,
                f"the input has {input.ndim} dimensions, expected 2, [N, I], or 1, [I]",
                remedy="pass one step; the layers take sequences",
            )
        shape = (*input.shape[:-1], self.hidden_size)
        if states is None:
            states = [_core.zeros(shape, dtype=input.dtype, device=input.device)]
            states *= len(self._states)
        for name, state in zip(self._states, states, strict=True):
            if not isinstance(state, Tensor) or tuple(state.shape) != shape:
                what = list(state.shape) if isinstance(state, Tensor) else type(state).__name__
                raise ShapeError(
                    op,
                    f"{name} is {what}, expected a tensor of shape {list(shape)}",
                    remedy="give a state of shape [batch, hidden_size]",
                )
        alone = input.ndim == 1
        steps = input.unsqueeze(0)
        if alone:
            steps, states = steps.unsqueeze(0), [s.unsqueeze(0) for s in states]
        parameters = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        found = list(self._function(steps, *states, *parameters)[1:])
        return [s.squeeze(0) for s in found] if alone else found

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """One step of `RNN`.

    Args:
        input_size: features I.
        hidden_size: units H.
        bias: whether the units have biases. Default: True.
        nonlinearity: "tanh" or "relu". Default: "tanh".
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, I] or [I]; the optional state and the result [N, H] or [H]. Parameters as in
    PyTorch (``weight_ih`` [H, I]). ShapeError for others, ArgumentError for another nonlinearity.
    """

    _gates = 1
    _states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.nonlinearity = known_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def _function(self, *operands: Any) -> tuple[Tensor, ...]:
        x, h, w_ih, w_hh, b_ih, b_hh = operands
        return F.rnn(x, h, w_ih, w_hh, b_ih, b_hh, self.nonlinearity)

    def forward(self, input: Tensor, state: Tensor | None = None) -> Tensor:
        return self._step(input, None if state is None else (state,))[0]

    def extra_repr(self) -> str:
        relu = ", nonlinearity='relu'" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu


class LSTMCell(_Cell):
    """One step of `LSTM`.

    Args:
        input_size: features I.
        hidden_size: units H.
        bias: whether the gates have biases. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, I] or [I]; the optional state (h, c) and the result (h, c), each [N, H] or
    [H]. Parameters as in PyTorch (``weight_ih`` [4H, I], gates in the order i f g o). ShapeError
    for others.
    """

    _gates = 4
    _states = ("h", "c")

    def _function(self, *operands: Any) -> tuple[Tensor, ...]:
        return _core.lstm(*operands)

    def forward(
        self, input: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        check_pair("LSTMCell", state)
        h, c = self._step(input, state)
        return h, c


class GRUCell(_Cell):
    """One step of `GRU`.

    Args:
        input_size: features I.
        hidden_size: units H.
        bias: whether the gates have biases. Default: True.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [N, I] or [I]; the optional state and the result [N, H] or [H]. Parameters as in
    PyTorch (``weight_ih`` [3H, I], gates in the order r z n). ShapeError for others.
    """

    _gates = 3
    _states = ("h",)

    def _function(self, *operands: Any) -> tuple[Tensor, ...]:
        return _core.gru(*operands)

    def forward(self, input: Tensor, state: Tensor | None = None) -> Tensor:
        return self._step(input, None if state is None else (state,))[0]
