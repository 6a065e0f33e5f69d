"""Inputs and incoming gradients of other strides on a CUDA device change no bit.

Moving a tensor makes it contiguous, so the layouts are made on the device.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from tests.opcases import CALLS, row
from tests.oprow import call, index, results, uniform
from tests.test_ops import _float32, same_bits

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

LAYOUTS = ("offset", "transposed", "strided", "pitched", "loose")

# The table's lines are of odd length; these are whole vectors.
MORE = [
    ("softmax", call(uniform(3, 16), 1)),
    ("log_softmax", call(uniform(3, 16), 1)),
    ("cross_entropy", call(uniform(5, 16), index(5, below=16))),
]


def laid_out(values, layout):
    """The values with other strides."""

    def there(array):
        return fastdl.tensor(array.copy(order="C"), device="cuda")

    if layout == "contiguous" or values.ndim == 0:
        return there(values)
    if layout == "transposed":
        return F.permute(there(values.T), list(range(values.ndim))[::-1])
    if layout == "strided":
        big = np.full([2 * n + 1 for n in values.shape], 77, values.dtype)
        where = tuple(slice(1, None, 2) for _ in values.shape)
        big[where] = values
        return there(big)[where]
    if layout in ("pitched", "loose"):  # rows begin aligned, or anywhere
        n = values.shape[-1]
        gap = 16 - n % 16 if layout == "pitched" else 1
        big = np.full((*values.shape[:-1], n + gap), 77, values.dtype)
        big[..., :n] = values
        return F.narrow(there(big), -1, 0, n)
    flat = np.full(values.size + 1, 77, values.dtype)  # contiguous, and nothing is aligned
    flat[1:] = values.reshape(-1)
    return there(flat)[1:].view(list(values.shape))


def run(op, one, values, layout):
    leaves = []
    for v, a in zip(values, one.arrays, strict=True):
        t = laid_out(v, layout)
        leaves.append(t.requires_grad_() if a.floating and a.grad and op.differentiable else t)
    outs = results(op.function(*one.fill(leaves), **one.kwargs))
    found, grads = [o.detach().cpu().numpy() for o in outs], []
    inputs = [t for t in leaves if t.requires_grad]
    outs = [o for o in outs if o.requires_grad]
    if inputs and outs:
        rng = np.random.default_rng(4)
        starts = [laid_out(rng.uniform(-1, 1, o.shape).astype("float32"), layout) for o in outs]
        grads = [g.cpu().numpy() for g in autograd.grad(outs, inputs, starts)]
    return found, grads


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("op", "one"),
    [
        pytest.param(op, one, id=f"{op.name}-{one.label}")
        for op, one in [*CALLS, *((row(name), one) for name, one in MORE)]
        if one.note == "" and op.name != "view" and not one.empty
    ],
)
def test_layout(op, one, layout):
    values = [_float32(v) for v in one.draw(op.name)]
    plain = run(op, one, values, "contiguous")
    same_bits(run(op, one, values, layout), plain, layout, op.follows_strides)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("channels", [8, 40, 5])  # 5: no whole packs of 16 bytes
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("max_pool2d", {"kernel_size": 2, "stride": 1, "dilation": 3}),
        ("max_pool2d", {"kernel_size": [16, 17], "padding": [7, 8]}),  # more taps than a byte
        ("avg_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("avg_pool2d", {"kernel_size": 7, "stride": 7}),
        ("avg_pool2d", {"kernel_size": [14, 15]}),  # whole planes
        ("batch_norm", {}),
    ],
)
def test_channels_last(name, arguments, channels, dtype):
    """Results and gradients are those of channels first, and lie as the input does."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-1, 1, (3, channels, 14, 15))
    found = []
    for last in (False, True):
        x = fastdl.tensor(values).to(dtype).to("cuda")
        x = x.contiguous(memory_format=fastdl.channels_last) if last else x
        leaves = [x.detach().requires_grad_()]
        if name == "batch_norm":
            weight = [np.linspace(0.5, 2, channels), np.linspace(-1, 1, channels)]
            leaves += [fastdl.tensor(w).float().to("cuda").requires_grad_() for w in weight]
            y = F.batch_norm(leaves[0], None, None, *leaves[1:], training=True)
        else:
            y = getattr(F, name)(leaves[0], **arguments)
        start = fastdl.tensor(np.random.default_rng(4).uniform(-1, 1, y.shape)).to(dtype)
        grads = autograd.grad([y], leaves, [start.to("cuda")])
        packs = channels * x.element_size() % 16 == 0 or name == "batch_norm"
        if last and packs:
            assert y.is_contiguous(memory_format=fastdl.channels_last)
        found.append([t.detach().cpu().double().numpy() for t in (y, *grads)])
    tolerance = {"float32": 1e-5, "float16": 2e-3}[dtype]  # sums in another order
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(a).max())
