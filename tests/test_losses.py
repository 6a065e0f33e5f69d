"""Losses: what the case table does not say, bad input, and the modules."""

import inspect

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import nn
from fastdl.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from tests import references_loss as ref

rng = np.random.default_rng(4)
X = rng.normal(size=(4, 5))
LOGITS = fastdl.tensor(X)
LABELS = fastdl.tensor([0, 4, 2, 2])
SEQUENCE = F.log_softmax(fastdl.tensor(rng.normal(size=(6, 2, 4))), -1)
WORDS = fastdl.tensor([[1, 2], [3, 1]])


def ctc(log_probs=SEQUENCE, targets=WORDS, **changes):
    given = {"input_lengths": [6, 5], "target_lengths": [2, 2], "blank": 0} | changes
    return F.ctc_loss(log_probs, targets, **given)


CASES = {
    "label too large": (lambda: F.cross_entropy(LOGITS, LABELS + 1), IndexRangeError),
    "label -1": (lambda: F.nll_loss(LOGITS, LABELS - 1), IndexRangeError),
    "label huge": (
        lambda: F.multi_margin_loss(LOGITS, fastdl.tensor([0, 1, 2, 2**62])),
        IndexRangeError,
    ),
    "label of focal": (lambda: F.focal_loss(LOGITS, LABELS - 5), IndexRangeError),
    "weights": (lambda: F.cross_entropy(LOGITS, LABELS, fastdl.ones((4,)).double()), ShapeError),
    "weights' dtype": (lambda: F.nll_loss(LOGITS, LABELS, fastdl.ones((5,))), DTypeError),
    "smoothing": (lambda: F.cross_entropy(LOGITS, LABELS, label_smoothing=1.5), ArgumentError),
    "probabilities": (lambda: F.cross_entropy(LOGITS, LOGITS[:3]), ShapeError),
    "probabilities' dtype": (lambda: F.cross_entropy(LOGITS, LOGITS.float()), DTypeError),
    "delta": (lambda: F.huber_loss(LOGITS, LOGITS, delta=0.0), ArgumentError),
    "gamma": (lambda: F.focal_loss(LOGITS, LABELS, gamma=-1.0), ArgumentError),
    "p of the hinge": (lambda: F.multi_margin_loss(LOGITS, LABELS, p=3), ArgumentError),
    "kind": (lambda: F.generator_loss(LOGITS, "cycle"), ArgumentError),
    "triplet": (lambda: F.triplet_margin_loss(LOGITS, LOGITS, LOGITS[:2]), ShapeError),
    "module's reduction": (lambda: nn.HuberLoss("median"), ArgumentError),
    "ctc blank": (lambda: ctc(blank=4), ArgumentError),
    "ctc blank -1": (lambda: ctc(blank=-1), ArgumentError),
    "ctc label is blank": (lambda: ctc(targets=WORDS - 1), IndexRangeError),
    "ctc label": (lambda: ctc(targets=WORDS + 3), IndexRangeError),
    "ctc label huge": (lambda: ctc(targets=fastdl.tensor([[1, 2], [2**62, 1]])), IndexRangeError),
    "ctc input length": (lambda: ctc(input_lengths=[7, 5]), ArgumentError),
    "ctc negative length": (lambda: ctc(input_lengths=[6, -1]), ArgumentError),
    "ctc target length": (lambda: ctc(target_lengths=[3, 2]), ShapeError),
    "ctc negative target": (lambda: ctc(target_lengths=[2, -2]), ArgumentError),
    "ctc count of lengths": (lambda: ctc(input_lengths=[6]), ShapeError),
    "ctc joined targets": (lambda: ctc(targets=fastdl.tensor([1, 2, 3])), ShapeError),
    "ctc lengths of floats": (lambda: ctc(input_lengths=np.ones(2)), ShapeError),
    "ctc rank": (lambda: ctc(log_probs=LOGITS[0]), ShapeError),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    call, kind = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert caught.value.remedy or "reduction" in str(caught.value)


def test_the_default_ignored_label_is_minus_100():
    labels = fastdl.tensor([0, -100, 2, -100])
    kept = F.cross_entropy(LOGITS[0:3:2], LABELS[0:3:2])
    assert F.cross_entropy(LOGITS, labels).item() == pytest.approx(kept.item(), rel=1e-14)
    assert np.isnan(F.cross_entropy(LOGITS, labels * 0 - 100).item())  # 0 / 0, as in PyTorch


def test_ignored_rows_have_no_gradient_even_if_infinite():
    x = fastdl.tensor(np.where(np.arange(4)[:, None] == 1, -np.inf, X), requires_grad=True)
    loss = F.nll_loss(x, fastdl.tensor([0, -100, 2, 2]))
    loss.backward()
    assert np.isfinite(loss.item())
    assert not x.grad[1].numpy().any()


def test_ctc_beyond_brute_force():
    """Adding a step that can only be blank changes nothing; so do steps beyond the length."""
    blank = fastdl.full((1, 2, 4), -1e9, dtype="float64")
    blank[:, :, 0] = 0.0
    longer = F.cat([SEQUENCE, blank])
    a = F.ctc_loss(SEQUENCE, WORDS, [6, 5], [2, 2], reduction="none")
    np.testing.assert_allclose(
        F.ctc_loss(longer, WORDS, [7, 5], [2, 2], reduction="none").numpy(), a.numpy(), rtol=1e-12
    )
    np.testing.assert_allclose(
        F.ctc_loss(longer, WORDS, [6, 5], [2, 2], reduction="none").numpy(), a.numpy(), rtol=0
    )


def test_ctc_of_an_impossible_target():
    x = SEQUENCE.detach().requires_grad_()
    repeated = fastdl.tensor([[1, 1], [3, 1]])  # needs a blank between, so three steps
    loss = F.ctc_loss(x, repeated, [2, 5], [2, 2], reduction="none")
    assert np.isinf(loss.detach().numpy()).tolist() == [True, False]
    F.ctc_loss(x, repeated, [2, 5], [2, 2], zero_infinity=True).backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert not x.grad[:, 0].numpy().any()


def test_gradient_penalty():
    """Of a linear critic: its slope is the weight everywhere."""
    weight = fastdl.tensor([3.0, 4.0], requires_grad=True)
    real, fake = fastdl.randn((5, 2)), fastdl.randn((5, 2))
    penalty = F.gradient_penalty(lambda x: x @ weight, real, fake)
    assert penalty.item() == pytest.approx(16.0, rel=1e-5)  # (5 - 1)**2
    penalty.backward()
    np.testing.assert_allclose(weight.grad.numpy(), 2 * 4 * np.array([3, 4]) / 5, rtol=1e-4)
    with pytest.raises(ShapeError):
        F.gradient_penalty(lambda x: x, real, fake[:3])


MODULES = {
    nn.L1Loss: ("l1_loss", "pair"),
    nn.MSELoss: ("mse_loss", "pair"),
    nn.SmoothL1Loss: ("smooth_l1_loss", "pair"),
    nn.HuberLoss: ("huber_loss", "pair"),
    nn.HingeLoss: ("hinge_loss", "pair"),
    nn.SoftMarginLoss: ("soft_margin_loss", "pair"),
    nn.PoissonNLLLoss: ("poisson_nll_loss", "pair"),
    nn.DiceLoss: ("dice_loss", "pair"),
    nn.BCEWithLogitsLoss: ("binary_cross_entropy_with_logits", "pair"),
    nn.HingeEmbeddingLoss: ("hinge_embedding_loss", "pair"),
    nn.CrossEntropyLoss: ("cross_entropy", "classes"),
    nn.NLLLoss: ("nll_loss", "classes"),
    nn.FocalLoss: ("focal_loss", "classes"),
    nn.MultiMarginLoss: ("multi_margin_loss", "classes"),
    nn.TripletMarginLoss: ("triplet_margin_loss", "triple"),
    nn.MarginRankingLoss: ("margin_ranking_loss", "triple"),
    nn.ContrastiveLoss: ("contrastive_loss", "embeddings"),
    nn.CosineEmbeddingLoss: ("cosine_embedding_loss", "embeddings"),
}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_module(module):
    name, kind = MODULES[module]
    others = [rng.normal(size=(4, 5)) for _ in range(2)]
    given = {
        "pair": [X, others[0]],
        "classes": [X, LABELS.numpy()],
        "triple": [X, *others],
        "embeddings": [X, others[0], np.array([1, 0, 1, 1])],
    }[kind]
    for reduction in ("mean", "sum", "none"):
        got = module(reduction=reduction)(*map(fastdl.tensor, given))
        expected = getattr(ref, name)(*given, reduction=reduction)
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-9)
    # Whatever the function can be told, the module can be told.
    options = set(inspect.signature(module).parameters)
    function = getattr(F, name)
    if name not in ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits"):
        told = {n for n, p in inspect.signature(function).parameters.items()
                if p.default is not p.empty}  # fmt: skip
        assert told == options


@pytest.mark.parametrize("kind", ["minimax", "least_squares", "wasserstein", "hinge"])
def test_modules_of_adversarial_networks(kind):
    real, fake = rng.normal(size=(2, 6, 1))
    got = nn.DiscriminatorLoss(kind)(fastdl.tensor(real), fastdl.tensor(fake)).item()
    assert got == pytest.approx(ref.discriminator_loss(real, fake, kind), rel=1e-9)
    got = nn.GeneratorLoss(kind)(fastdl.tensor(fake)).item()
    assert got == pytest.approx(ref.generator_loss(fake, kind), rel=1e-9)
    with pytest.raises(ArgumentError, match="kind"):
        nn.GeneratorLoss("cycle")(fastdl.tensor(fake))


def test_class_weights_are_part_of_the_state():
    module = nn.CrossEntropyLoss(weight=fastdl.ones((5,)))
    assert list(module.state_dict()) == ["weight"]
    assert not nn.CrossEntropyLoss().state_dict()
