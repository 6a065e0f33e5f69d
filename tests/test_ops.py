"""Every row of the case table: results, both derivatives, dtypes, layouts, threads, devices."""

import inspect

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import _core, autograd
from tests import references as ref
from tests.opcases import CALLS, OPS
from tests.oprow import EPSILON, LAYOUTS, check, relayout, results, round_to, to_array, to_tensor

DEVICES = ["cpu", "cuda"] if fastdl.cuda.is_available() else ["cpu"]


def cases(wanted=lambda op, call: True, expand=lambda op, call: [()], devices=DEVICES):
    """Parameters (op, call, *more, device) with readable names."""
    out = []
    for op, call in CALLS:
        if not wanted(op, call):
            continue
        for device in devices if op.cuda else ["cpu"]:
            for more in expand(op, call):
                name = "-".join([op.name, call.label, *map(str, more), device])
                out.append(pytest.param(op, call, *more, device, id=name))
    return out


def names(wanted=lambda op: True, devices=("cpu",)):
    return [
        pytest.param(op, device, id=f"{op.name}-{device}")
        for op in OPS
        if wanted(op)
        for device in (devices if op.cuda else ["cpu"])
    ]


def differentiable(op, call):
    return op.differentiable and call.gradient


def test_every_function_has_a_row():
    functions = {s["name"] for s in _core._signatures() if s["module"] == "functional"}
    rows = [op.name for op in OPS]
    assert len(rows) == len(set(rows))
    assert set(rows) == functions


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
        lambda op, call: call.note not in ("special", "wide")
        and not any(isinstance(a, float) for a in call.args),
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
    outs = [
        t for t in results(op.function(*call.fill(tensors), **call.kwargs)) if t.requires_grad
    ]
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
    assert error <= 2e-6 * max(1.0, scale), f"{what}: {got!r}, by finite differences {expected!r}"


def _directions(call, values, seed):
    """A direction to move all differentiable inputs in at once, then one per input alone."""
    rng = np.random.default_rng(seed)
    wanted = [a.floating and a.grad for a in call.arrays]
    full = [
        rng.uniform(-1, 1, v.shape) if w else None for v, w in zip(values, wanted, strict=True)
    ]
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
        moves = [
            d for d, a in zip(direction, call.arrays, strict=True) if a.floating and a.grad
        ]
        got = sum(
            float((to_array(g) * d).sum()) for g, d in zip(grads, moves, strict=True) if d is not None
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
        moves = [
            d for d, a in zip(direction, call.arrays, strict=True) if a.floating and a.grad
        ]
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
        outs = [o for o in results(op.function(*call.fill(leaves), **call.kwargs))]
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
            fastdl.from_numpy(relayout(rng.uniform(-1, 1, o.shape).astype("float32"), output_layout))
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
    row = next(s for s in _core._signatures() if s["name"] == op.name)
    assert row["doc"].startswith(row["signature"])
    assert len(row["doc"].splitlines()) >= 3, "a docstring follows the signature"
    function = getattr(F, op.name)
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

SIZES = {"conv2d": 1 << 16, "lstm": 1 << 14, "matmul": 1 << 16}


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


# devices


if len(DEVICES) > 1:

    @pytest.mark.cuda
    @pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
    def test_cuda_agrees_or_refuses(op):
        """Large inputs on both devices; an op without CUDA kernels says so with a typed error."""
        call = op.sized(SIZES.get(op.name, 1 << 18))
        values = [_float32(v) for v in call.draw(op.name)]
        moved = [to_tensor(v, "float32", "cuda") for v in values]
        if not op.cuda:
            with pytest.raises(fastdl.errors.DeviceError, match="has no kernel for cuda"):
                op.function(*call.fill(moved), **call.kwargs)
            return
        here = results(op.function(*call.fill([fastdl.tensor(v) for v in values]), **call.kwargs))
        there = results(op.function(*call.fill(moved), **call.kwargs))
        for a, b in zip(here, there, strict=True):
            check(b, to_array(a), "float32", op.tolerance)


# optimisers

SGD = {
    "lr": 0.1,
    "momentum": 0.0,
    "dampening": 0.0,
    "weight_decay": 0.0,
    "nesterov": False,
}
ADAM = {
    "lr": 0.01,
    "beta1": 0.9,
    "beta2": 0.99,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "decoupled": False,
}
PARAMETERS = ((), (7,), (0, 3), (16,), (5, 33), (40_001,))


def _step_values(seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape) for shape in PARAMETERS]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.2},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_sgd_step(options, dtype, device):
    options = SGD | options
    wanted = [round_to(v, dtype) for v in _step_values(0)]
    buffers = [np.zeros_like(v) for v in wanted]
    params = [to_tensor(v, dtype, device) for v in wanted]
    states = [to_tensor(v, dtype, device) for v in buffers] if options["momentum"] else []
    for step in range(3):
        grads = [round_to(v, dtype) for v in _step_values(step + 1)]
        moved = [to_tensor(v, dtype, device) for v in grads]
        versions = [p._version for p in params]
        _core.sgd_step(params, moved, states, **options, first_step=step == 0)
        assert all(p._version > v for p, v in zip(params, versions, strict=True))
        for i, g in enumerate(grads):
            wanted[i], buffers[i] = ref.sgd(
                wanted[i], g, buffers[i], **options, first_step=step == 0
            )
    for p, v in zip(params, wanted, strict=True):
        np.testing.assert_allclose(to_array(p), v, rtol=0, atol=16 * EPSILON[dtype])
    for s, v in zip(states, buffers, strict=False):
        np.testing.assert_allclose(to_array(s), v, rtol=0, atol=32 * EPSILON[dtype])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}], ids=str
)
def test_adam_step(options, dtype, device):
    options = ADAM | options
    wanted = [round_to(v, dtype) for v in _step_values(0)]
    first, second = ([np.zeros_like(v) for v in wanted] for _ in range(2))
    params, m, v = ([to_tensor(a, dtype, device) for a in s] for s in (wanted, first, second))
    for step in (1, 2, 3):
        grads = [round_to(g, dtype) for g in _step_values(step)]
        _core.adam_step(
            params, [to_tensor(g, dtype, device) for g in grads], m, v, step=step, **options
        )
        for i, g in enumerate(grads):
            wanted[i], first[i], second[i] = ref.adam(
                wanted[i], g, first[i], second[i], step=step, **options
            )
    # The root of the second moment is small where the gradients were, and magnifies its rounding.
    for tensors, arrays, factor in ((params, wanted, 64), (m, first, 16), (v, second, 16)):
        for t, a in zip(tensors, arrays, strict=True):
            np.testing.assert_allclose(to_array(t), a, rtol=0, atol=factor * EPSILON[dtype])


def test_optimiser_steps_have_a_test():
    steps = {s["name"] for s in _core._signatures() if s["module"] == "runtime"}
    assert steps == {"sgd_step", "adam_step"}


# what the table cannot say


def test_batch_norm_updates_the_running_statistics():
    rng = np.random.default_rng(5)
    x = rng.normal(3, 2, (6, 4, 5))
    m, v = np.zeros(4), np.ones(4)
    mean, variance = fastdl.tensor(m), fastdl.tensor(v)
    for _ in range(2):
        F.batch_norm(fastdl.tensor(x), mean, variance, training=True, momentum=0.3)
        m = 0.7 * m + 0.3 * x.mean((0, 2))
        v = 0.7 * v + 0.3 * x.var((0, 2), ddof=1)
    np.testing.assert_allclose(mean.numpy(), m, rtol=1e-12)
    np.testing.assert_allclose(variance.numpy(), v, rtol=1e-12)
    F.batch_norm(fastdl.tensor(x), mean, variance, training=False)
    np.testing.assert_allclose(mean.numpy(), m, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_batch_norm_of_16_bits_keeps_statistics_in_32(dtype):
    rng = np.random.default_rng(6)
    x = round_to(rng.normal(1, 2, (6, 4, 5)), dtype)
    w, b = rng.normal(size=4), rng.normal(size=4)
    mean = fastdl.zeros((4,))
    half = to_tensor(x, dtype).requires_grad_()
    weight = to_tensor(w, "float32").requires_grad_()
    y = F.batch_norm(half, mean, fastdl.ones((4,)), weight, to_tensor(b, "float32"), True)
    expected = ref.batch_norm(x, None, None, w, b, True)
    np.testing.assert_allclose(to_array(y), expected, atol=4 * EPSILON[dtype])
    np.testing.assert_allclose(mean.numpy(), 0.1 * x.mean((0, 2)), rtol=1e-5)
    y.sum().backward()
    assert half.grad.dtype == getattr(fastdl, dtype)
    assert weight.grad.dtype == fastdl.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mean_of_16_bits_outlives_its_sum(dtype):
    x = fastdl.full((70_000,), 3.0, dtype=dtype, requires_grad=True)
    assert x.mean().item() == 3.0  # 210,000 and 70,000 are beyond float16
    assert x.var().item() == 0.0
    x.mean().backward()
    assert x.grad.dtype == getattr(fastdl, dtype)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_ties_share_the_gradient(name):
    x = fastdl.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]).requires_grad_()
    y = x if name == "amax" else -x
    getattr(F, name)(y, 1).sum().backward()
    sign = 1 if name == "amax" else -1
    thirds = [1 / 3] * 3
    np.testing.assert_allclose(x.grad.numpy(), sign * np.array([[0.5, 0.5, 0], thirds]), rtol=1e-6)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_operands_share_the_gradient(name):
    a = fastdl.tensor([1.0, 2.0], requires_grad=True)
    b = fastdl.tensor([1.0, 2.0], requires_grad=True)
    getattr(F, name)(a, b).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["amax", "amin", "argmax", "argmin", "maximum", "minimum"])
def test_nan_wins(name):
    values = np.arange(40, dtype=np.float32)
    for at in (0, 17, 39):
        x = values.copy()
        x[at] = np.nan
        if name.startswith("arg"):
            assert getattr(F, name)(x).item() == at
        elif name.startswith("a"):
            assert np.isnan(getattr(F, name)(x).item())
        else:
            assert np.isnan(getattr(F, name)(x, values).numpy()[at])
            assert np.isnan(getattr(F, name)(values, x).numpy()[at])


def test_max_pool_gives_the_gradient_to_the_first_of_equals():
    x = fastdl.zeros((1, 1, 2, 2), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]


def test_python_numbers_adapt_to_the_tensor():
    halves = fastdl.tensor([1.0, 2.0], dtype="float16")
    assert (halves * 2.5).dtype == fastdl.float16
    assert (3 - halves).tolist() == [2.0, 1.0]
    whole_numbers = fastdl.tensor([1, 2])
    assert (whole_numbers + 1).dtype == fastdl.int64
    assert (whole_numbers + 0.5).dtype == fastdl.float32
    assert (whole_numbers / 2).tolist() == [0.5, 1.0]
    assert (2**53 + 1 + fastdl.tensor([0])).tolist() == [2**53 + 1]
