"""What graphs keep alive, and how they go: no leak, no deep recursion."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from fastdl.errors import AutogradError


def leaf(*values, **options):
    return fastdl.tensor(list(values), dtype="float64", requires_grad=True, **options)


def in_use():
    gc.collect()
    return fastdl.memory_stats()["in_use"]


# depth


CHAIN = """
import fastdl
x = fastdl.ones((1,), requires_grad=True)
y = x
for _ in range(200_000):
    y = y + 1
y.sum().backward()
assert x.grad.item() == 1.0
del y
z = x
for _ in range(200_000):
    z = z * 1
del z  # never differentiated: the whole chain goes at once
w = x * 1
for _ in range(50_000):
    w += 1
w.sum().backward()
print("done")
"""


def test_long_chains_need_no_stack():
    """In a child: overflowing the stack would be a signal."""
    done = subprocess.run(
        [sys.executable, "-c", CHAIN], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


# memory


def _plain_step(x):
    y = x * 2
    y.retain_grad()
    (y.exp() * y).sum().backward()
    x.grad = None


def _editing_step(x):
    y = x * 1
    y += x
    y[0] = x[1] * 3
    y *= y
    y.copy_(y * 2)
    y.sum().backward()
    x.grad = None


def _second_order_step(x):
    (g,) = autograd.grad((x * x * x).exp().sum(), [x], create_graph=True)
    (g * g).sum().backward()
    x.grad = None


def _abandoned_step(x):
    y = (x * x).softmax(0)
    autograd.grad(y.sum(), [x], create_graph=True)


def _failing_step(x):
    y = x * x
    y.sum().backward()
    with pytest.raises(AutogradError):
        y.sum().backward()
    x.grad = None


def _hooked_step(x):
    y = x * 2
    y.register_hook(lambda g: g * 2)
    handle = x.register_hook(lambda g: None)
    y.sum().backward()
    handle.remove()
    x.grad = None


def _layers_step(x):
    h = fastdl.zeros((2, 5), dtype="float64")
    w = fastdl.ones((20, 3), dtype="float64", requires_grad=True)
    u = fastdl.ones((20, 5), dtype="float64", requires_grad=True)
    steps = x.reshape(1, 1, 6).expand(4, 1, 6).reshape(4, 2, 3)
    out, h_n, _ = F.lstm(steps, h, h, w, u)
    (out.sum() + h_n.sum()).backward(create_graph=True)
    x.grad = None
    w.grad = None
    u.grad = None


@pytest.mark.parametrize(
    "step",
    [
        _plain_step,
        _editing_step,
        _second_order_step,
        _abandoned_step,
        _failing_step,
        _hooked_step,
        _layers_step,
    ],
    ids=lambda f: f.__name__.strip("_"),
)
def test_steps_leave_no_memory_behind(step):
    x = fastdl.tensor(np.linspace(-1, 1, 6), requires_grad=True)
    step(x)
    before = in_use()
    for _ in range(20):
        step(x)
    assert in_use() == before


def test_tensors_die_with_their_last_reference():
    x = leaf(1.0)
    y = x * 2
    z = y * y
    gone = weakref.ref(y)
    del y
    assert gone() is None
    alive = weakref.ref(z)
    z.sum().backward()
    assert alive() is z
    del z
    assert alive() is None


def test_hooks_die_with_the_graph():
    class Marker:
        pass

    marker = Marker()
    gone = weakref.ref(marker)
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g, m=marker: None)
    del marker
    assert gone() is not None
    del y
    gc.collect()
    assert gone() is None


def test_views_of_dead_tensors_stay_valid():
    x = fastdl.arange(6).reshape(2, 3)
    row = x[1]
    del x
    junk = [fastdl.zeros((6,)) for _ in range(10)]
    assert row.tolist() == [3, 4, 5]
    del junk
