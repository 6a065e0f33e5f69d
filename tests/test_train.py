"""The trainer, its figures, checkpoints, and interruption; metrics and pictures."""

import io as text_io
import math
import re
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import errors, metrics, nn, optim, viz
from fastdl.data import DataLoader, TensorDataset
from fastdl.progress import Progress
from fastdl.train import RunningMeans, Trainer


def clusters(count=60, seed=0):
    """Three well separated groups of points in the plane."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = np.array([[0.0, 3.0], [3.0, -3.0], [-3.0, -3.0]])
    points = centres[labels] + 0.5 * generator.standard_normal((count, 2))
    return TensorDataset(points.astype(np.float32), labels)


def make_trainer(seed=0, **options):
    fastdl.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    return Trainer(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        scheduler=schedule,
        **{"progress": False, **options},
    )


def loader(**options):
    return DataLoader(clusters(), 16, **{"shuffle": True, "seed": 1, **options})


def weights(trainer):
    return [parameter.tolist() for parameter in trainer.model.parameters()]


class TestTrainer:
    def test_it_learns(self):
        trainer = make_trainer()
        test = DataLoader(clusters(seed=1), 25)
        history = trainer.fit(loader(), 12, validation=test)
        assert [record["epoch"] for record in history] == list(range(1, 13))
        assert history[-1]["val_accuracy"] > 0.95
        assert history[-1]["loss"] < history[0]["loss"]
        assert history[-1]["lr"] < history[0]["lr"] < 0.02
        assert history[0]["samples_per_second"] > 0
        figures = trainer.evaluate(test)
        scores = trainer.predict(test)
        assert scores.shape == (60, 3)
        expected = metrics.accuracy(scores, test.dataset.arrays[1])
        assert figures["accuracy"] == pytest.approx(expected, abs=1e-6)
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -log_softmax[np.arange(60), test.dataset.arrays[1]].mean()
        assert figures["loss"] == pytest.approx(loss, rel=1e-4)

    def test_modes(self):
        trainer = make_trainer()
        modes = []
        trainer.model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
        trainer.fit(loader(), 1, validation=[next(iter(loader()))])
        assert modes == [True] * 4 + [False]

    def test_metrics_of_ones_own(self):
        def largest(output, target):
            return output.max()

        trainer = make_trainer(metrics={"largest": largest})
        record = trainer.fit(loader(), 1)[0]
        assert math.isfinite(record["largest"])
        assert "accuracy" not in record
        with pytest.raises(errors.ArgumentError, match="unknown metric 'f1'"):
            make_trainer(metrics=("f1",))

    def test_callbacks(self):
        seen = []
        make_trainer(callbacks=[lambda trainer, record: seen.append(record["epoch"])]).fit(
            loader(), 3
        )
        assert seen == [1, 2, 3]

    def test_a_checkpoint_continues_bit_for_bit(self, tmp_path):
        whole = make_trainer()
        whole.fit(loader(), 6)
        first = make_trainer()
        first.fit(loader(), 3, checkpoint=tmp_path / "c")
        second, batches = make_trainer(seed=77), loader(seed=9)
        second.load(tmp_path / "c", batches)
        assert weights(second) == weights(first)
        history = second.fit(batches, 6)
        assert weights(second) == weights(whole)
        assert [r["loss"] for r in history] == [r["loss"] for r in whole.history]
        assert second.fit(batches, 6) is history
        assert len(history) == 6

    def test_an_interruption_leaves_the_last_epoch(self, tmp_path):
        reference = make_trainer()
        reference.fit(loader(), 2)
        trainer = make_trainer()
        calls = []

        def interrupt(module, _):
            calls.append(1)
            if len(calls) == 10:  # in the third epoch, of four batches each
                raise KeyboardInterrupt

        trainer.model.register_forward_pre_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(loader(), 6, checkpoint=tmp_path / "c")
        resumed, batches = make_trainer(seed=5), loader()
        resumed.load(tmp_path / "c", batches)
        assert weights(resumed) == weights(reference)
        assert batches.epoch == 2
        assert list(tmp_path.iterdir()) == [tmp_path / "c"]

    def test_nothing_to_predict(self):
        with pytest.raises(errors.ArgumentError, match="no batches"):
            make_trainer().predict([])

    def test_same_seed_same_bits(self):
        results = []
        for count in (1, 2, 2):
            fastdl.set_num_threads(count)
            trainer = make_trainer()
            trainer.fit(loader(), 2)
            results.append(weights(trainer))
        assert results[0] == results[1] == results[2]


def test_running_means_weigh_by_size():
    means = RunningMeans()
    assert means.means() == {}
    for count, value in ((3, 1.0), (1, 5.0), (0, float("nan"))):
        means.add(count, {"x": fastdl.tensor(value)})
    assert means.means() == {"x": 2.0}
    for _ in range(600):
        means.add(1, {"x": fastdl.tensor(2.0)})
    assert means.means() == {"x": 2.0}


class Terminal(text_io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_plain_lines(self, monkeypatch):
        monkeypatch.setattr("fastdl.progress._LINE_INTERVAL", 0.0)
        stream = text_io.StringIO()
        with Progress("epoch 1/2", 10, stream=stream) as progress:
            assert progress.due()
            progress.advance(4, "loss 0.5")
            progress.advance(1)
            progress.note("done")
        lines = stream.getvalue().splitlines()
        assert re.fullmatch(r"epoch 1/2  loss 0\.5  \d\d:\d\d left", lines[0])
        assert re.fullmatch(r"epoch 1/2  batch 5/10  \d\d:\d\d left", lines[1])
        assert lines[2] == "done"
        assert "\r" not in stream.getvalue()

    def test_plain_lines_are_rare(self):
        stream = text_io.StringIO()
        with Progress("x", 1000, stream=stream) as progress:
            for _ in range(1000):
                progress.advance()
        assert stream.getvalue() == ""

    def test_a_bar_on_a_terminal(self, monkeypatch):
        monkeypatch.setattr("fastdl.progress._BAR_INTERVAL", 0.0)
        stream = Terminal()
        with Progress("epoch 1/2", 10, stream=stream) as progress:
            progress.advance(5, "batch 5/10  loss 0.5")
            progress.note("a line that stays")
        text = stream.getvalue()
        assert "\r" in text
        for part in ("epoch 1/2", " 50%|", " left  batch 5/10  loss 0.5", "a line that stays\n"):
            assert part in text

    def test_bytes(self, monkeypatch):
        monkeypatch.setattr("fastdl.progress._LINE_INTERVAL", 0.0)
        stream = text_io.StringIO()
        with Progress("file", 4_000_000, unit="B", stream=stream) as progress:
            progress.advance(1_000_000)
        assert "1.0 of 4.0 MB" in stream.getvalue()

    def test_unknown_total_on_a_terminal(self, monkeypatch):
        monkeypatch.setattr("fastdl.progress._LINE_INTERVAL", 0.0)
        stream = Terminal()
        with Progress("file", 0, unit="B", stream=stream) as progress:
            progress.advance(2_500_000)
        assert stream.getvalue() == "file  2.5 MB\n"

    def test_silence(self):
        stream = text_io.StringIO()
        with Progress("x", 10, stream=stream, enabled=False) as progress:
            assert not progress.due()
            progress.advance(5)
            progress.note("nothing")
        assert stream.getvalue() == ""

    def test_what_the_trainer_shows(self, monkeypatch, capsys):
        monkeypatch.setattr("fastdl.progress._LINE_INTERVAL", 0.0)
        make_trainer(progress=True).fit(loader(), 2)
        lines = capsys.readouterr().err.splitlines()
        figures = r"loss \d\.\d{4}  accuracy [01]\.\d{4}  [\d,]+ samples/s"
        assert re.fullmatch(rf"epoch 1/2  batch 1/4  {figures}  \d\d:\d\d left", lines[0])
        assert re.fullmatch(rf"epoch 1/2  {figures}  \d+\.\d s", lines[4])
        assert len(lines) == 10


class TestMetrics:
    def test_accuracy(self):
        assert metrics.accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75
        assert metrics.accuracy(np.eye(3), fastdl.tensor([0, 1, 0])) == pytest.approx(2 / 3)
        assert math.isnan(metrics.accuracy(np.zeros((0, 3)), np.zeros(0, int)))
        with pytest.raises(errors.ShapeError):
            metrics.accuracy([0, 1], [0])

    def test_confusion_matrix(self):
        matrix = metrics.confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
        assert matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
        assert metrics.confusion_matrix(np.eye(4)[:2], [0, 0]).shape == (4, 4)
        assert metrics.confusion_matrix([0], [0], num_classes=2).tolist() == [[1, 0], [0, 0]]
        for predicted in ([3], [-1]):
            with pytest.raises(errors.IndexRangeError):
                metrics.confusion_matrix(predicted, [0], num_classes=3)


class TestPictures:
    def check(self, path):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(data) > 5000

    def test_learning_curves(self, tmp_path):
        history = [{"epoch": i, "loss": 1 / i, "val_loss": 2 / i, "accuracy": 0.5} for i in (1, 2)]
        viz.learning_curves(history, tmp_path / "a.png", "title")
        self.check(tmp_path / "a.png")

    def test_confusion_matrix(self, tmp_path):
        matrix = np.array([[5, 1], [0, 0]])
        viz.confusion_matrix(matrix, ("ant", "bee"), tmp_path / "a.png", "title")
        self.check(tmp_path / "a.png")

    @pytest.mark.parametrize("wrong", [0, 1, 30])
    def test_worst_mistakes(self, tmp_path, wrong):
        generator = np.random.default_rng(0)
        labels = generator.integers(0, 3, 40)
        guesses = labels.copy()
        guesses[:wrong] = (guesses[:wrong] + 1) % 3
        scores = np.eye(3, dtype=np.float32)[guesses] * 4
        images = generator.random((40, 1, 8, 8), np.float32)
        viz.worst_mistakes(images, scores, labels, ("a", "b", "c"), tmp_path / "a.png", "title")
        self.check(tmp_path / "a.png")


class TestCompiled:
    """The training step run from C++: the same figures and weights."""

    def run(self, compile, change=None, **options):
        trainer = make_trainer(compile=compile, **options)
        if change:
            change(trainer)
        trainer.fit(loader(), 3, validation=[next(iter(loader()))])
        skipped = ("seconds", "samples_per_second")
        figures = [{k: v for k, v in r.items() if k not in skipped} for r in trainer.history]
        return figures, weights(trainer), trainer.optimizer.state_dict()["state"][0]["step"]

    def test_same_as_eager(self):
        assert self.run(True) == self.run(False)

    def test_it_does_replay(self, monkeypatch):
        calls = []
        plain = Trainer._step
        monkeypatch.setattr(Trainer, "_step", lambda *a: calls.append(1) or plain(*a))
        self.run(True)
        assert len(calls) == 3 * 3  # of four batches an epoch: eager, recorded, replayed, smaller

    def test_hooks_still_run(self):
        def watch_forward(seen, trainer):
            trainer.model.register_forward_hook(lambda *_: seen.append(1))

        def halve_gradient(seen, trainer):
            trainer.model[0].weight.register_hook(lambda g: seen.append(1) or g * 0.5)

        for attach in (watch_forward, halve_gradient):
            counts = []
            for replay in (False, True):
                seen = []
                results = self.run(replay, partial(attach, seen))
                counts.append((len(seen), results))
            assert counts[0] == counts[1]

    def test_a_model_that_reads_values_runs_eagerly(self):
        class Careful(nn.Module):
            def __init__(self, inner):
                self.inner = inner

            def forward(self, x):
                y = self.inner(x)
                return y if float(y.sum()) > 0 else y * 1.5

        def change(trainer):
            trainer.model = Careful(trainer.model)

        assert self.run(True, change) == self.run(False, change)

    def test_what_callbacks_change_counts(self):
        def freeze(trainer, record):
            trainer.model[0].requires_grad_(False)

        assert self.run(True, callbacks=[freeze]) == self.run(False, callbacks=[freeze])
