"""x[...] and x[...] = value: NumPy's meaning, whatever the key, and gradients that agree."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from fastdl.errors import (
    ArgumentError,
    AutogradError,
    DeviceError,
    DTypeError,
    IndexRangeError,
    ShapeError,
)
from tests.oprow import DEVICES

CASES = 400


# keys drawn at random


def draw_slice(rng, size):
    ends = [None, *range(-size - 2, size + 3)]
    steps = [None, 1, 2, 3, -1, -2, -3]
    return slice(*(rng.choice(np.array(choices, object)) for choices in (ends, ends, steps)))


def draw_index(rng, size, lead):
    """An index array over a dimension; `lead` is a shape that the others broadcast with."""
    shape = tuple(rng.choice([n, 1]) for n in lead)[rng.integers(0, len(lead) + 1) :]
    if size == 0:
        return np.zeros((0,) * max(len(shape), 1), np.int64)
    values = rng.integers(-size, size, shape)
    return np.asarray(values, rng.choice(np.array(["int64", "int32"])))


def draw_key(rng, shape):
    """A key that NumPy may or may not take, as a tuple."""
    parts, dim, ellipsis = [], 0, False
    lead = tuple(rng.integers(1, 4, rng.integers(0, 3)))
    stop = rng.integers(0, len(shape) + 1)
    while dim < stop or rng.random() < 0.2:
        kind = rng.choice(["int", "slice", "index", "index", "list", "none", "ellipsis", "mask"])
        if rng.random() < 0.03:
            parts.append(bool(rng.integers(2)))
        elif kind == "none":
            parts.append(None)
        elif kind == "ellipsis":
            if not ellipsis:
                parts.append(Ellipsis)
                dim += rng.integers(0, len(shape) - dim + 1)
            ellipsis = True
        elif dim >= len(shape):
            break
        elif kind == "mask":
            rank = rng.integers(1, len(shape) - dim + 1)
            parts.append(rng.integers(0, 2, shape[dim : dim + rank]).astype(bool))
            dim += rank
        else:
            size = shape[dim]
            dim += 1
            if kind == "int":
                parts.append(int(rng.integers(-size, size)) if size else 0)
            elif kind == "slice":
                parts.append(draw_slice(rng, size))
            elif kind == "list":
                parts.append(draw_index(rng, size, lead[-1:]).tolist())
                if not isinstance(parts[-1], list):
                    parts[-1] = [parts[-1]]
            else:
                parts.append(draw_index(rng, size, lead))
    return tuple(parts)


def draw(seed):
    """An array and a key that NumPy takes."""
    rng = np.random.default_rng(seed)
    while True:
        shape = tuple(rng.integers(0 if rng.random() < 0.2 else 1, 5, rng.integers(1, 5)))
        a = rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float64)
        key = draw_key(rng, shape)
        try:
            if a[key].ndim <= 8:
                return rng, a, key
        except IndexError:
            continue


def as_tensors(key, device="cpu"):
    """Arrays in a key as tensors on the device."""
    return tuple(fastdl.tensor(k, device=device) if isinstance(k, np.ndarray) else k for k in key)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(CASES))
def test_reading_agrees_with_numpy(seed, device):
    _, a, key = draw(seed)
    t = fastdl.tensor(a, device=device)
    expected = a[key]
    for got in (t[key], t[as_tensors(key, device)]):
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got.cpu().numpy(), expected)
    turned = fastdl.tensor(a.T.copy(), device=device).permute(*range(a.ndim)[::-1])
    np.testing.assert_array_equal(turned[key].cpu().numpy(), expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(CASES))
def test_assigning_agrees_with_numpy(seed, device):
    rng, a, key = draw(seed)
    shape = a[key].shape
    value_shape = tuple(n if rng.random() < 0.7 else 1 for n in shape)[rng.integers(0, 2) :]
    value = rng.uniform(-9, 9, value_shape)
    values = [7.5, value]
    if 0 < len(shape) < 7 and not (len(key) == 1 and np.ndim(key[0]) == a.ndim):
        values.append(rng.uniform(-9, 9, (1, *shape)))  # NumPy refuses it for a mask of everything
    for given in values:
        expected = a.copy()
        expected[key] = given
        for layout in ("contiguous", "turned"):
            source = a if layout == "contiguous" else a.T.copy()
            t = fastdl.tensor(source, device=device)
            view = t if layout == "contiguous" else t.permute(*range(a.ndim)[::-1])
            view[as_tensors(key, device)] = (
                given if isinstance(given, float) else fastdl.tensor(given, device=device)
            )
            np.testing.assert_array_equal(view.cpu().numpy(), expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(0, CASES, 4))
def test_gradient_of_reading(seed, device):
    """What was read k times gets k gradients; the second gradient reads again."""
    rng, a, key = draw(seed)
    x = fastdl.tensor(a, device=device, requires_grad=True)
    y = x[as_tensors(key, device)]
    w = fastdl.tensor(rng.uniform(-1, 1, y.shape), device=device, requires_grad=True)
    (g,) = autograd.grad(y, [x], [w], create_graph=True)
    expected = np.zeros_like(a)
    np.add.at(expected, key, w.detach().cpu().numpy())
    np.testing.assert_allclose(g.detach().cpu().numpy(), expected, rtol=0, atol=1e-14)
    v = fastdl.tensor(rng.uniform(-1, 1, a.shape), device=device)
    (back,) = autograd.grad(g, [w], [v])
    np.testing.assert_array_equal(back.cpu().numpy(), v.cpu().numpy()[key])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(0, CASES, 4))
def test_gradient_of_assigning(seed, device):
    """The old value has no influence where it was replaced, and of several values the last has."""
    rng, a, key = draw(seed)
    shape = a[key].shape
    value_shape = tuple(n if rng.random() < 0.7 else 1 for n in shape)[rng.integers(0, 2) :]
    x = fastdl.tensor(a, device=device, requires_grad=True)
    value = fastdl.tensor(rng.uniform(-1, 1, value_shape), device=device, requires_grad=True)
    y = x * 1
    y[as_tensors(key, device)] = value
    w = rng.uniform(-1, 1, a.shape)
    weight = fastdl.tensor(w, device=device, requires_grad=True)
    gx, gv = autograd.grad(y, [x, value], [weight], create_graph=True, allow_unused=True)
    kept = np.ones_like(a)
    kept[key] = 0
    np.testing.assert_array_equal(gx.detach().cpu().numpy(), w * kept)
    # Which of the values stayed: number them, and see.
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    winner = np.full(a.shape, -1)
    winner[key] = numbers
    stayed = np.isin(numbers, winner)
    spread = np.where(stayed, w[key], 0)
    lead = tuple(range(len(shape) - len(value_shape)))
    expected = spread.sum(axis=lead).reshape(spread.shape[len(lead) :])
    ones = tuple(i for i, n in enumerate(value_shape) if n == 1)
    expected = expected.sum(axis=ones, keepdims=True)
    np.testing.assert_allclose(gv.detach().cpu().numpy(), expected, rtol=0, atol=1e-13)
    # Both are linear in the weight, so that their gradients are where it was taken.
    (back,) = autograd.grad([gx.sum() + gv.sum()], [weight])
    expected = kept.copy()
    expected[key] = np.where(stayed, 1, expected[key])
    np.testing.assert_array_equal(back.cpu().numpy(), expected)


def test_dtypes():
    a = np.arange(24).reshape(4, 6)
    rows = [3, 0, 0, -1]
    for dtype in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"):
        t = fastdl.tensor(a).to(dtype)
        b = a.astype(bool) if dtype == "bool" else a.copy()
        np.testing.assert_array_equal(t[rows].double().numpy(), b[rows])
        np.testing.assert_array_equal(t[:, rows].double().numpy(), b[:, rows])
        np.testing.assert_array_equal(
            t[:, rows].double().numpy(), (a != 0 if dtype == "bool" else a)[:, rows]
        )
        t[rows, 1:3] = 1
        b[rows, 1:3] = 1
        np.testing.assert_array_equal(t.double().numpy(), b)


def test_large(threads):
    """Several chunks of threads, repeated rows, both ways."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3000, 40)).astype(np.float32)
    rows = rng.integers(-3000, 3000, 9000)
    mask = rng.random(a.shape) < 0.3
    new = rng.standard_normal((9000, 40)).astype(np.float32)
    b = a.copy()
    b[rows] = new
    for count in (1, 2, 3):
        threads(count)
        t = fastdl.tensor(a, requires_grad=True)
        y = t[rows]
        np.testing.assert_array_equal(y.detach().numpy(), a[rows])
        np.testing.assert_array_equal(t[mask].detach().numpy(), a[mask])
        np.testing.assert_array_equal(t[:, rows[:50] % 40].detach().numpy(), a[:, rows[:50] % 40])
        (g,) = autograd.grad(y, [t], [fastdl.tensor(new)])
        if count == 1:
            first = g.numpy().copy()
        assert g.numpy().tobytes() == first.tobytes()
        u = fastdl.tensor(a)
        u[rows] = fastdl.tensor(new)
        np.testing.assert_array_equal(u.numpy(), b)


def test_negative_steps_are_views():
    t = fastdl.arange(6)
    t[::-1][0] = 50
    assert t.tolist() == [0, 1, 2, 3, 4, 50]
    assert t[4:1:-2].tolist() == [4, 2]
    t[::-1] = t
    assert t.tolist() == [50, 4, 3, 2, 1, 0]
    x = fastdl.arange(3, dtype="float32").requires_grad_()
    (x[::-1] * fastdl.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3, 2, 1]
    assert fastdl.ones((2, 3))[:, ::-1].contiguous().is_contiguous()


def test_a_copy_may_be_edited():
    """What index tensors read is no view, so that edits of either are allowed."""
    x = fastdl.ones((3,), requires_grad=True)
    y = x * 2
    z = y[[0, 1]]
    y[[2]] = 5.0
    z.add_(1)
    (y.sum() + z.sum()).backward()
    assert x.grad.tolist() == [4, 4, 0]


def test_augmented_assignment():
    t = fastdl.zeros((4,))
    t[[1, 1, 3]] += 2  # read, add, write: not once per repetition
    assert t.tolist() == [0, 2, 0, 2]


def test_edits_obey_the_rules_of_autograd():
    x = fastdl.ones((3,), requires_grad=True)
    with pytest.raises(AutogradError, match="leaf"):
        x[[0]] = 1.0
    y = x * 1
    z = y + 1
    squares = y * y
    y[fastdl.tensor([True, False, True])] = 0.0
    with pytest.raises(AutogradError, match="edited in place"):
        squares.sum().backward()
    z.sum().backward()
    frozen = np.ones(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        fastdl.from_numpy(frozen)[[0]] = 1.0


def test_indices_changed_after_reading_do_no_harm():
    """The backward pass does not read the index again."""
    index = np.array([0, 1, 2])
    x = fastdl.ones((3,), requires_grad=True)
    y = x[index]
    index[:] = 1 << 40
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_a_mask_of_any_bytes_is_read_safely():
    """NumPy lets a bool be any byte."""
    mask = np.array([0, 2, 255, 1], np.uint8).view(bool)
    assert fastdl.arange(4)[mask].tolist() == [1, 2, 3]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        ([3], IndexRangeError, ["index 3", "position 0", "-3 to 2"]),
        ([0, -4], IndexRangeError, ["index -4", "position 1"]),
        (([0], slice(None), [5]), IndexRangeError, ["-5 to 4"]),
        (([[0, 1]], [0, 1, 2]), ShapeError, ["[1, 2]", "[3]"]),
        (np.ones(4, bool), ShapeError, ["float32[3, 4, 5]", "bool[4]"]),
        (np.ones((3, 5), bool), ShapeError, ["bool[3, 5]"]),
        ((0, np.ones((3, 4), bool)), ShapeError, ["from 1 on"]),
        (np.ones((3, 4, 5, 1), bool), IndexRangeError, ["4 indices for 3"]),
        (([0], [0], [0], [0]), IndexRangeError, ["4 indices for 3"]),
        ([0.5], DTypeError, ["float32[1]"]),
        (np.array([1.0]), DTypeError, ["float64[1]"]),
        ("a", TypeError, ["not str"]),
        (["a"], TypeError, []),
        (1.0, TypeError, []),
        ((Ellipsis, [0], Ellipsis), ArgumentError, ["Ellipsis"]),
    ],
    ids=str,
)
def test_wrong_keys(key, error, words, device):
    t = fastdl.zeros((3, 4, 5), device=device)
    for use in (lambda: t[key], lambda: t.__setitem__(key, 1.0)):
        with pytest.raises(error) as caught:
            use()
        for word in words:
            assert word in str(caught.value)
    assert not t.cpu().numpy().any()  # nothing was written


def test_wrong_values():
    t = fastdl.zeros((3, 4))
    with pytest.raises(ShapeError):
        t[[0, 1]] = fastdl.ones((3, 4))
    with pytest.raises(ShapeError):
        t[fastdl.ones((3, 4)) > 0] = fastdl.ones((5,))
    with pytest.raises(TypeError):
        t[[0]] = "text"
    assert not t.numpy().any()


@pytest.mark.skipif(not fastdl.cuda.is_available(), reason="needs a second device")
def test_tensors_on_another_device_are_refused():
    t = fastdl.zeros((3,), device="cuda")
    with pytest.raises(DeviceError):
        t[fastdl.tensor([0])]
    assert t[[0, 1]].shape == (2,)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("put", (np.array([[1, -1], [1, 5]]), np.arange(4.0))),
        ("put", (np.array([1, -1, 1]), np.arange(3.0), True)),
        ("index_put", ((np.array([2, 0, 2]),), np.arange(9.0).reshape(3, 3))),
        ("index_put", ((None, np.array([2, 0, 2])), np.arange(3.0), True)),
        ("masked_scatter", (np.array([True, False, True]), np.arange(8.0))),
        ("scatter_reduce", (0, np.array([[3, 3, 0], [3, 1, 0]]), np.ones((2, 3)), "amax", False)),
    ],
)
def test_edits_in_place_are_the_functions(name, args, device):
    """The same values, and the same gradients of what was edited and of what was put in."""

    def there(a):
        if isinstance(a, tuple):
            return tuple(map(there, a))
        return fastdl.tensor(a, device=device) if isinstance(a, np.ndarray) else a

    found = []
    for edit in (False, True):
        x = fastdl.tensor(np.arange(12.0).reshape(4, 3), device=device, requires_grad=True)
        given = [there(a) for a in args]
        source = next(
            a for a in given if isinstance(a, fastdl.Tensor) and a.dtype == fastdl.float64
        )
        source.requires_grad = True
        y = x * 1
        z = getattr(y, name + "_")(*given) if edit else getattr(F, name)(y, *given)
        assert (z is y) == edit
        (z * z).sum().backward()
        found.append([t.detach().cpu().numpy() for t in (z, x.grad, source.grad)])
    for once, again in zip(*found, strict=True):
        np.testing.assert_array_equal(once, again)
