"""The classes of faults that deep-learning libraries were warned of, one test or more for each.

tests/README.md lists the classes and where each is tested; what has a file of its own is not
repeated here. These tests go over all functions, by their doors and the calls of the case table.
"""

import functools

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd, metrics, nn
from fastdl.errors import (
    ArgumentError,
    AutogradError,
    Error,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)
from fastdl.nn.utils import rnn as packing
from tests import doors
from tests.opcases import OPS
from tests.oprow import DEVICES, Op, results, to_tensor

HUGE = (2**62, 2**63 - 1, -(2**63), 2**63)
FUNCTIONS = doors.functions()
ROWS = {op.name: op for op in OPS if op.name in FUNCTIONS}


def arguments(op: Op, device="cpu"):
    """The arguments by name of the first call in which there are elements."""
    call = next(c for c in op.calls if not c.empty)
    given = call.fill([to_tensor(a, op.dtypes[0], device) for a in call.draw(op.name)])
    names = [name for name, _, _ in FUNCTIONS[op.name].parameters]
    return dict(zip(names, given, strict=False)) | call.kwargs


def with_parameters(wanted):
    """(function, parameter) for all that are in the table and have a parameter like that."""
    return [
        (name, parameter)
        for name in ROWS
        for parameter, annotation, _ in FUNCTIONS[name].parameters
        if wanted(parameter, annotation, FUNCTIONS[name].clauses.get(parameter, doors.Clause()))
    ]


def refused(name, given, kinds=(ArgumentError, ShapeError, OutOfMemoryError)):
    with pytest.raises(kinds) as caught:
        FUNCTIONS[name].call(**given)
    assert isinstance(caught.value, Error)
    assert caught.value.op


# sizes of windows, steps and results

COUNTS = {"kernel_size", "stride", "dilation", "output_size", "size", "groups", "num_groups",
          "upscale_factor", "downscale_factor", "block_size", "pieces", "bins", "chunks", "levels",
          "local_size"}  # fmt: skip
FROM_0 = {"padding", "output_padding"}
SIZES = with_parameters(lambda name, *_: name in COUNTS | FROM_0)


def test_sizes_are_of_many_functions():
    assert {"max_pool2d", "conv3d", "conv_transpose1d", "unfold", "fold", "interpolate",
            "adaptive_avg_pool3d", "max_unpool2d", "roi_align", "pixel_shuffle", "group_norm",
            "local_response_norm", "histc"} <= {name for name, _ in SIZES}  # fmt: skip


@pytest.mark.parametrize(("name", "parameter"), SIZES, ids=map("-".join, SIZES))
def test_sizes_that_are_zero_negative_or_near_the_limit(name, parameter):
    given = arguments(ROWS[name])
    if name == "interpolate":
        given = {"input": given["input"], "mode": "nearest"}
    zero = () if parameter in FROM_0 or name == "affine_grid" else (0,)
    for bad in (*zero, -1, *HUGE):
        if name == "affine_grid":
            value = [*given["size"][:-1], bad]
        elif "levels" in parameter:
            value = [2, bad]
        else:
            value = bad
        refused(name, given | {parameter: value})


# gradients

DIFFERENTIABLE = [name for name, op in ROWS.items() if op.differentiable]


@functools.cache
def outcome(name):
    """A result of the function that requires a gradient, and the leaf."""
    op = ROWS[name]
    call = next(c for c in op.calls if c.gradient and not c.empty)
    leaves = []
    for spec, values in zip(call.arrays, call.draw(op.name), strict=True):
        t = to_tensor(values, "float64")
        leaves.append(t.requires_grad_() if spec.floating and spec.grad else t)
    fastdl.manual_seed(0)
    found = results(op.function(*call.fill(leaves), **call.kwargs))
    return next(t for t in found if t.requires_grad), [t for t in leaves if t.requires_grad]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_of_another_shape(name):
    """No gradient gets as far as the kernels unless it is like the result."""
    y, leaves = outcome(name)
    shape = tuple(y.shape)
    wrong = [(2, *shape), (*shape, 2), (0, *shape), (int(np.prod(shape)) + 1,), shape[:-1] or (1,)]
    for other in wrong:
        if other == shape:
            continue
        bad = fastdl.ones(other, dtype="float64")
        with pytest.raises(ShapeError, match="not like its output"):
            y.backward(bad, retain_graph=True)
        with pytest.raises(ShapeError, match="not like its output"):
            autograd.grad(y, leaves, bad, retain_graph=True, allow_unused=True)
    with pytest.raises(ShapeError, match="not like its output"):
        y.backward(fastdl.ones(shape, dtype="float32"), retain_graph=True)
    assert all(leaf.grad is None for leaf in leaves)


def test_gradients_from_everywhere():
    """The other ways in: several outputs, assigned gradients, hooks."""
    x = fastdl.ones((3, 4), requires_grad=True)
    good, bad = fastdl.ones((3, 4)), fastdl.ones((4, 3))
    with pytest.raises(ShapeError, match="not like its output"):
        autograd.grad([x * 2, x * 3], [x], [good, bad])
    for outputs, starts in (([x * 2], [good, good]), ([x * 2, x * 3], [good]), ([], [good])):
        with pytest.raises(ArgumentError, match="gradients for"):
            autograd.grad(outputs, [x], starts)
    for nothing in (3.0, "gradient", object()):
        with pytest.raises(TypeError, match="grad_outputs"):
            autograd.grad(x * 2, [x], nothing)
        with pytest.raises(TypeError, match="gradient"):
            (x * 2).backward(nothing)
        with pytest.raises(TypeError, match="inputs"):
            autograd.grad(x.sum(), [nothing])
        with pytest.raises(TypeError, match="outputs"):
            autograd.grad([nothing], [x])
    with pytest.raises(AutogradError):
        autograd.grad(x.sum(), [good])
    with pytest.raises(ShapeError):
        x.grad = bad
    for of_leaf in (True, False):
        leaf = fastdl.ones((3, 4), requires_grad=True)
        y = leaf * 2
        (leaf if of_leaf else y).register_hook(lambda g: bad)
        with pytest.raises(ShapeError, match="hook"):
            y.sum().backward()
    assert x.grad is None
    exposed = {n for n in dir(fastdl._core) + dir(F) if "backward" in n}
    assert not exposed, "a backward kernel that needs a test here"


# normalisation


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_statistics_of_the_wrong_length(kind, training):
    x = fastdl.ones((2, 3, *[2] * (int(kind.__name__[9]) if kind is not nn.BatchNorm1d else 1)))
    for name in ("running_mean", "running_var", "weight", "bias"):
        for shape in ((0,), (2,), (4,), (3, 1), ()):
            layer = kind(3).train(training)
            old = getattr(layer, name)
            value = fastdl.ones(shape)
            wrapped = nn.Parameter(value) if isinstance(old, nn.Parameter) else value
            setattr(layer, name, wrapped)
            with pytest.raises(ShapeError, match=name):
                layer(x)


EPSILONS = with_parameters(lambda name, *_: name == "eps")


@pytest.mark.parametrize("name", [name for name, _ in EPSILONS])
def test_negative_eps(name):
    given = arguments(ROWS[name])
    for bad in (-1e-5, -1.0, float("-inf"), float("nan")):
        refused(name, given | {"eps": bad}, ArgumentError)


# packed sequences

DATA = fastdl.ones((8, 3))
WRONG_SIZES = ([5, 4], [3, 5], [8, 0], [5, -1], [9], [5, 2], [2**62] * 2, [-8, 16], [0, 8], [])


@pytest.mark.parametrize("sizes", WRONG_SIZES, ids=str)
def test_packed_sequences_made_by_hand(sizes):
    packed = packing.PackedSequence(DATA, fastdl.tensor(np.array(sizes, np.int64)))
    for use in (packing.pad_packed_sequence, nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4)):
        with pytest.raises(ArgumentError, match="batch_sizes"):
            use(packed)


def test_packed_sequences_with_other_indices():
    state = fastdl.zeros((1, 5, 4))
    for wrong in ([0, 1, 2, 3, 9], [-1, 0, 1, 2, 3], [0, 1], [0, 1, 2, 3, 4, 4]):
        order = fastdl.tensor(wrong)
        packed = packing.PackedSequence(DATA, fastdl.tensor([5, 3]), order, order)
        with pytest.raises((IndexRangeError, ArgumentError)):
            nn.GRU(3, 4)(packed, state)
        with pytest.raises(ArgumentError, match="sorted_indices"):
            packing.pad_packed_sequence(packed)
    for floats in (fastdl.tensor([5.0, 3.0]), fastdl.tensor([[5, 3]]), fastdl.tensor(8)):
        with pytest.raises(ArgumentError, match="batch_sizes"):
            packing.pad_packed_sequence(packing.PackedSequence(DATA, floats))


# labels

LABELLED = with_parameters(lambda _name, _annotation, clause: clause.below == "classes")


def test_losses_of_labels_are_known():
    names = {name for name, _ in LABELLED}
    assert names == {"cross_entropy", "nll_loss", "focal_loss", "multi_margin_loss"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", [name for name, _ in LABELLED])
def test_labels_outside(name, reduction, device):
    loss = functools.partial(getattr(F, name), reduction=reduction)
    for shape, target in (((5,), ()), ((4, 5), (4,)), ((2, 5, 3), (2, 3)), ((300, 5), (300,))):
        if name == "multi_margin_loss" and len(shape) == 3:
            continue
        x = fastdl.zeros(shape, device=device, requires_grad=True)
        for bad in (-1, 5, 6, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63)):
            labels = np.zeros(target, np.int64)
            labels[(-1,) * len(target)] = bad
            for weight in (None, fastdl.ones((5,), device=device)):
                with pytest.raises(IndexRangeError, match=str(bad)):
                    loss(x, fastdl.tensor(labels, device=device), weight=weight)
            if weight is not None:
                loss(x, fastdl.zeros(target, dtype="int64", device=device), weight=weight)


@pytest.mark.parametrize("device", DEVICES)
def test_labels_outside_of_word_losses_and_metrics(device):
    x = fastdl.ones((2, 3), device=device)
    for layer in (nn.HierarchicalSoftmax([4, 2, 1], 3), nn.NegativeSampling([4, 2, 1], 3)):
        layer = layer.to(device)
        for bad in (-1, 3, 2**62, -(2**63)):
            with pytest.raises(IndexRangeError, match=str(bad)):
                layer(x, fastdl.tensor([0, bad], device=device))
    for bad in (-1, 3, 2**62, -(2**63)):
        for pair in (([0, bad], [0, 1]), ([0, 1], [bad, 1])):
            with pytest.raises(IndexRangeError, match="expected 0 to 2"):
                metrics.confusion_matrix(*pair, num_classes=3)
    for most in (2**40, 2**62):
        with pytest.raises(ArgumentError, match="num_classes"):
            metrics.confusion_matrix([0, most], [0, 1])
    for count in (-1, 2**40):
        with pytest.raises(ArgumentError, match="num_classes"):
            metrics.confusion_matrix([], [], num_classes=count)
    with pytest.raises(ShapeError):
        metrics.accuracy(np.ones((2, 0)), [0, 1])


# words

WORDS = with_parameters(lambda _name, _annotation, clause: bool(clause.words))


@pytest.mark.parametrize(("name", "parameter"), WORDS, ids=map("-".join, WORDS))
def test_unknown_words(name, parameter):
    given = arguments(ROWS[name])
    for word in ("", "median", "MEAN", "mean ", "sum\0", "\ud800", "x" * 100_000):
        refused(name, given | {parameter: word}, ArgumentError)


def test_unknown_names_of_arguments():
    for name in ("", "dims", "a\0b", "x" * 100_000):
        with pytest.raises(TypeError, match="unknown argument"):
            F.relu(fastdl.ones((2,)), **{name: 1})
    with pytest.raises(UnicodeEncodeError):
        F.relu(fastdl.ones((2,)), **{"\ud800": 1})


# axes and permutations

AXES = with_parameters(lambda _name, _annotation, clause: bool(clause.dim_of))


def test_axes_are_of_many_functions():
    assert {"sum", "softmax", "sort", "gather", "split", "permute", "flip", "unique", "movedim",
            "transpose", "index_add", "norm"} <= {name for name, _ in AXES}  # fmt: skip


@pytest.mark.parametrize(("name", "parameter"), AXES, ids=map("-".join, AXES))
def test_axes_out_of_range(name, parameter):
    given = arguments(ROWS[name])
    of = given[FUNCTIONS[name].clauses[parameter].dim_of]
    rank = fastdl.tensor(of).ndim
    for bad in (rank, -rank - 1, 2**63 - 1, -(2**63)):
        several = isinstance(given.get(parameter), list | tuple)
        value = [bad, *given[parameter][1:]] if several else bad
        refused(name, given | {parameter: value}, IndexRangeError)
    refused(name, given | {parameter: 2**63}, ArgumentError)


def test_axes_of_a_result_and_permutations():
    x = fastdl.ones((2, 3, 4))
    for bad in (4, -5, 2**63 - 1, -(2**63)):
        for use in (lambda d: x.unsqueeze(d), lambda d: F.stack([x, x], d)):
            with pytest.raises(IndexRangeError):
                use(bad)
    with pytest.raises(IndexRangeError):
        F.cat([x, x], 3)
    for dims in ((0, 1), (0, 1, 1), (0, 1, 2, 2), (0, 0, 0), ()):
        with pytest.raises((ArgumentError, ShapeError)):
            x.permute(dims)
    for dims in ((0, 1, 3), (0, 1, -4), (0, 1, 2**63 - 1)):
        with pytest.raises(IndexRangeError):
            x.permute(dims)


# products of sizes

FACTORS = [(2**40, 2**40), (2**62, 4), (2**63 - 1, 2), (2**32, 2**32), (2**31, 2**31, 2**31)]


@pytest.mark.parametrize("shape", FACTORS, ids=str)
def test_products_of_sizes_beyond_64_bits(shape):
    one = fastdl.ones((1,) * len(shape))
    calls = [
        *(lambda make=make: make(shape) for make in (
            fastdl.zeros, fastdl.ones, fastdl.empty, fastdl.rand, fastdl.randn)),
        lambda: fastdl.full(shape, 1.0),
        lambda: one.expand(shape),
        lambda: F.broadcast_to(one, shape),
        lambda: one.repeat(shape),
        lambda: one.tile(shape),
        lambda: one.reshape(shape),
        lambda: fastdl.ones((1,)).expand(shape[0]).repeat_interleave(shape[1]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises((ShapeError, OutOfMemoryError)) as caught:
            call()
        assert caught.value.op


def test_results_beyond_64_bits():
    image, volume = fastdl.ones((1, 1, 4, 4)), fastdl.ones((1, 1, 4, 4, 4))
    calls = [
        lambda: F.interpolate(volume, scale_factor=2.0**22),
        lambda: F.interpolate(volume, 2**24),
        lambda: F.interpolate(image, scale_factor=1e300),
        lambda: F.unfold(fastdl.ones((1, 1, 2**12, 2**12)), 1, padding=2**24),
        lambda: F.pad(volume, [2**24] * 6),
        lambda: F.adaptive_avg_pool3d(volume, 2**24),
        lambda: F.conv_transpose3d(volume, fastdl.ones((1, 1, 1, 1, 1)), stride=2**24),
        lambda: fastdl.arange(-(2.0**62), 2.0**62),
        lambda: fastdl.arange(0, 1e19, 1e-19),
        lambda: fastdl.linspace(0, 1, 2**63 - 1),
        lambda: fastdl.eye(2**32),
        lambda: F.one_hot(fastdl.tensor([0]), 2**63 - 1),
        lambda: F.bincount(fastdl.tensor([2**63 - 1])),
        lambda: fastdl.ones((3,)).repeat_interleave(2**63 - 1),
    ]
    for call in calls:
        with pytest.raises((ShapeError, ArgumentError, OutOfMemoryError)) as caught:
            call()
        assert caught.value.op


# borders


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_reflection_beyond_the_input(dims):
    x = fastdl.ones((1, 2, *[5] * dims))
    layer = (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d)[dims - 1]
    for side in range(2 * dims):
        for width in (5, 6, 2**24):
            around = [0] * 2 * dims
            around[side] = width
            with pytest.raises(ShapeError, match="does not fit"):
                F.pad(x, around, "reflect")
            with pytest.raises(ShapeError, match="does not fit"):
                layer(around)(x)
        around[side] = 4  # the largest that is legal
        assert F.pad(x, around, "reflect").numel() == 2 * 9 * 5 ** (dims - 1)
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    with pytest.raises(ShapeError, match="does not fit"):
        conv(2, 2, 3, padding=5, padding_mode="reflect")(x)


# suppression


@pytest.mark.parametrize("device", DEVICES)
def test_suppression_of_no_boxes_and_negative_counts(device):
    """There is no count to pass; of no boxes none is kept, and sizes below 0 cannot be made."""
    none, scores = fastdl.zeros((0, 4), device=device), fastdl.zeros((0,), device=device)
    assert F.nms(none, scores, 0.5).shape == (0,)
    assert F.batched_nms(none, scores, scores.long(), 0.5).shape == (0,)
    boxes, one = fastdl.ones((1, 4), device=device), fastdl.ones((1,), device=device)
    for count in (-1, -(2**63)):
        for call in (lambda n: fastdl.zeros((n, 4)), lambda n: boxes.narrow(0, 0, n),
                     lambda n: F.topk(one, n)):  # fmt: skip
            with pytest.raises((ShapeError, IndexRangeError, ArgumentError)):
                call(count)
        with pytest.raises(ArgumentError, match="iou_threshold"):
            F.nms(boxes, one, float(count))
    with pytest.raises(ShapeError):
        F.nms(boxes, fastdl.ones((2,), device=device), 0.5)
