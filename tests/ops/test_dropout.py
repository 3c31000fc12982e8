"""Dropout keeps the mean, is the identity outside training, and takes its randomness from `rng` alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

import minidl
from minidl import Tensor, nn, ops


@given(st.floats(0.0, 0.95), seeds)
def test_the_mean_stays_and_values_are_zero_or_scaled(p, seed):
    n = 20_000
    y = ops.dropout(np.ones(n), p, rng=seed).numpy()
    assert set(np.unique(y)) <= {0.0, 1 / (1 - p)}
    deviation = np.sqrt(p / (1 - p) / n)  # of the mean of n such values
    assert abs(y.mean() - 1) <= 6 * deviation + 1e-12  # 6 deviations: once in 5e8 draws


@given(st.floats(0.05, 0.9), seeds)
def test_the_gradient_passes_where_the_value_did(p, seed):
    x = Tensor(np.full(100, 2.0), requires_grad=True)
    y = ops.dropout(x, p, rng=seed)
    y.backward(np.ones(100))
    np.testing.assert_array_equal(x.grad.numpy() * 2.0, y.numpy())


def test_outside_training_and_at_p_0_it_is_the_input_itself():
    x = Tensor([1.0, 2.0])
    assert ops.dropout(x, 0.5, training=False) is x and ops.dropout(x, 0.0) is x


@given(seeds)
def test_one_seed_one_mask_seed_0_included(seed):
    x = np.ones(50)
    np.testing.assert_array_equal(ops.dropout(x, rng=seed).numpy(), ops.dropout(x, rng=seed).numpy())
    np.testing.assert_array_equal(ops.dropout(x, rng=0).numpy(), ops.dropout(x, rng=np.random.default_rng(0)).numpy())


def test_the_layer_follows_the_mode_and_manual_seed():
    layer, x = nn.Dropout(0.5), np.ones((4, 25), np.float32)
    minidl.manual_seed(3)
    first = layer(x).numpy()
    second = layer(x).numpy()
    assert not np.array_equal(first, second)
    minidl.manual_seed(3)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_impossible_shares_are_refused(p):
    with pytest.raises(ValueError, match="expected 0 <= p < 1"):
        ops.dropout(np.ones(3), p)
