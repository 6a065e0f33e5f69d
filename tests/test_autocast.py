"""Autocast: which function computes in which precision, and that gradients come back in float32."""

import threading

import numpy as np
import pytest

import fastdl
from fastdl import autocast, errors, models, nn, optim
from fastdl import functional as F

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
# Unit roundoff of the two: 8 and 11 bits, the hidden one included.
ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


@pytest.fixture(params=DEVICES)
def device(request):
    if request.param == "cuda" and not fastdl.cuda.is_available():
        pytest.skip(fastdl.cuda.status())
    return request.param


def drawn(*shape, device="cpu", seed=0, dtype="float32"):
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return fastdl.tensor(values).to(device).to(getattr(fastdl, dtype))


def row(x):
    """Calls of every policy on x[4, 6] and others like it."""
    w = drawn(5, 6, device=x.device, seed=1).to(x.dtype)
    y = drawn(4, 6, device=x.device, seed=2).to(x.dtype)
    image = x.reshape(1, 2, 3, 4)
    kernel = drawn(3, 2, 2, 2, device=x.device).to(x.dtype)
    ones = fastdl.ones((2,), device=x.device)
    label = fastdl.tensor([1, 0, 5, 2]).to(x.device)
    low = {
        "linear": F.linear(x, w),
        "matmul": F.matmul(x, w.T),
        "@": x @ w.T,
        "mm": F.mm(x, w.T),
        "mv": F.mv(x, w[0]),
        "addmm": F.addmm(drawn(5, device=x.device).to(x.dtype), x, w.T),
        "einsum": F.einsum("ij,kj->ik", x, w),
        "conv2d": F.conv2d(image, kernel),
        "conv_transpose2d": F.conv_transpose2d(image, kernel.transpose(0, 1)),
    }
    full = {
        "softmax": F.softmax(x, 1),
        "log_softmax": F.log_softmax(x, 1),
        "exp": x.exp(),
        "log": x.abs().log(),
        "pow": F.pow(x, 3.0),
        "**": x**3.0,
        "** 2": x**2,
        "sum": x.sum(),
        "prod": x.prod(),
        "cumsum": x.cumsum(1),
        "norm": x.norm(),
        "softplus": F.softplus(x),
        "cross_entropy": F.cross_entropy(x, label),
        "mse_loss": F.mse_loss(x, y),
        "l1_loss": F.l1_loss(x, y),
        "cosine_similarity": F.cosine_similarity(x, y),
        "layer_norm": F.layer_norm(x, (6,)),
        "batch_norm": F.batch_norm(image, ones * 0, ones),
        "group_norm": F.group_norm(image, 2),
    }
    kept = {"relu": x.relu(), "+": x + y, "* 2": x * 2.0, "tanh": x.tanh(), "cat": F.cat([x, y])}
    return low, full, kept


@pytest.mark.parametrize("dtype", ROUNDOFF)
@pytest.mark.parametrize("given", ["float32", "bfloat16", "float16"])
def test_which_precision(device, given, dtype):
    with autocast(dtype, device=device):
        low, full, kept = row(drawn(4, 6, device=device, dtype=given))
    assert {name: y.dtype.name for name, y in low.items()} == dict.fromkeys(low, dtype)
    assert {name: y.dtype.name for name, y in full.items()} == dict.fromkeys(full, "float32")
    assert {name: y.dtype.name for name, y in kept.items()} == dict.fromkeys(kept, given)


def test_what_takes_no_part(device):
    x = drawn(4, 6, device=device).to(fastdl.float64)
    with autocast("bfloat16"):
        low, full, kept = row(x)
        assert (fastdl.tensor([1, 2]).to(device) + 1).sum().dtype == fastdl.int64
    for y in (*low.values(), *kept.values(), *full.values()):
        assert y.dtype == fastdl.float64 or y is full["batch_norm"]


@pytest.mark.parametrize("dtype", ROUNDOFF)
def test_values(device, dtype):
    """Rounded operands, sums in float32: within three roundings of the float64 result."""
    x, w = drawn(7, 40, device=device), drawn(9, 40, device=device, seed=1)
    with autocast(dtype):
        y = F.linear(x, w).to(fastdl.float32).cpu().numpy()
    wide_x, wide_w = x.cpu().numpy().astype(float), w.cpu().numpy().astype(float)
    limit = 3.1 * ROUNDOFF[dtype] * (np.abs(wide_x) @ np.abs(wide_w).T)
    assert (np.abs(y - wide_x @ wide_w.T) <= limit).all()
    assert np.abs(y - wide_x @ wide_w.T).max() > 2.0**-20, "it was computed in float32"


def test_mixed_operands(device):
    """What a product made meets what it did not: the widest wins, an edit keeps its dtype."""
    x = drawn(4, 4, device=device)
    with autocast("bfloat16"):
        low = x @ x
        assert (low + x).dtype == (x + low).dtype == fastdl.float32
        assert F.cat([low, x]).dtype == fastdl.float32
        assert F.where(x > 0, x, low).dtype == fastdl.float32
        assert (low + low.to(fastdl.float16)).dtype == fastdl.float32
        assert F.prelu(low, fastdl.ones((1,), device=device)).dtype == fastdl.float32
        total = fastdl.zeros((4, 4), device=device)
        total += low
        total.add_(low)
        assert total.dtype == fastdl.float32
        low += x
        assert low.dtype == fastdl.bfloat16
    with pytest.raises(errors.DTypeError):
        low + x


def test_scopes_nest_and_end(device):
    x = drawn(3, 3, device=device)
    names = []

    def note():
        names.append((x @ x).dtype.name)

    @autocast("float16")
    def decorated(again):
        note()
        if again:
            decorated(False)

    note()
    with autocast("bfloat16"):
        note()
        with autocast("float16", enabled=False):
            note()
            decorated(True)
        note()
        with pytest.raises(KeyError), autocast("float16"):
            raise KeyError
        note()
        thread = threading.Thread(target=note)
        thread.start()
        thread.join()
    note()
    low = "bfloat16"
    half = "float16"
    assert names == ["float32", low, "float32", half, half, low, low, "float32", "float32"]


def test_another_device_is_left_alone(device):
    other = "cuda" if device == "cpu" else "cpu"
    with autocast("bfloat16", device=other):
        assert (drawn(2, 2, device=device) @ drawn(2, 2, device=device)).dtype == fastdl.float32


def test_arguments_are_checked():
    for arguments in (("float32",), ("half",)):
        with pytest.raises(errors.ArgumentError) as info:
            autocast(*arguments)
        assert "bfloat16" in info.value.remedy
    with pytest.raises(errors.ArgumentError):
        autocast("bfloat16", device="tpu")


MODELS = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)),
        (4, 6)),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                              nn.Flatten(), nn.Linear(16, 3)), (4, 2, 6, 6)),
    "lstm": (lambda: Last(nn.LSTM(5, 6, batch_first=True), nn.Linear(6, 3)), (4, 3, 5)),
    "gru": (lambda: Last(nn.GRU(5, 6, batch_first=True), nn.Linear(6, 3)), (4, 3, 5)),
    "rnn": (lambda: Last(nn.RNN(5, 6, batch_first=True), nn.Linear(6, 3)), (4, 3, 5)),
    "transformer": (lambda: Last(Attention(), nn.Linear(6, 3)), (4, 3, 6)),
}  # fmt: skip


class Attention(nn.Module):
    def __init__(self):
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)


class Last(nn.Module):
    def __init__(self, layer, head):
        self.layer, self.head = layer, head

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


@pytest.mark.parametrize("dtype", ROUNDOFF)
@pytest.mark.parametrize("model", MODELS)
def test_models_learn_as_in_float32(model, dtype, device):
    """Gradients are float32, near those of float32: relative to the largest, some roundings."""
    fastdl.manual_seed(0)
    make, shape = MODELS[model]
    net = make().to(device)
    x, y = drawn(*shape, device=device), fastdl.tensor([0, 1, 2, 1]).to(device)

    def gradients():
        optim.SGD(net.parameters(), lr=1.0).zero_grad()
        loss = F.cross_entropy(net(x), y)
        assert loss.dtype == fastdl.float32
        loss.backward()
        return [p.grad for p in net.parameters() if p.grad is not None]

    wanted = gradients()
    with autocast(dtype):
        found = gradients()
    assert len(found) == len(wanted) > 3
    different = False
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == fastdl.float32
        a, b = a.cpu().numpy(), b.cpu().numpy()
        # A step of a dozen roundings of operands; batch norm of 4 samples magnifies them.
        assert np.abs(a - b).max() <= 40 * ROUNDOFF[dtype] * max(np.abs(b).max(), 1e-2)
        different = different or (a != b).any()
    assert different, "it was computed in float32"


def test_a_parameter_is_cast_once(device):
    layer = nn.Linear(3, 3, bias=False).to(device)
    x = drawn(2, 3, device=device)

    with autocast("bfloat16"):
        first, second = layer(x), layer(x)
        (first.sum() + second.sum()).backward()
        once = layer.weight.grad.cpu().numpy()
        layer.weight.grad = None
        # Another backward through the kept cast, after the first one dropped its graph.
        layer(x).sum().backward()
        np.testing.assert_array_equal(2 * layer.weight.grad.cpu().numpy(), once)
        before = layer(x).detach().cpu()
        with fastdl.no_grad():
            layer.weight.mul_(2.0)
        after = layer(x).detach().cpu()
        np.testing.assert_array_equal(after.float().numpy(), 2 * before.float().numpy())


def test_casts_of_no_grad_have_no_history(device):
    layer = nn.Linear(3, 3).to(device)
    x = drawn(2, 3, device=device)
    with autocast("bfloat16"):
        with fastdl.no_grad():
            assert not layer(x).requires_grad
        layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_captured_functions_know_the_scope(device):
    """A recording belongs to the precision that it was made in, and casts the weights of today."""
    layer = nn.Linear(3, 2).to(device)
    run = fastdl.capture(lambda x: layer(x))
    x = drawn(4, 3, device=device)
    with fastdl.no_grad():
        for _ in range(3):
            assert run(x).dtype == fastdl.float32
        with autocast("bfloat16"):
            for turn in range(5):
                np.testing.assert_array_equal(
                    run(x).cpu().float().numpy(), layer(x).cpu().float().numpy()
                )
                if turn == 3:
                    layer.weight.mul_(3.0)
        assert run(x).dtype == fastdl.float32
    assert run.replays >= 3


@pytest.mark.parametrize("dtype", ROUNDOFF)
def test_lenet_trains_on_the_cpu(dtype):
    fastdl.manual_seed(0)
    model = models.LeNet5()
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    x = drawn(8, 1, 32, 32)
    y = fastdl.tensor(np.arange(8) % 10)
    losses = []
    for _ in range(12):
        with autocast(dtype):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_compiled_models(device):
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)).to(device)
    model.eval()
    x = drawn(2, 2, 3, 3, device=device)
    compiled = fastdl.compile(model)
    with fastdl.no_grad():
        wanted = model(x).cpu().numpy()
        for _ in range(3):
            assert compiled(x).dtype == fastdl.float32
            with autocast("bfloat16"):
                y = compiled(x)
            assert y.dtype == fastdl.bfloat16
            np.testing.assert_allclose(y.cpu().float().numpy(), wanted, rtol=0, atol=0.05)
