"""Rows of the case table: recurrent layers, attention and embeddings that are composed of ops."""

import fastdl
import fastdl.functional as F
from tests import references_recurrent as ref
from tests.oprow import FLOATS, Op, Tolerance, call, distinct, index, large, mask, uniform


def rows():
    """All rows of this file."""
    return [*recurrent_rows(), *attention_rows(), *embedding_rows()]


def sums(factor, terms):
    return Tolerance(
        factor=factor, half=16, scale="largest", reason=f"sums of up to {terms} terms that cancel"
    )


def functional(name, *calls, **fields):
    known = {"function": getattr(F, name), "reference": getattr(ref, name), "dtypes": FLOATS}
    return Op(name=name, calls=calls, **known | fields)


# recurrent layers


def sequence(t, n, i, h, gates, states=1, peephole=False, bias=True):
    """The operands of a layer, in the order of its parameters."""
    rows = gates * h
    shapes = [(t, n, i), *[(n, h)] * states, (rows, i), (rows, h)]
    shapes += [(3, h)] * peephole + [(rows,)] * 2 * bias
    return [uniform(*s, low=-0.7, high=0.7) for s in shapes]


def recurrent_rows():
    def one(name, *more, **kind):
        return functional(
            name,
            call(*sequence(5, 2, 4, 3, **kind)),
            call(*sequence(2, 1, 1, 1, **kind)),
            call(*sequence(2, 3, 2, 5, bias=False, **kind)),
            call(*sequence(1, 2, 3, 17, **kind)),
            call(*sequence(3, 0, 3, 4, **kind)),
            *more,
            large(*sequence(7, 35, 20, 36, **kind)),
            sized=lambda n: call(*sequence(8, 8, max(1, n // 256), 32, **kind)),
            tolerance=sums(128, 500),
            follows_strides="result",
        )

    return [
        one("rnn", call(*sequence(4, 2, 3, 5, gates=1), nonlinearity="relu"), gates=1),
        one("gru_reset_before", gates=3),
        one("peephole_lstm", gates=4, states=2, peephole=True),
    ]


# attention


def attention_rows():
    def parts(n, queries, keys, e, v):
        """Query, key and value."""
        return uniform(*n, queries, e), uniform(*n, keys, e), uniform(*n, keys, v)

    def additive(n, queries, keys, a, v):
        return *parts((n,), queries, keys, a, v), uniform(a)

    return [
        functional(
            "scaled_dot_product_attention",
            call(*parts((2,), 3, 4, 5, 6)),
            call(*parts((), 3, 4, 5, 6), scale=0.3),
            call(*parts((2, 3), 4, 5, 2, 3), uniform(4, 5)),
            call(*parts((2, 3), 4, 5, 2, 3), uniform(2, 1, 1, 5)),
            call(*parts((2, 3), 4, 2, 2, 3), mask(4, 2)),  # with queries without any key
            call(*parts((2,), 5, 3, 2, 3), is_causal=True),
            call(*parts((2,), 3, 5, 2, 3), is_causal=True),
            call(uniform(2, 3, 4), uniform(5, 4), uniform(1, 5, 3)),
            call(*parts((2,), 0, 4, 5, 6)),
            call(*parts((2,), 3, 4, 5, 0)),
            call(uniform(2, 6, 3, 4), uniform(2, 2, 5, 4), uniform(2, 3, 5, 2), enable_gqa=True),
            call(uniform(4, 3, 2), *[uniform(1, 3, 2)] * 2, is_causal=True, enable_gqa=True),
            large(*parts((2, 3), 65, 130, 33, 20), is_causal=True),
            sized=lambda n: call(*parts((max(1, n // 4096),), 64, 64, 64, 64)),
            tolerance=sums(64, 130),
            follows_strides="result",
        ),
        functional(
            "additive_attention",
            call(*additive(2, 3, 4, 5, 6)),
            call(*additive(3, 4, 2, 3, 1), mask(3, 2)),
            call(*additive(1, 1, 1, 1, 1)),
            call(*additive(0, 3, 4, 5, 6)),
            call(*additive(2, 0, 4, 5, 6)),
            large(*additive(3, 30, 50, 33, 20)),
            sized=lambda n: call(*additive(max(1, n // 4096), 8, 16, 32, 32)),
            tolerance=sums(64, 50),
            follows_strides="result",
        ),
    ]


# embeddings


def embedding_rows():
    def bagged(input, weight, offsets=None, *others, **options):
        """The offsets are a list in the calls below."""
        if offsets is not None:
            offsets = fastdl.tensor(offsets, dtype="int64", device=weight.device)
        return F.embedding_bag(input, weight, offsets, *others, **options)

    table, starts = distinct(7, 3), [0, 0, 4, 5, 9, 11]
    return [
        functional(
            "embedding_bag",
            call(index(4, 5, below=7), table),
            call(index(4, 5, below=7), table, None, "sum", uniform(4, 5)),
            call(index(4, 5, below=7), table, mode="max", padding_idx=3),
            call(index(11, below=7), table, starts),
            call(index(11, below=7), table, starts, "sum", uniform(11), True),
            call(index(11, below=7), table, starts, "max"),
            call(index(11, below=7), table, starts, "max", None, True, 2),
            call(index(11, below=7), table, starts, "mean", padding_idx=1),
            call(index(0, 5, below=7), table),
            call(index(3, 0, below=7), table, mode="sum"),
            call(index(3, 2, below=7), distinct(7, 0), mode="max"),
            large(index(700, 9, below=50), distinct(50, 33)),
            large(index(6000, below=50), distinct(50, 33), [0, 10, 5000], "max"),
            large(index(6000, below=50), distinct(50, 33), [0, 10, 5000], "sum"),
            function=bagged,
            sized=lambda n: call(index(max(1, n // 512), 8, below=1000), distinct(1000, 64)),
            tolerance=sums(64, 5000),
        ),
        functional(
            "negative_sampling_loss",
            *[
                call(uniform(4, 3), uniform(4, 3), uniform(4, 5, 3), reduction=reduction)
                for reduction in ("mean", "sum", "none")
            ],
            call(uniform(1, 1), uniform(1, 1), uniform(1, 0, 1)),
            call(uniform(0, 3), uniform(0, 3), uniform(0, 5, 3), "sum"),
            large(uniform(300, 100), uniform(300, 100), uniform(300, 7, 100)),
            sized=lambda n: call(
                uniform(n // 512, 64), uniform(n // 512, 64), uniform(n // 512, 6, 64)
            ),
            tolerance=sums(64, 700),
            follows_strides="result",
        ),
    ]
