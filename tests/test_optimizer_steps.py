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


def test_optimiser_steps_have_a_test():
    steps = {s["name"] for s in _core._signatures() if s["module"] == "runtime"}
    assert steps == {"sgd_step", "adam_step"}
