"""Bad indices, masks and values: a typed error that says what is wrong, and nothing written."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from tests.oprow import DEVICES

ONES = np.ones((3, 4), np.float32)
HUGE = 1 << 40


def index(*values):
    return np.array(values)


CALLS = {
    "gather high": (lambda x: F.gather(x, 1, index([4], [0], [0])), IndexRangeError, ["index 4"]),
    "gather low": (lambda x: F.gather(x, 1, index([-1])), IndexRangeError, ["index -1"]),
    "gather sizes": (lambda x: F.gather(x, 1, np.zeros((4, 1), int)), ShapeError, ["[4, 1]"]),
    "gather rank": (lambda x: F.gather(x, 1, index(0)), ShapeError, ["int64[1]"]),
    "gather dtype": (lambda x: F.gather(x, 1, ONES), DTypeError, ["float32"]),
    "gather dim": (lambda x: F.gather(x, 2, index([0])), IndexRangeError, ["dim"]),
    "index_select": (lambda x: F.index_select(x, 0, index(HUGE)), IndexRangeError, ["0 to 2"]),
    "index_select negative": (lambda x: F.index_select(x, 0, index(-1)), IndexRangeError, ["-1"]),
    "index_select rank": (lambda x: F.index_select(x, 0, index([0])), ShapeError, ["[1, 1]"]),
    "take": (lambda x: F.take(x, index(-13)), IndexRangeError, ["-12 to 11"]),
    "take of nothing": (lambda x: F.take(x[:0], index(0)), IndexRangeError, ["none"]),
    "take_along_dim": (
        lambda x: F.take_along_dim(x, index([4]), 1),
        IndexRangeError,
        ["index 4"],
    ),
    "take_along_dim sizes": (
        lambda x: F.take_along_dim(x, np.zeros((2, 1), int), 1),
        ShapeError,
        ["[3, 1]", "[2, 1]"],
    ),
    "scatter": (lambda x: F.scatter(x, 1, index([HUGE]), 1), IndexRangeError, [str(HUGE)]),
    "scatter sizes": (
        lambda x: F.scatter(x, 1, np.zeros((4, 1), int), 1),
        ShapeError,
        ["[4, 1]"],
    ),
    "scatter src": (
        lambda x: F.scatter(x, 1, np.zeros((3, 2), int), x[:, :1]),
        ShapeError,
        ["[3, 1]"],
    ),
    "scatter dtype": (
        lambda x: F.scatter(x, 1, index([0]), x.double()),
        DTypeError,
        ["float64"],
    ),
    "scatter fraction": (
        lambda x: F.scatter(x.long(), 1, index([0]), 0.5),
        DTypeError,
        ["0.5"],
    ),
    "scatter_ ": (lambda x: x.scatter_(1, index([0], [9]), 2.0), IndexRangeError, ["index 9"]),
    "scatter_add": (
        lambda x: F.scatter_add(x, 1, index([0, -1]), x[:1, :2]),
        IndexRangeError,
        ["-1"],
    ),
    "scatter_add_": (
        lambda x: x.scatter_add_(1, index([0, 7]), x[:1, :2]),
        IndexRangeError,
        ["index 7"],
    ),
    "scatter_reduce": (
        lambda x: F.scatter_reduce(x, 1, index([4]), x[:1, :1], "amax"),
        IndexRangeError,
        ["index 4"],
    ),
    "scatter_reduce of a part": (
        lambda x: F.scatter_reduce(x, 1, index([0, -1]), x[:1, :2], "prod", False),
        IndexRangeError,
        ["index -1"],
    ),
    "scatter_reduce src": (
        lambda x: F.scatter_reduce(x, 1, index([0, 1]), x[:1, :1], "mean"),
        ShapeError,
        ["[1, 1]", "[1, 2]"],
    ),
    "scatter_reduce word": (
        lambda x: F.scatter_reduce(x, 1, index([0]), x, "max"),
        ArgumentError,
        ["'max'", "'amax'"],
    ),
    "scatter_reduce_": (
        lambda x: x.scatter_reduce_(1, index([0, 7]), x[:1, :2], "amin"),
        IndexRangeError,
        ["index 7"],
    ),
    "scatter word": (
        lambda x: F.scatter(x, 1, index([0]), x, "sum"),
        ArgumentError,
        ["'sum'", "'multiply'"],
    ),
    "index_put": (lambda x: F.index_put(x, (index(3),), 1), IndexRangeError, ["index 3"]),
    "index_put adding": (
        lambda x: F.index_put(x, [None, index(0, -5)], 1, True),
        IndexRangeError,
        ["index -5"],
    ),
    "index_put many": (
        lambda x: F.index_put(x, (index(0),) * 3, 1),
        IndexRangeError,
        ["3 indices"],
    ),
    "index_put none": (lambda x: F.index_put(x, (None,), 1), ArgumentError, ["no index"]),
    "index_put number": (lambda x: F.index_put(x, 0, 1), TypeError, ["tuple or list"]),
    "index_put float": (lambda x: F.index_put(x, (x[0],), 1), DTypeError, ["float32"]),
    "index_put mask": (
        lambda x: F.index_put(x, (np.ones((3, 3), bool),), 1),
        ShapeError,
        ["bool[3, 3]"],
    ),
    "index_put sizes": (lambda x: F.index_put(x, (index(0, 1),), x), ShapeError, ["[3, 4]"]),
    "index_put_ dtype": (
        lambda x: x.index_put_((index(0),), x.double()),
        DTypeError,
        ["float64"],
    ),
    "index_put_": (lambda x: x.index_put_((index(0, 9),), 2.0), IndexRangeError, ["index 9"]),
    "put": (lambda x: F.put(x, index(0, 12), x[0, :2]), IndexRangeError, ["-12 to 11"]),
    "put sizes": (lambda x: F.put(x, index(0, 1), x[0]), ShapeError, ["2 places for 4"]),
    "put of nothing": (lambda x: F.put(x[:0], index(0), x[0, :1]), IndexRangeError, ["none"]),
    "put_": (lambda x: x.put_(index(0, -13), x[0, :2]), IndexRangeError, ["index -13"]),
    "masked_scatter few": (
        lambda x: F.masked_scatter(x, np.ones(4, bool), x[:2]),
        ShapeError,
        ["12 elements", "float32[2, 4]"],
    ),
    "masked_scatter shapes": (
        lambda x: F.masked_scatter(x, np.ones(3, bool), x),
        ShapeError,
        ["[3]"],
    ),
    "masked_scatter_ shapes": (
        lambda x: x.masked_scatter_(np.ones((2, 3, 4), bool), x),
        ShapeError,
        ["bool[2, 3, 4]"],
    ),
    "masked_scatter dtype": (
        lambda x: F.masked_scatter(x, np.ones(4, bool), x.double()),
        DTypeError,
        ["float64"],
    ),
    "scatter_add_ dtype": (
        lambda x: x.scatter_add_(1, index([0]), x.double()),
        DTypeError,
        ["src is float64 where self is float32"],
    ),
    "index_copy_ dtype": (
        lambda x: x.index_copy_(0, index(0), x[:1].double()),
        DTypeError,
        ["source is float64"],
    ),
    "index_fill_ dtype": (
        lambda x: x.index_fill_(0, index(0), fastdl.tensor(1)),
        DTypeError,
        ["value is int64"],
    ),
    "index_add_ dim": (lambda x: x.index_add_(2, index(0), x), IndexRangeError, ["dim 2"]),
    "index_add": (lambda x: F.index_add(x, 0, index(3), x[:1]), IndexRangeError, ["index 3"]),
    "index_add sizes": (lambda x: F.index_add(x, 0, index(0), x[:2]), ShapeError, ["[2, 4]"]),
    "index_add_": (lambda x: x.index_add_(0, index(3), x[:1]), IndexRangeError, ["index 3"]),
    "index_copy": (lambda x: F.index_copy(x, 1, index(4), x[:, :1]), IndexRangeError, ["4"]),
    "index_copy sizes": (lambda x: F.index_copy(x, 1, index(0), x), ShapeError, ["float32[3, 4]"]),
    "index_copy_": (lambda x: x.index_copy_(1, index(0, 4), x[:, :2]), IndexRangeError, ["4"]),
    "index_fill": (lambda x: F.index_fill(x, 0, index(5), 1), IndexRangeError, ["index 5"]),
    "index_fill value": (lambda x: F.index_fill(x, 0, index(0), x[0]), ShapeError, ["[4]"]),
    "index_fill_": (lambda x: x.index_fill_(0, index(0, 5), 2), IndexRangeError, ["index 5"]),
    "masked_fill dtype": (lambda x: F.masked_fill(x, ONES, 1), DTypeError, ["bool"]),
    "masked_fill shapes": (
        lambda x: F.masked_fill(x, np.ones(3, bool), 1),
        ShapeError,
        ["[3]"],
    ),
    "masked_fill_ shapes": (
        lambda x: x.masked_fill_(np.ones((2, 3, 4), bool), 2),
        ShapeError,
        ["[2, 3, 4]"],
    ),
    "masked_fill fraction": (
        lambda x: F.masked_fill(x.long(), np.ones(4, bool), 0.5),
        DTypeError,
        ["0.5"],
    ),
    "masked_select dtype": (lambda x: F.masked_select(x, ONES), DTypeError, ["bool"]),
    "masked_select shapes": (
        lambda x: F.masked_select(x, np.ones(3, bool)),
        ShapeError,
        ["[3]"],
    ),
    "one_hot high": (lambda x: F.one_hot(index(0, 3), 3), IndexRangeError, ["class 3"]),
    "one_hot low": (lambda x: F.one_hot(index(0, -1)), IndexRangeError, ["class -1"]),
    "one_hot of nothing": (lambda x: F.one_hot(np.zeros(0, int)), ArgumentError, ["infer"]),
    "one_hot classes": (lambda x: F.one_hot(index(0), -2), ArgumentError, ["num_classes"]),
    "one_hot dtype": (lambda x: F.one_hot(x), DTypeError, ["float32"]),
    "exp_ of integers": (lambda x: x.long().exp_(), DTypeError, ["int64"]),
    "add_ of a larger one": (lambda x: x[:1].add_(x), ShapeError, ["[1, 4]"]),
}


@pytest.mark.parametrize(("use", "error", "words"), CALLS.values(), ids=CALLS)
def test_refusals(use, error, words):
    x = fastdl.tensor(ONES)
    with pytest.raises(error) as caught:
        use(x)
    for word in words:
        assert word in str(caught.value)
    np.testing.assert_array_equal(x.numpy(), ONES)


@pytest.mark.parametrize("device", DEVICES)
def test_indices_are_checked_on_every_device(device):
    x = fastdl.tensor(ONES, device=device)
    bad = fastdl.tensor([0, HUGE], device=device)
    for use in (
        lambda: F.index_select(x, 0, bad),
        lambda: x.index_fill_(0, bad, 3),
        lambda: F.take(x, bad),
        lambda: F.one_hot(bad, 4),
        lambda: x.scatter_(0, bad.reshape(1, 2), 3),
    ):
        with pytest.raises(IndexRangeError, match="position 1"):
            use()
    np.testing.assert_array_equal(x.cpu().numpy(), ONES)


def test_indices_changed_behind_our_back():
    """A NumPy array that is edited between the passes makes no wild write."""
    rows = np.array([0, 1, 2])
    for function in (F.index_select, lambda x, dim, i: F.index_copy(x, dim, i, x)):
        x = fastdl.tensor(ONES, requires_grad=True)
        y = function(x, 0, rows)
        rows[1] = HUGE
        y.sum().backward()
        assert np.isfinite(x.grad.numpy()).all()
        rows[1] = 1
