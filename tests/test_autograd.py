"""The tape: what is recorded, accumulated, released, refused, and freed."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from fastdl.errors import AutogradError, DTypeError, ShapeError


def leaf(*values, **options):
    return fastdl.tensor(list(values), dtype="float64", requires_grad=True, **options)


# recording


def test_leaves_and_results():
    x = leaf(1.0, 2.0)
    y = x * 2
    assert x.is_leaf
    assert x.requires_grad
    assert x.grad_fn is None
    assert not y.is_leaf
    assert y.requires_grad
    assert "mul" in str(y.grad_fn)
    z = fastdl.tensor([1.0]) * 2
    assert z.is_leaf
    assert not z.requires_grad


def test_only_floats_require_gradients():
    with pytest.raises(DTypeError, match="only floating"):
        fastdl.tensor([1, 2], requires_grad=True)


def test_requires_grad_of_a_result_cannot_be_turned_off():
    y = leaf(1.0) * 2
    with pytest.raises(AutogradError, match="detach"):
        y.requires_grad_(False)


def test_gradients_accumulate():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    x.grad = None
    assert x.grad is None


def test_shared_subexpressions():
    x = leaf(2.0)
    y = x * x  # used three times, x itself once more
    (y * y + y * x).sum().backward()
    assert x.grad.item() == 4 * 2**3 + 3 * 2**2


def test_an_operand_twice():
    x = leaf(3.0)
    (x - x * x / x).sum().backward()
    assert x.grad.item() == pytest.approx(0.0)


def test_diamonds_cost_their_size_not_their_paths():
    x = leaf(1.0)
    y = x
    for _ in range(60):  # 2**60 paths
        y = (y + y) * 0.5
    y.sum().backward()
    assert x.grad.item() == pytest.approx(1.0)


def test_backward_needs_a_start():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"\.sum\(\)"):
        (x * 2).backward()
    (x * 2).backward(fastdl.tensor([1.0, 10.0], dtype="float64"))
    assert x.grad.tolist() == [2.0, 20.0]
    with pytest.raises(ShapeError):
        (x * 2).backward(fastdl.tensor([1.0], dtype="float64"))
    with pytest.raises(AutogradError, match="requires_grad"):
        fastdl.tensor(1.0).backward()


def test_second_backward_needs_retain_graph():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(AutogradError, match="retain_graph=True"):
        y.backward()
    x.grad = None
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_two_outputs_share_a_released_graph():
    x = leaf(2.0)
    shared = x * x
    (shared * 3).sum().backward()
    with pytest.raises(AutogradError, match="mul"):
        (shared * 5).sum().backward()


# grad()


def test_grad_leaves_no_trace():
    x, w = leaf(2.0), leaf(5.0)
    y = (x * w).sum()
    (gx,) = autograd.grad(y, [x])
    assert gx.item() == 5.0
    assert x.grad is None
    assert w.grad is None


def test_grad_of_intermediates_and_given_starts():
    x = leaf(1.0, 2.0)
    y = x * 3
    z = y * y
    gy, gx = autograd.grad(z, [y, x], grad_outputs=[fastdl.tensor([1.0, 10.0], dtype="float64")])
    assert gy.tolist() == [6.0, 120.0]
    assert gx.tolist() == [18.0, 360.0]


def test_grad_of_several_outputs():
    x = leaf(2.0)
    (g,) = autograd.grad([(x * 3).sum(), (x * x).sum()], [x])
    assert g.item() == 7.0


def test_unused_inputs():
    x, other = leaf(2.0), leaf(1.0)
    with pytest.raises(AutogradError, match="allow_unused"):
        autograd.grad((x * x).sum(), [x, other])
    gx, unused = autograd.grad((x * x).sum(), [x, other], allow_unused=True)
    assert gx.item() == 4.0
    assert unused is None


def test_grad_skips_what_does_not_lead_to_the_inputs():
    x, w = leaf(2.0), leaf(3.0)
    seen = []
    product = w * 2
    product.register_hook(lambda g: seen.append("w"))
    autograd.grad((x * product).sum(), [x])
    autograd.grad((x * 2 + w * 2).sum(), [x])
    assert w.grad is None


# higher derivatives


def test_third_derivative():
    x = leaf(0.5, 2.0)
    y = (x * x * x * x).sum()
    (first,) = autograd.grad(y, [x], create_graph=True)
    (second,) = autograd.grad(first.sum(), [x], create_graph=True)
    (third,) = autograd.grad(second.sum(), [x])
    np.testing.assert_allclose(first.detach().numpy(), [0.5, 32.0])
    np.testing.assert_allclose(second.detach().numpy(), [3.0, 48.0])
    np.testing.assert_allclose(third.numpy(), [12.0, 48.0])


@pytest.mark.parametrize(
    ("function", "derivatives"),
    [
        (F.exp, [np.exp, np.exp, np.exp]),
        (F.sin, [np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v)]),
        (F.log, [lambda v: 1 / v, lambda v: -1 / v**2, lambda v: 2 / v**3]),
        (
            F.tanh,
            [
                lambda v: 1 - np.tanh(v) ** 2,
                lambda v: -2 * np.tanh(v) * (1 - np.tanh(v) ** 2),
                lambda v: (1 - np.tanh(v) ** 2) * (6 * np.tanh(v) ** 2 - 2),
            ],
        ),
    ],
    ids=["exp", "sin", "log", "tanh"],
)
def test_three_derivatives_of_saved_results(function, derivatives):
    """Ops that save their own result give its history back to higher derivatives."""
    x = leaf(0.4, 1.3)
    y = function(x)
    for derivative in derivatives:
        (y,) = autograd.grad(y.sum(), [x], create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), derivative(np.array([0.4, 1.3])), rtol=1e-12)


def test_gradient_penalty_reaches_the_weights():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (gx,) = autograd.grad((w * x * x).sum(), [x], create_graph=True)
    (gx * gx).sum().backward()  # sum of (2 w x) squared
    np.testing.assert_allclose(w.grad.numpy(), [8 * 3.0 * 1, 8 * 4.0 * 4])


def test_backward_with_create_graph_records_the_gradient():
    x = leaf(3.0)
    (x * x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = autograd.grad(x.grad.sum(), [x])
    assert second.item() == 18.0


# modes


def test_no_grad_scopes():
    x = leaf(1.0)
    with fastdl.no_grad():
        assert not fastdl.is_grad_enabled()
        assert not (x * 2).requires_grad
        with fastdl.enable_grad():
            assert (x * 2).requires_grad
        with fastdl.no_grad():
            pass
        assert not fastdl.is_grad_enabled()
    assert fastdl.is_grad_enabled()


def test_mode_returns_after_an_exception():
    with pytest.raises(ZeroDivisionError), fastdl.no_grad():
        _ = 1 / 0
    assert fastdl.is_grad_enabled()


def test_decorators():
    x = leaf(1.0)

    @fastdl.no_grad()
    def without():
        return x * 2

    @fastdl.enable_grad()
    def recorded():
        return x * 2

    assert not without().requires_grad
    with fastdl.no_grad():
        assert recorded().requires_grad
    assert without.__name__ == "without"
    assert x.requires_grad


def test_set_grad_enabled():
    x = leaf(1.0)
    with fastdl.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    fastdl.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    fastdl.set_grad_enabled(True)
    assert (x * 2).requires_grad


def test_detach_shares_memory_and_stops_gradients():
    x = leaf(1.0, 2.0)
    d = x.detach()
    assert not d.requires_grad
    assert d.data_ptr() == x.data_ptr()
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]


# hooks


def test_hook_sees_and_replaces_a_leafs_gradient():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    handle = x.register_hook(lambda g: g * 10)
    (x * 3).sum().backward()
    assert seen == [3.0]
    assert x.grad.item() == 30.0
    handle.remove()
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.item() == 3.0


def test_hook_on_a_result_sees_the_whole_gradient():
    x, seen = leaf(1.0), []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    handle = y.register_hook(lambda g: g * 0.5)
    (y * 3 + y * 4).sum().backward(retain_graph=True)
    assert seen == [7.0]
    assert x.grad.item() == 7.0
    handle.remove()
    x.grad = None
    (y * 4).sum().backward()
    assert x.grad.item() == 8.0


def test_hook_may_remove_itself():
    x, seen = leaf(1.0), []

    def once(g):
        seen.append(g.item())
        handle.remove()

    handle = x.register_hook(once)
    for _ in range(2):
        (x * 2).sum().backward()
    assert seen == [2.0]


def test_hook_errors_come_through():
    x = leaf(1.0)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2).sum().backward()
    y = leaf(1.0, 2.0)
    y.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match="hook"):
        (y * 2).sum().backward()
    with pytest.raises(AutogradError, match="requires_grad"):
        fastdl.tensor(1.0).register_hook(print)


def test_retain_grad():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.item() == 4.0
    assert x.grad.item() == 8.0
    z = x * 2
    (z * z).sum().backward()
    assert z.grad is None
    with pytest.raises(AutogradError):
        fastdl.tensor(1.0).retain_grad()


def test_retained_gradient_of_a_dead_result_is_dropped():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    z = (y * y).sum()
    del y
    z.backward()
    assert x.grad.item() == 8.0


# .grad is the user's own memory


def test_grad_shares_memory_with_nothing():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    start = fastdl.ones((2,), dtype="float64")
    (x + w).backward(start)
    with fastdl.no_grad():
        x.grad.mul_(100)
    assert w.grad.tolist() == [1.0, 1.0]
    assert start.tolist() == [1.0, 1.0]
    y = leaf(1.0, 2.0)
    y.sum().backward()  # an expanded gradient becomes memory of its own
    assert y.grad.is_contiguous()
    with fastdl.no_grad():
        y.grad[0] = 5.0
    assert y.grad.tolist() == [5.0, 1.0]


def test_assigned_grad_is_checked():
    x = leaf(1.0, 2.0)
    x.grad = fastdl.zeros((2,), dtype="float64")
    with pytest.raises(ShapeError):
        x.grad = fastdl.zeros((3,), dtype="float64")
    with pytest.raises(DTypeError):
        x.grad = fastdl.zeros((2,))
    with pytest.raises(TypeError):
        x.grad = "gradient"


# anomaly


def test_anomaly_mode_names_the_forward_op():
    x = leaf(-1.0)
    with pytest.raises(AutogradError, match="log"), autograd.detect_anomaly():
        x.log()
    y = leaf(0.0)
    with autograd.detect_anomaly():
        z = y.sqrt() * 0  # 0 times infinity, in the backward pass of sqrt
        with pytest.raises(AutogradError, match="sqrt") as caught:
            z.sum().backward()
    assert caught.value.remedy
    z = (y.sqrt() * 0).sum()
    z.backward()
    assert np.isnan(y.grad.item())
