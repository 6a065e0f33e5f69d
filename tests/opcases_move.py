"""Rows of the case table: parts, repetitions, borders, windows, triangles, products."""

import numpy as np

import fastdl.functional as F
from tests import references_move as ref
from tests.oprow import EXACT, FLOATS, INTEGERS, Op, Tolerance, call, large, uniform


def rows():
    """All rows of this file."""
    return [
        *part_rows(),
        *repetition_rows(),
        *order_rows(),
        *triangle_rows(),
        *pad_rows(),
        *window_rows(),
        *product_rows(),
    ]


def moving(name, reference, *calls, **fields):
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=calls,
        tolerance=EXACT,
        integers=INTEGERS,
        **fields,
    )


X = uniform(2, 5, 4)


def part_rows():
    return [
        moving(
            "split",
            ref.split,
            call(X, 2, 1),
            call(X, [1, 4], 1),
            call(X, 3, dim=-1),
            call(X, [0, 2, 0]),
            call(uniform(0, 3), 2),
            call(uniform(7), 7),
            sized=lambda n: call(uniform(n // 64, 64), [16, 48], 1),
        ),
        moving(
            "chunk",
            ref.chunk,
            call(X, 2, 1),
            call(X, 3, 1),
            call(X, 9, dim=-1),
            call(uniform(3, 0), 2, 1),
            sized=lambda n: call(uniform(n // 64, 64), 3, 1),
        ),
        moving(
            "unbind",
            ref.unbind,
            call(X),
            call(X, 1),
            call(X, dim=-1),
            call(uniform(2, 0), 0),
            sized=lambda n: call(uniform(n // 4, 4), 1),
        ),
    ]


def repetition_rows():
    # Gradients are sums over what repeats.
    sums = {"follows_strides": "gradient"}
    return [
        moving(
            "repeat",
            np.tile,
            call(X, [1, 1, 1]),
            call(X, [2, 3, 1]),
            call(X, [2, 1, 3, 2]),
            call(X, [1, 0, 2]),
            call(uniform(), [3]),
            call(uniform(), []),
            call(uniform(0, 3), [2, 2]),
            call(uniform(1, 1, 1, 1, 1, 1, 1, 2), [2, 1, 2, 1, 2, 1, 2, 3]),
            large(uniform(30, 40), [11, 7]),
            sized=lambda n: call(uniform(n // 128, 32), [2, 2]),
            **sums,
        ),
        moving(
            "tile",
            np.tile,
            call(X, [2]),
            call(X, [3, 2]),
            call(X, [2, 1, 3, 2]),
            call(uniform(0, 3), [2]),
            sized=lambda n: call(uniform(n // 128, 32), [4]),
            **sums,
        ),
        moving(
            "repeat_interleave",
            ref.repeat_interleave,
            call(X, 2),
            call(X, 3, 1),
            call(X, 2, dim=-1),
            call(X, 0, 0),
            call(uniform(), 3),
            call(uniform(0, 3), 2, 1),
            large(uniform(300, 57), 5, 1),
            sized=lambda n: call(uniform(n // 128, 32), 4, 1),
            **sums,
        ),
        moving(
            "broadcast_to",
            np.broadcast_to,
            call(uniform(3, 1), [3, 5]),
            call(uniform(3, 1), [2, 3, 4]),
            call(uniform(0, 1), [0, 4]),
            sized=lambda n: call(uniform(n // 64, 1), [n // 64, 64]),
            **sums,
        ),
        moving(
            "meshgrid",
            ref.meshgrid,
            call([uniform(2), uniform(3), uniform(4)]),
            call([uniform(2), uniform(3), uniform(4)], indexing="xy"),
            call([uniform(2), uniform(3)], "ij"),
            call([uniform(0), uniform(3)]),
            sized=lambda n: call([uniform(n // 64), uniform(64)]),
            **sums,
        ),
    ]


def order_rows():
    return [
        moving(
            "flip",
            np.flip,
            call(X, [0]),
            call(X, [1, -1]),
            call(X, [0, 1, 2]),
            call(X, []),
            call(uniform(0, 3), [0, 1]),
            large(uniform(300, 257), [1]),
            sized=lambda n: call(uniform(n // 64, 64), [0, 1]),
        ),
        moving(
            "roll",
            np.roll,
            call(X, 3),
            call(X, [1, 2], [0, 1]),
            call(X, [-9, 3, 2], [1, 2, 0]),
            call(X, 5, 1),
            call(uniform(), 2),
            call(uniform(0, 3), 2, 0),
            large(uniform(300, 257), [5, -7], [0, 1]),
            sized=lambda n: call(uniform(n // 64, 64), [3, 5], [0, 1]),
        ),
        moving(
            "movedim",
            np.moveaxis,
            call(X, 0, 2),
            call(X, [0, 1], [2, 0]),
            call(X, -1, 0),
            call(uniform(0, 3), 0, 1),
            sized=lambda n: call(uniform(n // 64, 64), 0, 1),
        ),
        moving(
            "swapaxes",
            np.swapaxes,
            call(X, 0, 2),
            call(X, -1, -2),
            call(uniform(0, 3), 0, 1),
            sized=lambda n: call(uniform(n // 64, 64), 0, 1),
        ),
        moving(
            "unflatten",
            ref.unflatten,
            call(uniform(2, 12), 1, [3, 4]),
            call(uniform(12, 2), 0, [2, -1, 3]),
            call(uniform(2, 6), -1, [6]),
            call(uniform(2, 0), 1, [0, 3]),
            sized=lambda n: call(uniform(n), 0, [-1, 4]),
        ),
    ]


def triangle_rows():
    return [
        *[
            moving(
                name,
                function,
                call(X),
                call(X, 1),
                call(X, -2),
                call(X, 7),
                call(X, -7),
                call(uniform(3, 0)),
                call(uniform(0, 3, 3)),
                large(uniform(5, 130, 257), 3),
                sized=lambda n: call(uniform(n // 1024, 32, 32)),
            )
            for name, function in (("tril", np.tril), ("triu", np.triu))
        ],
        moving(
            "diagonal",
            np.diagonal,
            call(X),
            call(X, 1, 1, 2),
            call(X, -2, 1, 0),
            call(X, -1, -1, 1),
            call(X, 9),
            call(uniform(0, 3)),
            sized=lambda n: call(uniform(64, n // 64)),
        ),
        moving(
            "diag",
            np.diag,
            call(uniform(3)),
            call(uniform(3), 2),
            call(uniform(3), -1),
            call(uniform(4, 3)),
            call(uniform(4, 3), -2),
            call(uniform(3, 4), 9),
            call(uniform(0)),
            sized=lambda n: call(uniform(64, n // 64), 1),
        ),
    ]


def pad_rows():
    x = uniform(2, 3, 5)
    image = uniform(2, 3, 4, 5)
    modes = ("reflect", "replicate", "circular")
    return [
        Op(
            name="pad",
            function=F.pad,
            reference=ref.pad,
            calls=(
                call(x, [1, 2]),
                call(x, [1, 2, 0, 1], "constant", 3.0),
                call(x, [-1, 2, 1, -2, 0, 1], value=2.0),
                call(x, []),
                call(x, [-2, -3]),
                call(uniform(), []),
                call(uniform(0, 3), [1, 1, 0, 2]),
                call(uniform(2, 0), [1, 2]),
                *[call(x, [2, 1], mode) for mode in modes],
                *[call(image, [1, 2, 3, 0], mode=mode) for mode in modes],
                *[call(image, [-1, 2, 1, -1, 0, 0, 1, 0], mode=mode) for mode in modes],
                *[call(x, [-4, 1], mode=mode) for mode in modes],
                *[call(uniform(0, 2, 3), [1, 1], mode=mode) for mode in modes],
                large(uniform(3, 40, 57, 33), [1, 2, 3, 4]),
                *[large(uniform(3, 4, 57, 133), [1, 2, 3, 4], mode) for mode in modes],
            ),
            sized=lambda n: call(uniform(n // 1024, 32, 32), [1, 1, 1, 1], "reflect"),
            tolerance=EXACT,
            integers=INTEGERS,
            follows_strides="gradient",
        )
    ]


def window_rows():
    def options(**chosen):
        return chosen

    every = (
        options(kernel_size=2),
        options(kernel_size=[3, 2], padding=1),
        options(kernel_size=[2, 3], padding=[1, 2], stride=[2, 3], dilation=[2, 1]),
        options(kernel_size=3, stride=2, dilation=2, padding=3),
        options(kernel_size=1, stride=4),
    )
    wide = options(kernel_size=3, padding=1)
    return [
        Op(
            name="unfold",
            function=F.unfold,
            reference=ref.unfold,
            calls=(
                *[call(uniform(2, 3, 7, 6), **o) for o in every],
                call(uniform(3, 7, 6), 3),
                call(uniform(0, 3, 4, 4), 2),
                call(uniform(2, 0, 4, 4), 2),
                large(uniform(2, 5, 57, 63), **wide),
            ),
            sized=lambda n: call(uniform(n // 4096, 4, 32, 32), **wide),
            tolerance=EXACT,
        ),
        Op(
            name="fold",
            function=F.fold,
            reference=ref.fold,
            calls=(
                call(uniform(2, 12, 30), [7, 6], **every[0]),
                call(uniform(2, 18, 49), [7, 6], **every[1]),
                call(uniform(2, 18, 12), [7, 6], **every[2]),
                call(uniform(2, 9, 20), [7, 6], **every[3]),
                call(uniform(2, 3, 4), [7, 6], **every[4]),
                call(uniform(12, 9), 4, 2),
                call(uniform(0, 12, 9), 4, 2),
                call(uniform(2, 0, 9), 4, 2),
                large(uniform(2, 45, 57 * 1063), [57, 1063], **wide),
                large(uniform(2, 8, 28 * 31), [57, 63], kernel_size=2, stride=2),
            ),
            sized=lambda n: call(uniform(n // 36864 + 1, 36, 1024), [32, 32], **wide),
            tolerance=Tolerance(8, "largest", 4, "sums of up to nine terms that cancel"),
        ),
    ]


def product_rows():
    sums = Tolerance(16, "largest", 2, "sums of up to 200 terms that cancel")

    def product(name, *calls, **fields):
        return Op(
            name=name,
            function=getattr(F, name),
            calls=calls,
            **{"reference": lambda a, b: a @ b, "tolerance": sums, "dtypes": FLOATS,
               "follows_strides": "result"} | fields,
        )  # fmt: skip

    return [
        product(
            "mm",
            call(uniform(3, 4), uniform(4, 5)),
            call(uniform(0, 4), uniform(4, 5)),
            call(uniform(3, 0), uniform(0, 5)),
            large(uniform(129, 131), uniform(131, 37)),
            sized=lambda n: call(uniform(n // 256, 64), uniform(64, 64)),
        ),
        product(
            "bmm",
            call(uniform(2, 3, 4), uniform(2, 4, 5)),
            call(uniform(0, 3, 4), uniform(0, 4, 5)),
            large(uniform(20, 33, 17), uniform(20, 17, 29)),
            sized=lambda n: call(uniform(n // 4096, 32, 32), uniform(n // 4096, 32, 32)),
        ),
        product(
            "mv",
            call(uniform(3, 4), uniform(4)),
            call(uniform(0, 4), uniform(4)),
            large(uniform(501, 103), uniform(103)),
            sized=lambda n: call(uniform(n // 64, 64), uniform(64)),
        ),
        product(
            "dot",
            call(uniform(5), uniform(5)),
            call(uniform(0), uniform(0)),
            call(uniform(200), uniform(200)),
            sized=lambda n: call(uniform(n // 64), uniform(n // 64)),
        ),
        product(
            "outer",
            call(uniform(3), uniform(4)),
            call(uniform(0), uniform(4)),
            large(uniform(301), uniform(257)),
            reference=np.outer,
            tolerance=Tolerance(0.5, half=0.5),
            integers=INTEGERS,
            sized=lambda n: call(uniform(n // 64), uniform(64)),
            follows_strides="gradient",
        ),
        product(
            "addmm",
            call(uniform(3, 5), uniform(3, 4), uniform(4, 5)),
            call(uniform(5), uniform(3, 4), uniform(4, 5), beta=2.0, alpha=-0.5),
            call(uniform(3, 1), uniform(3, 4), uniform(4, 5), beta=0.0),
            call(uniform(), uniform(0, 4), uniform(4, 5)),
            large(uniform(67), uniform(129, 131), uniform(131, 67), alpha=2.0),
            reference=ref.addmm,
            sized=lambda n: call(uniform(64), uniform(n // 256, 64), uniform(64, 64)),
        ),
        product(
            "baddbmm",
            call(uniform(2, 3, 5), uniform(2, 3, 4), uniform(2, 4, 5)),
            call(uniform(3, 1), uniform(2, 3, 4), uniform(2, 4, 5), beta=2.0, alpha=-0.5),
            call(uniform(1, 5), uniform(0, 3, 4), uniform(0, 4, 5)),
            large(uniform(33, 29), uniform(20, 33, 17), uniform(20, 17, 29)),
            reference=ref.addmm,
            sized=lambda n: call(
                uniform(32), uniform(n // 4096, 32, 32), uniform(n // 4096, 32, 32)
            ),
        ),
    ]
