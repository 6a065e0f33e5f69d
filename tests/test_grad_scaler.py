"""`GradScaler`: the factor, steps that are left out, and training in float16 with the `Trainer`."""

import numpy as np
import pytest

import fastdl
from fastdl import _core, autocast, errors, nn, optim
from fastdl import functional as F
from fastdl.train import GradScaler, Trainer
from tests.test_train import loader, make_trainer, weights


def layer_and_optimizer(lr=0.1):
    fastdl.manual_seed(0)
    layer = nn.Linear(3, 2)
    return layer, optim.SGD(layer.parameters(), lr=lr)


def backward(layer, scaler, factor=1.0):
    x = fastdl.tensor(np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))
    layer.weight.grad = layer.bias.grad = None
    scaler.scale((layer(x) * factor).sum()).backward()


def test_steps_are_those_without_it():
    """The factor is a power of two: scaling and back changes no bit."""
    plain, plain_optimizer = layer_and_optimizer()
    scaled, optimizer = layer_and_optimizer()
    scaler, off = GradScaler(), GradScaler(enabled=False)
    for _ in range(3):
        backward(plain, off)
        assert off.step(plain_optimizer)
        off.update()
        backward(scaled, scaler)
        assert scaled.bias.grad.numpy()[0] == 4 * 65536
        assert scaler.step(optimizer)
        scaler.update()
    np.testing.assert_array_equal(plain.weight.detach().numpy(), scaled.weight.detach().numpy())
    assert off.get_scale() == 1.0
    assert off.state_dict() == {}


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_step_with_an_overflow_is_left_out(bad):
    layer, optimizer = layer_and_optimizer()
    scaler = GradScaler(init_scale=8.0, growth_interval=2)
    before = layer.weight.detach().clone().numpy()
    backward(layer, scaler)
    gradient = layer.bias.grad.numpy().copy()
    gradient[1] = bad
    layer.bias.grad = fastdl.tensor(gradient)
    assert not scaler.step(optimizer)
    scaler.update()
    np.testing.assert_array_equal(layer.weight.detach().numpy(), before)
    assert scaler.get_scale() == 4.0
    backward(layer, scaler)
    assert scaler.step(optimizer)
    scaler.update()
    assert (layer.weight.detach().numpy() != before).all()
    assert scaler.get_scale() == 4.0


def test_the_factor_grows_and_shrinks():
    layer, optimizer = layer_and_optimizer()
    scaler = GradScaler(4.0, growth_factor=3.0, backoff_factor=0.25, growth_interval=2)
    scales = []
    for factor in (1.0, 1.0, 1.0, np.inf, 1.0, 1.0, 1.0):
        backward(layer, scaler, factor)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [4, 12, 12, 3, 3, 9, 9]
    scaler.update(1.0)
    backward(layer, scaler)
    assert layer.bias.grad.numpy()[0] == 4.0


def test_two_optimizers():
    layer, _ = layer_and_optimizer()
    one, two = optim.SGD([layer.weight], lr=0.1), optim.SGD([layer.bias], lr=0.1)
    scaler = GradScaler(8.0)
    backward(layer, scaler)
    layer.bias.grad = layer.bias.grad * float("inf")
    assert scaler.step(one)
    assert not scaler.step(two)
    scaler.update()
    assert scaler.get_scale() == 4.0


def test_clipping_after_unscaling():
    layer, optimizer = layer_and_optimizer(lr=1.0)
    scaler = GradScaler()
    before = layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()
    backward(layer, scaler)
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(layer.parameters(), 0.5).item()
    assert 1 < norm < 100, "of the gradients themselves"
    assert scaler.step(optimizer)
    scaler.update()
    moved = [
        (a - b).ravel()
        for a, b in zip(
            before, (layer.weight.detach().numpy(), layer.bias.detach().numpy()), strict=True
        )
    ]
    assert np.linalg.norm(np.concatenate(moved)) == pytest.approx(0.5, rel=1e-4)


def test_small_gradients_survive_float16():
    """A gradient of 2^-26 is 0 in float16, whose smallest number is 2^-24."""
    w = fastdl.ones((1, 1), requires_grad=True)
    x = fastdl.full((1, 1), 2.0**-13)

    def gradient(scaler):
        w.grad = None
        optimizer = optim.SGD([w], lr=0.0)
        with autocast("float16"):
            loss = F.linear(F.linear(x, w), fastdl.full((1, 1), 2.0**-13)).sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        return w.grad.item()

    assert gradient(GradScaler(enabled=False)) == 0.0
    assert gradient(GradScaler(2.0**15)) == 2.0**-26


def test_nothing_but_step_waits():
    """A capture refuses whatever reads values: scaling, unscaling and clipping do not."""
    layer, optimizer = layer_and_optimizer()
    scaler = GradScaler()
    recording = _core.Capture()
    recording.begin()
    try:
        backward(layer, scaler)
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        with pytest.raises(errors.CaptureError, match="item"):
            scaler.step(optimizer)
        scaler.update(8.0)
    finally:
        recording.end()


def test_state():
    layer, optimizer = layer_and_optimizer()
    scaler, again = GradScaler(4.0, growth_interval=3), GradScaler()
    for _ in range(2):
        backward(layer, scaler)
        scaler.step(optimizer)
        scaler.update()
    again.load_state_dict(scaler.state_dict())
    assert again.state_dict() == scaler.state_dict()
    backward(layer, again)
    again.step(optimizer)
    again.update()
    assert again.get_scale() == 8.0
    with pytest.raises(errors.ArgumentError, match="not enabled"):
        again.load_state_dict({})


def test_misuse():
    layer, optimizer = layer_and_optimizer()
    scaler = GradScaler()
    with pytest.raises(errors.ArgumentError, match="no optimizer has stepped"):
        scaler.update()
    with pytest.raises(errors.ArgumentError, match="no parameter has a gradient"):
        scaler.step(optimizer)
    backward(layer, scaler)
    scaler.unscale_(optimizer)
    with pytest.raises(errors.ArgumentError, match="unscaled already"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(errors.ArgumentError, match="stepped already"):
        scaler.step(optimizer)
    with pytest.raises(errors.ArgumentError, match="no gradients"):
        _core.unscale_grads([], fastdl.ones(1))
    with pytest.raises(errors.ArgumentError, match="no single float32"):
        _core.unscale_grads([fastdl.ones(2)], fastdl.ones(2))
    half = nn.Linear(2, 2).to(fastdl.float16)
    half.weight.grad = half.weight.detach() * 0
    with pytest.raises(errors.DTypeError, match="float16"):
        GradScaler().unscale_(optim.SGD([half.weight], lr=0.1))
    for name, value in (
        ("init_scale", 0), ("growth_factor", 1), ("backoff_factor", 1), ("growth_interval", 0)
    ):  # fmt: skip
        with pytest.raises(errors.ArgumentError, match=name):
            GradScaler(**{name: value})


class TestTrainer:
    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_it_learns(self, precision):
        trainer = make_trainer(precision=precision)
        history = trainer.fit(loader(), 10, validation=[next(iter(loader()))])
        assert history[-1]["val_accuracy"] > 0.9
        assert trainer.predict([next(iter(loader()))]).dtype == np.float32
        plain = make_trainer().fit(loader(), 10)
        assert plain[0]["loss"] != history[0]["loss"], "it was computed in float32"
        assert plain[0]["loss"] == pytest.approx(history[0]["loss"], rel=0.2)

    def test_captured_steps_are_the_same(self):
        def train(compile):
            trainer = make_trainer(precision="float16", compile=compile)
            trainer.scaler.growth_interval = 3
            losses = [record["loss"] for record in trainer.fit(loader(), 3)]
            return losses, weights(trainer), trainer.scaler.state_dict()

        assert train(True) == train(False)

    def test_an_overflow_is_skipped_in_a_captured_step_too(self):
        """The first factor is far too large: steps are left out until it fits."""
        trainer = make_trainer(precision="float16", compile=True)
        trainer.scaler.update(2.0**30)
        start = weights(trainer)
        trainer.fit([next(iter(loader()))] * 6, 1)
        assert weights(trainer) == start or trainer.scaler.get_scale() < 2.0**30
        trainer.fit([next(iter(loader()))] * 30, 2)
        assert weights(trainer) != start
        assert np.isfinite(np.concatenate([np.ravel(w) for w in weights(trainer)])).all()

    def test_checkpoints_keep_the_factor(self, tmp_path):
        whole = make_trainer(precision="float16")
        whole.scaler.growth_interval = 5
        whole.fit(loader(), 4)
        part = make_trainer(precision="float16")
        part.scaler.growth_interval = 5
        batches = loader()
        part.fit(batches, 2)
        part.save(tmp_path / "c", batches)
        rest, batches = make_trainer(precision="float16", seed=9), loader()
        rest.load(tmp_path / "c", batches)
        rest.fit(batches, 4)
        assert rest.scaler.state_dict() == whole.scaler.state_dict()
        assert weights(rest) == weights(whole)

    def test_an_unknown_precision(self):
        layer, optimizer = layer_and_optimizer()
        with pytest.raises(errors.ArgumentError, match="precision is 'half'"):
            Trainer(layer, F.mse_loss, optimizer, precision="half")
