"""Losses against SciPy and against their identities; labels that cannot be are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from strategies import seeds

from minidl import Tensor, ops

problems = st.tuples(st.integers(1, 5), st.integers(1, 6), seeds, st.sampled_from([1.0, 1e3, 1e30]))


def logits_and_labels(problem):
    n, k, seed, scale = problem
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, k)) * scale, rng.integers(0, k, n)


@given(problems, st.sampled_from([np.float32, np.float64]))
def test_cross_entropy_is_logsumexp_minus_the_true_logit(problem, dtype):
    logits, labels = logits_and_labels(problem)
    logits = logits.astype(dtype)
    wide = logits.astype(np.float64)
    expected = logsumexp(wide, axis=1) - wide[np.arange(len(labels)), labels]
    tolerance = 8 * np.finfo(dtype).eps * (1 + np.abs(wide).max())
    found = ops.cross_entropy(logits, labels, reduction="none")
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(ops.cross_entropy(logits, labels).numpy(), expected.mean(), rtol=0, atol=tolerance)


@given(problems, st.floats(0, 1))
def test_smoothing_mixes_the_loss_with_the_mean_over_all_classes(problem, s):
    """L_s = (1 - s) L + s/K Σ_k L_k, with L_k the loss for label k."""
    logits, labels = logits_and_labels(problem)
    k = logits.shape[1]
    each = [ops.cross_entropy(logits, np.full(len(labels), c), reduction="none").numpy() for c in range(k)]
    expected = (1 - s) * ops.cross_entropy(logits, labels, reduction="none").numpy() + s * np.mean(each, axis=0)
    found = ops.cross_entropy(logits, labels, label_smoothing=s, reduction="none").numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@given(problems)
def test_the_gradient_is_probability_minus_target(problem):
    logits, labels = logits_and_labels(problem)
    x = Tensor(logits, requires_grad=True)
    ops.cross_entropy(x, labels, reduction="sum").backward()
    expected = ops.softmax(logits).numpy() - np.eye(logits.shape[1])[labels]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("loss", [ops.mse, ops.squared_hinge])
@given(st.integers(1, 4), st.integers(1, 4), seeds)
def test_reductions_agree(loss, n, k, seed):
    rng = np.random.default_rng(seed)
    y, target = rng.standard_normal((n, k)), rng.choice([-1.0, 1.0], (n, k))
    each = loss(y, target, reduction="none").numpy()
    assert each.shape == (n, k)
    np.testing.assert_allclose(loss(y, target, reduction="sum").item(), each.sum(), rtol=1e-12)
    np.testing.assert_allclose(loss(y, target).item(), each.mean(), rtol=1e-12)


@pytest.mark.parametrize("labels, message", [
    ([0, 3], "labels from 0 to 3, expected 0 to 2: does the network's last layer"), ([-1, 0], "labels from -1 to 0"),
    ([0], r"labels \(1,\)"), ([0.0, 1.0], "of float64, expected .* integers"), ([[0, 1]], r"labels \(1, 2\)"),
])  # fmt: skip
def test_impossible_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ops.cross_entropy(np.zeros((2, 3), np.float32), np.array(labels))


@pytest.mark.parametrize("s", [-0.1, 1.5, float("nan")])
def test_impossible_smoothing_is_refused(s):
    with pytest.raises(ValueError, match=r"label_smoothing.*expected 0 <= label_smoothing <= 1"):
        ops.cross_entropy(np.zeros((2, 3), np.float32), np.array([0, 1]), label_smoothing=s)


def test_other_refusals():
    with pytest.raises(ValueError, match=r"mse got shapes \(2,\) and \(3,\)"):
        ops.mse(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match='reduction is \'avg\', expected "mean", "sum" or "none"'):
        ops.mse(np.zeros(2), np.zeros(2), reduction="avg")
