"""Models train on a CUDA device as they do on the CPU: same seeds, same data, the same losses.

Without a GPU this runs under the host model of CUDA (docs/simt.md); with neither there is nothing
to compare.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import models, nn, optim
from fastdl.data import digits

if not fastdl.cuda.is_available():
    pytest.skip(fastdl.cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda

# A float32 sum over at most 4,608 products (LeNet-5's first linear layer and the weight gradients)
# rounds to about sqrt(4608) * 6e-8 = 4e-6 of its terms on either device, in different orders, and
# each step feeds the difference into the next one.
TOLERANCE = 1e-4


def lenet(generator):
    images, labels = digits().train.arrays
    chosen = generator.permutation(len(images))[:8]
    return models.LeNet5(), fastdl.tensor(images[chosen]), fastdl.tensor(labels[chosen])


def lstm(generator):
    tokens = generator.integers(0, 50, (6, 9))
    labels = (tokens.sum(axis=1) % 2).astype(np.int64)
    model = models.LSTMClassifier(50, 12, 20, num_layers=2, bidirectional=True, dropout=0.25)
    return model, fastdl.tensor(tokens), fastdl.tensor(labels)


def batch_norm(generator):
    model = fastdl.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.1),
        nn.Flatten(),
        nn.Linear(8 * 16, 5),
    )
    x = generator.standard_normal((10, 3, 8, 8)).astype(np.float32)
    return model, fastdl.tensor(x), fastdl.tensor(generator.integers(0, 5, 10))


OPTIMISERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda parameters: optim.AdamW(parameters, lr=0.002, weight_decay=0.01),
}


def train(make, optimiser, device, steps=4):
    """Losses of the steps, and the parameters and buffers after them."""
    fastdl.manual_seed(7)
    model, x, y = make(np.random.default_rng(7))
    model.to(device)
    x, y = x.to(device), y.to(device)
    update = OPTIMISERS[optimiser](model.parameters())
    losses = []
    for _ in range(steps):
        update.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        update.step()
        losses.append(loss.item())
    return losses, {name: t.to("cpu").numpy() for name, t in model.state_dict().items()}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("make", [lenet, lstm, batch_norm])
def test_training_agrees_with_the_cpu(make, optimiser):
    there, state_there = train(make, optimiser, "cuda")
    here, state_here = train(make, optimiser, "cpu")
    np.testing.assert_allclose(there, here, rtol=TOLERANCE)
    assert here[-1] < here[0], "nothing was learned: the comparison would say little"
    for name, value in state_here.items():
        scale = max(np.abs(value).max(), 1e-3)
        # Adam divides by the root of a squared gradient: where a gradient is all rounding, so is
        # its step, which is at most the learning rate.
        limit = TOLERANCE * scale if optimiser == "sgd" else 4 * 0.002
        np.testing.assert_allclose(state_there[name], value, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("make", [lenet, lstm, batch_norm])
def test_training_twice_gives_the_same_bits(make):
    first, state = train(make, "sgd", "cuda", steps=2)
    second, again = train(make, "sgd", "cuda", steps=2)
    assert first == second
    for name in state:
        np.testing.assert_array_equal(state[name], again[name], err_msg=name)
