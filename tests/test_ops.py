"""Every row of the case table: results, both derivatives, dtypes, layouts, threads, devices."""

import inspect
from pathlib import Path

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core, autograd
from fastdl.composed import load_all
from tests.opcases import CALLS, OPS, TESTED_ELSEWHERE
from tests.oprow import (
    DEVICES,
    EPSILON,
    LAYOUTS,
    check,
    relayout,
    results,
    round_to,
    to_array,
    to_tensor,
)


def cases(wanted=lambda op, call: True, expand=lambda op, call: [()], devices=DEVICES):
    """Parameters (op, call, *more, device) with readable names."""
    out = []
    for op, call in CALLS:
        if not wanted(op, call):
            continue
        for device in devices:
            for more in expand(op, call):
                name = "-".join([op.name, call.label, *map(str, more), device])
                out.append(pytest.param(op, call, *more, device, id=name))
    return out


def names(wanted=lambda op: True, devices=("cpu",)):
    return [
        pytest.param(op, device, id=f"{op.name}-{device}")
        for op in OPS
        if wanted(op)
        for device in devices
    ]


def differentiable(op, call):
    return op.differentiable and call.gradient


def test_every_function_has_a_row():
    functions = {s["name"] for s in _core._signatures() if s["module"] == "functional"}
    rows = [op.name for op in OPS]
    assert len(rows) == len(set(rows))
    assert set(rows) <= set(F.__all__)
    assert functions <= set(rows)
    # A function composed in Python has a row, or tests of its own, which say where they are.
    assert set(load_all()) - set(rows) == set(TESTED_ELSEWHERE)
    for name, file in TESTED_ELSEWHERE.items():
        assert f"F.{name}" in (Path(__file__).parent / file).read_text(encoding="utf-8"), name


def test_rows_cover_edges():
    """Each op is called with no elements, and with more than one chunk of threads."""
    for op in OPS:
        assert any(call.empty for call in op.calls), op.name
        args, kwargs = op.make(4096)
        assert all(t.dtype in (fastdl.float32, fastdl.int64, fastdl.bool_) for t in _tensors(args))
        assert results(op.function(*args, **kwargs))[0].numel() > 0
        if op.tolerance.factor > 4:
            assert op.tolerance.reason, f"{op.name}: a loose tolerance says why"


def _tensors(args):
    for a in args:
        if isinstance(a, list):
            yield from _tensors(a)
        elif isinstance(a, fastdl.Tensor):
            yield a


# results


def in_range(dtype):
    """Whether a call makes sense in a dtype: special values and wide ranges only in wide floats."""
    return lambda call: not (call.wide_only and dtype in ("float16", "bfloat16"))


@pytest.mark.parametrize(
    ("op", "call", "dtype", "device"),
    cases(expand=lambda op, call: [(d,) for d in op.dtypes if in_range(d)(call)]),
)
def test_forward(op, call, dtype, device):
    values = [round_to(v, dtype) for v in call.draw(op.name)]
    tensors = [to_tensor(v, dtype, device) for v in values]
    got = results(op.function(*call.fill(tensors), **call.kwargs))
    with np.errstate(all="ignore"):
        expected = results(op.reference(*call.fill(values), **call.kwargs))
    assert len(got) == len(expected)
    for one, wanted in zip(got, expected, strict=True):
        assert one.device == device
        check(one, np.asarray(wanted), dtype, op.tolerance)


def whole(values, dtype):
    """Drawn values as integers; uint8 has no negative ones."""
    if values.dtype != np.float64:
        return values
    steps = np.floor(values * 3)
    return (np.abs(steps) if dtype == "uint8" else steps).astype(dtype)


@pytest.mark.parametrize(
    ("op", "call", "dtype", "device"),
    cases(
        lambda op, call: (
            call.note not in ("special", "wide")
            and not any(isinstance(a, float) for a in call.args)
        ),
        lambda op, call: [(d,) for d in op.integers],
    ),
)
def test_integers(op, call, dtype, device):
    values = [whole(v, dtype) for v in call.draw(op.name)]
    tensors = [fastdl.tensor(v, device=device) for v in values]
    got = results(op.function(*call.fill(tensors), **call.kwargs))
    expected = results(op.reference(*call.fill(values), **call.kwargs))
    for one, wanted in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one.cpu().numpy(), wanted)
        assert one.cpu().numpy().dtype == np.asarray(wanted).dtype


@pytest.mark.parametrize(("op", "device"), names(lambda op: "float16" not in op.dtypes))
def test_dtypes_without_a_kernel_are_refused(op, device):
    args, kwargs = op.make(64, "float16", device)
    with pytest.raises(fastdl.errors.DTypeError, match="float16") as caught:
        op.function(*args, **kwargs)
    assert "float32" in str(caught.value)
    assert ".to(" in caught.value.remedy


# derivatives

STEP = 1e-5


def _weighted(op, call, tensors, weights):
    """The sum of all floating results, squared and weighted: no gradient of it is constant."""
    outs = [t for t in results(op.function(*call.fill(tensors), **call.kwargs)) if t.requires_grad]
    total = None
    for i, out in enumerate(outs):
        while len(weights) <= i:
            rng = np.random.default_rng(len(weights))
            weights.append(fastdl.tensor(rng.uniform(0.5, 1.5, out.shape), device=out.device))
        term = (out * out * weights[i]).sum() + (out * weights[i]).sum()
        total = term if total is None else total + term
    return total


def _leaves(call, values, device):
    out = []
    for array, v in zip(call.arrays, values, strict=True):
        t = fastdl.tensor(v, device=device)
        out.append(t.requires_grad_() if array.floating and array.grad else t)
    return out


def _close(got, expected, scale, what):
    if np.isnan(expected):  # the mean of nothing
        assert np.isnan(got) or got == 0, what
        return
    error = abs(got - expected)
    assert error <= 1e-7 * max(1.0, scale), f"{what}: {got!r}, by finite differences {expected!r}"


def _directions(call, values, seed):
    """A direction to move all differentiable inputs in at once, then one per input alone."""
    rng = np.random.default_rng(seed)
    wanted = [a.floating and a.grad for a in call.arrays]
    full = [rng.uniform(-1, 1, v.shape) if w else None for v, w in zip(values, wanted, strict=True)]
    yield full
    if sum(wanted) > 1:
        for i, w in enumerate(wanted):
            if w:
                yield [d if j == i else None for j, d in enumerate(full)]


def _moved(values, direction, step):
    pairs = zip(values, direction, strict=True)
    return [v if d is None else np.asarray(v + step * d) for v, d in pairs]


@pytest.mark.parametrize(("op", "call", "device"), cases(differentiable))
def test_gradient(op, call, device):
    values, weights = call.draw(op.name), []

    def loss(at):
        return _weighted(op, call, _leaves(call, at, device), weights)

    leaves = _leaves(call, values, device)
    inputs = [t for t in leaves if t.requires_grad]
    grads = autograd.grad(_weighted(op, call, leaves, weights), inputs)
    assert [g.shape for g in grads] == [t.shape for t in inputs]
    for direction in _directions(call, values, 1):
        moves = [d for d, a in zip(direction, call.arrays, strict=True) if a.floating and a.grad]
        got = sum(
            float((to_array(g) * d).sum())
            for g, d in zip(grads, moves, strict=True)
            if d is not None
        )
        up = loss(_moved(values, direction, STEP)).item()
        down = loss(_moved(values, direction, -STEP)).item()
        _close(got, (up - down) / (2 * STEP), abs(got) + abs(up), f"{op.name} {call.label}")


@pytest.mark.parametrize(("op", "call", "device"), cases(differentiable))
def test_second_gradient(op, call, device):
    """Finite differences of the fused gradient against the gradient of the recorded one."""
    values, weights = call.draw(op.name), []
    rng = np.random.default_rng(2)
    along = [
        fastdl.tensor(rng.uniform(-1, 1, a.shape), device=device)
        for a in call.arrays
        if a.floating and a.grad
    ]

    def slope(at, record=False):
        leaves = _leaves(call, at, device)
        inputs = [t for t in leaves if t.requires_grad]
        loss = _weighted(op, call, leaves, weights)
        grads = autograd.grad(loss, inputs, create_graph=record)
        total = None
        for g, a in zip(grads, along, strict=True):
            total = (g * a).sum() if total is None else total + (g * a).sum()
        return total, inputs

    recorded, inputs = slope(values, record=True)
    fused, _ = slope(values)
    _close(recorded.item(), fused.item(), abs(fused.item()), "recorded and fused gradient")
    seconds = autograd.grad(recorded, inputs, allow_unused=True)
    for direction in _directions(call, values, 3):
        moves = [d for d, a in zip(direction, call.arrays, strict=True) if a.floating and a.grad]
        got = sum(
            float((to_array(g) * d).sum())
            for g, d in zip(seconds, moves, strict=True)
            if d is not None and g is not None
        )
        up = slope(_moved(values, direction, STEP))[0].item()
        down = slope(_moved(values, direction, -STEP))[0].item()
        _close(got, (up - down) / (2 * STEP), abs(got) + abs(up), f"{op.name} {call.label}")


@pytest.mark.parametrize(
    ("op", "call", "device"), cases(lambda op, call: differentiable(op, call) and not call.empty)
)
def test_float32_gradient_is_the_float64_one(op, call, device):
    """The kernels of both dtypes differ; so do their vector widths and tails."""
    values = [round_to(v, "float32") for v in call.draw(op.name)]
    grads = []
    for dtype in ("float64", "float32"):
        leaves = [to_tensor(v, dtype, device) for v in values]
        inputs = []
        for t, a in zip(leaves, call.arrays, strict=True):
            if a.floating and a.grad:
                inputs.append(t.requires_grad_())
        outs = results(op.function(*call.fill(leaves), **call.kwargs))
        total = sum(((o * o).sum() for o in outs if o.requires_grad), start=0.0)
        grads.append(autograd.grad(total, inputs))
    for wide, narrow in zip(*grads, strict=True):
        largest = max(1.0, float(np.abs(to_array(wide)).max(initial=0)))
        np.testing.assert_allclose(
            to_array(narrow), to_array(wide), rtol=0, atol=200 * EPSILON["float32"] * largest
        )


# layouts


def _run_with_gradients(op, call, tensors, output_layout="contiguous"):
    """Results and gradients of a call, as two lists of NumPy arrays."""
    leaves = []
    for t, a in zip(tensors, call.arrays, strict=True):
        leaves.append(t.requires_grad_() if a.floating and a.grad and op.differentiable else t)
    outs = results(op.function(*call.fill(leaves), **call.kwargs))
    found, grads = [o.detach().numpy().copy() for o in outs], []
    inputs = [t for t in leaves if t.requires_grad]
    outs = [o for o in outs if o.requires_grad]
    if inputs and outs:
        rng = np.random.default_rng(4)
        starts = [
            fastdl.from_numpy(
                relayout(rng.uniform(-1, 1, o.shape).astype("float32"), output_layout)
            )
            for o in outs
        ]
        grads = [g.numpy().copy() for g in autograd.grad(outs, inputs, starts)]
    return found, grads


def _float32(values):
    return values.astype(np.float32) if values.dtype == np.float64 else values


def same_bits(found, wanted, what="", follows_strides=""):
    """Results and gradients are equal in every bit, or within rounding where a row says so."""
    for part, got, expected in zip(("result", "gradient"), found, wanted, strict=True):
        rounding = part == follows_strides or follows_strides == "result"
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            assert a.dtype == b.dtype
            if rounding:
                atol = 16 * EPSILON["float32"] * np.abs(b).max(initial=0, where=np.isfinite(b))
                np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=what)
                continue
            np.testing.assert_array_equal(a, b, err_msg=what)  # first: it reads better
            assert a.tobytes() == b.tobytes(), what


@pytest.mark.parametrize(
    ("op", "call", "device"),
    cases(
        lambda op, call: call.note in ("", "large") and op.name != "view",
        devices=["cpu"],
    ),
)
def test_layout_changes_no_bit(op, call, device):
    """Inputs, and the gradient that comes in, of any strides give what contiguous ones give."""
    values = [_float32(v) for v in call.draw(op.name)]
    plain = _run_with_gradients(op, call, [fastdl.from_numpy(v.copy()) for v in values])
    for layout in LAYOUTS:
        other = [fastdl.from_numpy(relayout(v, layout)) for v in values]
        turned = _run_with_gradients(op, call, other, layout)
        same_bits(turned, plain, layout, op.follows_strides)


@pytest.mark.parametrize(
    ("op", "call", "device"),
    cases(
        lambda op, call: call.note == "" and op.name != "view" and not call.empty, devices=["cpu"]
    ),
)
def test_expanded_inputs_change_no_bit(op, call, device):
    """Inputs with a stride of 0."""
    values = [_float32(v) for v in call.draw(op.name)]
    same = [np.broadcast_to(v[:1], v.shape) if v.ndim else v for v in values]
    plain = _run_with_gradients(op, call, [fastdl.tensor(v.copy()) for v in same])
    turned = _run_with_gradients(
        op,
        call,
        [
            fastdl.tensor(v[:1].copy()).expand(v.shape) if v.ndim else fastdl.tensor(v)
            for v in values
        ],
    )
    same_bits(turned, plain, follows_strides=op.follows_strides)


# other libraries' arrays


class OnlyDlpack:
    """An array that offers nothing but DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize(("op", "device"), names())
def test_arrays_are_taken_as_tensors_are(op, device):
    call = op.calls[1]
    values = [_float32(v) for v in call.draw(op.name)]
    wanted = results(op.function(*call.fill([fastdl.tensor(v) for v in values]), **call.kwargs))
    before = [v.copy() for v in values]
    for wrapped in (values, [OnlyDlpack(v) for v in values]):
        got = results(op.function(*call.fill(wrapped), **call.kwargs))
        for a, b in zip(got, wanted, strict=True):
            assert isinstance(a, fastdl.Tensor)
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(values, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "signature",
    [s for s in _core._signatures() if s["module"] == "functional" and s["kind"] == "both"],
    ids=lambda s: s["name"],
)
def test_method_is_the_function(signature):
    op = next(op for op in OPS if op.name == signature["name"])
    call = op.calls[-1] if op.name in ("eq", "pow") else op.calls[0]
    first, *rest = call.fill([fastdl.tensor(_float32(v)) for v in call.draw(op.name)])
    method = getattr(first, signature["name"])(*rest, **call.kwargs)
    for a, b in zip(
        results(method), results(op.function(first, *rest, **call.kwargs)), strict=True
    ):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_python_face(op):
    """The documented signature is the real one: names, order and defaults."""
    function = getattr(F, op.name)
    if op.name in load_all():  # a signature of Python's own
        assert len(function.__doc__) > 20
        for wrong in ({}, {"nonsense": 1}):
            with pytest.raises(TypeError, match=r"missing|unexpected"):
                function(**wrong)
        with pytest.raises(TypeError):
            function(*[None] * 40)
        return
    row = next(s for s in _core._signatures() if s["name"] == op.name)
    assert row["doc"].startswith(row["signature"])
    assert len(row["doc"].splitlines()) >= 3, "a docstring follows the signature"
    scope = {"ArrayLike": object, "Tensor": object, "Number": object, "Shape": object}
    scope |= {"Sequence": list, "Generator": object, "Any": object}
    exec(f"def {row['signature']}: pass", scope)
    with pytest.raises(TypeError, match="missing"):
        function()
    with pytest.raises(TypeError, match="unknown argument 'nonsense'"):
        function(**dict.fromkeys(inspect.signature(scope[op.name]).parameters), nonsense=1)
    with pytest.raises(TypeError):
        function(*[None] * 40)


# threads

SIZES = {"conv2d": 1 << 16, "gru": 1 << 14, "lstm": 1 << 14, "matmul": 1 << 16}


@pytest.mark.parametrize(("op", "device"), names())
def test_number_of_threads_changes_no_bit(op, device, threads):
    call = op.sized(SIZES.get(op.name, 1 << 18))
    values = [_float32(v) for v in call.draw(op.name)]
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(_run_with_gradients(op, call, [fastdl.tensor(v) for v in values]))
    for other in found[1:]:
        same_bits(other, found[0])
