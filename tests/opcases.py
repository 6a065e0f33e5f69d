"""The case table: one row per op, which drives every test of ops and every timing.

    for op in OPS:
        args, kwargs = op.make(1 << 20)
        op.function(*args, **kwargs)

The rows are in `opcases_math.py` (elementwise, reductions, shapes) and `opcases_network.py`
(products, convolutions, losses), the references in `references.py`, and what rows are made of in
`oprow.py`. A new op gets its row in one of the first two.
"""

from tests import opcases_index, opcases_math, opcases_network
from tests.oprow import Call, Op

__all__ = ["CALLS", "OPS", "row"]

OPS: tuple[Op, ...] = (*opcases_math.rows(), *opcases_network.rows(), *opcases_index.rows())

# Every call of every op, as tests are parametrised over them.
CALLS: list[tuple[Op, Call]] = [(op, one) for op in OPS for one in op.calls]


def row(name: str) -> Op:
    """The row of an op."""
    return next(op for op in OPS if op.name == name)
