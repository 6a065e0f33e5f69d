"""Edits in place: refused, found by the backward pass, or recorded right."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from fastdl.errors import AutogradError, IndexRangeError


def leaf(*values, **options):
    return fastdl.tensor(list(values), dtype="float64", requires_grad=True, **options)


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda y: y * y, "mul"),
        (lambda y: y.exp(), "exp"),
        (lambda y: F.softmax(y, 0), "softmax"),
        (lambda y: y.reshape(1, 2) @ y.reshape(2, 1), "matmul"),
    ],
    ids=["mul", "exp", "softmax", "matmul"],
)
def test_edit_of_a_saved_tensor_is_found(forward, name):
    x = leaf(1.0, 2.0)
    y = x + 0
    z = forward(y)
    edited = z if name in ("exp", "softmax") else y
    with fastdl.no_grad():
        edited.add_(1)
    with pytest.raises(AutogradError, match="edited in place") as caught:
        z.sum().backward()
    assert caught.value.op == name
    assert "clone" in caught.value.remedy
    assert "float64[" in str(caught.value)


def test_edit_through_a_view_is_found():
    x = leaf(1.0, 2.0)
    y = x + 0
    z = y * y
    with fastdl.no_grad():
        y[0].fill_(9.0)
    with pytest.raises(AutogradError, match="edited in place"):
        z.sum().backward()


def test_edit_of_the_targets_of_cross_entropy_is_found():
    x = fastdl.randn((3, 4), requires_grad=True)
    target = fastdl.tensor([0, 1, 2])
    loss = F.cross_entropy(x, target)
    target.fill_(1 << 40)  # would be far outside the gradient's memory
    with pytest.raises(AutogradError, match="edited in place"):
        loss.backward()


@pytest.mark.parametrize("name", ["cross_entropy", "embedding", "gather"])
def test_indices_changed_behind_our_back(name):
    """A NumPy array that is edited between the passes can give an error, but no wild write."""
    indices = np.array([0, 1, 2])
    x = fastdl.randn((3, 4), requires_grad=True)
    if name == "cross_entropy":
        y = F.cross_entropy(x, indices)
    elif name == "embedding":
        y = F.embedding(indices, x).sum()
    else:
        y = F.gather(x, 1, indices.reshape(3, 1)).sum()
    indices[1] = 1 << 40
    with pytest.raises(IndexRangeError):
        y.backward()


def test_harmless_edit_is_allowed():
    x = leaf(1.0, 2.0)
    y = x + 0
    z = y + 1  # addition saves nothing
    with fastdl.no_grad():
        y.zero_()
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "edit",
    [
        lambda x: x.add_(1),
        lambda x: x.zero_(),
        lambda x: x.copy_(fastdl.zeros((2,), dtype="float64")),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__imul__(2),
        lambda x: x.uniform_(),
    ],
    ids=["add_", "zero_", "copy_", "setitem", "imul", "uniform_"],
)
def test_edit_of_a_leaf_is_refused(edit):
    x = leaf(1.0, 2.0)
    with pytest.raises(AutogradError, match="leaf"):
        edit(x)
    assert x.tolist() == [1.0, 2.0]
    with fastdl.no_grad():
        edit(x)
    assert x.requires_grad


def test_edit_under_recorded_views_is_refused():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 1
    view = y[1:]
    with pytest.raises(AutogradError, match="views"):
        y.add_(1)
    with pytest.raises(AutogradError):
        view.add_(1)
    assert view.tolist() == [2.0, 3.0]


def test_in_place_arithmetic_is_recorded():
    x, w = leaf(2.0), leaf(3.0)
    y = x * 1
    y += w
    y *= y
    y -= 1
    y /= 2
    y.sum().backward()
    assert y.item() == 12.0
    assert x.grad.item() == 5.0
    assert w.grad.item() == 5.0


def test_in_place_edit_of_a_constant_records_the_other():
    w = leaf(1.0, 2.0)
    y = fastdl.zeros((3, 2), dtype="float64")
    y += w
    y.sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "edit",
    [
        lambda y, w: y.mul_(3),
        lambda y, w: y.mul_(w),
        lambda y, w: y.div_(w),
        lambda y, w: y.add_(w).mul_(w).sub_(y).add_(2),
        lambda y, w: y.__imul__(y),
        lambda y, w: y.__itruediv__(y).mul_(w),
        lambda y, w: y.copy_(w * 2),
    ],
)
def test_in_place_is_like_out_of_place(edit):
    """Finite differences through edits that overwrite what their own gradients read."""

    def run(x, w):
        y = x * 1
        edit(y, w)
        return (y * y).sum()

    at = [np.array([0.7, -1.2]), np.array([1.5, 0.4])]
    x, w = (fastdl.tensor(v, requires_grad=True) for v in at)
    gx, gw = autograd.grad(run(x, w), [x, w], allow_unused=True)
    for i, g in enumerate((gx, gw)):
        for k in range(2):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [v.copy() for v in at]
                moved[i][k] += step
                ends.append(run(*(fastdl.tensor(v) for v in moved)).item())
            expected = (ends[0] - ends[1]) / 2e-6
            assert (g[k].item() if g is not None else 0) == pytest.approx(expected, abs=1e-6)


def test_setitem_is_recorded():
    x, w = leaf(1.0, 2.0, 3.0), leaf(10.0)
    y = x * 2
    y[1] = w[0]
    (y * y).sum().backward()
    assert x.grad.tolist() == [8.0, 0.0, 24.0]
    assert w.grad.tolist() == [20.0]


def test_setitem_broadcasts():
    w = leaf(1.0, 2.0)
    y = fastdl.ones((3, 2), dtype="float64")
    y[:2] = w
    (y * y).sum().backward()
    assert w.grad.tolist() == [4.0, 8.0]


def test_copy_is_recorded():
    x, w = leaf(1.0, 2.0), leaf(5.0)
    y = x * 2
    y.copy_(w)
    (y * y).sum().backward()
    assert y.tolist() == [5.0, 5.0]
    assert x.grad.tolist() == [0.0, 0.0]
    assert w.grad.tolist() == [20.0]


def test_fill_cuts_the_history():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.fill_(3.0)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_gradients_flow_through_casts_and_views():
    x = fastdl.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.double().T[None, 1].reshape(1, 2).expand(3, 2).float()
    (y * y).sum().backward()
    assert x.grad.dtype == fastdl.float32
    assert x.grad.tolist() == [[0.0, 12.0], [0.0, 24.0]]
