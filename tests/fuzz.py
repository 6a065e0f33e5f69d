"""Calls every function with arguments that make no sense; run by test_bad_input.py in a child.

    python -m tests.fuzz NAME...

Each call must return or raise an `Exception`: a signal, a hang or a SystemError is a fault of the
library. The last call is in the file named by FASTDL_FUZZ_LOG, should the process die in it.
"""

import faulthandler
import inspect
import os
import random
import sys
from pathlib import Path

import numpy as np

import fastdl
import fastdl.functional as F
from fastdl import _core
from fastdl.composed import load_all
from tests.doors import signature_parameters
from tests.opcases import OPS
from tests.oprow import to_tensor

CALLS = 120  # per function, besides those that change one argument of a right call


class Strange:
    """Lies about what it can do."""

    def __dlpack__(self, **options):
        return self

    def __index__(self):
        raise RuntimeError("no index")

    def __len__(self):
        return 3

    def __getitem__(self, i):
        raise ValueError("no items")


def odd_values():
    """Arguments of every wrong kind."""
    read_only = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    read_only.flags.writeable = False
    structured = np.zeros(3, [("a", "f4"), ("b", "i4")])
    f32 = np.linspace(-2, 2, 24, dtype=np.float32)
    nested = []
    nested.append(nested)
    return [
        None, True, False, 0, 1, -1, 2, 3, -7, 2**31, -(2**31), 2**55, -(2**55), 2**63 - 1, 2**63,
        -(2**63), 2**200, 0.0, -0.0, 0.5, -1.5, 1e308, float("nan"), float("inf"), -float("inf"),
        1j, "", "mean", "nonsense", "\0", "\udc80", b"bytes", bytearray(b"ab"), object(), Strange(),
        Strange, len, {}, {1: 2}, set(), [], (), [[]], [None], ["a"], [0], [-1], [1, 1], [2, 3],
        [0, 0], [2**55, 2**55], [2**62, 8], [-1, -1], [1] * 9, [1] * 200, nested, range(3),
        slice(None), Ellipsis, NotImplemented, fastdl.float32, fastdl.device("cpu"),
        np.float32(1), np.int64(2), np.bool_(True), np.complex64(1), np.str_("x"),
        np.datetime64("2020"), f32, f32.reshape(2, 3, 4), f32.reshape(2, 3, 4)[::-1, :, ::2],
        f32.reshape(4, 6).T, f32.reshape(1, 2, 3, 4), f32[:0], f32[:0].reshape(0, 3),
        f32[:1].reshape(()), f32.astype(np.float64), f32.astype(np.float16), f32.astype(np.int64),
        f32.astype(np.int32), f32.astype(np.uint8), f32.astype(bool), f32.astype(np.complex64),
        f32.astype(np.int8), f32.astype(">f4"), f32.astype(object), f32.astype("U4"), read_only,
        structured, structured["b"], np.zeros((1,) * 9, np.float32), np.zeros((1,) * 30),
        np.broadcast_to(np.float32(1), (2**9, 2**9)), np.full(24, np.nan, np.float32),
        np.full((2, 3), 2**40), np.full(3, -1), np.full((4, 4), 2**63 - 1),
        np.frombuffer(bytes(13), np.uint8)[1:].view("f4"), memoryview(b"1234"),
        fastdl.tensor(f32), fastdl.tensor(f32, requires_grad=True), fastdl.tensor(f32).half(),
        fastdl.tensor(f32).bfloat16(), fastdl.tensor(f32).double().reshape(2, 12),
        fastdl.tensor(f32.reshape(4, 6)).T, fastdl.zeros((0, 3)), fastdl.zeros((3, 0, 2)),
        fastdl.zeros((1,)).expand(2**17), fastdl.tensor(3), fastdl.tensor(True),
        fastdl.tensor([1.0], requires_grad=True) * 2, [fastdl.zeros((2,)), np.zeros(2)],
        [fastdl.zeros((2,)), None], fastdl.Generator(1), sys.modules, lambda: 0,
    ]  # fmt: skip


def describe(value):
    if isinstance(value, (np.ndarray, fastdl.Tensor)):
        return f"{type(value).__name__}({value.dtype}, {value.shape})"
    if isinstance(value, list) and len(value) > 20:
        return "[...]"
    return repr(value)[:80]


class Fuzzer:
    """Calls functions with odd arguments, and counts what comes of it."""

    def __init__(self, log):
        self.log = log
        self.returned = self.raised = 0
        self.faults = []

    def call(self, name, function, args, kwargs):
        named = [f"{k}={describe(v)}" for k, v in kwargs.items()]
        text = f"{name}({', '.join([*map(describe, args), *named])})"
        self.log.seek(0)
        self.log.truncate()
        self.log.write(text)
        self.log.flush()
        try:
            result = function(*args, **kwargs)
            self.use(result)
        except fastdl.Error as e:
            self.raised += 1
            if not (e.op and e.problem and e.remedy):
                self.faults.append(f"{text}: incomplete error {e!r}")
        except (TypeError, ValueError, OverflowError, RuntimeError, AttributeError, BufferError):
            self.raised += 1
        except BaseException as e:
            self.faults.append(f"{text}: {type(e).__name__}: {e}")
        else:
            self.returned += 1

    def use(self, result):
        """What was returned can be printed and differentiated."""
        for t in result if isinstance(result, tuple) else [result]:
            if isinstance(t, fastdl.Tensor):
                repr(t)
                if t.requires_grad:
                    t.sum().backward(retain_graph=True)

    def function(self, op):
        rng = random.Random(op.name)
        call = op.calls[0]
        names = _parameters(op.name)
        values = odd_values()
        right = list(call.fill([to_tensor(v, "float32") for v in call.draw(op.name)]))
        target = getattr(F, op.name)
        for i in range(len(right)):
            for value in values:
                self.call(op.name, target, [*right[:i], value, *right[i + 1 :]], call.kwargs)
        for name in names[len(right) :]:
            for value in values:
                kwargs = call.kwargs | {name: value}
                self.call(op.name, target, right, kwargs)
        for _ in range(CALLS):
            count = rng.randint(0, len(names) + 1)
            self.call(op.name, target, [rng.choice(values) for _ in range(count)], {})

    def others(self):
        """Creation, methods, attributes, optimisers."""
        values = odd_values()
        rng = random.Random(0)
        for row in _core._signatures():
            if row["module"] == "functional":
                continue
            name = row["name"]
            names = _parameters(name, row)
            if row["module"] == "methods":
                names = names[1:]
            for _ in range(CALLS):
                count = rng.randint(0, len(names) + 1)
                args = [rng.choice(values) for _ in range(count)]
                if row["module"] == "methods":
                    t = fastdl.tensor(np.ones((2, 3), np.float32))
                    self.call(f"Tensor.{name}", getattr(t, name), args, {})
                else:
                    function = getattr(_core, name)
                    self.call(name, function, [a for a in args if not _is_huge_shape(a)], {})
        for value in values:
            t = fastdl.ones((2, 3))
            for what in ("grad", "requires_grad"):
                self.call(f"Tensor.{what} =", setattr, [t, what, value], {})
            self.call("getitem", t.__getitem__, [value], {})
            self.call("setitem", t.__setitem__, [value, 1.0], {})
            self.call("setitem of", t.__setitem__, [0, value], {})
            self.call("Tensor", fastdl.Tensor, [value], {})
            self.call("getitems", t.__getitem__, [(value, value)], {})
            self.call("getslice", lambda t, v: t[v:v:v], [t, value], {})
            for slot in ("__add__", "__rsub__", "__matmul__", "__pow__", "__eq__", "__imul__"):
                self.call(slot, getattr(t, slot), [value], {})
            self.call("autograd.grad", fastdl.autograd.grad, [value, value], {})
            self.call("Generator", fastdl.Generator, [value], {})
            self.call("set_state", fastdl.Generator(1).set_state, [value], {})
            self.call("memory_stats", fastdl.memory_stats, [value], {})
            self.call("device", fastdl.device, [value], {})


def _parameters(name, row=None):
    if row is None and name in load_all():
        return list(inspect.signature(getattr(F, name)).parameters)
    row = row or next(s for s in _core._signatures() if s["name"] == name)
    return [parameter[0] for parameter in signature_parameters(row["signature"])]


def _is_huge_shape(value):
    return isinstance(value, int) and 2**24 < value < 2**40


def main(names):
    faulthandler.enable()
    log_file = Path(os.environ["FASTDL_FUZZ_LOG"])
    with log_file.open("w", encoding="utf-8", errors="replace") as log:
        fuzzer = Fuzzer(log)
        for name in names:
            if name == "others":
                fuzzer.others()
            else:
                fuzzer.function(next(op for op in OPS if op.name == name))
    print(f"{fuzzer.returned} {fuzzer.raised}")
    for fault in fuzzer.faults[:20]:
        print(fault, file=sys.stderr)
    return 1 if fuzzer.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
