"""Recurrent layers on CUDA, in one persistent kernel and step by step, against float64.

The host model has four multiprocessors, so that up to 64 hidden units are persistent there.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from tests.children import run_child
from tests.oprow import EPSILON, to_array

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

GATES = {"lstm": 4, "gru": 3}

# (T, N, input, hidden): one of all; many steps; tiles of 8 samples and 16 units with a rest; as
# many units as there are multiprocessors for; groups of several tiles; vectors of 16 bytes or not.
SHAPES = [(1, 1, 1, 1), (37, 1, 3, 5), (3, 9, 2, 33), (2, 3, 4, 64), (2, 67, 3, 17), (4, 20, 5, 40)]


@pytest.fixture(params=["persistent", "steps"])
def way(request, monkeypatch):
    """How the steps are run, wherever they can be."""
    monkeypatch.setenv("FASTDL_CUDA_PERSISTENT", str(int(request.param == "persistent")))


def operands(name, t, n, features, hidden):
    """Values of the operands, and of the gradients of y and of the last states."""
    rng, rows = np.random.default_rng(t + n + hidden), GATES[name] * hidden
    states = 2 if name == "lstm" else 1
    shapes = [(t, n, features), *[(n, hidden)] * states, (rows, features), (rows, hidden)]
    shapes += [(rows,)] * 2
    values = [rng.uniform(-0.7, 0.7, s) for s in shapes]
    return values, [rng.uniform(-1, 1, s) for s in [(t, n, hidden), *[(n, hidden)] * states]]


def results(name, values, weights, dtype, device):
    """y, the last states and all gradients, of results or of `weights` that are not None."""
    leaves = [fastdl.tensor(v).to(dtype).to(device).requires_grad_() for v in values]
    outputs = getattr(F, name)(*leaves)
    terms = [
        (y * fastdl.tensor(w).to(dtype).to(device)).sum()
        for y, w in zip(outputs, weights, strict=True)
        if w is not None
    ]
    sum(terms[1:], start=terms[0]).backward()
    return [to_array(r) for r in (*outputs, *(leaf.grad for leaf in leaves))]


def rounded(values, dtype):
    return [to_array(fastdl.tensor(v).to(dtype)) for v in values]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_results_and_gradients(name, shape, dtype, way):
    values, weights = (rounded(v, dtype) for v in operands(name, *shape))
    expected = results(name, values, weights, "float64", "cpu")
    found = results(name, values, weights, dtype, "cuda")
    # Rounding of each step's h, gates and cells, which the next steps see, and sums of up to 67
    # samples times 4 steps, of which those of 16 bits are rounded once.
    factor = 16 if dtype == "float32" else 6
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        bound = factor * EPSILON[dtype] * max(abs(b).max(initial=0), 0.1)
        np.testing.assert_allclose(a, b, rtol=0, atol=bound, err_msg=f"result {number}")


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_both_ways_agree(name, monkeypatch):
    """In float32, of which both keep all bits; the sums have another order."""
    values, weights = operands(name, 5, 17, 3, 40)
    found = []
    for wish in "10":
        monkeypatch.setenv("FASTDL_CUDA_PERSISTENT", wish)
        found.append(results(name, values, weights, "float32", "cuda"))
    assert any((a != b).any() for a, b in zip(*found, strict=True)), "they are not the same"
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6 * abs(b).max())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_inference_has_the_bits_of_training(name, dtype, way):
    values, weights = operands(name, 4, 9, 3, 20)
    trained = results(name, values, weights, dtype, "cuda")
    with fastdl.no_grad():
        inferred = getattr(F, name)(*[fastdl.tensor(v).to(dtype).to("cuda") for v in values])
    for a, b in zip(trained, inferred, strict=False):
        np.testing.assert_array_equal(a, to_array(b))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_sample_does_not_depend_on_the_others(name, monkeypatch):
    """How samples are shared out to blocks changes no bits."""
    monkeypatch.setenv("FASTDL_CUDA_PERSISTENT", "1")
    (x, *states, w_ih, w_hh, b_ih, b_hh), _ = operands(name, 3, 40, 3, 20)
    weights = [w_ih, w_hh, b_ih, b_hh]

    def run(rows):
        parts = [x[:, rows], *(s[rows] for s in states), *weights]
        return to_array(
            getattr(F, name)(*[fastdl.tensor(p, device="cuda").half() for p in parts])[0]
        )

    np.testing.assert_array_equal(run(slice(0, 40))[:, 13], run(slice(13, 14))[:, 0])


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_gradient_of_one_result(which, way):
    """y, the last h or the last c alone: the others have no gradient."""
    values, weights = operands("lstm", 4, 3, 2, 18)
    weights = [w if i == which else None for i, w in enumerate(weights)]
    expected = results("lstm", values, weights, "float64", "cpu")
    found = results("lstm", values, weights, "float32", "cuda")
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(abs(b).max(), 0.1))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_layers_and_directions(kind, way):
    fastdl.manual_seed(0)
    layer, x = kind(3, 20, num_layers=2, bidirectional=True), fastdl.randn(4, 9, 3)
    expected = to_array(layer.double()(x.double())[0])
    found = to_array(layer.half().to("cuda")(x.half().to("cuda"))[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=4 * EPSILON["float16"])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_weights_that_do_not_fit_into_registers(name):
    """272 units of float32 are 17 blocks, which keep some of their weights in shared memory."""
    source = f"""
        import os
        import numpy as np
        from tests.test_cuda_recurrent import operands, results
        values, weights = operands({name!r}, 2, 1, 1, 272)
        values[-4:] = [v / 4 for v in values[-4:]]
        expected = results({name!r}, values, weights, "float64", "cpu")
        found = []
        for wish in "10":
            os.environ["FASTDL_CUDA_PERSISTENT"] = wish
            found.append(results({name!r}, values, weights, "float32", "cuda"))
            for a, b in zip(found[-1], expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=2e-6 * max(abs(b).max(), 0.1))
        print(any((a != b).any() for a, b in zip(*found, strict=True)))
    """
    assert run_child(source, SIMT_PROCESSORS="18") == "True\n"


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_infinite_weights_saturate(name, monkeypatch):
    """The two parts of an infinite float are infinity and nothing."""
    monkeypatch.setenv("FASTDL_CUDA_PERSISTENT", "1")
    values, _ = operands(name, 4, 2, 3, 6)
    values[-3][0, 0] = np.inf  # a row of W_hh: an input gate, or a reset gate
    values[1][:] = 0.5
    y = getattr(F, name)(*[fastdl.tensor(v, dtype="float32", device="cuda") for v in values])[0]
    assert np.isfinite(to_array(y)).all()


def test_nan_stays_in_its_sample(monkeypatch):
    monkeypatch.setenv("FASTDL_CUDA_PERSISTENT", "1")
    values, _ = operands("lstm", 3, 5, 3, 20)
    values[1][2] = np.nan
    for dtype in ("float32", "float16"):
        y = to_array(F.lstm(*[fastdl.tensor(v).to(dtype).to("cuda") for v in values])[0])
        assert np.isnan(y[:, 2]).all()
        assert np.isfinite(np.delete(y, 2, axis=1)).all()
