"""Rounded activations and errors: on their grids, unbiased, straight through, and resumed to the same bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import minidl
from algorithms.quantization import FixedPoint, RoundActivations
from minidl import nn

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(2, 10), st.integers(-2, 6))
def test_both_directions_are_on_their_grids(seed, word, fraction):
    rng = np.random.default_rng(seed)
    layer = RoundActivations(word, fraction, error_word=5, error_fraction=2, seed=seed)
    x = minidl.Tensor(rng.standard_normal((7, 9)).astype(np.float32), requires_grad=True)
    y = layer(x)
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for array, format in ((y.data, FixedPoint(word, fraction)), (x.grad.data, FixedPoint(5, 2))):
        np.testing.assert_array_equal(format.round_nearest(array), array)
    assert (np.abs(y.data - x.data.clip(*FixedPoint(word, fraction).ends)) < 2.0**-fraction).all()


@given(seeds, st.floats(-3, 3, width=32), st.floats(-1, 1, width=32))
def test_training_is_unbiased_forward_and_back(seed, value, slope):
    n = 20_000
    layer = RoundActivations(8, 2, 8, 3, seed=seed)
    x = minidl.Tensor(np.full(n, value, np.float32), requires_grad=True)
    y = layer(x)
    y.backward(np.full(n, slope, np.float32))
    for array, mean, spacing in ((y.data, value, 1 / 4), (x.grad.data, slope, 1 / 8)):
        assert abs(array.mean(dtype=np.float64) - mean) <= spacing * (6 * 0.5 / n**0.5 + 2**-17)


def test_without_an_error_format_the_gradient_passes_unchanged():
    x = minidl.Tensor(np.linspace(-9, 9, 50, dtype=np.float32), requires_grad=True)
    grad = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    RoundActivations(4, 1)(x).backward(grad)
    np.testing.assert_array_equal(x.grad.data, grad)


def test_evaluation_is_to_nearest_and_does_not_count():
    layer = RoundActivations(4, 1).eval()
    x = minidl.Tensor(np.linspace(-5, 5, 101, dtype=np.float32))
    np.testing.assert_array_equal(layer(x).data, FixedPoint(4, 1).round_nearest(x.data))
    assert layer.passes == 0


def test_passes_differ_and_a_saved_network_goes_on_with_the_next(tmp_path):
    x = minidl.Tensor(np.full((50, 40), 0.3, np.float32))
    net = nn.Sequential(RoundActivations(6, 0), RoundActivations(6, 0, stream="second"))
    first, second = net(x).data, net(x).data
    assert (first != second).any()
    minidl.save(tmp_path / "net.npz", net)
    again = minidl.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(again(x).data, net(x).data)
