"""Recurrent layers for which there is no kernel: their steps are written out in simple ops.

The product with the whole input is one; only the product with the state is made step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastdl import _core
from fastdl.composed.door import as_tensor, composed

if TYPE_CHECKING:
    from fastdl._core import ArrayLike, Tensor

__all__ = ["gru_reset_before", "peephole_lstm", "rnn"]


def weights(gates: int) -> str:
    """What a door asks of the weights of a layer with so many gates."""
    rows = f"{gates} * hidden_size" if gates > 1 else "hidden_size"
    return (
        f"weight_ih: like input [{rows}, input_size]; "
        f"weight_hh: like input [{rows}, hidden_size]; bias_ih, bias_hh: like input [{rows}]"
    )


def steps_of(sequence: Tensor) -> list[Tensor]:
    """sequence[T, ...] as T tensors.

    Halved again and again, so that the gradient, which fills what a slice leaves out with zeros,
    costs T log T and not T squared.
    """
    length = sequence.shape[0]
    if length < 2:
        return [_core.squeeze(sequence, 0)] if length else []
    half = length // 2
    first = _core.narrow(sequence, 0, 0, half)
    return steps_of(first) + steps_of(_core.narrow(sequence, 0, half, length - half))


def joined(outputs: list[Tensor], like: Tensor, state: Tensor) -> Tensor:
    """The outputs of all steps, [T, N, H]."""
    if outputs:
        return _core.stack(outputs)
    return _core.zeros((0, *state.shape), dtype=like.dtype, device=like.device)


@composed(
    "autocast: low; input: floating [T, N, input_size]; h0: like input [N, hidden_size]; "
    + weights(1)
    + "; nonlinearity: one of tanh relu"
)
def rnn(
    input: ArrayLike,
    h0: ArrayLike,
    weight_ih: ArrayLike,
    weight_hh: ArrayLike,
    bias_ih: ArrayLike | None = None,
    bias_hh: ArrayLike | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh) over a sequence, f tanh or relu.

    input[T, N, I], h0[N, H], weight_ih[H, I], weight_hh[H, H], biases [H]. Returns
    (output[T, N, H], h_n[N, H]). Elman, 1990 ("Finding structure in time").
    """
    h = as_tensor(h0)
    outputs = []
    for by_x in steps_of(_core.linear(input, weight_ih, bias_ih)):
        z = by_x + _core.linear(h, weight_hh, bias_hh)
        h = _core.tanh(z) if nonlinearity == "tanh" else _core.relu(z)
        outputs.append(h)
    return joined(outputs, h, h), h


@composed(
    "autocast: low; input: floating [T, N, input_size]; h0: like input [N, hidden_size]; "
    + weights(3)
)
def gru_reset_before(
    input: ArrayLike,
    h0: ArrayLike,
    weight_ih: ArrayLike,
    weight_hh: ArrayLike,
    bias_ih: ArrayLike | None = None,
    bias_hh: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent units whose reset gate scales the state before the product.

    n = tanh(W_in x + b_in + W_hn (r h) + b_hn), as first published (Cho et al., 2014, equation 8);
    `gru` has r (W_hn h + b_hn) there. Shapes and the order of the gates (reset, update, new) are
    those of `gru`. Returns (output[T, N, H], h_n[N, H]).
    """
    x, h = as_tensor(input), as_tensor(h0)
    size = h.shape[1]

    def split(t: ArrayLike | None) -> tuple[Tensor | None, Tensor | None]:
        """The rows of the two gates, and those of the candidate."""
        if t is None:
            return None, None
        return _core.narrow(t, 0, 0, 2 * size), _core.narrow(t, 0, 2 * size, size)

    (w_gates, w_new), (b_gates, b_new) = split(weight_hh), split(bias_hh)
    outputs = []
    for by_x in steps_of(_core.linear(x, weight_ih, bias_ih)):
        gates_by_h = _core.linear(h, w_gates, b_gates)  # type: ignore[arg-type]
        gates = _core.sigmoid(_core.narrow(by_x, 1, 0, 2 * size) + gates_by_h)
        r, z = _core.narrow(gates, 1, 0, size), _core.narrow(gates, 1, size, size)
        new_by_h = _core.linear(r * h, w_new, b_new)  # type: ignore[arg-type]
        n = _core.tanh(_core.narrow(by_x, 1, 2 * size, size) + new_by_h)
        h = (1 - z) * n + z * h
        outputs.append(h)
    return joined(outputs, x, h), h


@composed(
    "autocast: low; input: floating [T, N, input_size]; h0, c0: like input [N, hidden_size]; "
    + weights(4)
    + "; weight_peephole: like input [3, hidden_size]"
)
def peephole_lstm(
    input: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    weight_ih: ArrayLike,
    weight_hh: ArrayLike,
    weight_peephole: ArrayLike,
    bias_ih: ArrayLike | None = None,
    bias_hh: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory whose gates also see the cells.

    weight_peephole[3, H] has a weight per unit for the input gate and the forget gate, which see
    the cell before the step, and for the output gate, which sees it after:
    i = sigmoid(... + p_i c_(t-1)), f = sigmoid(... + p_f c_(t-1)), o = sigmoid(... + p_o c_t).
    All else is as in `lstm`. Returns (output[T, N, H], h_n[N, H], c_n[N, H]).
    Gers and Schmidhuber, 2000 ("Recurrent nets that time and count").
    """
    x, h, c, peephole = map(as_tensor, (input, h0, c0, weight_peephole))
    size = h.shape[1]
    p_i, p_f, p_o = (peephole[i] for i in range(3))
    outputs = []
    for by_x in steps_of(_core.linear(x, weight_ih, bias_ih)):
        z = by_x + _core.linear(h, weight_hh, bias_hh)
        i, f, g, o = (_core.narrow(z, 1, k * size, size) for k in range(4))
        c = _core.sigmoid(f + p_f * c) * c + _core.sigmoid(i + p_i * c) * _core.tanh(g)
        h = _core.sigmoid(o + p_o * c) * _core.tanh(c)
        outputs.append(h)
    return joined(outputs, x, h), h, c
