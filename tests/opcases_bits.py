"""Rows of the case table: functions of the bits of integers."""

import numpy as np

import fastdl.functional as F
from tests.oprow import EXACT, Op, call, index, large

PLAIN = {"gradient": False}


def bits(name, reference, below2=1000):
    """A row of F.`name` of two tensors, the second of numbers below `below2`."""

    def pair(first, second, **about):
        return call(index(*first, below=1 << 30), index(*second, below=below2), **about)

    shapes = (((7,), (7,)), ((5, 1), (3,)), ((), (4,)), ((2, 0, 3), (2, 1, 1)))
    return Op(
        name=name,
        function=getattr(F, name),
        reference=reference,
        calls=(
            *(pair(*both, **PLAIN) for both in shapes),
            call(index(5, 3, 19, below=1 << 30), 5, **PLAIN),
            large(index(300, 257, below=1 << 30), index(257, below=below2)),
        ),
        sized=lambda n: pair((n,), (n,)),
        tolerance=EXACT,
        differentiable=False,
    )


def rows():
    """All rows of this file."""
    return [
        bits("bitwise_and", np.bitwise_and),
        bits("bitwise_or", np.bitwise_or),
        bits("bitwise_xor", np.bitwise_xor),
        bits("bitwise_left_shift", np.left_shift, below2=31),
        bits("bitwise_right_shift", np.right_shift, below2=31),
        Op(
            name="bitwise_not",
            function=F.bitwise_not,
            reference=np.invert,
            calls=tuple(
                call(index(*shape, below=1 << 30), **PLAIN) for shape in ((), (7,), (5, 3), (0, 2))
            ),
            sized=lambda n: call(index(n, below=1 << 30)),
            tolerance=EXACT,
            differentiable=False,
        ),
    ]
