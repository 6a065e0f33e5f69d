"""What cannot be sorted or counted is refused by name."""

import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import (
    ArgumentError,
    DTypeError,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)

X = fastdl.ones((2, 5))
FEW = fastdl.tensor([0, 3, 1])
NAN, INF = float("nan"), float("inf")

# name -> (call, error, what the message shows)
CASES = {
    "sort dim": (lambda: F.sort(X, 2), IndexRangeError, "dim 2"),
    "argsort dim": (lambda: F.argsort(X, dim=-3), IndexRangeError, "dim -3"),
    "topk dim": (lambda: F.topk(X, 1, 7), IndexRangeError, "dim 7"),
    "topk k negative": (lambda: F.topk(X, -1), ArgumentError, "k is -1"),
    "topk k too large": (lambda: F.topk(X, 6), ArgumentError, "k is 6"),
    "topk k huge": (lambda: F.topk(X, 2**62), ArgumentError, "k is"),
    "topk of a number": (lambda: F.topk(fastdl.tensor(1.0), 2), ArgumentError, "k is 2"),
    "median of nothing": (lambda: F.median(fastdl.ones((0,))), ShapeError, "no elements"),
    "median along nothing": (lambda: F.nanmedian(fastdl.ones((3, 0)), 1), ShapeError, "dim 1"),
    "median of bool": (lambda: F.median(X > 0), DTypeError, "bool"),
    "searchsorted rows": (
        lambda: F.searchsorted(X, fastdl.ones((3, 4))),
        ShapeError,
        "searchsorted",
    ),
    "searchsorted ranks": (lambda: F.searchsorted(X, fastdl.ones((2,))), ShapeError, "differ"),
    "searchsorted dtype": (lambda: F.searchsorted(FEW, X), DTypeError, "int64"),
    "searchsorted of a number": (lambda: F.searchsorted(fastdl.tensor(1.0), X), ShapeError, ""),
    "bucketize boundaries": (lambda: F.bucketize(X, X), ShapeError, "boundaries"),
    "bincount negative": (lambda: F.bincount(fastdl.tensor([1, -2])), IndexRangeError, "-2"),
    "bincount floating": (lambda: F.bincount(fastdl.ones((3,))), DTypeError, "float32"),
    "bincount matrix": (lambda: F.bincount(fastdl.tensor([[1]])), ShapeError, "[1, 1]"),
    "bincount huge": (
        lambda: F.bincount(fastdl.tensor([2**61])),
        (OutOfMemoryError, ShapeError),
        "bincount",
    ),
    "bincount largest": (
        lambda: F.bincount(fastdl.tensor([2**63 - 1])),
        (OutOfMemoryError, ShapeError),
        "bincount",
    ),
    "bincount largest, weighted": (
        lambda: F.bincount(fastdl.tensor([2**63 - 1]), fastdl.ones((1,))),
        (OutOfMemoryError, ShapeError),
        "bincount",
    ),
    "histogram of a fraction": (lambda: F.histogram(X, 2.5), ArgumentError, "2.5"),
    "histogram of no bins": (lambda: F.histogram(X, 0), ArgumentError, "bins is 0"),
    "histogram backwards": (lambda: F.histogram(X, 3, (2, 1)), ArgumentError, "from 2 to 1"),
    "histogram of NaN": (lambda: F.histogram(X + NAN, 3), ArgumentError, "from nan"),
    "histogram without end": (lambda: F.histogram(X, 3, (0, INF)), ArgumentError, "inf"),
    "histogram range": (lambda: F.histogram(X, 3, (1, 2, 3)), ArgumentError, "3 numbers"),
    "histogram of one edge": (lambda: F.histogram(X, X[0, :1]), ShapeError, "1 edges"),
    "histogram edges": (lambda: F.histogram(X, X), ShapeError, "bins"),
    "histogram weight": (lambda: F.histogram(X, 3, weight=X[0]), ShapeError, "weight"),
    "cummax dim": (lambda: F.cummax(X, 2), IndexRangeError, "dim 2"),
    "cummin of bool": (lambda: F.cummin(X > 0, 0), DTypeError, "bool"),
    "bincount minlength": (
        lambda: F.bincount(FEW, minlength=-1),
        ArgumentError,
        "minlength is -1",
    ),
    "bincount minlength huge": (
        lambda: F.bincount(FEW, minlength=2**60),
        (OutOfMemoryError, ShapeError),
        "bincount",
    ),
    "bincount weights": (lambda: F.bincount(FEW, fastdl.ones((4,))), ShapeError, "weights"),
    "bincount weights' dtype": (lambda: F.bincount(FEW, FEW), DTypeError, "weights"),
    "histc bins 0": (lambda: F.histc(X, 0), ArgumentError, "bins is 0"),
    "histc bins huge": (lambda: F.histc(X, 2**55), ArgumentError, "bins is"),
    "histc range": (lambda: F.histc(X, 3, 2.0, 1.0), ArgumentError, "from 2 to 1"),
    "histc infinite": (lambda: F.histc(X, 3, 0.0, INF), ArgumentError, "inf"),
    "histc overflow": (lambda: F.histc(X, 3, -1.5e308, 1.5e308), ArgumentError, "range"),
    "histc NaN": (lambda: F.histc(fastdl.tensor([1.0, NAN])), ArgumentError, "nan"),
    "histc infinite data": (lambda: F.histc(fastdl.tensor([1.0, INF])), ArgumentError, "inf"),
    "histc integers": (lambda: F.histc(FEW), DTypeError, "int64"),
    "unique dim": (lambda: F.unique(X, dim=2), IndexRangeError, "dim 2"),
    "unique slices": (lambda: F.unique(fastdl.ones((3, 0)), dim=0), ShapeError, "empty"),
}


@pytest.mark.parametrize("case", CASES)
def test_is_refused(case):
    call, error, shown = CASES[case]
    with pytest.raises(error) as caught:
        call()
    assert shown in str(caught.value)
