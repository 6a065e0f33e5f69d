"""The case table: one row per op, which drives every test of ops and every timing.

    for op in OPS:
        args, kwargs = op.make(1 << 20)
        op.function(*args, **kwargs)

The rows are in `opcases_*.py`, a file per subject, the references in `references*.py`, and what
rows are made of in `oprow.py`.
"""

from importlib import import_module
from pathlib import Path

from tests.oprow import Call, Op

__all__ = ["CALLS", "OPS", "TESTED_ELSEWHERE", "row"]

FILES = sorted(p.stem for p in Path(__file__).parent.glob("opcases_*.py"))
OPS: tuple[Op, ...] = tuple(op for name in FILES for op in import_module(f"tests.{name}").rows())

# Functions composed in Python whose tests are no rows, and where those are.
TESTED_ELSEWHERE = {
    "box_area": "test_boxes.py",
    "box_convert": "test_boxes.py",
    "box_decode": "test_boxes.py",
    "box_encode": "test_boxes.py",
    "box_iou": "test_boxes.py",
    "clip_boxes_to_image": "test_boxes.py",
    "einsum": "test_einsum.py",
    "generalized_box_iou": "test_boxes.py",
    "global_average_pool": "test_nn_pool.py",
    "global_lp_pool": "test_nn_pool.py",
    "global_max_pool": "test_nn_pool.py",
    "gumbel_softmax": "test_gates.py",
    "gradient_penalty": "test_losses.py",
    "lp_pool1d": "test_nn_pool.py",
    "lp_pool2d": "test_nn_pool.py",
    "lp_pool3d": "test_nn_pool.py",
    "spatial_pyramid_pool": "test_nn_pool.py",
    "tensordot": "test_einsum.py",
    "yolo_decode": "test_boxes.py",
}

# Every call of every op, as tests are parametrised over them.
CALLS: list[tuple[Op, Call]] = [(op, one) for op in OPS for one in op.calls]


def row(name: str) -> Op:
    """The row of an op."""
    return next(op for op in OPS if op.name == name)
