"""Rows of the case table: losses."""

from dataclasses import replace

import fastdl.functional as F
from tests import references_loss as ref
from tests.oprow import (
    FLOATS,
    WIDE_FLOATS,
    Op,
    Tolerance,
    call,
    constant,
    distinct,
    grid,
    index,
    large,
    sign,
    uniform,
)

REDUCTIONS = ("mean", "sum", "none")
SUMMED = Tolerance(
    factor=8, half=8, scale="largest", reason="a mean of 70,000, of several rounded operations"
)
STEPS = Tolerance(factor=32, half=32, scale="largest", reason="a dozen rounded operations")


def rows():
    """All rows of this file."""
    return [*class_rows(), *pair_rows(), *embedding_rows(), *gan_rows(), *sequence_rows()]


def functional(name, *calls, **fields):
    fields = {
        "reference": getattr(ref, name),
        "tolerance": STEPS,
        "dtypes": FLOATS,
        "follows_strides": "result",
    } | fields
    return Op(name=name, function=getattr(F, name), calls=calls, **fields)


def positive(*shape):
    return constant(uniform(*shape, low=0.5, high=2.0))


# of classes


def classes(shape, c, **options):
    target = index(shape[0], *shape[2:], below=c) if len(shape) > 1 else index(below=c)
    return call(uniform(*shape), target, **options)


def class_calls(*, weighted=True):
    out = [classes((4, 5), 5, reduction=r) for r in REDUCTIONS]
    out += [
        classes((2, 3, 4, 5), 3),
        classes((2, 3, 4), 3, reduction="none"),
        classes((7,), 7),
        classes((3, 1), 1),
        classes((0, 5), 5),
        classes((0, 5), 5, reduction="none"),
        *[classes((6, 3), 3, ignore_index=1, reduction=r) for r in REDUCTIONS],
    ]
    if weighted:
        weighted_calls = [((4, 5), 5), ((2, 3, 4), 3)]
        out += [
            replace(one, args=(*one.args, positive(c)))
            for shape, c in weighted_calls
            for one in (classes(shape, c), classes(shape, c, reduction="none", ignore_index=0))
        ]
    return out


def class_rows():
    def sized(n):
        return call(uniform(max(1, n // 100), 100), index(max(1, n // 100), below=100))

    soft = uniform(4, 5), uniform(4, 5, low=0.0, high=1.0)
    return [
        functional(
            "cross_entropy",
            *class_calls(),
            classes((4, 5), 5, label_smoothing=0.2),
            classes((2, 3, 4), 3, label_smoothing=0.1, ignore_index=2),
            call(uniform(4, 5), index(4, below=5), positive(5), label_smoothing=0.3),
            *[call(*soft, reduction=r) for r in REDUCTIONS],
            call(*soft, positive(5), label_smoothing=0.1),
            call(uniform(2, 3, 4), uniform(2, 3, 4, low=0.0, high=1.0)),
            call(uniform(5), uniform(5, low=0.0, high=1.0)),
            call(uniform(3, 33), index(3, below=33), reduction="sum"),
            large(uniform(3, 1025), index(3, below=1025)),
            large(uniform(700, 101), index(700, below=101)),
            sized=sized,
            tolerance=SUMMED,
        ),
        functional("nll_loss", *class_calls(), sized=sized, tolerance=SUMMED),
        functional(
            "focal_loss",
            *class_calls(weighted=False),
            classes((4, 5), 5, gamma=0.5),
            call(uniform(4, 5), index(4, below=5), 1.0, positive(5), ignore_index=2),
            sized=sized,
        ),
        functional(
            "multi_margin_loss",
            *[classes((4, 5), 5, reduction=r) for r in REDUCTIONS],
            classes((5,), 5),
            classes((0, 5), 5, reduction="sum"),
            classes((3, 4), 4, p=2, margin=0.5),
            call(uniform(3, 4), index(3, below=4), 2, 1.0, positive(4)),
            sized=sized,
        ),
    ]


# of an input and a target alike


def alike(*shape, low=-2.0, high=2.0, to=(-2.0, 2.0), target=uniform):
    # Distinct values, and targets of their own: no difference lies on a kink.
    return distinct(*shape, low=low, high=high), target(*shape, low=to[0], high=to[1])


def pair_calls(options=(), **spread):
    out = [call(*alike(3, 5, **spread), reduction=r) for r in REDUCTIONS]
    out += [call(*alike(**spread)), call(*alike(33, **spread)), call(*alike(0, 3, **spread))]
    out += [call(*alike(4, 3, **spread), **o) for o in options]
    return [*out, large(*alike(300, 237, **spread))]


def pair(name, *options, dtypes=FLOATS, tolerance=SUMMED, **spread):
    return functional(
        name,
        *pair_calls(options, **spread),
        sized=lambda n: call(*alike(n, **spread)),
        tolerance=tolerance,
        dtypes=dtypes,
    )


def marked(name, target, *options, **fields):
    """A row whose targets are drawn by `target`, two values."""
    calls = [call(distinct(3, 5), target(3, 5), reduction=r, **o)
             for r in REDUCTIONS for o in (options or ({},))]  # fmt: skip
    return functional(
        name,
        *calls,
        call(distinct(0, 3), target(0, 3), reduction="sum"),
        large(uniform(300, 137), target(300, 137), reduction="mean"),
        sized=lambda n: call(uniform(n), target(n), reduction="mean"),
        **fields,
    )


def bit(*shape):
    return grid(*shape, low=0, high=1)


def pair_rows():
    probability = {"low": 0.1, "high": 0.9, "to": (0.0, 1.0)}
    weights = positive(5)
    return [
        pair("mse_loss"),
        pair("l1_loss"),
        pair("smooth_l1_loss", {"beta": 0.5}, {"beta": 0.0}),
        pair("huber_loss", {"delta": 0.7}),
        pair(
            "kl_div",
            {"reduction": "batchmean"},
            {"log_target": True, "reduction": "none"},
            low=-3.0, high=-0.1, to=(0.1, 1.0), tolerance=STEPS,
        ),
        functional(
            "binary_cross_entropy",
            *pair_calls(**probability),
            call(*alike(3, 5, **probability), weights),
            sized=lambda n: call(*alike(n, **probability)),
            tolerance=SUMMED,
            dtypes=FLOATS,
        ),
        functional(
            "binary_cross_entropy_with_logits",
            *pair_calls(to=(0.0, 1.0)),
            call(*alike(3, 5, to=(0.0, 1.0)), weights, "none"),
            call(*alike(3, 5, to=(0.0, 1.0)), weights, "mean", positive(5)),
            sized=lambda n: call(*alike(n, to=(0.0, 1.0))),
            tolerance=SUMMED,
            dtypes=FLOATS,
        ),
        functional(
            "gaussian_nll_loss",
            *[call(*alike(3, 5), uniform(3, 5, low=0.3, high=2.0), reduction=r)
              for r in REDUCTIONS],
            call(*alike(7), uniform(7, low=0.3, high=2.0), full=True),
            call(*alike(0, 3), uniform(0, 3), reduction="sum"),
            sized=lambda n: call(*alike(n), uniform(n, low=0.3, high=2.0)),
        ),
        pair(
            "poisson_nll_loss",
            {"full": True}, {"full": True, "log_input": False},
            low=0.2, high=2.0, to=(0.2, 4.0), tolerance=STEPS,
        ),
        marked("hinge_loss", sign, {}, {"squared": True}),
        marked("soft_margin_loss", sign),
        marked("hinge_embedding_loss", sign, {}, {"margin": 0.5}),
        marked("sigmoid_focal_loss", bit, {}, {"alpha": -1.0, "gamma": 1.0}),
        functional(
            "dice_loss",
            *[call(*alike(3, 5, **probability), reduction=r) for r in REDUCTIONS],
            call(*alike(2, 3, 4, **probability), smooth=0.5),
            call(*alike(4, **probability)),
            call(*alike(0, 3, **probability), reduction="none"),
            call(*alike(2, 0, **probability)),
            sized=lambda n: call(*alike(2, n // 2, **probability)),
        ),
    ]  # fmt: skip


# of embeddings


def embedding_rows():
    def paired(name, target, *options):
        calls = [call(distinct(6, 4), distinct(6, 4), target(6), reduction=r, **o)
                 for r in REDUCTIONS for o in options]  # fmt: skip
        return functional(
            name,
            *calls,
            call(uniform(0, 4), uniform(0, 4), target(0), reduction="sum"),
            sized=lambda n: call(uniform(n // 64, 64), uniform(n // 64, 64), target(n // 64)),
        )

    def triplet(*shape, **options):
        return call(distinct(*shape), distinct(*shape), uniform(*shape), **options)

    return [
        paired("contrastive_loss", bit, {"margin": 4.0}, {"margin": 0.5}),
        paired("cosine_embedding_loss", sign, {}, {"margin": -0.5}),
        functional(
            "margin_ranking_loss",
            *[call(distinct(7), distinct(7), constant(uniform(7)), reduction=r)
              for r in REDUCTIONS],
            call(distinct(2, 3), distinct(2, 3), constant(uniform(2, 3)), margin=0.5),
            call(uniform(0), uniform(0), uniform(0), reduction="sum"),
            sized=lambda n: call(uniform(n), uniform(n), uniform(n)),
        ),
        functional(
            "triplet_margin_loss",
            *[triplet(5, 4, reduction=r) for r in REDUCTIONS],
            triplet(5, 4, margin=3.0, swap=True),
            triplet(3, 4, p=3.0, eps=1e-3),
            triplet(0, 4, reduction="sum"),
            sized=lambda n: triplet(n // 64, 64),
        ),
    ]  # fmt: skip


# of adversarial networks


def gan_rows():
    kinds = ("minimax", "non_saturating", "least_squares", "wasserstein", "hinge")
    return [
        functional(
            "discriminator_loss",
            *[call(distinct(6, 1), distinct(5), kind) for kind in kinds],
            call(uniform(0), uniform(0), "wasserstein"),
            sized=lambda n: call(uniform(n), uniform(n)),
        ),
        functional(
            "generator_loss",
            *[call(distinct(6, 1), kind) for kind in kinds],
            call(uniform(0), "hinge"),
            sized=lambda n: call(uniform(n)),
        ),
    ]


# of sequences


def sequence_rows():
    def sequences(steps, n, c, size, *rest, **options):
        """Labels are 0 to c - 2; the last class is the blank."""
        return call(uniform(steps, n, c, low=-3.0, high=-0.5), index(n, size, below=c - 1),
                    *rest, **{"blank": c - 1} | options)  # fmt: skip

    def sized(n):
        steps = max(1, n // (4 * 20))
        return sequences(steps, 4, 20, 3, [steps] * 4, [3] * 4)

    x = uniform(4, 2, 3, low=-3.0, high=-0.5), uniform(4, 3, low=-3.0, high=-0.5)
    return [
        functional(
            "ctc_loss",
            *[sequences(4, 2, 3, 2, [4, 4], [2, 2], reduction=r) for r in REDUCTIONS],
            sequences(5, 3, 3, 3, [5, 3, 4], [3, 1, 0]),
            sequences(3, 2, 4, 2, [3, 0], [2, 0], reduction="none"),
            sequences(2, 2, 4, 3, [2, 2], [3, 1], reduction="none", zero_infinity=True),
            call(x[0], index(3, below=2), [4, 3], [2, 1], blank=2),
            call(uniform(4, 0, 3), index(0, 2, below=2), [], [], 2, "sum"),
            call(x[1], index(2, below=2), 4, 2, blank=2),
            sized=sized,
            tolerance=Tolerance(factor=64, scale="largest", reason="sums over all alignments"),
            dtypes=WIDE_FLOATS,
        )
    ]
