"""Draws calls that are right: arguments as a door asks for them, and as they fit each other.

The door says what can be said of arguments one by one; `FITTED` has, by function, what they must be
together (indices that do not repeat, columns that fold into an image), and `OPTIONS` numbers and
words that have a meaning in both libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

import fastdl
import fastdl.functional as F
from tests.doors import Clause, Function
from tests.fuzz_doors import Drawn

__all__ = ["CONSTANT", "Call"]

# Sizes that windows fit into, and windows.
SIDES = dict.fromkeys(("length", "depth", "height", "width", *"HWDL"), st.integers(3, 9))
SIDES |= dict.fromkeys(
    ("kernel_size", "kernel_depth", "kernel_height", "kernel_width", *"RST"), st.integers(1, 3)
)
# Targets that are labels of two kinds: between them PyTorch has no one meaning.
SIGNS = ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss")
# Operands and numbers that have no meaning below 0, and one whose powers overflow near it.
POSITIVE = {("batch_norm", "running_var"), ("instance_norm", "running_var"),
            ("poisson_nll_loss", "target"), ("gaussian_nll_loss", "var")}  # fmt: skip
SHARES = {(name, which) for name in ("binary_cross_entropy",) for which in ("input", "target")}
WEIGHTED = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss",
            "multi_margin_loss", "bincount")  # fmt: skip
RUNNING = ("batch_norm", "instance_norm")
# Without a gradient in PyTorch; batch_norm and its like write to some of them.
CONSTANT = {"target": SIGNS, "weight": WEIGHTED, "weights": WEIGHTED, "pos_weight": WEIGHTED,
            "running_mean": RUNNING, "running_var": RUNNING, "other": ("floor_divide",),
            "input": ("floor_divide",), "boundaries": ("bucketize",)}  # fmt: skip
LEFT_OUT = {
    "batch_norm": ("residual", "activation", "slope"),  # ours alone
    "hardsigmoid": ("alpha", "beta"),
    "cosine_similarity": ("eps",),  # PyTorch differentiates as if there were none
    "scaled_dot_product_attention": ("dropout_p",),
    "max_unpool1d": ("output_size",),
    "max_unpool2d": ("output_size",),
    "max_unpool3d": ("output_size",),
}
POWER = st.sampled_from([0.25, 0.5, 0.75, 1.0, 2.0])
OPTIONS = {
    ("expand", "shape"): lambda c: [*c.draw(st.lists(st.integers(0, 3), max_size=2)), *c.shape],
    ("local_response_norm", "alpha"): lambda c: c.draw(POWER),
    ("local_response_norm", "beta"): lambda c: c.draw(POWER),
    ("local_response_norm", "k"): lambda c: c.draw(POWER),
    ("local_response_norm", "size"): lambda c: c.draw(st.integers(1, 6)),
    ("clamp", "min"): lambda c: c.draw(st.sampled_from([-1.5, -1, -0.25, 0, 0.5, 2])),
    ("clamp", "max"): lambda c: c.draw(st.sampled_from([-1.0, 0.25, 1, 3])),
    ("triplet_margin_loss", "margin"): lambda c: c.draw(POWER),
    ("celu", "alpha"): lambda c: c.draw(POWER),
}


class Call(Drawn):
    """A call that the door lets pass, with plain tensors of float64.

    Args:
        function: of what.
        data: hypothesis's.
        alternative: which of the shapes that the door offers.
    """

    def __init__(self, function: Function, data: Any, alternative: int = 0) -> None:
        super().__init__(function, data)
        # The case table has gradients at NaN, and convolutions of no channel, where the two
        # libraries have different conventions.
        self.row = None
        self.alternative = {count: alternative % count for count in range(1, 9)}

    def faults(self) -> list[Any]:
        return []

    def arguments(self) -> dict[str, Any]:
        left_out = LEFT_OUT.get(self.f.name, ())
        drawn = {k: v for k, v in super().arguments().items() if k not in left_out}
        return FITTED[self.f.name](self, drawn) if self.f.name in FITTED else drawn

    def one(self, name: str, annotation: str, c: Any, fault: Any) -> Any:
        name_of = (self.f.name, name)
        if name_of in OPTIONS:
            return OPTIONS[name_of](self)
        if name == "shape":
            return self.draw(st.permutations(self.shape))
        if name == "correction":  # none that leaves no degree of freedom
            return 0
        if name == "normalized_shape":
            return list(self.shape[self.draw(st.integers(0, len(self.shape) - 1)) :])
        if c and c.words and c.low is not None and self.draw(st.booleans()):
            return self.number(annotation, c, fault)
        value = super().one(name, annotation, c, fault)
        if isinstance(value, float):
            return max(round(value, 2), 0.5) if c and c.above else round(value, 2)
        if name == "target" and self.f.name in SIGNS:
            return fastdl.tensor(np.where(value.numpy() > 0, 1.0, -1.0))
        if name_of in POSITIVE:
            return value.abs() + 0.1
        return value.sigmoid() if name_of in SHARES else value

    def tensor(self, name: str, c: Any, fault: Any) -> Any:
        if not c or not (c.dtypes or c.like):  # where any dtype does, a float
            c = replace(c or Clause(), dtypes=("float64",))
        return super().tensor(name, c, fault)

    def dim(self, annotation: str, c: Any, fault: Any) -> Any:
        value = super().dim(annotation, c, fault)
        return [0] if value == [] else value  # of no dimension, PyTorch's var has a slope of inf

    def size(self, text: str) -> int:
        if self.f.name.startswith("conv") and text not in self.sizes:
            self.sizes |= dict.fromkeys(
                {"channels", "filters", "N"} & {text}, self.draw(st.integers(1, 4))
            )
        # Of no input PyTorch forgets the biases, of no class it takes any label, and the mean of no
        # hinge is what lies in memory.
        some = ("input_size", "classes", *["N"] * (self.f.name == "multi_margin_loss"))
        if text in some and text not in self.sizes:
            self.sizes[text] = self.draw(st.integers(1, 4))
        if text in SIDES and text not in self.sizes:
            self.sizes[text] = self.draw(SIDES[text])
        return super().size(text)

    def dress(self, values: Any, dtype: str) -> Any:
        kind = dtype if dtype in ("bool_", "int64") else "float64"
        return fastdl.tensor(np.asarray(values)).to(getattr(fastdl, kind))

    def array(self, shape: Any, dtype: str, c: Any, fault: Any) -> Any:
        values = super().array(shape, dtype, c, fault)
        return self.values_of(shape) if values.dtype == np.float64 else values

    def values_of(self, shape: Any) -> Any:
        """Floats: no NaN, no ties, no 0."""
        rng = np.random.default_rng(self.draw(st.integers(0, 2**20)))
        count = int(np.prod(shape, dtype=np.int64))
        steps = rng.permutation(count).reshape(shape) + rng.uniform(0.1, 0.9)
        return (4 * steps / max(count, 1) - 1.7) * rng.uniform(0.5, 1.0)

    def floats(self, *shape: int) -> Any:
        return fastdl.tensor(np.asarray(self.values_of(shape)))

    def labels(self, count: int, *shape: int) -> Any:
        """Integers below `count`."""
        rng = np.random.default_rng(self.draw(st.integers(0, 2**20)))
        return fastdl.tensor(rng.integers(0, count, shape))

    def places(self, count: int, of: int) -> Any:
        """`count` different integers below `of`."""
        rng = np.random.default_rng(self.draw(st.integers(0, 2**20)))
        return fastdl.tensor(rng.permutation(of)[:count])

    def sizes_of(self, count: int, most: int = 4) -> list[int]:
        return self.draw(st.lists(st.integers(1, most), min_size=count, max_size=count))


Arguments = dict[str, Any]
Fit = Callable[[Call, Arguments], Arguments]
MODES = {3: ["linear"], 4: ["bilinear", "bicubic"], 5: ["trilinear"]}


def _interpolate(call: Call, a: Arguments) -> Arguments:
    ndim = a["input"].ndim
    a["mode"] = call.draw(st.sampled_from(["nearest", "nearest-exact", "area", *MODES[ndim]]))
    smooth = a["mode"] in MODES[ndim]
    if not smooth:
        a.pop("align_corners", None)
    if a["mode"] not in MODES[4] or a.get("align_corners"):
        a.pop("antialias", None)
    a.pop("size", None)
    factors = st.sampled_from([0.4, 0.5, 1.0, 1.3, 2.0, 2.5])
    if a.pop("scale_factor", None) is None or a["mode"] == "area":
        a.pop("recompute_scale_factor", None)
        a["size"] = call.sizes_of(ndim - 2, 12)
    else:
        a["scale_factor"] = call.draw(st.lists(factors, min_size=ndim - 2, max_size=ndim - 2))
        if a["mode"].startswith("nearest"):  # PyTorch's gradient takes equal sizes for a copy
            a["scale_factor"] = [
                1.0 if int(n * f) == n else f
                for n, f in zip(a["input"].shape[2:], a["scale_factor"], strict=True)
            ]
    return a


def _unflatten(call: Call, a: Arguments) -> Arguments:
    n = a["input"].shape[a["dim"]]
    first = call.draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0] or [1]))
    rest = n // first
    sizes = call.draw(st.permutations([first, rest, 1]))
    if n and call.draw(st.booleans()):
        sizes[call.draw(st.integers(0, 2))] = -1
    return a | {"sizes": sizes}


def _attention(call: Call, a: Arguments) -> Arguments:
    """PyTorch answers for leading dimensions that differ, but not always what it says."""
    front, (rows, keys, width, out) = call.sizes_of(call.draw(st.integers(0, 2))), call.sizes_of(4)
    a |= {"query": call.floats(*front, rows, width), "key": call.floats(*front, keys, width),
          "value": call.floats(*front, keys, out)}  # fmt: skip
    if a.pop("attn_mask", None) is not None and not a.get("is_causal"):
        a["attn_mask"] = call.floats(rows, keys)
        if call.draw(st.booleans()):
            a["attn_mask"] = a["attn_mask"] > 0
    return a


def _channel_shuffle(call: Call, a: Arguments) -> Arguments:
    groups, each, n = call.sizes_of(3)
    rest = call.sizes_of(call.draw(st.integers(1, 2)))
    return {"input": call.floats(n, groups * each, *rest), "groups": groups}


def _ctc_loss(call: Call, a: Arguments) -> Arguments:
    n, steps, most, classes = *call.sizes_of(1), *call.sizes_of(2), 2 + call.sizes_of(1)[0]
    steps += 2 * most  # long enough for any labels
    blank = call.draw(st.integers(0, classes - 1))
    labels = call.labels(classes - 1, n, most).numpy()
    draw = st.lists(st.integers(1, most), min_size=n, max_size=n)
    return {"log_probs": call.floats(steps, n, classes),
            "targets": fastdl.tensor(labels + (labels >= blank)),
            "input_lengths": [steps - call.draw(st.integers(0, 1)) for _ in range(n)],
            "target_lengths": call.draw(draw), "blank": blank,
            **{k: a[k] for k in ("reduction", "zero_infinity") if k in a}}  # fmt: skip


def _embedding_bag(call: Call, a: Arguments) -> Arguments:
    entries, features, bags, length = (n + 1 for n in call.sizes_of(4))
    a["weight"] = call.floats(entries, features)
    weighted = a.pop("per_sample_weights", None) is not None
    a.pop("padding_idx", None)
    flat = call.alternative[2] == 0
    shape = (bags * length,) if flat else (bags, length)
    a["input"] = call.labels(entries, *shape)
    a.pop("offsets", None)
    if flat:
        starts = call.draw(st.lists(st.integers(0, bags * length), min_size=1, max_size=3))
        a["offsets"] = fastdl.tensor(np.array(sorted([0, *starts])))
        if a.get("include_last_offset"):
            a["offsets"] = fastdl.tensor(np.array([*sorted([0, *starts]), bags * length]))
    else:
        a.pop("include_last_offset", None)
    if weighted:
        a |= {"mode": "sum", "per_sample_weights": call.floats(*shape)}
    return a


def _fold(call: Call, a: Arguments) -> Arguments:
    out, (n, c) = [4 + s for s in call.sizes_of(2)], call.sizes_of(2, 3)
    kernel = call.sizes_of(2, 3)
    step = {k: call.sizes_of(2, 2) for k in ("stride", "dilation") if k in a}
    pad = {"padding": [s - 1 for s in call.sizes_of(2, 2)]} if "padding" in a else {}
    image = fastdl.zeros((n, c, *out))
    columns = F.unfold(image, kernel, **step, **pad).shape
    shape = columns[1:] if call.alternative[2] else columns
    return {"input": call.floats(*shape), "output_size": out, "kernel_size": kernel, **step, **pad}


def _index_copy(call: Call, a: Arguments) -> Arguments:
    x = a["input"]
    dim = a["dim"] % x.ndim
    count = call.draw(st.integers(0, x.shape[dim]))
    shape = [*x.shape[:dim], count, *x.shape[dim + 1 :]]
    return a | {"index": call.places(count, x.shape[dim]), "source": call.floats(*shape)}


def _index_fill(call: Call, a: Arguments) -> Arguments:
    n = a["input"].shape[a["dim"]]
    return a | {"index": call.labels(n, 3 if n else 0), "value": call.draw(POWER)}


def _scatter(call: Call, a: Arguments) -> Arguments:
    x = a["input"]
    dim = a["dim"] % x.ndim
    shape = [call.draw(st.integers(0, n)) for n in x.shape]
    order = np.argsort(call.values_of(x.shape), dim)  # each place once along dim
    index = fastdl.tensor(order[tuple(slice(0, n) for n in shape)].copy())
    src = call.floats(*shape) if call.draw(st.booleans()) else 0.5
    return a | {"index": index, "src": src}


def _unpool(call: Call, a: Arguments) -> Arguments:
    rank = int(call.f.name[10])
    kernel = call.sizes_of(rank, 3)
    shape = call.sizes_of(1 if call.alternative[2] else 2) + [s + 3 for s in call.sizes_of(rank)]
    pool = getattr(F, f"max_pool{rank}d")
    values, indices = pool(call.floats(*shape), kernel, return_indices=True)
    return {"input": values, "indices": indices, "kernel_size": kernel}


def _sorted(name: str) -> Fit:
    return lambda call, a: a | {name: F.sort(a[name], -1)[0]}


EQUATIONS = ["ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "ii", "i,j->ij", "ij,ij->", "ij->j",
             "abc,cd->abd", "...ij,...jk->...ik", "ij,jk,kl->il", "bij,bj->bi"]  # fmt: skip


def _einsum(call: Call, a: Arguments) -> Arguments:
    equation = call.draw(st.sampled_from(EQUATIONS))
    front = call.sizes_of(call.draw(st.integers(0, 2)))
    sizes = dict(zip("abcdijkl", call.sizes_of(8, 5), strict=True))
    terms = [term.removeprefix("...") for term in equation.split("->")[0].split(",")]
    shapes = [[sizes[letter] for letter in term] for term in terms]
    if "..." in equation:
        shapes = [front + shape for shape in shapes]
    return {"equation": equation, "operands": [call.floats(*shape) for shape in shapes]}


FITTED: dict[str, Fit] = {
    "affine_grid": lambda call, a: (
        a | ({"theta": call.floats(3, 2, 3), "size": [3, *call.sizes_of(3)]}
             if call.draw(st.booleans())
             else {"theta": call.floats(2, 3, 4), "size": [2, *call.sizes_of(4)]})
    ),
    "bucketize": _sorted("boundaries"),
    "channel_shuffle": _channel_shuffle,
    "ctc_loss": _ctc_loss,
    "einsum": _einsum,
    "embedding_bag": _embedding_bag,
    "fold": _fold,
    "index_copy": _index_copy,
    "index_fill": _index_fill,
    "interpolate": _interpolate,
    "masked_fill": lambda call, a: a | {"value": call.draw(POWER)},
    "max_unpool1d": _unpool,
    "max_unpool2d": _unpool,
    "max_unpool3d": _unpool,
    "meshgrid": lambda call, a: (
        a | {"tensors": [call.floats(n) for n in call.sizes_of(call.draw(st.integers(1, 3)))]}
    ),
    "scaled_dot_product_attention": _attention,
    "scatter": _scatter,
    "searchsorted": _sorted("sorted_sequence"),
    "unflatten": _unflatten,
}  # fmt: skip
