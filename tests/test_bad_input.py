"""Bad input is answered by a typed exception: with shapes, a remedy and the layer's path.

Every case runs in a child process too, which must end by itself: a signal fails the test.
"""

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import models, nn
from fastdl.composed import load_all
from fastdl.errors import (
    ArgumentError,
    AutogradError,
    DeviceError,
    DTypeError,
    Error,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)
from tests.opcases import OPS

HUGE = 2**55
X = fastdl.ones((2, 4, 8, 8))
W = fastdl.ones((6, 4, 3, 3))
H = fastdl.ones((3, 5))
SEQUENCE = fastdl.ones((2, 3, 4))
GATES = fastdl.ones((20, 4)), fastdl.ones((20, 5))


def edited():
    x = fastdl.ones((3,), requires_grad=True)
    y = x * 1
    z = y * y
    with fastdl.no_grad():
        y.add_(1)
    z.sum().backward()


def lstm(**changes):
    arguments = {"h0": H, "c0": H, "weight_ih": GATES[0], "weight_hh": GATES[1]} | changes
    F.lstm(SEQUENCE, **arguments)


# name -> (call, error, what the message shows besides)
CASES = {
    "conv2d stride 0": (
        lambda: F.conv2d(X, W, stride=0),
        ArgumentError,
        ["stride is 0", "[2, 4, 8, 8]"],
    ),
    "conv2d stride -1": (lambda: F.conv2d(X, W, stride=[1, -1]), ArgumentError, ["stride is -1"]),
    "conv2d stride huge": (lambda: F.conv2d(X, W, stride=HUGE), ArgumentError, ["stride"]),
    "conv2d dilation 0": (lambda: F.conv2d(X, W, dilation=0), ArgumentError, ["dilation is 0"]),
    "conv2d dilation -3": (lambda: F.conv2d(X, W, dilation=-3), ArgumentError, ["dilation is -3"]),
    "conv2d dilation huge": (lambda: F.conv2d(X, W, dilation=HUGE), ArgumentError, ["dilation"]),
    "conv2d groups 0": (lambda: F.conv2d(X, W, groups=0), ArgumentError, ["groups is 0"]),
    "conv2d groups -2": (lambda: F.conv2d(X, W, groups=-2), ArgumentError, ["groups is -2"]),
    "conv2d groups 3": (
        lambda: F.conv2d(X, W, groups=3),
        ShapeError,
        ["channels / groups is 4 / 3"],
    ),
    "conv2d groups huge": (lambda: F.conv2d(X, W, groups=2**62), ShapeError, ["conv2d"]),
    "conv2d groups and outputs": (
        lambda: F.conv2d(X, fastdl.ones((3, 2, 3, 3)), groups=2),
        ShapeError,
        ["3 output channels"],
    ),
    "conv2d kernel 0": (
        lambda: F.conv2d(X, fastdl.ones((6, 4, 0, 3))),
        ShapeError,
        ["[6, 4, 0, 3]"],
    ),
    "conv2d kernel too large": (
        lambda: F.conv2d(X, fastdl.ones((6, 4, 9, 3))),
        ShapeError,
        ["9", "8"],
    ),
    "conv2d padding -1": (lambda: F.conv2d(X, W, padding=-1), ArgumentError, ["padding is -1"]),
    "conv2d padding huge": (lambda: F.conv2d(X, W, padding=HUGE), ArgumentError, ["padding"]),
    "conv2d padding enormous": (
        lambda: F.conv2d(X, W, padding=2**24),
        (OutOfMemoryError, ShapeError),
        [],
    ),
    "conv2d channels": (
        lambda: F.conv2d(X, fastdl.ones((6, 3, 5, 5))),
        ShapeError,
        ["weight is 3", "is 4", "float32[2, 4, 8, 8]", "float32[6, 3, 5, 5]", "here [6, 4,"],
    ),
    "conv2d bias": (
        lambda: F.conv2d(X, W, fastdl.ones((5,))),
        ShapeError,
        ["bias is 5", "here [6]"],
    ),
    "conv2d rank": (
        lambda: F.conv2d(X[0, 0], W),
        ShapeError,
        ["2 dimensions", "[N, channels, height, width]"],
    ),
    "conv2d dtypes": (lambda: F.conv2d(X, W.double()), DTypeError, ["float64[6, 4, 3, 3]"]),
    "conv2d integers": (lambda: F.conv2d(X.long(), W.long()), DTypeError, ["int64"]),
    "max_pool2d kernel 0": (lambda: F.max_pool2d(X, 0), ArgumentError, ["kernel_size is 0"]),
    "max_pool2d kernel huge": (lambda: F.max_pool2d(X, HUGE), ArgumentError, ["kernel_size"]),
    "max_pool2d kernel -1": (
        lambda: F.max_pool2d(X, [2, -1]),
        ArgumentError,
        ["kernel_size is -1"],
    ),
    "max_pool2d stride 0": (lambda: F.max_pool2d(X, 2, 0), ArgumentError, ["stride is 0"]),
    "max_pool2d dilation 0": (
        lambda: F.max_pool2d(X, 2, 1, 0, 0),
        ArgumentError,
        ["dilation is 0"],
    ),
    "max_pool2d padding": (lambda: F.max_pool2d(X, 2, 2, 2), ArgumentError, ["padding is 2"]),
    "max_pool2d padding huge": (
        lambda: F.max_pool2d(X, 2, padding=HUGE),
        ArgumentError,
        ["padding"],
    ),
    "max_pool2d window": (lambda: F.max_pool2d(X, 9), ShapeError, ["9 elements", "[2, 4, 8, 8]"]),
    "avg_pool2d kernel 0": (lambda: F.avg_pool2d(X, 0), ArgumentError, ["kernel_size is 0"]),
    "avg_pool2d stride huge": (lambda: F.avg_pool2d(X, 2, HUGE), ArgumentError, ["stride"]),
    "avg_pool2d rank": (lambda: F.avg_pool2d(X[0, 0], 2), ShapeError, ["2 dimensions"]),
    "max_pool2d channels of nothing": (
        lambda: F.max_pool2d(fastdl.ones((2, 3, 0, 4)), 2),
        ShapeError,
        ["[2, 3, 0, 4]"],
    ),
    "add dtypes": (
        lambda: X + X.double(),
        DTypeError,
        ["float32[2, 4, 8, 8]", ".to(fastdl.float32)"],
    ),
    "add shapes": (lambda: H + fastdl.ones((4, 5)), ShapeError, ["[3, 5]", "[4, 5]"]),
    "matmul shapes": (lambda: H @ H, ShapeError, ["5 and 3", "float32[3, 5]"]),
    "matmul dtypes": (lambda: H @ H.T.half(), DTypeError, ["float16[5, 3]"]),
    "linear features": (
        lambda: F.linear(H, fastdl.ones((2, 4))),
        ShapeError,
        ["5", "4", "in_features"],
    ),
    "to cuda": (
        lambda: X.to("cuda:9" if fastdl.cuda.is_available() else "cuda"),
        DeviceError,
        ["cuda"],
    ),
    "mse_loss shapes": (
        lambda: F.mse_loss(H, H[:, :1]),
        ShapeError,
        ["[3, 5]", "[3, 1]", "broadcast"],
    ),
    "bce shapes": (lambda: F.binary_cross_entropy(H, H[0]), ShapeError, ["float32[5]"]),
    "bce logits shapes": (
        lambda: F.binary_cross_entropy_with_logits(H, H.T),
        ShapeError,
        ["float32[5, 3]"],
    ),
    "mse_loss dtypes": (lambda: F.mse_loss(H, H.long()), DTypeError, ["int64[3, 5]"]),
    "loss reduction": (
        lambda: F.mse_loss(H, H, reduction="median"),
        ArgumentError,
        ["median", "'sum'"],
    ),
    "cross_entropy shapes": (
        lambda: F.cross_entropy(H, fastdl.tensor([1, 2])),
        ShapeError,
        ["float32[3, 5]", "int64[2]"],
    ),
    "class too large": (
        lambda: F.cross_entropy(H, fastdl.tensor([0, 5, 1])),
        IndexRangeError,
        ["class index 5", "position 1", "0 to 4"],
    ),
    "class negative": (
        lambda: F.cross_entropy(H, fastdl.tensor([0, 1, -1])),
        IndexRangeError,
        ["-1"],
    ),
    "class huge": (lambda: F.cross_entropy(H, fastdl.tensor([0, 1, 2**62])), IndexRangeError, []),
    "classes of floats": (
        lambda: F.cross_entropy(H, fastdl.ones((3,), dtype="int32")),
        DTypeError,
        ["int64"],
    ),
    "no classes": (
        lambda: F.cross_entropy(fastdl.ones((1, 0)), fastdl.tensor([0])),
        IndexRangeError,
        ["none"],
    ),
    "embedding too large": (
        lambda: F.embedding(fastdl.tensor([[0, 3]]), H),
        IndexRangeError,
        ["index 3", "0 to 2"],
    ),
    "embedding negative": (lambda: F.embedding(fastdl.tensor([-1]), H), IndexRangeError, ["-1"]),
    "embedding of floats": (lambda: F.embedding(H, H), DTypeError, ["int64"]),
    "embedding table": (
        lambda: F.embedding(fastdl.tensor([0]), X),
        ShapeError,
        ["[entries, features]"],
    ),
    "gather range": (
        lambda: F.gather(H, 1, fastdl.tensor([[5], [0], [0]])),
        IndexRangeError,
        ["5", "0 to 4"],
    ),
    "scatter range": (
        lambda: F.scatter_add(H, 0, fastdl.tensor([[2**40] * 5]), H[:1]),
        IndexRangeError,
        [],
    ),
    "gather sizes": (lambda: F.gather(H, 1, fastdl.tensor([[0]] * 4)), ShapeError, ["[4, 1]"]),
    "lstm hidden rank": (
        lambda: lstm(h0=H[None]),
        ShapeError,
        ["h0 has 3 dimensions", "hidden_size"],
    ),
    "lstm hidden rank 1": (lambda: lstm(h0=H[0]), ShapeError, ["h0 has 1 dimension"]),
    "lstm cell rank": (lambda: lstm(c0=H[None]), ShapeError, ["c0", "[1, 3, 5]"]),
    "lstm hidden size": (lambda: lstm(c0=fastdl.ones((3, 6))), ShapeError, ["[3, 6]", "[3, 5]"]),
    "lstm batch": (lambda: lstm(h0=fastdl.ones((2, 5))), ShapeError, ["[2, 5]"]),
    "lstm weights": (lambda: lstm(weight_hh=GATES[0]), ShapeError, ["weight_hh", "[20, 5]"]),
    "lstm bias": (lambda: lstm(bias_ih=H[0]), ShapeError, ["bias_ih", "[20]"]),
    "gru weights": (
        lambda: F.gru(SEQUENCE, H, *GATES),
        ShapeError,
        ["weight_ih", "[20, 4]", "[15, 4]", "3 * hidden_size"],
    ),
    "gru state": (
        lambda: F.gru(SEQUENCE, H[:2], *GATES),
        ShapeError,
        ["h0", "[2, 5]", "here [3, "],
    ),
    "lstm input rank": (lambda: F.lstm(H, H, H, *GATES), ShapeError, ["[T, N, input_size]"]),
    "batch_norm channels": (
        lambda: F.batch_norm(X, fastdl.zeros((3,)), fastdl.ones((3,))),
        ShapeError,
        ["running_mean is 3", "here [4]"],
    ),
    "batch_norm of one value": (
        lambda: F.batch_norm(fastdl.ones((1, 4)), training=True),
        ShapeError,
        ["[1, 4]"],
    ),
    "batch_norm without statistics": (lambda: F.batch_norm(X), ArgumentError, ["running_mean"]),
    "dropout p": (lambda: F.dropout(X, 1.5), ArgumentError, ["1.5"]),
    "softmax dim": (lambda: F.softmax(H, 2), IndexRangeError, ["dim 2", "-2 to 1"]),
    "sum dim twice": (lambda: H.sum((0, -2)), ArgumentError, ["twice"]),
    "sum dim huge": (lambda: H.sum(HUGE), IndexRangeError, []),
    "amax of nothing": (lambda: fastdl.ones((0, 3)).amax(0), ShapeError, ["[0, 3]"]),
    "argmax of nothing": (lambda: fastdl.ones((0,)).argmax(), ShapeError, ["[0]"]),
    "reshape": (lambda: H.reshape(4, 4), ShapeError, ["15", "[4, 4]"]),
    "reshape huge": (lambda: H.reshape(HUGE, HUGE), ShapeError, []),
    "reshape two unknown": (lambda: H.reshape(-1, -1), ShapeError, ["-1"]),
    "expand": (lambda: H.expand(3, 6), ShapeError, ["[3, 6]"]),
    "permute": (lambda: H.permute(0, 0), ArgumentError, ["once"]),
    "narrow": (lambda: H.narrow(1, 3, HUGE), IndexRangeError, ["[3, 5]"]),
    "narrow overflow": (lambda: H.narrow(1, 2**63 - 1, 2**63 - 1), IndexRangeError, []),
    "cat sizes": (lambda: F.cat([H, H.T]), ShapeError, ["[5, 3]"]),
    "cat of nothing": (lambda: F.cat([]), ArgumentError, ["at least one"]),
    "stack sizes": (lambda: F.stack([H, H.T]), ShapeError, ["[5, 3]"]),
    "ints beyond 64 bits": (lambda: H.narrow(2**70, 0, 1), ArgumentError, ["64 bits"]),
    "edit of a saved tensor": (edited, AutogradError, ["edited in place", "float32[3]", "clone"]),
    "nine dimensions": (lambda: H.reshape([1] * 9), ShapeError, ["8"]),
    "optimiser sizes": (
        lambda: fastdl._core.sgd_step([H], [H.T], [], lr=0.1),
        ShapeError,
        ["float32[5, 3]"],
    ),
    "optimiser counts": (
        lambda: fastdl._core.adam_step([H], [H], [H], [H, H], step=1),
        ArgumentError,
        ["2 second moments"],
    ),
    "optimiser without gradients": (
        lambda: fastdl._core.sgd_step([H], [], [], lr=0.1),
        ArgumentError,
        ["0 gradients"],
    ),
    "optimiser step 0": (
        lambda: fastdl._core.adam_step([H], [H], [H * 0], [H * 0], step=0),
        ArgumentError,
        ["step is 0"],
    ),
    "optimiser without buffers": (
        lambda: fastdl._core.sgd_step([H], [H], [], lr=0.1, momentum=0.9),
        ArgumentError,
        ["momentum"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_typed_error(name):
    call, kind, shown = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    error, text = caught.value, str(caught.value)
    assert isinstance(error, Error)
    assert error.op
    assert error.remedy
    assert "\n  try:      " in text
    for part in shown:
        assert part in text, text


def test_cases_in_a_child():
    """None of them, nor all in a row, ends a process."""
    code = """
import faulthandler, fastdl
from tests.test_bad_input import CASES
faulthandler.enable()
for name, (call, kind, shown) in CASES.items():
    print(name, flush=True)
    try:
        call()
    except kind:
        continue
    raise SystemExit(f"{name}: no error")
print("alive")
"""
    done = run_child("-c", code)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    assert done.stdout.endswith("alive\n")


def run_child(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )


# the layer's path


def test_error_names_the_layer():
    model = fastdl.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), fastdl.Sequential(nn.Flatten(), nn.Linear(100, 10))
    )
    with pytest.raises(ShapeError) as caught:
        model(fastdl.ones((2, 1, 28, 28)))
    assert caught.value.layer == "2.1 (Linear)"
    assert "layer:    2.1 (Linear)" in str(caught.value)
    assert "float32[10, 100]" in str(caught.value)
    with pytest.raises(ShapeError) as caught:
        model(fastdl.ones((2, 3, 28, 28)))
    assert caught.value.layer == "0 (Conv2d)"


def test_lenet5_names_its_layer():
    with pytest.raises(ShapeError) as caught:
        models.LeNet5()(fastdl.ones((2, 3, 32, 32)))
    assert caught.value.layer.endswith("(Conv2d)")
    assert "dimension 1 of weight is 1" in str(caught.value)
    assert "float32[2, 3, 32, 32]" in str(caught.value)
    with pytest.raises(DTypeError) as caught:
        models.LeNet5()(fastdl.ones((2, 1, 32, 32), dtype="float64"))
    assert caught.value.layer.endswith("(Conv2d)")


# empty batches


def test_empty_batch_through_lenet5():
    model = models.LeNet5()
    x = fastdl.zeros((0, 1, 32, 32), requires_grad=True)
    y = model(x)
    assert y.shape == (0, 10)
    loss = F.cross_entropy(y, fastdl.zeros((0,), dtype="int64"), reduction="sum")
    assert loss.item() == 0.0
    loss.backward()
    assert x.grad.shape == (0, 1, 32, 32)
    for name, p in model.named_parameters():
        assert p.grad.shape == p.shape, name
        assert not np.any(p.grad.numpy()), name
    assert np.isnan(F.cross_entropy(y, fastdl.zeros((0,), dtype="int64")).item())
    optimizer = fastdl.optim.Adam(model.parameters())
    optimizer.step()


def test_empty_batch_through_layers():
    model = fastdl.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(3, 4),
    )  # fmt: skip
    x = fastdl.zeros((0, 2, 6, 6), requires_grad=True)
    for training in (True, False):
        y = model.train(training)(x)
        assert y.shape == (0, 4)
        y.sum().backward()
    assert x.grad.shape == x.shape
    assert np.all(np.isfinite(model[1].running_mean.numpy()))
    h = fastdl.zeros((0, 5))
    out, h_n, _ = F.lstm(fastdl.zeros((2, 0, 4)), h, h, *GATES)
    assert out.shape == (2, 0, 5)
    assert h_n.shape == (0, 5)


# every function, with anything

EXTRA = "others"  # creation, methods, attributes, operators
# A child costs its start; one takes several functions, and says which call it died in.
COMPILED = [op.name for op in OPS if op.name not in load_all()]
GROUPS = [COMPILED[i::12] for i in range(12)] + [[EXTRA]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.relu([1.0, 2.0]),
        lambda: F.cosine_similarity([1.0], fastdl.ones(1)),
        lambda: F.embedding_bag(fastdl.tensor([0, 1]), fastdl.ones(3, 2), offsets=[0, 1]),
    ],
    ids=["compiled", "composed", "keyword"],
)
def test_a_list_is_no_array(call):
    with pytest.raises(TypeError, match="should be a Tensor or an array, not list"):
        call()


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g[0] + "...")
def test_fuzz(group, tmp_path):
    log = tmp_path / "last_call.txt"
    done = run_child("-m", "tests.fuzz", *group, FASTDL_FUZZ_LOG=str(log))
    last = log.read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nlast call: {last}"
    returned, raised = map(int, done.stdout.split())
    assert returned > 10
    assert raised > 100


def test_fuzz_reaches_every_parameter():
    from tests.fuzz import _parameters

    for name in COMPILED:
        assert _parameters(name), name
    assert _parameters("conv2d") == [
        "input", "weight", "bias", "stride", "padding", "dilation", "groups",
    ]  # fmt: skip
    assert inspect.isfunction(_parameters)
