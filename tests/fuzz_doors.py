"""Draws arguments for every function from its door (docs/door.md) and calls it; run in a child.

    python -m tests.fuzz_doors --examples 2000            every function: the long form
    python -m tests.fuzz_doors --examples 50 conv2d lstm

Half of the calls have arguments that the door lets pass: they return, or raise a typed error about
what only data or several arguments together can say. Where a function has a row in the case table,
half of these are calls of the row, in other dtypes, layouts and with other values, so that kernels
are reached whatever a door leaves open. In the other half of the calls one thing is wrong that the
door asks, and exactly that error must come: a rank, a dtype, a number out of its range (0, -1,
2**63 - 1, NaN), a dimension that does not exist, an unknown word. Labels and indices out of range
are among them, too. Results are printed and differentiated twice. The long form ends with the share
of each function's calls that returned. A signal is a fault: the last
call is in the file named by FASTDL_FUZZ_LOG.
"""

import argparse
import faulthandler
import os
import sys
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import strategies as st

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, Error, IndexRangeError, ShapeError
from tests.doors import ALL_DTYPES, FLOATS, functions
from tests.fuzz import describe
from tests.opcases import OPS
from tests.oprow import Array

OUTSIDE = [-1, 0, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63)]
SIZES = st.sampled_from([0, 1, 1, 2, 2, 3, 4, 5, 8])
COUNT = {"returned": 0, "raised": 0, "refused": 0}
SHARES = {}  # name -> [returned, calls], and the same of those without a fault
LONG = 200  # examples, from which on the shares are printed
ROWS = {op.name: op for op in OPS if op.function is getattr(F, op.name, None)}


class FaultError(Exception):
    """Of the library, not of the arguments."""


class Drawn:
    """One call under construction."""

    def __init__(self, function, data):
        self.f = function
        self.draw = data.draw
        self.sizes = {}  # what the names in patterns stand for
        self.rests = {}
        self.alternative = {}
        self.shape = tuple(self.draw(st.lists(SIZES, min_size=1, max_size=3)))
        self.values = {}
        self.expected = None
        self.broken = None
        if self.draw(st.booleans()) and (faults := self.faults()):
            self.broken = self.draw(st.sampled_from(faults))
        self.row = None if self.broken else ROWS.get(function.name)
        if self.row and not self.draw(st.booleans()):
            self.row = None

    def faults(self):
        """(argument, what could be wrong with it)."""
        out = []
        for name, c in self.f.clauses.items():
            out += [(name, "dtype")] * bool(c.dtypes and not c.several) + [(name, "like")] * bool(
                c.like
            )
            out += [(name, "rank")] * any("..." not in "".join(p) for p in c.patterns)
            out += [(name, "range")] * (c.low is not None)
            out += [(name, "dim")] * bool(c.dim_of) + [(name, "word")] * bool(c.words)
            out += [(name, "values")] * bool(c.below)
        return out

    def arguments(self):
        """Keyword arguments; numbers first, for sizes are computed from them."""
        if self.row:
            return self.row_arguments()

        def order(parameter):
            c = self.f.clauses.get(parameter[0])
            if c and c.dim_of:
                return 9
            if not is_tensor(parameter[1]):
                return 0
            steps = 1  # behind what it is like
            while c and c.like:
                c, steps = self.f.clauses.get(c.like), steps + 1
            return steps

        for name, annotation, default in sorted(self.f.parameters, key=order):
            c = self.f.clauses.get(name)
            fault = self.broken[1] if self.broken and self.broken[0] == name else None
            if default is not None and not fault and self.draw(st.booleans()):
                continue
            self.values[name] = self.one(name, annotation, c, fault)
        if self.broken and self.broken[1] == "like":
            c = self.f.clauses[self.broken[0]]
            if self.values.get(c.like) is None:
                self.expected = None
        return {n: self.values[n] for n, *_ in self.f.parameters if n in self.values}

    def row_arguments(self):
        """Those of a call in the case table."""
        call = self.draw(st.sampled_from([c for c in self.row.calls if c.note != "large"]))
        dtype = self.draw(st.sampled_from(self.row.dtypes + self.row.integers))
        rng = np.random.default_rng(self.draw(st.integers(0, 1000)))

        def dressed(array):
            kind = {"index": "int64", "mask": "bool_"}.get(array.kind, dtype)
            return self.dress(array.draw(rng), kind)

        def filled(value):
            if isinstance(value, list):
                return [filled(v) for v in value]
            return dressed(value) if isinstance(value, Array) else value

        names = [n for n, *_ in self.f.parameters]
        return dict(zip(names, map(filled, call.args), strict=False)) | call.kwargs

    def one(self, name, annotation, c, fault):
        if c and c.words:
            if fault:
                self.expected = ArgumentError
            return "nonsense" if fault else self.draw(st.sampled_from(c.words))
        if c and c.low is not None:
            return self.number(annotation, c, fault)
        if c and c.dim_of:
            return self.dim(annotation, c, fault)
        if is_tensor(annotation):
            if "Sequence" in annotation:
                count = self.draw(st.integers(1, 3))
                first = self.tensor(name, c, fault)
                return [first] * count
            return self.tensor(name, c, fault)
        if "bool" in annotation:
            return self.draw(st.booleans())
        if "float" in annotation or "Number" in annotation or "Any" in annotation:
            return self.draw(st.sampled_from([0.0, 0.5, 1.0, -1.5, 3.0]))
        if "Shape" in annotation or "Sequence[int]" in annotation:
            big = st.sampled_from([-1, 2**31, 2**62, 2**63 - 1])
            size = st.one_of(SIZES, SIZES, SIZES, big)
            return self.draw(st.lists(size, max_size=4))
        if "int" in annotation:
            return self.draw(st.one_of(st.integers(-2, 6), st.sampled_from(OUTSIDE)))
        return None

    def number(self, annotation, c, fault):
        low = max(c.low, -4.0)
        if fault:
            self.expected = ArgumentError
            if "int" in annotation and "float" not in annotation:
                wrong = [v for v in OUTSIDE if v < c.low or (c.above and v == c.low)]
                if not c.high_of:
                    wrong += [v for v in OUTSIDE if v > (c.high or 0) and c.high is not None]
                if not wrong:
                    self.expected = None
                    return 0
                return self.draw(st.sampled_from(wrong))
            wrong = [c.low - 1, float("nan"), -float("inf")] + [c.low] * c.above
            if c.high not in (None, float("inf")):
                wrong += [c.high + 1, float("inf")]
            if c.low == float("-inf"):
                wrong = [float("nan")]
            return self.draw(st.sampled_from(wrong))
        if c.high_of:
            return 0
        high = low + 3 if c.high is None else min(c.high, low + 3)
        if "float" in annotation or ("Number" in annotation and self.draw(st.booleans())):
            value = self.draw(st.floats(low, high, exclude_min=c.above))
            return value if value > 1e-30 or not c.above else 0.5
        value = self.draw(st.integers(int(low) + c.above, int(high)))
        if "Sequence" in annotation and self.draw(st.booleans()):
            return [value, value]
        return value

    def dim(self, annotation, c, fault):
        of = self.values.get(c.dim_of)
        if isinstance(of, list):
            of = of[0]
        ndim = max(np.ndim(of) if not isinstance(of, fastdl.Tensor) else of.ndim, 1)
        if fault:
            self.expected = IndexRangeError
            return self.draw(st.sampled_from([ndim, -ndim - 1, 2**62, -(2**63)]))
        if "Shape" in annotation or annotation == "Sequence[int]":
            return list(self.draw(st.permutations(range(ndim))))
        dims = st.integers(-ndim, ndim - 1)
        if "Sequence" in annotation and self.draw(st.booleans()):
            return self.draw(st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim))
        return self.draw(dims)

    def tensor(self, name, c, fault):
        shape = self.draw_shape(c) if c and c.patterns else self.shape
        if fault == "rank":
            ranks = {len(p) for p in c.patterns if not any("..." in s for s in p)}
            least = min([len(p) - 1 for p in c.patterns if any("..." in s for s in p)], default=99)
            wrong = [r for r in range(7) if r not in ranks and r < least]
            shape = (2,) * self.draw(st.sampled_from(wrong)) if wrong else shape
            self.expected = ShapeError if wrong else None
        dtypes = (c.dtypes if c else ()) or ALL_DTYPES
        dtype = self.draw(st.sampled_from(dtypes if self.draw(st.booleans()) else dtypes[:1]))
        if c and c.like:
            other = self.values.get(c.like)
            other = other[0] if isinstance(other, list) else other
            dtype = "float32" if other is None else dtype_name(other)
        if fault in ("dtype", "like"):
            wrong = [d for d in ALL_DTYPES if d not in dtypes] if fault == "dtype" else [
                d for d in ALL_DTYPES if d != dtype]  # fmt: skip
            self.expected = DTypeError
            dtype = self.draw(st.sampled_from(wrong))
        values = self.array(shape, dtype, c, fault)
        return self.dress(values, dtype)

    def array(self, shape, dtype, c, fault):
        rng = np.random.default_rng(self.draw(st.integers(0, 1000)))
        if c and c.below:
            size = self.sizes.get(c.below, 1)
            values = rng.integers(0, max(size, 1), shape)
            if fault == "values" and values.size:
                at = self.draw(st.integers(0, values.size - 1))
                values.reshape(-1)[at] = self.draw(st.sampled_from([-1, size, 2**40, -(2**63)]))
            return values
        if dtype in FLOATS:
            values = rng.normal(size=shape)
            if values.size and self.draw(st.integers(0, 9)) == 0:
                values.reshape(-1)[0] = self.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e30]))
            return values
        return rng.integers(0, 4, shape)

    def dress(self, values, dtype):
        """As a tensor (with strides, a gradient) or as NumPy's array."""
        t = fastdl.tensor(np.asarray(values)).to(getattr(fastdl, dtype))
        how = self.draw(st.sampled_from(["plain", "strided", "expanded", "numpy", "grad"]))
        if how == "strided" and t.ndim:
            wide = fastdl.cat([t, t], -1)
            return wide.narrow(-1, 0, t.shape[-1])
        if how == "expanded" and t.ndim and t.shape[0] > 1:
            return t.narrow(0, 0, 1).expand(*t.shape)
        if how == "numpy" and dtype != "bfloat16":
            return t.numpy()
        if how == "grad" and dtype in FLOATS:
            return t.requires_grad_()
        return t

    def draw_shape(self, c):
        count = len(c.patterns)
        if count not in self.alternative:
            self.alternative[count] = self.draw(st.integers(0, count - 1))
        shape = []
        for size in c.patterns[self.alternative[count]]:
            if size.startswith("..."):
                rest = size[3:].strip() or None
                if rest is None or rest not in self.rests:
                    self.rests[rest] = self.draw(st.lists(SIZES, max_size=2))
                shape += self.rests[rest]
            else:
                shape.append(self.size(size))
        return tuple(shape)

    def size(self, text):
        for op in (" / ", " * "):
            if op in text:
                a, b = text.split(op)
                if op == " / " and not self.has(a):  # a whole number of them
                    self.sizes[a] = self.draw(SIZES) * self.size(b)
                a, b = self.size(a), self.size(b)
                return a * b if op == " * " else a // max(b, 1)
        if text.isdigit():
            return int(text)
        if text in self.values and text not in self.sizes:
            return abs(int(self.values[text])) % 64
        if text not in self.sizes:
            divisors = [s.partition(" / ")[2] for c in self.f.clauses.values() for p in c.patterns
                        for s in p if s.startswith(text + " / ")]  # fmt: skip
            factor = self.size(divisors[0]) if divisors else 1
            known = next((p for p in self.f.parameters if p[0] == text), None)
            self.sizes[text] = int(known[2]) if known else self.draw(SIZES) * max(factor, 1)
        return self.sizes[text]

    def has(self, text):
        return text.isdigit() or text in self.sizes or text in self.values


def is_tensor(annotation):
    return "ArrayLike" in annotation or "Tensor" in annotation


def dtype_name(value):
    return value.dtype.name.replace("bool", "bool_")


def use(result):
    """What was returned can be printed and differentiated, twice."""
    for t in result if isinstance(result, tuple | list) else [result]:
        if not isinstance(t, fastdl.Tensor):
            continue
        repr(t)
        if not t.requires_grad:
            continue
        t.sum().backward(create_graph=True)


def outcome(function, drawn, arguments, text):
    """Call it; a fault unless what comes is what the door says."""
    share = SHARES.setdefault(function.name, [0, 0, 0, 0])
    right = drawn.broken is None
    share[1] += 1
    share[3] += right
    try:
        result = function.call(**arguments)
        COUNT["returned"] += 1
        share[0] += 1
        share[2] += right
        if drawn.expected is None:
            use(result)
    except Error as error:
        COUNT["raised"] += 1
        if not (error.op and error.remedy):
            raise FaultError(f"{text}: incomplete error {error!r}") from error
        if drawn.expected is None:
            return
        if not isinstance(error, drawn.expected):
            raise FaultError(f"{text}: {drawn.broken} gave {error!r}") from error
        COUNT["refused"] += 1
    except (TypeError, ValueError, OverflowError):
        COUNT["raised"] += 1
    else:
        if drawn.expected is not None:
            raise FaultError(f"{text}: {drawn.broken} was let in")


def run(function, examples, log):
    """Call one function `examples` times."""

    @hypothesis.settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck), print_blob=False,
    )  # fmt: skip
    @hypothesis.given(st.data())
    def attempt(data):
        drawn = Drawn(function, data)
        arguments = drawn.arguments()
        text = f"{function.name}({', '.join(f'{k}={describe(v)}' for k, v in arguments.items())})"
        log.seek(0)
        log.truncate()
        log.write(text)
        log.flush()
        outcome(function, drawn, arguments, text)

    attempt()


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="functions; all without one")
    parser.add_argument("--examples", type=int, default=50, help="calls of each function")
    args = parser.parse_args()
    faulthandler.enable()
    known = functions()
    failed = 0
    path = os.environ.get("FASTDL_FUZZ_LOG") or Path(tempfile.mkdtemp(), "last_call.txt")
    with Path(path).open("w", encoding="utf-8", errors="replace") as log:
        for name in args.names or known:
            try:
                run(known[name], args.examples, log)
            except FaultError as error:
                failed += 1
                print(f"{name}: {str(error).splitlines()[0][:600]}", file=sys.stderr)
    if args.examples >= LONG:
        for name, (returned, calls, passed, right) in sorted(SHARES.items()):
            print(
                f"{name}: {returned / calls:.0%} of {calls} calls returned, "
                f"{passed / max(right, 1):.0%} of {right} without a fault"
            )
    print(" ".join(f"{v} {k}" for k, v in COUNT.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
