"""ONNX's recurrent operators in terms of `fastdl.functional`."""

from __future__ import annotations

import fastdl
import fastdl.functional as F
from tests.onnx_common import numbers, reject


def reordered(t, order):
    """The rows of gates, or their biases, in another order."""
    size = t.shape[0] // len(order)
    return F.cat([t.narrow(0, i * size, size) for i in order])


def recurrent(step, gates, states, activations):
    """An operator of a function over one direction.

    `step` takes (x[T, N, I], states, parameters, peepholes, attributes); `gates` is ONNX's place of
    each of the function's gates; `activations` are those that the function has.
    """

    def run(inputs, attributes):
        x, w, r, b, lengths, *rest = [*inputs, *[None] * 8][:8]
        first, peepholes = rest[:states], rest[states]
        layout, size = attributes.get("layout", 0), r.shape[-1]
        direction = attributes.get("direction", "forward")
        named = attributes.get("activations", activations * w.shape[0])
        reject(named != activations * w.shape[0], "activations that recurrent functions have not")
        reject("clip" in attributes, "clipping within recurrent functions")
        reject(attributes.get("input_forget"), "coupled gates")
        if layout:
            x, first = x.transpose(0, 1), [s if s is None else s.transpose(0, 1) for s in first]
        unequal = lengths is not None and set(numbers(lengths)) != {x.shape[0]}
        reject(unequal, "unequal lengths, which nn's layers have, packed")
        outputs, last = [], []
        for d in range(w.shape[0]):
            backwards = direction == "reverse" or d == 1
            own = [fastdl.zeros((x.shape[1], size)) if s is None else s[d] for s in first]
            parameters = [reordered(w[d], gates), reordered(r[d], gates)]
            if b is not None:
                parameters += [reordered(half, gates) for half in b[d].chunk(2)]
            p = None if peepholes is None else peepholes[d]
            y, *end = step(F.flip(x, [0]) if backwards else x, own, parameters, p, attributes)
            outputs.append(F.flip(y, [0]) if backwards else y)
            last.append(end)
        results = [F.stack(outputs, 1), *(F.stack(each) for each in zip(*last, strict=True))]
        if layout:
            results = [F.movedim(results[0], 2, 0), *(s.transpose(0, 1) for s in results[1:])]
        return tuple(results)

    return run


def gru(x, states, parameters, peepholes, attributes):
    function = F.gru if attributes.get("linear_before_reset") else F.gru_reset_before
    return function(x, *states, *parameters)


def lstm(x, states, parameters, peepholes, attributes):
    if peepholes is None:
        return F.lstm(x, *states, *parameters)
    seen = reordered(peepholes, [0, 2, 1]).reshape(3, -1)
    return F.peephole_lstm(x, *states, *parameters[:2], seen, *parameters[2:])


def causal_conv_with_state(inputs, attributes):
    x, weight, bias, past = [*inputs, None, None][:4]
    past = fastdl.zeros((*x.shape[:2], weight.shape[2] - 1)).to(x.dtype) if past is None else past
    longer = F.cat([past, x], 2)
    y = F.conv1d(longer, weight, bias, groups=x.shape[1])
    present = longer.narrow(2, x.shape[2], weight.shape[2] - 1)
    return (F.silu(y) if attributes.get("activation", "none") != "none" else y), present


def reverse_sequence(inputs, attributes):
    x, lengths = inputs
    batch, time = attributes.get("batch_axis", 1), attributes.get("time_axis", 0)
    x = F.movedim(x, [batch, time], [0, 1])
    at, lengths = fastdl.arange(x.shape[1]), lengths.unsqueeze(1)
    source = F.where(at < lengths, lengths - 1 - at, at)
    source = source.reshape([*source.shape, *[1] * (x.ndim - 2)]).expand(x.shape)
    return F.movedim(F.gather(x, 1, source), [0, 1], [batch, time])


OPERATORS = {
    "RNN": recurrent(lambda x, s, p, _, a: F.rnn(x, *s, *p), [0], 1, ["Tanh"]),
    "GRU": recurrent(gru, [1, 0, 2], 1, ["Sigmoid", "Tanh"]),
    "LSTM": recurrent(lstm, [0, 2, 3, 1], 2, ["Sigmoid", "Tanh", "Tanh"]),
    "CausalConvWithState": causal_conv_with_state,
    "ReverseSequence": reverse_sequence,
}
