"""Optimisers against their formulas in float64, groups, state, and schedules."""

import math

import numpy as np
import pytest

import fastdl
from fastdl import errors, nn, optim
from fastdl.optim import lr_scheduler

STEPS = 5


def gradients():
    generator = np.random.default_rng(3)
    return [(generator.standard_normal((3, 2)), generator.standard_normal(4)) for _ in range(STEPS)]


def start():
    generator = np.random.default_rng(4)
    return [generator.standard_normal((3, 2)), generator.standard_normal(4)]


def parameters():
    return [nn.Parameter(fastdl.tensor(array)) for array in start()]


def run(optimizer, params, steps=None):
    for grads in gradients() if steps is None else steps:
        for param, grad in zip(params, grads, strict=True):
            param.grad = fastdl.tensor(grad)
        optimizer.step()
    return [param.detach().numpy() for param in params]


def sgd_reference(lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    params, buffers = start(), [None, None]
    for grads in gradients():
        for i, grad in enumerate(grads):
            g = grad + weight_decay * params[i]
            if momentum:
                old = buffers[i]
                buffers[i] = g if old is None else momentum * old + (1 - dampening) * g
                g = g + momentum * buffers[i] if nesterov else buffers[i]
            params[i] = params[i] - lr * g
    return params


def adam_reference(lr, betas, eps, weight_decay, decoupled):
    params = start()
    averages = [[0.0, 0.0] for _ in params]
    for step, grads in enumerate(gradients(), 1):
        for i, grad in enumerate(grads):
            g = grad
            if decoupled:
                params[i] = params[i] * (1 - lr * weight_decay)
            else:
                g = g + weight_decay * params[i]
            m = averages[i][0] = betas[0] * averages[i][0] + (1 - betas[0]) * g
            v = averages[i][1] = betas[1] * averages[i][1] + (1 - betas[1]) * g * g
            m, v = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
            params[i] = params[i] - lr * m / (np.sqrt(v) + eps)
    return params


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_sgd(options):
    params = parameters()
    for ours, expected in zip(
        run(optim.SGD(params, **options), params), sgd_reference(**options), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam(kind, weight_decay):
    params = parameters()
    optimizer = kind(params, 0.01, (0.8, 0.99), 1e-6, weight_decay)
    expected = adam_reference(0.01, (0.8, 0.99), 1e-6, weight_decay, kind is optim.AdamW)
    for ours, theirs in zip(run(optimizer, params), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_parameters_without_gradient_stay(kind):
    params = parameters()
    before = params[1].tolist()
    params[0].grad = fastdl.ones_like(params[0])
    kind(params, lr=0.1).step()
    assert params[1].tolist() == before
    assert params[0].tolist() != start()[0].tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda params: optim.SGD(params, lr=0.1, momentum=0.9, dampening=0.5),
        lambda params: optim.Adam(params, lr=0.1),
    ],
)
def test_a_parameter_that_joins_late_starts_anew(make):
    """Its own first step counts, not the optimiser's."""
    late, alone = parameters(), parameters()
    optimizer = make(late)
    first, *rest = gradients()
    late[0].grad = fastdl.tensor(first[0])
    optimizer.step()
    results = run(optimizer, late, rest)
    expected = run(make(alone[1:]), alone[1:], [(grads[1],) for grads in rest])
    np.testing.assert_allclose(results[1], expected[0], rtol=1e-12)
    whole = parameters()
    np.testing.assert_allclose(results[0], run(make(whole), whole)[0], rtol=1e-12)


def test_groups_have_options_of_their_own():
    params = parameters()
    optimizer = optim.SGD([{"params": params[:1]}, {"params": params[1], "lr": 0.0}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.0]
    run(optimizer, params)
    np.testing.assert_allclose(params[0].detach().numpy(), sgd_reference(0.1)[0], rtol=1e-12)
    assert params[1].tolist() == start()[1].tolist()
    assert "2 tensors" not in repr(optimizer)
    assert "lr=0.1" in repr(optimizer)


def test_zero_grad():
    params = parameters()
    for param in params:
        param.grad = fastdl.ones_like(param)
    optim.SGD(params).zero_grad()
    assert all(param.grad is None for param in params)


@pytest.mark.parametrize(
    "make",
    [
        lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
        lambda params: optim.AdamW(params, lr=0.1),
    ],
)
def test_state_continues_bit_for_bit(make):
    whole = parameters()
    expected = run(make(whole), whole)
    params = parameters()
    optimizer = make(params)
    run(optimizer, params, gradients()[:2])
    copies = [nn.Parameter(param.detach().clone()) for param in params]
    other = make(copies)
    other.param_groups[0]["lr"] = 123.0
    other.load_state_dict(optimizer.state_dict())
    run(optimizer, params, gradients()[2:])  # must not reach into the loaded state
    for ours, theirs in zip(run(other, copies, gradients()[2:]), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_state_of_other_parameters_is_refused():
    params = parameters()
    optimizer = optim.Adam(params)
    run(optimizer, params)
    state = optimizer.state_dict()
    with pytest.raises(errors.ArgumentError, match="another set of parameters"):
        optim.Adam(parameters()[:1]).load_state_dict(state)
    with pytest.raises(errors.ShapeError, match="parameter 0 has another shape"):
        optim.Adam(parameters()[::-1]).load_state_dict(state)


class TestErrors:
    def test_nothing_to_optimise(self):
        with pytest.raises(errors.ArgumentError, match="no parameters"):
            optim.SGD([])

    def test_parameter_given_twice(self):
        params = parameters()
        with pytest.raises(errors.ArgumentError, match="twice"):
            optim.SGD([*params, params[0]])
        with pytest.raises(errors.ArgumentError, match="twice"):
            optim.SGD([{"params": params}, {"params": params[:1]}])

    def test_results_are_no_parameters(self):
        with pytest.raises(errors.AutogradError, match="result of an operation"):
            optim.SGD([parameters()[0] * 2])

    @pytest.mark.parametrize(
        "make",
        [
            lambda params: optim.SGD(params, lr=-1.0),
            lambda params: optim.SGD(params, momentum=-0.1),
            lambda params: optim.SGD(params, nesterov=True),
            lambda params: optim.Adam(params, betas=(0.9, 1.0)),
            lambda params: optim.Adam(params, eps=-1.0),
            lambda params: optim.AdamW(params, weight_decay=-1.0),
            lambda params: optim.SGD([{"params": params, "learning_rate": 1.0}]),
            lambda params: optim.SGD([{"lr": 1.0}]),
            lambda params: optim.SGD([3]),
        ],
    )
    def test_senseless_arguments(self, make):
        with pytest.raises(errors.ArgumentError):
            make(parameters())


class TestSchedules:
    def rates(self, make, steps):
        optimizer = optim.SGD(
            [{"params": p, "lr": lr} for p, lr in zip(parameters(), (2.0, 1.0), strict=True)]
        )
        schedule = make(optimizer)
        found = []
        for _ in range(steps):
            rates = [group["lr"] for group in optimizer.param_groups]
            assert rates[0] == 2 * rates[1]
            found.append(rates[1])
            schedule.step()
        return found

    def test_step(self):
        rates = self.rates(lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5), 5)
        assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]

    def test_cosine(self):
        rates = self.rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 4, floor=0.2), 7)
        expected = [0.2 + 0.4 * (1 + math.cos(math.pi * min(i, 4) / 4)) for i in range(7)]
        assert rates == pytest.approx(expected)

    def test_one_cycle(self):
        rates = self.rates(lambda o: lr_scheduler.OneCycleLR(o, 10, warmup=0.4), 12)
        assert rates[0] == pytest.approx(0.04)
        assert rates[4] == 1.0
        assert rates[:5] == sorted(rates[:5])
        assert rates[4:] == sorted(rates[4:], reverse=True)
        assert rates[10:] == pytest.approx([4e-6] * 2)

    def test_state(self):
        optimizers = [optim.SGD(parameters(), lr=0.5) for _ in range(2)]
        first = lr_scheduler.OneCycleLR(optimizers[0], 10)
        for _ in range(6):
            first.step()
        second = lr_scheduler.OneCycleLR(optimizers[1], 10)
        second.load_state_dict(first.state_dict())
        assert optimizers[1].param_groups[0]["lr"] == optimizers[0].param_groups[0]["lr"]

    def test_errors(self):
        optimizer = optim.SGD(parameters())
        with pytest.raises(errors.ArgumentError):
            lr_scheduler.OneCycleLR(optimizer, 0)
        with pytest.raises(errors.ArgumentError):
            lr_scheduler.OneCycleLR(optimizer, 5, warmup=1.0)


def test_training_lowers_the_loss():
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    x = fastdl.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = fastdl.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(400):
        loss = nn.MSELoss()(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01
