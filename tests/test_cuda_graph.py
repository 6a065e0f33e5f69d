"""Captured functions of tensors on a GPU: CUDA graphs with the bits of the eager functions.

Without a GPU under the host model of CUDA (docs/simt.md), where what a stream may not be given
while it is recorded is an error, too.
"""

import gc

import numpy as np
import pytest

import fastdl
from fastdl import cuda, errors, models, nn, optim
from fastdl import functional as F
from fastdl.train import Trainer
from tests.children import run_child

if not cuda.is_available():
    pytest.skip(cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda
STEPS = 5


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Dropout(0.3), nn.Linear(5, 3)
    )


def images(seed, batch=4, size=4, classes=3):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((batch, 1, size, size)).astype(np.float32)
    labels = generator.integers(0, classes, batch)
    return fastdl.tensor(x).to("cuda"), fastdl.tensor(labels).to("cuda")


def digits(seed):
    return images(seed, 1, 32, 10)


def sentences(seed):
    generator = np.random.default_rng(seed)
    tokens, labels = generator.integers(0, 11, (3, 4)), generator.integers(0, 2, 3)
    return fastdl.tensor(tokens).to("cuda"), fastdl.tensor(labels).to("cuda")


def lenet():
    """LeNet-5 with dropout, whose draws change from step to step."""
    return nn.Sequential(models.LeNet5(), nn.Dropout(0.5))


MODELS = {
    "mlp": (mlp, images),
    "lenet": (lenet, digits),
    "lstm": (lambda: models.LSTMClassifier(11, 2, 6, 4), sentences),
}
OPTIMIZERS = {
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: optim.AdamW(p, lr=0.01),
}


class Training:
    def __init__(self, model, optimizer, captured):
        fastdl.manual_seed(5)
        make_model, self.data = MODELS[model]
        self.model = make_model()
        self.model.to("cuda")
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.run = fastdl.capture(self.step) if captured else self.step
        self.generator = fastdl.default_generator.get_state()

    def step(self, x, y):
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def __call__(self, *batch):
        """The loss; every model draws from a stream of its own."""
        fastdl.default_generator.set_state(self.generator)
        loss = self.run(*batch).item()
        self.generator = fastdl.default_generator.get_state()
        return loss

    def state(self):
        tensors = [*self.model.state_dict().values(), *(p.grad for p in self.model.parameters())]
        return [t.cpu().numpy() for t in tensors]


def pair(model="mlp", optimizer="momentum"):
    return Training(model, optimizer, False), Training(model, optimizer, True)


def same_state(a, b):
    for left, right in zip(a.state(), b.state(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("model", "optimizer", "steps"),
    [("mlp", "adam", 5), ("mlp", "momentum", 5), ("lenet", "adam", 4), ("lstm", "momentum", 5)],
)
def test_same_bits_as_eager(model, optimizer, steps):
    eager, captured = pair(model, optimizer)
    for step in range(steps):
        batch = eager.data(step)
        assert eager(*batch) == captured(*batch)
        same_state(eager, captured)
    assert captured.run.replays == steps - 2
    assert captured.run._recording.graphs >= 1


def test_how_many_launches_a_replay_is():
    """Everything but what renews itself: the masks of dropout, and the optimiser's step."""
    fastdl.manual_seed(0)
    for layers, graphs in (
        ([], 1),
        ([nn.Dropout(0.5)], 1),  # too few kernels before it
        ([nn.ReLU(), nn.Linear(5, 5), nn.Dropout(0.5)], 2),
    ):
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), *layers, nn.Linear(5, 3))
        model.to("cuda")
        training = Training("mlp", "adam", True)
        training.model, training.optimizer = model, optim.Adam(model.parameters())
        for step in range(3):
            training(*images(step))
        assert training.run._recording.graphs == graphs, layers
        assert training.run._recording.steps > 20


def test_schedules_steer_a_captured_step():
    eager, captured = pair("mlp", "adam")
    for step in range(STEPS):
        for each in (eager, captured):
            each.optimizer.param_groups[0]["lr"] = 0.01 / (step + 1)
        batch = eager.data(step)
        assert eager(*batch) == captured(*batch)
    same_state(eager, captured)
    assert captured.run.replays == STEPS - 2


def test_other_shapes_run_eagerly():
    eager, captured = pair()
    for step in range(STEPS):
        batch = images(step, 3 if step == 3 else 4)
        assert eager(*batch) == captured(*batch)
        same_state(eager, captured)
    assert captured.run.replays == STEPS - 3


def test_step_by_step_with_sync_debug():
    """Whoever looks for the op that failed gets one launch after the other."""
    eager, captured = pair()
    try:
        for step in range(STEPS):
            cuda.set_sync_debug(step == 3)
            batch = eager.data(step)
            assert eager(*batch) == captured(*batch)
    finally:
        cuda.set_sync_debug(False)
    same_state(eager, captured)


def test_another_stream_waits_for_the_last_replay():
    """Both write the same outputs; the model does the side stream's work first, if it may."""
    run_child(
        """
        from fastdl import cuda
        double = fastdl.capture(lambda x: ((x * 2).relu() + 1).sum(0))
        ones = [fastdl.full((50, 30), float(i), device="cuda") for i in range(7)]
        cuda.synchronize()
        for i in range(2):
            double(ones[i])
        side = cuda.Stream()
        for turn in range(2, 7, 2):
            double(ones[turn])
            with cuda.stream(side):
                y = double(ones[turn - 1])
                side.synchronize()
            cuda.synchronize()
            assert y.cpu().tolist() == [50.0 * (2 * (turn - 1) + 1)] * 30, turn
        assert double.replays == 6
        """,
        SIMT_STREAMS="late",
    )


def test_memory_goes_with_the_capture():
    x = fastdl.ones((64, 64), device="cuda")
    f = fastdl.capture(lambda x: ((x @ x).relu() * 2.0).sum())
    gc.collect()
    before = cuda.memory_stats()["in_use"]
    for _ in range(4):
        f(x)
    held = cuda.memory_stats()["in_use"]
    for _ in range(4):
        f(x)
    assert cuda.memory_stats()["in_use"] == held > before
    del f
    gc.collect()
    assert cuda.memory_stats()["in_use"] == before


READERS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: x if x.sum() > 0 else -x,
    "to the host": lambda x: x.cpu(),
    "from the host": lambda x: x + fastdl.ones(2, 3).to("cuda"),
    "nonzero": lambda x: x.nonzero(),
    "another stream": lambda x: cuda.stream(cuda.Stream()).__enter__(),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_cannot_be_recorded_is_refused(reader):
    current = cuda.current_stream()
    f = fastdl.capture(lambda x: (READERS[reader](x), x * 2.0)[1])
    x = fastdl.ones(2, 3).to("cuda")
    try:
        f(x)
        _set_back(current)
        with pytest.raises(errors.CaptureError) as info:
            f(x)
    finally:
        _set_back(current)
    assert info.value.remedy
    assert (x * 3.0).cpu().tolist() == [[3.0] * 3] * 2


def _set_back(stream):
    fastdl._core._set_current_stream(stream)


def test_an_index_out_of_range_is_told_when_the_host_reads():
    """A replay does not wait for the check; until it is told, no kernel follows the index."""
    table = fastdl.tensor(np.arange(6, dtype=np.float32).reshape(3, 2)).to("cuda")
    rows = fastdl.capture(lambda i: F.embedding(i, table) * 2.0)
    good = fastdl.tensor([0, 2]).to("cuda")
    bad = fastdl.tensor([1, 7]).to("cuda")
    for _ in range(3):
        rows(good)
    out = rows(bad)
    with pytest.raises(errors.IndexRangeError, match="7 at position 1 is out of range"):
        out.cpu()
    assert out.cpu().tolist() == [
        [4.0, 6.0],
        [0.0, 2.0],
    ]  # told once; the first row for the bad one
    assert rows(good).cpu().tolist() == [[0.0, 2.0], [8.0, 10.0]]
    assert rows.replays == 3
    rows(bad)
    with pytest.raises(errors.IndexRangeError):
        cuda.synchronize()
    rows(bad)
    while not cuda.current_stream().query():
        pass
    with pytest.raises(errors.IndexRangeError):
        rows(good)


def test_a_bad_label_while_training():
    eager, captured = pair()
    del eager
    for step in range(3):
        captured(*images(step))
    x, y = images(3)
    with pytest.raises(errors.IndexRangeError, match="class index 9 at position 0"):
        captured(x, y * 0 + 9)
    captured(x, y)


def test_ignored_labels_stay_ignored():
    f = fastdl.capture(lambda x, y: F.cross_entropy(x, y, ignore_index=-100))
    x = images(0)[0].reshape(4, 16)
    for labels in ([1, -100, 3, 15], [1, -100, 3, 15], [-100, 2, -100, 7], [0, 1, 2, -100]):
        y = fastdl.tensor(labels).to("cuda")
        assert f(x, y).item() == F.cross_entropy(x, y, ignore_index=-100).item()
    assert f.replays == 2


def test_a_capture_inside_a_capture():
    inner = fastdl.capture(lambda x: (x.relu() + 1.0) * 2.0 - 3.0)
    outer = fastdl.capture(lambda x: inner(x * 2.0).clone() * inner(x))
    for value in (1.0, -1.0, 2.0, 3.0):
        x = fastdl.full((3,), value, device="cuda")
        plain = inner.function
        np.testing.assert_array_equal(
            outer(x).cpu().numpy(), (plain(x * 2.0) * plain(x)).cpu().numpy()
        )


def test_a_trainer_captures_by_itself(monkeypatch):
    calls = []
    plain = Trainer._step
    monkeypatch.setattr(Trainer, "_step", lambda *a: calls.append(1) or plain(*a))
    batches = [images(seed) for seed in range(6)]

    def train(**options):
        fastdl.manual_seed(3)
        model = mlp()
        model.to("cuda")
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, progress=False, **options)
        calls.clear()
        loss = trainer.fit(batches, 1)[-1]["loss"]
        return loss, [p.detach().cpu().tolist() for p in model.parameters()], len(calls)

    *captured, with_capture = train()
    *eager, without = train(compile=False)
    assert captured == eager
    assert (with_capture, without) == (2, 6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_trainer_in_mixed_precision(precision):
    batches = [images(seed) for seed in range(4)]

    def train(**options):
        fastdl.manual_seed(3)
        model = mlp()
        model.to("cuda")
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, progress=False,
                          precision=precision, **options)  # fmt: skip
        losses = [record["loss"] for record in trainer.fit(batches, 2)]
        return losses, [p.detach().cpu().tolist() for p in model.parameters()]

    assert train() == train(compile=False)
