"""Edits in place: refused, found by the backward pass, or recorded right."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core, autograd
from fastdl.errors import AutogradError, DTypeError, IndexRangeError, ShapeError
from tests.opcases import row as row_of
from tests.oprow import DEVICES


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


# the in-place form of every elementwise function

EDITS = sorted(
    row["name"]
    for row in _core._signatures()
    if row["module"] == "methods" and row["name"].endswith("_") and hasattr(F, row["name"][:-1])
)


def _edit_arguments(name, device):
    """The first call of the op's row whose result fits: the tensor, and the other arguments."""
    op = row_of(name[:-1])
    for call in op.calls:
        first, *rest = call.fill([fastdl.tensor(v, device=device) for v in call.draw(op.name)])
        shape = op.function(first, *rest, **call.kwargs).shape
        if isinstance(first, fastdl.Tensor) and len(first.shape) > 0 and first.shape == shape:
            return op, first, rest, call.kwargs
    raise AssertionError(name)


def test_the_tables_have_in_place_forms():
    for name in ("exp", "relu", "tanh", "clamp", "mul", "pow", "maximum", "leaky_relu"):
        assert name + "_" in EDITS


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", EDITS)
def test_edits_are_what_their_functions_compute(name, device):
    """Values, strided targets, version, and the gradients of all operands."""
    op, first, rest, kwargs = _edit_arguments(name, device)
    wanted = op.function(first, *rest, **kwargs)
    before = first._version
    target = first.clone()
    assert getattr(target, name)(*rest, **kwargs) is target
    np.testing.assert_array_equal(target.cpu().numpy(), wanted.cpu().numpy())
    assert target._version > before
    wide = fastdl.zeros((*first.shape, 2), dtype=first.dtype, device=device)
    strided = wide[..., 1]
    strided.copy_(first)
    getattr(strided, name)(*rest, **kwargs)
    np.testing.assert_array_equal(wide.cpu().numpy()[..., 1], wanted.cpu().numpy())
    assert not wide.cpu().numpy()[..., 0].any()

    def gradients(edit):
        leaves = [
            t.clone().requires_grad_()
            if isinstance(t, fastdl.Tensor) and t.dtype.is_floating_point
            else t
            for t in (first, *rest)
        ]
        y = leaves[0] * 1
        y = (
            getattr(y, name)(*leaves[1:], **kwargs)
            if edit
            else op.function(y, *leaves[1:], **kwargs)
        )
        inputs = [t for t in leaves if isinstance(t, fastdl.Tensor) and t.requires_grad]
        return autograd.grad((y * y).sum(), inputs)

    for got, expected in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_array_equal(got.cpu().numpy(), expected.cpu().numpy())


def test_edits_that_do_not_fit_are_refused():
    x = fastdl.arange(3)
    for edit in (x.exp_, lambda: x.div_(2), lambda: x.add_(fastdl.ones((2, 3)).long())):
        with pytest.raises((DTypeError, ShapeError)):
            edit()
    assert x.tolist() == [0, 1, 2]
    assert x.square_().neg_().tolist() == [0, -1, -4]
    leaf_ = fastdl.ones((2,), requires_grad=True)
    with pytest.raises(AutogradError, match="leaf"):
        leaf_.relu_()
    with fastdl.no_grad():
        assert leaf_.mul_(-1).relu_().tolist() == [0, 0]
