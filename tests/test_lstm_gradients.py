"""The gradients of the LSTM, written out as in textbooks, are those that autograd finds.

The network, for steps t = 1..T (Hochreiter and Schmidhuber, 1997; Gers et al., 2000), with a loss
E = sum over t of <weight_t, h_t> + <weight_h, h_T> + <weight_c, c_T>:

    i_t = sigmoid(W_i x_t + U_i h_(t-1) + b_i)     input gate
    f_t = sigmoid(W_f x_t + U_f h_(t-1) + b_f)     forget gate
    g_t =    tanh(W_g x_t + U_g h_(t-1) + b_g)     candidate
    o_t = sigmoid(W_o x_t + U_o h_(t-1) + b_o)     output gate
    c_t = f_t * c_(t-1) + i_t * g_t                cell
    h_t = o_t * tanh(c_t)                          output

Backpropagation through time goes over t = T..1. With dh_t and dc_t the gradients of E by h_t and
c_t, and sigma' = sigma (1 - sigma), tanh' = 1 - tanh^2:

    dh_t = weight_t + (what step t+1 sends back)
    dc_t = dh_t * o_t * (1 - tanh(c_t)^2) + dc_(t+1) * f_(t+1)

The gradients by the sums inside the gates, which are called delta:

    delta_o = dh_t * tanh(c_t) * o_t * (1 - o_t)
    delta_f = dc_t * c_(t-1)   * f_t * (1 - f_t)
    delta_i = dc_t * g_t       * i_t * (1 - i_t)
    delta_g = dc_t * i_t       * (1 - g_t^2)

From those come all others; for each gate k of i, f, g, o:

    dE/dW_k = sum over t of delta_k x_t^T          by the weights of inputs
    dE/dU_k = sum over t of delta_k h_(t-1)^T      by the weights of hidden states
    dE/db_k = sum over t of delta_k                by the biases
    dE/dx_t = sum over k of W_k^T delta_k          by the input
    dh_(t-1) gets sum over k of U_k^T delta_k      what is sent back

Rows are samples here, so that delta x^T is ``delta.T @ x``, summed over the batch as well.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd, nn

T, N, I, H = 6, 3, 4, 5  # noqa: E741 - as in the formulas
GATES = ("i", "f", "g", "o")  # the order of the rows in weight_ih, weight_hh and the biases


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(x, h, c, W, U, b):
    """The steps of the network, each with all that the way back needs."""
    steps = []
    for x_t in x:
        a = {k: x_t @ W[k].T + h @ U[k].T + b[k] for k in GATES}
        i, f, g, o = sigmoid(a["i"]), sigmoid(a["f"]), np.tanh(a["g"]), sigmoid(a["o"])
        c_before, h_before = c, h
        c = f * c_before + i * g
        h = o * np.tanh(c)
        steps.append((x_t, h_before, c_before, c, i, f, g, o, h))
    return steps


def backward(steps, W, U, dh_by_step, dh, dc):
    """The gradients by W, U, b of every gate, by the input, and by the first states."""
    dW = {k: np.zeros_like(W[k]) for k in GATES}
    dU = {k: np.zeros_like(U[k]) for k in GATES}
    db = {k: np.zeros(H) for k in GATES}
    dx = np.zeros((T, N, I))
    for t in reversed(range(T)):
        x_t, h_before, c_before, c, i, f, g, o, _ = steps[t]
        dh = dh_by_step[t] + dh
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        delta = {
            "o": dh * np.tanh(c) * o * (1 - o),
            "f": dc * c_before * f * (1 - f),
            "i": dc * g * i * (1 - i),
            "g": dc * i * (1 - g**2),
        }
        for k in GATES:
            dW[k] += delta[k].T @ x_t
            dU[k] += delta[k].T @ h_before
            db[k] += delta[k].sum(axis=0)
            dx[t] += delta[k] @ W[k]
        dh = sum(delta[k] @ U[k] for k in GATES)  # sent back to h_(t-1)
        dc = dc * f  # and to c_(t-1)
    return dW, dU, db, dx, dh, dc


@pytest.fixture(scope="module")
def problem():
    """Operands and the weights of the loss, as NumPy arrays."""
    rng = np.random.default_rng(0)
    shapes = {
        "x": (T, N, I), "h0": (N, H), "c0": (N, H), "weight_ih": (4 * H, I),
        "weight_hh": (4 * H, H), "bias_ih": (4 * H,), "bias_hh": (4 * H,),
    }  # fmt: skip
    operands = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return operands, [rng.normal(size=s) for s in ((T, N, H), (N, H), (N, H))]


@pytest.fixture(scope="module")
def by_hand(problem):
    """The gradients by name, from the formulas."""
    p, (weight, weight_h, weight_c) = problem
    W = dict(zip(GATES, np.split(p["weight_ih"], 4), strict=True))
    U = dict(zip(GATES, np.split(p["weight_hh"], 4), strict=True))
    b = dict(zip(GATES, np.split(p["bias_ih"] + p["bias_hh"], 4), strict=True))
    steps = forward(p["x"], p["h0"], p["c0"], W, U, b)
    dW, dU, db, dx, dh, dc = backward(steps, W, U, weight, weight_h, weight_c)
    return {
        "x": dx, "h0": dh, "c0": dc,
        "weight_ih": np.concatenate([dW[k] for k in GATES]),
        "weight_hh": np.concatenate([dU[k] for k in GATES]),
        "bias_ih": np.concatenate([db[k] for k in GATES]),
        "bias_hh": np.concatenate([db[k] for k in GATES]),
    }  # fmt: skip


def by_autograd(problem, dtype, **options):
    """The gradients by name of the fused kernel, or of its steps in simple ops."""
    p, weights = problem
    tensors = {k: fastdl.tensor(v, dtype=dtype, requires_grad=True) for k, v in p.items()}
    outputs = F.lstm(*tensors.values())
    weights = [fastdl.tensor(w, dtype=dtype) for w in weights]
    loss = sum(((o * w).sum() for o, w in zip(outputs, weights, strict=True)), start=0.0)
    found = autograd.grad(loss, list(tensors.values()), **options)
    return {k: g.detach().numpy() for k, g in zip(tensors, found, strict=True)}


@pytest.mark.parametrize(
    ("dtype", "options", "tolerance"),
    [
        pytest.param("float64", {}, 1e-12, id="kernel"),
        pytest.param("float32", {}, 2e-5, id="kernel in float32"),
        pytest.param("float64", {"create_graph": True}, 1e-12, id="simple ops"),
    ],
)
def test_the_formulas_are_what_autograd_finds(problem, by_hand, dtype, options, tolerance):
    found = by_autograd(problem, dtype, **options)
    for name, expected in by_hand.items():
        scale = abs(expected).max()
        np.testing.assert_allclose(found[name], expected, 0, tolerance * scale, err_msg=name)


@pytest.mark.parametrize("gate", GATES)
def test_each_gate_of_the_layer(problem, by_hand, gate):
    """The same by the layer's own parameters, gate by gate."""
    p, (weight, *_) = problem
    layer = nn.LSTM(I, H).double()
    with fastdl.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(fastdl.tensor(p[name.removesuffix("_l0")]))
    state = [fastdl.tensor(p[k]).unsqueeze(0) for k in ("h0", "c0")]
    output, (h_n, c_n) = layer(fastdl.tensor(p["x"]), state)
    _, weight_h, weight_c = map(fastdl.tensor, problem[1])
    ((output * fastdl.tensor(weight)).sum() + (h_n * weight_h + c_n * weight_c).sum()).backward()
    rows = slice(GATES.index(gate) * H, (GATES.index(gate) + 1) * H)
    for name, parameter in layer.named_parameters():
        expected = by_hand[name.removesuffix("_l0")][rows]
        np.testing.assert_allclose(parameter.grad.numpy()[rows], expected, 1e-10, err_msg=name)


def test_a_forget_gate_of_one_carries_the_gradient_unchanged():
    """The constant error carousel: dc_(t-1) = dc_t * f_t, which is dc_t for f = 1."""
    steps, big = 50, 1e3
    bias = np.zeros(4 * H)
    bias[H : 2 * H] = big  # forget gates open
    bias[:H] = bias[3 * H :] = -big  # input and output gates shut
    c0 = fastdl.tensor(np.ones((N, H)), requires_grad=True)
    zeros = {"dtype": "float64"}
    *_, c_n = F.lstm(
        fastdl.zeros((steps, N, I), **zeros), fastdl.zeros((N, H), **zeros), c0,
        fastdl.zeros((4 * H, I), **zeros), fastdl.zeros((4 * H, H), **zeros), fastdl.tensor(bias),
        fastdl.zeros((4 * H,), **zeros),
    )  # fmt: skip
    c_n.sum().backward()
    np.testing.assert_array_equal(c0.grad.numpy(), np.ones((N, H)))
