"""The fused optimiser steps against NumPy in float64."""

import numpy as np
import pytest

from fastdl import _core
from tests import references as ref
from tests.oprow import DEVICES, EPSILON, round_to, to_array, to_tensor

SGD = {
    "lr": 0.1,
    "momentum": 0.0,
    "dampening": 0.0,
    "weight_decay": 0.0,
    "nesterov": False,
}
ADAM = {
    "lr": 0.01,
    "beta1": 0.9,
    "beta2": 0.99,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "decoupled": False,
}
PARAMETERS = ((), (7,), (0, 3), (16,), (5, 33), (40_001,))


def _step_values(seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape) for shape in PARAMETERS]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.2},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_sgd_step(options, dtype, device):
    options = SGD | options
    wanted = [round_to(v, dtype) for v in _step_values(0)]
    buffers = [np.zeros_like(v) for v in wanted]
    params = [to_tensor(v, dtype, device) for v in wanted]
    states = [to_tensor(v, dtype, device) for v in buffers] if options["momentum"] else []
    for step in range(3):
        grads = [round_to(v, dtype) for v in _step_values(step + 1)]
        moved = [to_tensor(v, dtype, device) for v in grads]
        versions = [p._version for p in params]
        _core.sgd_step(params, moved, states, **options, first_step=step == 0)
        assert all(p._version > v for p, v in zip(params, versions, strict=True))
        for i, g in enumerate(grads):
            wanted[i], buffers[i] = ref.sgd(
                wanted[i], g, buffers[i], **options, first_step=step == 0
            )
    for p, v in zip(params, wanted, strict=True):
        np.testing.assert_allclose(to_array(p), v, rtol=0, atol=16 * EPSILON[dtype])
    for s, v in zip(states, buffers, strict=False):
        np.testing.assert_allclose(to_array(s), v, rtol=0, atol=32 * EPSILON[dtype])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}], ids=str
)
def test_adam_step(options, dtype, device):
    options = ADAM | options
    wanted = [round_to(v, dtype) for v in _step_values(0)]
    first, second = ([np.zeros_like(v) for v in wanted] for _ in range(2))
    params, m, v = ([to_tensor(a, dtype, device) for a in s] for s in (wanted, first, second))
    for step in (1, 2, 3):
        grads = [round_to(g, dtype) for g in _step_values(step)]
        _core.adam_step(
            params, [to_tensor(g, dtype, device) for g in grads], m, v, step=step, **options
        )
        for i, g in enumerate(grads):
            wanted[i], first[i], second[i] = ref.adam(
                wanted[i], g, first[i], second[i], step=step, **options
            )
    # The root of the second moment is small where the gradients were, and magnifies its rounding.
    for tensors, arrays, factor in ((params, wanted, 64), (m, first, 16), (v, second, 16)):
        for t, a in zip(tensors, arrays, strict=True):
            np.testing.assert_allclose(to_array(t), a, rtol=0, atol=factor * EPSILON[dtype])


# Whole blocks of the CUDA kernel and a part of one, an empty gradient, and more than one launch.
UNSCALED = {"several": (3, 1024, 2500, 0), "many": (2,) * 70}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shapes", UNSCALED)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_unscale_grads(dtype, shapes, device):
    sizes = UNSCALED[shapes]
    arrays = [np.random.default_rng(i).standard_normal(n) for i, n in enumerate(sizes)]
    scale = to_tensor(np.array(8.0), "float32", device)

    def run(place=None, value=None):
        grads = [to_tensor(a, dtype, device) for a in arrays]
        if place is not None:
            grads[place[0]][place[1]] = value
        before = [to_array(g).copy() for g in grads]
        versions = [g._version for g in grads]
        found = _core.unscale_grads(grads, scale)
        assert all(g._version > v for g, v in zip(grads, versions, strict=True))
        for g, b in zip(grads, before, strict=True):
            np.testing.assert_array_equal(to_array(g), b / 8)  # a power of two: exact
        return found.item()

    assert run() == 0.0
    last = len(sizes) - 1 if sizes[-1] else 2
    for place in ((0, 0), (0, 1), (last, 0), (last, sizes[last] - 1)):
        for value in (float("inf"), float("-inf"), float("nan")):
            assert run(place, value) == 1.0
    gaps = to_tensor(np.arange(24.0).reshape(4, 6), dtype, device)[:, ::2]
    assert _core.unscale_grads([gaps], scale).item() == 0.0
    np.testing.assert_array_equal(to_array(gaps), np.arange(24.0).reshape(4, 6)[:, ::2] / 8)


def test_optimiser_steps_have_a_test():
    steps = {s["name"] for s in _core._signatures() if s["module"] == "runtime"}
    assert steps == {"sgd_step", "adam_step", "unscale_grads"}
