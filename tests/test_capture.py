"""Captured functions against the same functions run eagerly: the same bits, step by step."""

import gc

import numpy as np
import pytest

import fastdl
from fastdl import _core, errors, models, nn, optim
from fastdl import functional as F
from fastdl.optim import lr_scheduler

STEPS = 7


class Convolutions(nn.Module):
    """Batch norm's running figures and dropout's draws change from step to step."""

    def __init__(self):
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        x = self.drop(F.relu(self.norm(self.conv(x))))
        return self.head(x.flatten(1))


def images(seed, batch=6, size=8, classes=3):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((batch, 1, size, size)).astype(np.float32)
    return fastdl.tensor(x), fastdl.tensor(generator.integers(0, classes, batch))


def sequences(seed, batch=3):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 11, (batch, 5))
    return fastdl.tensor(x), fastdl.tensor(generator.integers(0, 2, batch))


MODELS = {
    "mlp": (lambda: fastdl.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 3)),
            images),
    "lenet": (models.LeNet5, lambda seed: images(seed, 4, 32, 10)),
    "batch norm and dropout": (Convolutions, images),
    "lstm": (lambda: models.LSTMClassifier(11, 2, 6, 4), sequences),
}  # fmt: skip

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "decay": lambda p: optim.SGD(p, lr=0.05, weight_decay=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
}


class Training:
    """A model, its optimiser and the step, eager or captured."""

    def __init__(self, make_model, make_optimizer, captured, strict=True):
        fastdl.manual_seed(5)
        self.generator = fastdl.default_generator.get_state()
        self.model = make_model()
        self.optimizer = make_optimizer(self.model.parameters())
        self.step = fastdl.capture(self.eager, strict=strict) if captured else self.eager
        self.generator = fastdl.default_generator.get_state()

    def eager(self, x, y):
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def __call__(self, x, y):
        """The loss; every model draws from a stream of its own."""
        fastdl.default_generator.set_state(self.generator)
        loss = self.step(x, y).item()
        self.generator = fastdl.default_generator.get_state()
        return loss


def same_state(a, b):
    for (name, left), right in zip(
        a.model.state_dict().items(), b.model.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(left.numpy(), right.numpy(), err_msg=name)
    for left, right in zip(a.model.parameters(), b.model.parameters(), strict=True):
        np.testing.assert_array_equal(left.grad.numpy(), right.grad.numpy())
    assert str(a.optimizer.state_dict()) == str(b.optimizer.state_dict())


def pair(model="mlp", optimizer="sgd", **options):
    make_model, data = MODELS[model]
    make = OPTIMIZERS[optimizer]
    return (
        Training(make_model, make, captured=False),
        Training(make_model, make, captured=True, **options),
        data,
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_same_bits_as_eager(model, optimizer):
    eager, captured, data = pair(model, optimizer)
    for step in range(STEPS):
        assert eager(*data(step)) == captured(*data(step))
        same_state(eager, captured)
    assert captured.step.replays == STEPS - 2


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_schedules_steer_a_captured_step(optimizer):
    eager, captured, data = pair(optimizer=optimizer)
    schedules = [
        lr_scheduler.OneCycleLR(each.optimizer, total_steps=STEPS) for each in (eager, captured)
    ]
    for step in range(STEPS):
        assert eager(*data(step)) == captured(*data(step))
        for schedule in schedules:
            schedule.step()
        captured.optimizer.param_groups[0]["weight_decay"] = 0.01 * step
        eager.optimizer.param_groups[0]["weight_decay"] = 0.01 * step
    same_state(eager, captured)
    assert captured.step.replays == STEPS - 2


def test_other_shapes_run_eagerly():
    eager, captured, data = pair("batch norm and dropout", "adam")
    for step in range(STEPS):
        batch = 4 if step == 3 else 6
        assert eager(*data(step, batch)) == captured(*data(step, batch))
        same_state(eager, captured)
    assert captured.step.replays == STEPS - 3


def test_training_mode_and_gradient_mode_are_told_apart():
    fastdl.manual_seed(0)
    model = Convolutions()
    other = Convolutions()
    other.load_state_dict(model.state_dict())
    forward = fastdl.capture(other)
    x, _ = images(0)
    with fastdl.no_grad():
        for training in (True, True, True, False, False, False, True):
            model.train(training)
            other.train(training)
            state = fastdl.default_generator.get_state()
            wanted = model(x).numpy()
            fastdl.default_generator.set_state(state)
            np.testing.assert_array_equal(forward(x).numpy(), wanted)
    assert forward(x).requires_grad  # run eagerly: outside no_grad


def test_loaded_parameters_are_used():
    eager, captured, data = pair("lenet", "momentum")
    saved = None
    for step in range(STEPS):
        if step == 2:
            saved = {k: v.clone() for k, v in captured.model.state_dict().items()}
        if step == 4:
            eager.model.load_state_dict(saved)
            captured.model.load_state_dict(saved)
        assert eager(*data(step)) == captured(*data(step))
    same_state(eager, captured)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_loaded_optimizer_state_is_captured_anew(optimizer):
    eager, captured, data = pair(optimizer=optimizer)
    for step in range(2 * STEPS):
        if step == 4:
            eager.optimizer.load_state_dict(eager.optimizer.state_dict())
            captured.optimizer.load_state_dict(captured.optimizer.state_dict())
        assert eager(*data(step)) == captured(*data(step))
        same_state(eager, captured)
    assert captured.step.replays > STEPS


def test_gradients_that_add_up():
    """Without zero_grad in the captured function, cleared outside now and then."""
    eager, captured, data = pair()

    def accumulate(self):
        def step(x, y):
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            return loss

        return step

    functions = [accumulate(eager), fastdl.capture(accumulate(captured))]
    for step in range(12):
        if step in (3, 4, 9):
            eager.optimizer.zero_grad()
            captured.optimizer.zero_grad()
        losses = [f(*data(step)).item() for f in functions]
        assert losses[0] == losses[1]
        for a, b in zip(eager.model.parameters(), captured.model.parameters(), strict=True):
            np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
    assert functions[1].replays >= 3


def test_gradients_are_there_though_they_were_dropped():
    eager, captured, data = pair()
    for step in range(STEPS):
        eager(*data(step)), captured(*data(step))
        same_state(eager, captured)
        captured.optimizer.zero_grad()


def test_a_new_parameter_state_inside_a_capture_is_made_once():
    """A parameter that gets its first gradient in the step that is captured."""

    def train(captured):
        fastdl.manual_seed(1)
        used, late = nn.Linear(3, 2), nn.Linear(3, 2)
        optimizer = optim.SGD([*used.parameters(), *late.parameters()], lr=0.1, momentum=0.9)
        calls = []

        def step(x):
            calls.append(1)
            y = used(x) if len(calls) == 1 else used(x) * late(x)
            loss = (y * y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = fastdl.capture(step) if captured else step
        generator = np.random.default_rng(2)
        losses = []
        for _ in range(STEPS):
            x = fastdl.tensor(generator.standard_normal((4, 3)).astype(np.float32))
            losses.append(run(x).item())
        return losses

    assert train(False) == train(True)


def test_versions_of_what_a_replay_edits():
    eager, captured, data = pair("batch norm and dropout")
    del eager
    for step in range(3):
        captured(*data(step))
    watched = [*captured.model.parameters(), captured.model.norm.running_mean]
    outputs = captured.step(*data(3))
    before = [t._version for t in [*watched, outputs]]
    captured(*data(4))
    after = [t._version for t in [*watched, outputs]]
    assert all(b > a for a, b in zip(before, after, strict=True))


def test_what_a_capture_uses_stays():
    """Tensors that nobody else has any more, and outputs that outlive the capture."""
    weight = fastdl.tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    scale = [weight]
    double = fastdl.capture(lambda x: {"y": (x @ scale[0], [x + 1.0]), "none": None})
    x = fastdl.ones(4, 2)
    for _ in range(3):
        out = double(x)
    scale[0] = None
    del weight
    gc.collect()
    fastdl.empty_cache()
    out = double(x * 2.0)
    np.testing.assert_array_equal(out["y"][0].numpy()[0], [6.0, 10.0, 14.0])
    del double
    gc.collect()
    fastdl.empty_cache()
    np.testing.assert_array_equal(out["y"][1][0].numpy(), np.full((4, 2), 3.0))


def test_memory_goes_with_the_capture():
    x = fastdl.ones(256, 256)
    f = fastdl.capture(lambda x: (x @ x).relu() * 2.0)
    gc.collect()
    before = fastdl.memory_stats()["in_use"]
    for _ in range(3):
        f(x)
    held = fastdl.memory_stats()["in_use"] - before
    # The input, the product, of which relu's memory is another, and the result in the first's.
    assert held <= 4 * 256 * 256 * 4
    del f
    gc.collect()
    assert fastdl.memory_stats()["in_use"] == before


READERS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: x if x.sum() > 0 else -x,
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "float": lambda x: float(x.sum()),
    "repr": lambda x: repr(x),
    "dlpack": lambda x: np.from_dlpack(x),
    "iteration": lambda x: [float(row.sum()) for row in x],
    "randperm": lambda x: fastdl.randperm(3),
}


@pytest.mark.parametrize("reader", READERS)
def test_reading_values_is_refused(reader):
    f = fastdl.capture(lambda x: (READERS[reader](x), x * 2.0)[1])
    x = fastdl.ones(2, 3)
    f(x)
    with pytest.raises(errors.CaptureError) as info:
        f(x)
    assert info.value.remedy
    assert not _core.is_capturing()
    np.testing.assert_array_equal((x * 3.0).numpy(), np.full((2, 3), 3.0))


def test_what_is_not_strict_goes_on_eagerly():
    calls = []

    def f(x):
        calls.append(1)
        return x * 2.0 if x.sum() > 0 else x * 3.0

    g = fastdl.capture(f, strict=False)
    for value in (1.0, 1.0, -1.0, 1.0, -1.0):
        x = fastdl.full((2,), value)
        np.testing.assert_array_equal(g(x).numpy(), f(x).numpy())
    assert "bool" in g.broken
    assert len(calls) == 10


def test_errors_leave_everything_usable():
    def f(x, i):
        return F.embedding(i, x)

    g = fastdl.capture(f)
    x, good, bad = fastdl.ones(3, 2), fastdl.tensor([0, 2]), fastdl.tensor([0, 3])
    g(x, good)
    with pytest.raises(errors.IndexRangeError):
        g(x, bad)  # while it is captured
    assert not _core.is_capturing()
    for _ in range(3):
        g(x, good)
    assert g.replays > 0
    with pytest.raises(errors.IndexRangeError, match="3 at position 1"):
        g(x, bad)  # in a replay
    np.testing.assert_array_equal(g(x, good).numpy(), np.ones((2, 2)))


def test_a_capture_inside_a_capture():
    inner = fastdl.capture(lambda x: x.relu() + 1.0)
    outer = fastdl.capture(lambda x: inner(x * 2.0).clone() * inner(x))
    for value in (1.0, -1.0, 2.0, 3.0):
        x = fastdl.full((3,), value)
        wanted = ((x * 2.0).relu() + 1.0) * (x.relu() + 1.0)
        np.testing.assert_array_equal(outer(x).numpy(), wanted.numpy())


def test_own_generators_draw_anew():
    streams = [fastdl.Generator(3), fastdl.Generator(3)]
    eager = lambda x: F.dropout(x, 0.5, True, streams[0])  # noqa: E731
    captured = fastdl.capture(lambda x: F.dropout(x, 0.5, True, streams[1]))
    x = fastdl.ones(40)
    for _ in range(5):
        np.testing.assert_array_equal(eager(x).numpy(), captured(x).numpy())
    assert streams[0].offset == streams[1].offset
    for stream in streams:
        stream.manual_seed(9)
    np.testing.assert_array_equal(eager(x).numpy(), captured(x).numpy())


def test_threads_may_change():
    eager, captured, data = pair("lenet", "adam")
    threads = fastdl.get_num_threads()
    try:
        for step in range(STEPS):
            fastdl.set_num_threads(1 + step % 3)
            assert eager(*data(step)) == captured(*data(step))
    finally:
        fastdl.set_num_threads(threads)
    same_state(eager, captured)


def test_inputs_of_any_layout():
    f = fastdl.capture(lambda x: x * 2.0)
    x = fastdl.tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    for _ in range(3):
        f(x)
    np.testing.assert_array_equal(f(x.T.contiguous().T).numpy(), 2 * x.numpy())
    assert f.replays == 2
