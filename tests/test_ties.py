"""What functions do where their definition leaves a choice: at ties, kinks and of nothing.

The choices are PyTorch's, and bench/test_parity.py compares them where PyTorch is installed.
"""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F


def gradient(function, *values):
    """The gradients of the sum of what the function gives."""
    inputs = [fastdl.tensor(np.asarray(v, np.float64)).requires_grad_() for v in values]
    function(*inputs).sum().backward()
    return [x.grad.numpy().tolist() for x in inputs]


def test_clamp_between_bounds_that_cross_is_the_upper_one():
    x = fastdl.tensor([-2.0, 0.0, 2.0, float("nan")])
    np.testing.assert_array_equal(F.clamp(x, 1.0, -1.0).numpy(), [-1, -1, -1, np.nan])
    assert F.clamp(fastdl.tensor([-2, 0, 2]), 1, -1).tolist() == [-1, -1, -1]
    assert gradient(lambda x: F.clamp(x, 1.0, -1.0), [-2, 0, 2]) == [[0, 0, 0]]


def test_roots_of_0_have_a_gradient_of_0():
    assert gradient(F.std, [3, 3, 3]) == [[0, 0, 0]]
    assert gradient(lambda x: F.norm(x, 2.0, 1), [[0, 0], [0, 4]]) == [[[0, 0], [0, 1]]]
    distance = gradient(lambda a, b: F.pairwise_distance(a, b, eps=0.0), [[1, 2]], [[1, 2]])
    assert distance == [[[0, 0]], [[0, 0]]]


def test_ranking_losses_pull_at_the_margin():
    def ranking(a, b):
        return F.margin_ranking_loss(a, b, fastdl.tensor([1.0], dtype=fastdl.float64))

    assert gradient(ranking, [2], [2]) == [[-1], [1]]
    apart = fastdl.tensor([-1.0], dtype=fastdl.float64)
    assert gradient(lambda x: F.hinge_embedding_loss(x, apart), [1]) == [[-1]]


@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
def test_the_mean_of_no_divergence_is_nan(reduction):
    nothing = fastdl.zeros((0, 3))
    assert np.isnan(F.kl_div(nothing, nothing, reduction).item())
