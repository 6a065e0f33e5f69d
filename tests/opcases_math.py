"""Rows of the case table: elementwise functions, reductions, shapes and indices."""

import math

import numpy as np

import fastdl.functional as F
from tests import references as ref
from tests.oprow import (
    EXACT,
    FLOATS,
    INTEGERS,
    ROUNDED,
    Op,
    Tolerance,
    call,
    distinct,
    grid,
    index,
    large,
    mask,
    special,
    uniform,
)

# Around the widths of SIMD registers (4, 8, 16 elements), with tails, and nothing at all.
SHAPES = ((), (1,), (7,), (16,), (33,), (5, 3, 19), (0,), (2, 0, 3))
SIGNED = ("int64", "int32")
SOFTPLUS = ({"beta": 2.5}, {"beta": 0.5, "threshold": 1.0})
ROUNDED_TWICE = Tolerance(factor=2, reason="two or three operations, each rounded")


def rows():
    """All rows of this file."""
    return [
        *unary_rows(),
        *activation_rows(),
        *binary_rows(),
        *reduction_rows(),
        *shape_rows(),
        *index_rows(),
    ]


# elementwise, of one tensor


def unary(name, reference, draw=uniform, low=-2.0, high=2.0, wide=None, options=(), **fields):
    """`options`: keyword arguments of further calls; `always`: of every call."""
    always = fields.pop("always", {})
    calls = [call(draw(*shape, low=low, high=high), **always) for shape in SHAPES]
    calls += [call(draw(41, low=low, high=high), **chosen) for chosen in options]
    calls.append(large(draw(70_001, low=low, high=high), **always))
    apart = {"gradient": False, "wide_only": True, **always}
    calls.append(call(special(45), note="special", **apart))
    if wide:
        calls.append(call(uniform(501, low=wide[0], high=wide[1]), note="wide", **apart))
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=tuple(calls),
        sized=lambda n: call(draw(n, low=low, high=high), **always),
        **fields,
    )


def unary_rows():
    bounded = Tolerance(scale="one", reason="near its zeros the argument's own rounding rules")
    composed = Tolerance(factor=8, reason="a reciprocal and a square root, each rounded")
    gaussian = Tolerance(single=12, reason="erfc from its rational approximation in float32")
    return [
        unary("neg", np.negative, tolerance=EXACT, integers=SIGNED),
        unary("abs", np.abs, distinct, tolerance=EXACT, integers=SIGNED),
        unary("sign", np.sign, distinct, tolerance=EXACT, integers=INTEGERS),
        unary("square", np.square, tolerance=ROUNDED, integers=INTEGERS),
        unary("reciprocal", np.reciprocal, low=0.3, high=3, tolerance=ROUNDED),
        unary("sqrt", np.sqrt, low=0.1, high=4, wide=(0, 1e30), tolerance=ROUNDED),
        unary(
            "rsqrt", lambda x: 1 / np.sqrt(x), low=0.1, high=4, wide=(0, 1e30), tolerance=composed
        ),
        unary("exp", np.exp, wide=(-100, 88)),
        unary("log", np.log, low=0.1, high=10, wide=(0, 1e30)),
        unary("sin", np.sin, low=-7, high=7, wide=(-1e4, 1e4), tolerance=bounded),
        unary("cos", np.cos, low=-7, high=7, wide=(-1e4, 1e4), tolerance=bounded),
        unary("tanh", np.tanh, wide=(-30, 30)),
        unary("sigmoid", ref.sigmoid, low=-8, high=8, wide=(-80, 80)),
        unary("relu", ref.relu, distinct, tolerance=EXACT, integers=INTEGERS),
        *[
            unary(name, f, distinct, tolerance=EXACT, integers=INTEGERS, low=-4, high=4)
            for name, f in (("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc))
        ],
        unary("round", np.round, distinct, tolerance=EXACT, integers=INTEGERS, low=-4, high=4),
        unary("exp2", np.exp2, wide=(-130, 127)),
        unary("expm1", np.expm1, wide=(-100, 88)),
        unary("log2", np.log2, low=0.1, high=10, wide=(0, 1e30)),
        unary("log10", np.log10, low=0.1, high=10, wide=(0, 1e30)),
        unary("log1p", np.log1p, low=-0.9, high=9, wide=(-1, 1e30)),
        unary("tan", np.tan, low=-1.4, high=1.4, wide=(-1e4, 1e4)),
        unary("asin", np.arcsin, low=-0.95, high=0.95, wide=(-1, 1)),
        unary("acos", np.arccos, low=-0.95, high=0.95, wide=(-1, 1)),
        unary("atan", np.arctan, wide=(-1e4, 1e4)),
        unary("sinh", np.sinh, wide=(-80, 80)),
        unary("cosh", np.cosh, wide=(-80, 80)),
        unary("asinh", np.arcsinh, wide=(-1e30, 1e30)),
        unary("acosh", np.arccosh, low=1.1, high=5, wide=(1, 1e30)),
        unary("atanh", np.arctanh, low=-0.95, high=0.95, wide=(-1, 1)),
        unary("erf", ref.erf, wide=(-10, 10)),
        unary("erfc", ref.erfc, wide=(-10, 10), tolerance=gaussian),
        unary("logical_not", lambda x: x == 0, grid, low=-1, high=1, differentiable=False),
        unary("isnan", np.isnan, differentiable=False),
        unary("isinf", np.isinf, differentiable=False),
        unary("isfinite", np.isfinite, differentiable=False),
    ]


def activation_rows():
    gaussian = Tolerance(
        factor=32, reason="x / sqrt(2) is rounded, and the tail falls like exp(-x^2)"
    )
    scaled = Tolerance(factor=24, reason="the exponential of beta * x, to -20, which is rounded")
    cancels = Tolerance(scale="one", reason="a difference that cancels near 0")
    bounds = {"min": -0.5, "max": 1.25}
    return [
        unary(
            "softplus",
            ref.softplus,
            low=-8,
            high=8,
            wide=(-80, 80),
            options=SOFTPLUS,
            tolerance=scaled,
        ),
        unary("logsigmoid", ref.logsigmoid, low=-8, high=8, wide=(-80, 80)),
        unary(
            "relu6",
            lambda x: np.clip(x, 0, 6).astype(x.dtype),
            distinct,
            low=-2,
            high=8,
            tolerance=EXACT,
            integers=INTEGERS,
        ),
        unary("selu", ref.selu, distinct, wide=(-80, 80)),
        unary("silu", ref.silu, low=-8, high=8, wide=(-80, 80)),
        unary(
            "gelu", ref.gelu, wide=(-5, 30), options=[{"approximate": "tanh"}], tolerance=gaussian
        ),
        unary("mish", ref.mish, low=-8, high=8, wide=(-80, 80)),
        unary("softsign", ref.softsign, distinct, tolerance=ROUNDED_TWICE),
        unary("tanhshrink", lambda x: x - np.tanh(x), wide=(-30, 30), tolerance=cancels),
        unary("hardswish", ref.hardswish, distinct, low=-5, high=5, tolerance=ROUNDED_TWICE),
        unary(
            "leaky_relu",
            ref.leaky_relu,
            distinct,
            options=[{"negative_slope": 0.3}],
            tolerance=ROUNDED_TWICE,
        ),
        unary("elu", ref.elu, distinct, wide=(-80, 80), options=[{"alpha": 1.7}]),
        unary("celu", ref.celu, distinct, wide=(-80, 80), options=[{"alpha": 0.6}]),
        unary(
            "hardtanh",
            ref.hardtanh,
            distinct,
            options=[{"min_val": -0.5, "max_val": 1.5}],
            tolerance=EXACT,
        ),
        unary(
            "hardsigmoid",
            ref.hardsigmoid,
            distinct,
            low=-5,
            high=5,
            options=[{"alpha": 0.2, "beta": 0.4}],
            tolerance=cancels,
        ),
        unary(
            "threshold",
            ref.threshold,
            distinct,
            always={"threshold": 0.25, "value": -3.0},
            tolerance=EXACT,
        ),
        unary("hardshrink", ref.hardshrink, distinct, options=[{"lambd": 1.0}], tolerance=EXACT),
        unary("softshrink", ref.softshrink, distinct, options=[{"lambd": 1.0}], tolerance=ROUNDED),
        unary(
            "clamp",
            ref.clamp,
            distinct,
            always=bounds,
            options=[{"min": 0.5}, {"max": -0.5}],
            tolerance=EXACT,
        ),
    ]


# elementwise, of two tensors

PAIRS = (
    ((), ()),
    ((7,), ()),
    ((33,), (1,)),
    ((5, 1, 7), (4, 1)),
    ((3, 17), (3, 17)),
    ((2, 3, 5), (3, 5)),
    ((0, 3), (1, 3)),
    ((2, 0), (2, 1)),
)


def binary(name, reference, draw=uniform, low=-2.0, high=2.0, low2=None, high2=None, **fields):
    second = {"low": low if low2 is None else low2, "high": high if high2 is None else high2}
    calls = [call(draw(*a, low=low, high=high), draw(*b, **second)) for a, b in PAIRS]
    calls += [
        call(draw(9, low=low, high=high), 0.5),
        call(1.5, draw(9, **second)),
        large(draw(300, 257, low=low, high=high), draw(257, **second)),
        call(special(225), special(225), note="special", gradient=False, wide_only=True),
    ]
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=tuple(calls),
        sized=lambda n: call(draw(n, low=low, high=high), draw(n, **second)),
        follows_strides="gradient",
        **fields,
    )


def binary_rows():
    power = Tolerance(factor=16, half=2, reason="exp of a product carries the error of log")
    arithmetic = {"tolerance": ROUNDED, "integers": INTEGERS}
    compared = {"differentiable": False, "integers": INTEGERS, "draw": grid}
    return [
        binary("add", np.add, **arithmetic),
        binary("sub", np.subtract, **arithmetic),
        binary("mul", np.multiply, **arithmetic),
        binary("div", ref.divide, low2=0.5, high2=3, tolerance=ROUNDED),
        binary("pow", np.power, low=0.3, high=3, low2=-2, high2=2, tolerance=power),
        binary("atan2", np.arctan2, distinct),
        binary("fmod", np.fmod, distinct, low2=0.4, high2=3, tolerance=EXACT),
        binary("remainder", np.remainder, distinct, low2=-3, high2=-0.4, tolerance=ROUNDED),
        binary("floor_divide", np.floor_divide, distinct, low2=0.4, high2=3, tolerance=EXACT),
        binary("maximum", np.maximum, distinct, tolerance=EXACT, integers=INTEGERS),
        binary("minimum", np.minimum, distinct, tolerance=EXACT, integers=INTEGERS),
        *[
            binary(name, reference, **compared)
            for name, reference in (
                ("eq", np.equal),
                ("ne", np.not_equal),
                ("lt", np.less),
                ("le", np.less_equal),
                ("gt", np.greater),
                ("ge", np.greater_equal),
                ("logical_and", np.logical_and),
                ("logical_or", np.logical_or),
                ("logical_xor", np.logical_xor),
            )
        ],
        Op(
            name="where",
            function=F.where,
            reference=np.where,
            calls=(
                call(mask(7), uniform(7), uniform(7)),
                call(mask(5, 1), uniform(3), uniform(4, 1, 1)),
                call(mask(3, 17), uniform(3, 17), 0.5),
                call(mask(3), 2.0, uniform(2, 3)),
                call(mask(0, 3), uniform(1, 3), uniform(0, 1)),
                large(mask(300, 257), uniform(257), uniform(300, 1)),
            ),
            sized=lambda n: call(mask(n), uniform(n), uniform(n)),
            tolerance=EXACT,
            follows_strides="gradient",
            integers=INTEGERS,
        ),
    ]


# reductions

OVER = (
    ((7,), {}),
    ((), {}),
    ((33,), {"dim": 0}),
    ((3, 5), {"dim": 0}),
    ((3, 5), {"dim": -1, "keepdim": True}),
    ((2, 3, 4, 5), {"dim": [0, 2]}),
    ((4, 1, 37), {"dim": [0, 1, 2], "keepdim": True}),
    ((19, 2), {"dim": 0, "keepdim": True}),
)
EMPTY = (
    ((2, 0), {"dim": 0}),  # no results
    ((0, 3), {"dim": 1}),
    ((0,), {}),  # a result of no elements
    ((0, 3), {"dim": 0}),
)
LARGE = (((70_001,), {}), ((300, 401), {"dim": 0}), ((300, 401), {"dim": 1}))


def reduction(
    name, reference, draw=uniform, empty=EMPTY, several=True, long=True, more=(), **fields
):
    def allowed(options):
        return several or not isinstance(options.get("dim"), list)

    calls = [call(draw(*s), **o) for s, o in (*OVER, *empty) if allowed(o)]
    calls += [*more, *(large(draw(*s), **o) for s, o in LARGE if long)]
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=tuple(calls),
        sized=lambda n: call(draw(max(1, n // 512), 512), dim=1),
        **fields,
    )


def running(name, reference, draw, chooses=False, **fields):
    shapes = (((7,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 33, 4), 1), ((2, 3, 40), 2), ((0, 3), 0))
    calls = [call(draw(*shape), dim) for shape, dim in (*shapes, ((2, 0), 0), ((), 0))]
    if chooses:  # of equal elements, and of NaN
        calls += [call(grid(3, 270), 1, gradient=False), call(grid(70, 3), 0, gradient=False)]
        calls.append(call(special(2, 45), 1, note="special", gradient=False, wide_only=True))
    calls += [call(draw(3, 270), 1), large(draw(300, 401), 0), large(draw(401, 300), -1)]
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=tuple(calls),
        sized=lambda n: call(draw(max(1, n // 32), 32), 1),
        integers=INTEGERS if chooses else SIGNED[:1],
        **fields,
    )


def factors(*shape):
    """Near 1, so that products stay in range."""
    return distinct(*shape, low=0.6, high=1.4)


def reduction_rows():
    cancelling = Tolerance(
        factor=32, half=2, scale="largest", reason="terms cancel; a blocked sum of 70,001 of them"
    )
    choice = {"draw": distinct, "empty": EMPTY[:1], "tolerance": EXACT}
    one = choice | {"several": False}
    place = one | {"differentiable": False}
    spread = Tolerance(factor=64, half=6, scale="largest", reason="as sum, then squares of it")
    summed = {"tolerance": cancelling, "follows_strides": "result"}
    multiplied = Tolerance(factor=32, half=16, reason="each of up to 38 products is rounded")
    orders = [call(distinct(4, 9), p=p, dim=1) for p in (1.0, 3.0, math.inf, -math.inf)]
    orders.append(call(grid(4, 9), p=0.0, dim=1, gradient=False))
    truth = {"draw": grid, "differentiable": False, "integers": INTEGERS}
    return [
        reduction("sum", ref.total, integers=INTEGERS, **summed),
        reduction("mean", ref.mean, **summed),
        reduction("var", ref.var, **summed | {"tolerance": spread}),
        reduction("std", ref.std, **summed | {"tolerance": spread, "empty": EMPTY[:1]}),
        reduction(
            "prod", ref.product, factors, long=False, tolerance=multiplied, follows_strides="result"
        ),
        reduction("norm", ref.norm, distinct, more=orders, empty=EMPTY[:3], **summed),
        reduction("logsumexp", ref.logsumexp, **summed),
        reduction("any", ref.any_of, **truth),
        reduction("all", ref.all_of, **truth),
        running("cumsum", ref.cumsum, uniform, tolerance=cancelling),
        running("cumprod", ref.cumprod, factors, tolerance=multiplied),
        running("cummax", ref.cummax, distinct, True, tolerance=EXACT),
        running("cummin", ref.cummin, distinct, True, tolerance=EXACT),
        reduction("amax", ref.amax, integers=INTEGERS, **choice),
        reduction("amin", ref.amin, integers=INTEGERS, **choice),
        reduction("argmax", ref.argmax, integers=INTEGERS, **place),
        reduction("argmin", ref.argmin, integers=INTEGERS, **place),
        reduction("max", ref.maximum_of, integers=INTEGERS, **one),
        reduction("min", ref.minimum_of, integers=INTEGERS, **one),
    ]


# shapes


def shaping(name, reference, *calls, **fields):
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=calls,
        tolerance=EXACT,
        integers=INTEGERS,
        **fields,
    )


def shape_rows():
    x = uniform(2, 3, 4)
    return [
        *[
            shaping(
                name,
                np.reshape,
                call(x, [6, 4]),
                call(x, [-1]),
                call(x, [3, -1, 2]),
                call(uniform(), [1, 1]),
                call(uniform(1), []),
                call(uniform(0, 3), [3, 0, 2]),
                sized=lambda n: call(uniform(n), [n, 1]),
            )
            for name in ("reshape", "view")
        ],
        shaping(
            "permute",
            np.transpose,
            call(x, [2, 0, 1]),
            call(x, [-1, 1, 0]),
            call(uniform(), []),
            call(uniform(0, 3), [1, 0]),
            sized=lambda n: call(uniform(n // 64, 64), [1, 0]),
        ),
        shaping(
            "transpose",
            np.swapaxes,
            call(x, 0, 2),
            call(x, -1, -2),
            call(x, 1, 1),
            call(uniform(0, 3), 0, 1),
            sized=lambda n: call(uniform(n // 64, 64), 0, 1),
        ),
        shaping(
            "flatten",
            ref.flatten,
            call(x),
            call(x, 1),
            call(x, start_dim=0, end_dim=1),
            call(x, -2, -2),
            call(uniform()),
            call(uniform(2, 0, 3), 1),
            sized=lambda n: call(uniform(n // 64, 8, 8), 1),
        ),
        shaping(
            "squeeze",
            ref.squeeze,
            call(uniform(1, 3, 1)),
            call(uniform(1, 3, 1), 0),
            call(uniform(1, 3, 1), dim=-1),
            call(uniform(1, 3, 1), 1),
            call(uniform(1, 0)),
            sized=lambda n: call(uniform(1, n)),
        ),
        shaping(
            "unsqueeze",
            np.expand_dims,
            call(x, 0),
            call(x, -1),
            call(x, 2),
            call(uniform(), 0),
            call(uniform(0), 1),
            sized=lambda n: call(uniform(n), 0),
        ),
        shaping(
            "expand",
            ref.expand,
            call(uniform(3, 1), [3, 5]),
            call(uniform(3, 1), [2, -1, 4]),
            call(uniform(), [2, 2]),
            call(uniform(1, 3), [0, 3]),
            call(uniform(0, 1), [0, 4]),
            sized=lambda n: call(uniform(n // 64, 1), [n // 64, 64]),
            follows_strides="gradient",
        ),
        shaping(
            "narrow",
            ref.narrow,
            call(x, 2, 1, 2),
            call(x, -2, 0, 3),
            call(x, 0, 2, 0),
            call(uniform(0, 3), 1, 1, 2),
            sized=lambda n: call(uniform(n + 2), 0, 1, n),
        ),
        shaping(
            "cat",
            lambda tensors, dim=0: np.concatenate(tensors, axis=dim),
            call([uniform(2, 3), uniform(4, 3)]),
            call([uniform(2, 3), uniform(2, 1), uniform(2, 0)], 1),
            call([uniform(5)], dim=-1),
            call([uniform(0, 3), uniform(0, 3)]),
            large([uniform(300, 100), uniform(300, 157)], 1),
            sized=lambda n: call([uniform(n // 2), uniform(n - n // 2)]),
        ),
        shaping(
            "stack",
            lambda tensors, dim=0: np.stack(tensors, axis=dim),
            call([uniform(2, 3), uniform(2, 3)]),
            call([uniform(2, 3), uniform(2, 3), uniform(2, 3)], dim=-1),
            call([uniform(), uniform()]),
            call([uniform(0, 3)], 1),
            sized=lambda n: call([uniform(n // 2), uniform(n // 2)]),
        ),
    ]


# indices


def index_rows():
    return [
        Op(
            name="embedding",
            function=F.embedding,
            reference=lambda rows, weight: weight[rows],
            calls=(
                call(index(6, below=5), uniform(5, 3)),
                call(index(2, 4, below=9), uniform(9, 17)),
                call(index(below=3), uniform(3, 4)),
                call(index(0, below=3), uniform(3, 4)),
                call(index(5, below=3), uniform(3, 0)),
                call(index(5, below=3), uniform(3, 1)),
                large(index(700, below=50), uniform(50, 101)),
            ),
            sized=lambda n: call(index(n // 64, below=1000), uniform(1000, 64)),
            tolerance=EXACT,
            dtypes=FLOATS,
        ),
    ]
