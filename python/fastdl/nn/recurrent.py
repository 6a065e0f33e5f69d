"""Recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastdl import _core
from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.nn.recurrent_base import RecurrentBase, Sequences, check_pair, known_nonlinearity

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = ["GRU", "LSTM", "RNN"]


class RNN(RecurrentBase):
    """Simple recurrent units over a sequence, in one or more layers.

    h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    Args:
        input_size: features I of each step.
        hidden_size: units H of each layer.
        num_layers: layers on top of each other. Default: 1.
        nonlinearity: f, "tanh" or "relu". Default: "tanh".
        bias: whether the units have biases. Default: True.
        batch_first: whether input and output are [N, T, ...] rather than [T, N, ...].
            Default: False.
        dropout: probability of dropping outputs between two layers in training. Default: 0.
        bidirectional: whether each layer also runs backwards; outputs are joined to 2H.
            Default: False.
        device, dtype: of the parameters. Default: CPU, float32.

    Shapes: input [T, N, I], [T, I] for one sequence, or a `nn.utils.rnn.PackedSequence`; the
    optional state h_0 is [L, N, H], or [L, H], with L = num_layers * directions. Returns
    (output [T, N, H * directions], h_n), the output packed where the input is. Parameters are
    named and shaped as in PyTorch (``weight_ih_l0`` [H, I]), and drawn evenly within 1 / sqrt(H).

    Raises:
        ArgumentError: an unknown nonlinearity.
        ShapeError: the input is not of rank 2 or 3, or the state is not of the shape above.

    Source: J. Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """

    _gates = 1
    _states = ("h_0",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.nonlinearity = known_nonlinearity("RNN", nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device, dtype,
        )  # fmt: skip

    def _function(self, *operands: Tensor) -> tuple[Tensor, ...]:
        x, h, w_ih, w_hh, *biases = operands
        b_ih, b_hh = biases or (None, None)
        return F.rnn(x, h, w_ih, w_hh, b_ih, b_hh, self.nonlinearity)

    def forward(self, input: Sequences, state: Any = None) -> tuple[Sequences, Tensor]:
        output, (h_n,) = self._run(input, self._lone_state(state))
        return output, h_n

    def _defaults(self) -> dict[str, Any]:
        return super()._defaults() | {"nonlinearity": "tanh"}


class LSTM(RecurrentBase):
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
        peephole: whether the gates also see the cells, through ``weight_peephole_l0`` [3, H]
            (input, forget and output gate; see `functional.peephole_lstm`). Default: False.

    Shapes: input [T, N, I], [T, I] for one sequence, or a `nn.utils.rnn.PackedSequence`; the
    optional state is a pair (h_0, c_0), each [L, N, H], or [L, H], with
    L = num_layers * directions. Returns (output [T, N, H * directions], (h_n, c_n)), the output
    packed where the input is. Parameters are named and shaped as in PyTorch (``weight_ih_l0``
    [4H, I], gates in the order i f g o), and drawn evenly within 1 / sqrt(H).

    Raises:
        ShapeError: the input is not of rank 2 or 3, or the state is no pair or not of the shape
            above.

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9,
    1997; forget gates after F. Gers et al., 2000; peepholes after F. Gers and J. Schmidhuber,
    "Recurrent nets that time and count", IJCNN 2000.
    """

    _gates = 4
    _states = ("h_0", "c_0")

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
        peephole: bool = False,
    ) -> None:
        self.peephole = peephole
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device, dtype,
        )  # fmt: skip

    def _shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        shapes = super()._shapes(features)
        if self.peephole:
            shapes["weight_peephole"] = (3, self.hidden_size)
        return shapes

    def _function(self, *operands: Tensor) -> tuple[Tensor, ...]:
        if not self.peephole:
            return _core.lstm(*operands)
        x, h, c, w_ih, w_hh, *biases, peephole = operands
        return F.peephole_lstm(x, h, c, w_ih, w_hh, peephole, *biases)

    def forward(
        self, input: Sequences, state: Any = None
    ) -> tuple[Sequences, tuple[Tensor, Tensor]]:
        check_pair("lstm", state)
        output, (h_n, c_n) = self._run(input, state)
        return output, (h_n, c_n)

    def _defaults(self) -> dict[str, Any]:
        return super()._defaults() | {"peephole": False}


class GRU(RecurrentBase):
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
        reset_after: whether the reset gate scales W_hn h + b_hn, as in PyTorch, or the state
            before that product, as first published (see `functional.gru_reset_before`; slower).
            Default: True.

    Shapes: input [T, N, I], [T, I] for one sequence, or a `nn.utils.rnn.PackedSequence`; the
    optional state h_0 is [L, N, H], or [L, H], with L = num_layers * directions. Returns
    (output [T, N, H * directions], h_n), the output packed where the input is. Parameters are
    named and shaped as in PyTorch (``weight_ih_l0`` [3H, I], gates in the order r z n), and drawn
    evenly within 1 / sqrt(H).

    Raises:
        ShapeError: the input is not of rank 2 or 3, or the state is not of the shape above.

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", EMNLP 2014 (arXiv 1406.1078, versions 1 and 3).
    """

    _gates = 3
    _states = ("h_0",)

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
        reset_after: bool = True,
    ) -> None:
        self.reset_after = reset_after
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device, dtype,
        )  # fmt: skip

    def _function(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return (_core.gru if self.reset_after else F.gru_reset_before)(*operands)

    def forward(self, input: Sequences, state: Any = None) -> tuple[Sequences, Tensor]:
        output, (h_n,) = self._run(input, self._lone_state(state))
        return output, h_n

    def _defaults(self) -> dict[str, Any]:
        return super()._defaults() | {"reset_after": True}
