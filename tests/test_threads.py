"""Threads, forks, interrupts, instruction sets: results are the same, and everything works."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core


def child(code, *, timeout=120, **environment):
    """Run Python code in a fresh process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


TRAIN = """
    import hashlib, sys
    import fastdl
    from fastdl import nn, optim
    import fastdl.functional as F
    fastdl.set_num_threads({threads})
    fastdl.manual_seed(7)
    model = fastdl.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(16 * 6 * 6, 10),
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x = fastdl.randn((48, 1, 28, 28))
    y = fastdl.randint(0, 10, (48,))
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    digest = hashlib.sha256()
    for name, t in model.state_dict().items():
        digest.update(t.detach().numpy().tobytes())
    print(digest.hexdigest(), loss.item())
"""


def test_training_has_the_same_bits_at_any_number_of_threads():
    found = {child(TRAIN.format(threads=n)) for n in (1, 2, 3)} | {child(TRAIN.format(threads=2))}
    assert len(found) == 1
    assert np.isfinite(float(found.pop().split()[1]))


def test_number_of_threads_is_checked():
    before = fastdl.get_num_threads()
    for wrong in (0, -1, 10**6, 2**40):
        with pytest.raises((fastdl.errors.ArgumentError, TypeError)):
            fastdl.set_num_threads(wrong)
    assert fastdl.get_num_threads() == before


# instruction sets

ISA = """
    import numpy as np
    import fastdl
    from fastdl import _core, autograd
    import fastdl.functional as F
    rng = np.random.default_rng(0)
    def t(*shape):
        return fastdl.tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True)
    out = []
    def keep(y, *leaves):
        out.extend(g.numpy().ravel() for g in autograd.grad((y * y).sum(), leaves))
        out.append(y.detach().numpy().ravel())
    x = t(3, 5, 11, 13)
    keep(F.conv2d(x, w := t(7, 5, 3, 3), padding=1), x, w)
    a, b = t(37, 65), t(65, 41)
    keep(a @ b, a, b)
    keep(F.softmax(a, 1), a)
    keep(a.exp().sigmoid().tanh().sin() + (a * a + 1).log(), a)
    keep(a.sum(0) * a.amax(0), a)
    keep(F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1), x)
    keep(F.batch_norm(x, training=True), x)
    s = t(4, 3, 6), t(3, 9), t(3, 9), t(36, 6), t(36, 9)
    keep(F.lstm(*s)[0], *s)
    s = t(4, 3, 6), t(3, 9), t(27, 6), t(27, 9)
    keep(F.gru(*s)[0], *s)
    keep(F.cross_entropy(a, np.arange(37) % 65), a)
    out.append(fastdl.randn((1001,), generator=fastdl.Generator(3)).numpy())
    np.save("{path}", np.concatenate(out))
    print(_core.isa())
"""


def test_instruction_sets_agree(tmp_path):
    available = _core.backend_info()["available"]
    found = {}
    for isa in available:
        path = tmp_path / f"{isa}.npy"
        printed = child(ISA.replace("{path}", str(path)), FASTDL_ISA=isa)
        assert printed.strip() == isa
        found[isa] = np.load(path)
    first = found[available[0]]
    assert np.isfinite(first).all()
    assert np.abs(first).max() > 1
    for isa, values in found.items():
        np.testing.assert_allclose(values, first, rtol=2e-4, atol=2e-4, err_msg=isa)


def test_unknown_instruction_set_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", "import fastdl"],
        capture_output=True,
        text=True,
        env={**os.environ, "FASTDL_ISA": "mmx"},
        check=False,
    )
    assert done.returncode == 1
    assert "FASTDL_ISA=mmx" in done.stderr
    assert "choose one of" in done.stderr


# forks

FORK = """
    import os
    import fastdl
    import fastdl.functional as F
    fastdl.set_num_threads(2)
    x = fastdl.randn((400, 400))
    wanted = (x @ x).sum().item()
    w = fastdl.ones((400, 400), requires_grad=True)
    pid = os.fork()
    if pid == 0:
        for _ in range(3):
            assert (x @ x).sum().item() == wanted
        (x @ w).sum().backward()
        assert fastdl.get_num_threads() == 2
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if (x @ x).sum().item() == wanted else 3)
        _, status = os.waitpid(grandchild, 0)
        os._exit(os.waitstatus_to_exitcode(status))
    assert (x @ x).sum().item() == wanted
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    print("done")
"""

POOL = """
    import multiprocessing
    import fastdl
    fastdl.set_num_threads(2)
    x = fastdl.randn((300, 300))
    wanted = (x @ x).sum().item()
    def work(i):
        return (x @ x).sum().item() + i
    if __name__ == "__main__":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(work, range(4), chunksize=1) == [wanted + i for i in range(4)]
        print("done")
"""


@pytest.mark.parametrize("code", [FORK, POOL], ids=["fork", "pool"])
def test_forking_after_use_works(code):
    assert child(code, timeout=60) == "done\n"


def test_forking_while_another_thread_computes():
    code = """
        import os, threading
        import fastdl
        fastdl.set_num_threads(2)
        x = fastdl.randn((300, 300))
        wanted = (x @ x).sum().item()
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                x @ x
        thread = threading.Thread(target=busy)
        thread.start()
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if (x @ x).sum().item() == wanted else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        stop.set()
        thread.join()
        print("done")
    """
    assert child(code, timeout=60) == "done\n"


# idleness, other threads


def test_idle_threads_burn_nothing(threads):
    threads(2)
    x = fastdl.randn((500, 500))
    x @ x
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


def test_long_ops_release_the_interpreter(threads):
    threads(1)
    x = fastdl.randn((1500, 1500))
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    x @ x
    end = time.monotonic()
    stop.set()
    thread.join()
    inside = [t for t in ticks if start < t < end]
    # About one a millisecond; holding the lock would leave one at most.
    assert len(inside) > 3, f"{len(inside)} ticks in {end - start:.3f} s"


def test_python_threads_compute_at_once(threads):
    threads(2)
    inputs = [fastdl.randn((120 + 7 * i, 130)) for i in range(4)]

    def work(x):
        w = fastdl.ones((130, 90), requires_grad=True)
        y = F.softmax(x @ w + x.sum(1, True), 1).exp()
        (y * y).sum().backward()
        return y.detach().numpy().copy(), w.grad.numpy().copy()

    wanted = [work(x) for x in inputs]
    failures = []

    def repeat(i):
        try:
            for _ in range(20):
                for got, expected in zip(work(inputs[i]), wanted[i], strict=True):
                    np.testing.assert_array_equal(got, expected)
        except BaseException as e:
            failures.append(e)

    workers = [threading.Thread(target=repeat, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures, failures[0]


def test_modes_belong_to_their_thread():
    seen = []
    with fastdl.no_grad():
        thread = threading.Thread(target=lambda: seen.append(fastdl.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# Ctrl-C

LONG = {
    "matmul": "x = fastdl.ones((9000, 9000)); run = lambda: x @ x",
    "conv2d": "x = fastdl.ones((64, 128, 96, 96)); w = fastdl.ones((256, 128, 5, 5)); "
    "run = lambda: F.conv2d(x, w)",
    "lstm": "x = fastdl.ones((3000, 64, 512)); h = fastdl.zeros((64, 512)); "
    "w = fastdl.ones((2048, 512)); run = lambda: F.lstm(x, h, h, w, w)",
    "exp": "x = fastdl.ones((1,)).expand(1 << 28); run = lambda: [F.exp(x) for _ in range(50)]",
    "chain": "x = fastdl.ones((8,)); run = lambda: [x + 1 for _ in range(10**9)]",
}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", ["matmul", "conv2d", "lstm", "exp", "chain"])
def test_interrupt_ends_a_long_op(name, count):
    code = f"""
        import sys, time
        import fastdl
        import fastdl.functional as F
        fastdl.set_num_threads({count})
        {LONG[name]}
        print("ready", flush=True)
        try:
            run()
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
            assert (fastdl.ones((600, 600)) @ fastdl.ones((600, 600)))[0, 0].item() == 600
            sys.exit(7)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        assert process.poll() is None, "the op ended before the signal: make it longer"
        sent = time.monotonic()  # the same clock in both processes
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 7, error
    assert float(out) - sent < 0.5


# a busy machine


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_busy_core_is_not_waited_for():
    """An op on all cores, one of which spins in another process, beside itself on one thread.

    A pool that waits for threads which are not scheduled takes milliseconds where this op takes
    0.2: the bound is wide, so that a loaded machine does not fail it (`python -m bench.busy` has
    the narrow one).
    """
    cores = sorted(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{cores[-1]}])\nwhile True: pass"
    spinner = subprocess.Popen([sys.executable, "-S", "-c", code])
    x = fastdl.randn((512, 512))
    times = {1: [], len(cores): []}
    before = fastdl.get_num_threads()
    try:
        for _ in range(100):
            for threads, found in times.items():
                fastdl.set_num_threads(threads)
                start = time.perf_counter()
                x.softmax(1)
                found.append(time.perf_counter() - start)
    finally:
        fastdl.set_num_threads(before)
        spinner.kill()
        spinner.wait()
    alone, together = (np.mean(sorted(found)[:-5]) for found in times.values())
    assert together < 3 * alone


def test_workers_may_run_anywhere_after_they_were_lent_a_core():
    """What the pool does to threads that are not scheduled leaves no trace."""
    cores = sorted(os.sched_getaffinity(0))
    x = fastdl.randn((512, 512))
    before = fastdl.get_num_threads()
    try:
        fastdl.set_num_threads(4)  # more than there are cores, as a rule
        for _ in range(200):
            x.softmax(1)
    finally:
        fastdl.set_num_threads(before)
    deadline = time.monotonic() + 10
    while confined := _confined(cores):  # a worker that was woken too late has yet to run
        assert time.monotonic() < deadline, confined
        time.sleep(0.01)


def _confined(cores):
    """This process's threads that may not run on all of the cores."""
    tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return [task for task in tasks if sorted(os.sched_getaffinity(task)) != cores]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_jobs_in_any_rhythm(threads, count):
    """Workers that spin, that are about to sleep, that sleep, and that come too late."""
    inputs = [fastdl.randn((rows, 300)) for rows in (40, 500)]
    weight = fastdl.randn((300, 200))
    threads(1)
    wanted = [(x @ weight).numpy() for x in inputs]
    threads(count)
    gaps = np.random.default_rng(0).choice([0, 2e-5, 9e-5, 1e-4, 1.1e-4, 3e-4, 2e-3], 600)
    for i, gap in enumerate(gaps):
        end = time.perf_counter() + gap
        while time.perf_counter() < end:
            pass
        got = inputs[i % 2] @ weight
        np.testing.assert_array_equal(got.numpy(), wanted[i % 2])
