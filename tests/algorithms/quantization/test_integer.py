"""Integer training is the simulated one, bit for bit over many steps, holds no float, and learns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from algorithms.quantization.integer import IntegerNetwork, saturate, sums
from minidl.kernels.backend import numba_available, use

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares with compiled kernels")
seeds = st.integers(0, 2**32 - 1)
layer_sizes = st.lists(st.integers(1, 20), min_size=2, max_size=4)


def simulated_step(model, rule, net, x, labels):
    """One step of ordinary float training on the same numbers."""
    targets = minidl.Tensor(net.targets(labels).astype(np.float32) / 2**net.fraction)
    model.zero_grad()
    error = model(minidl.Tensor(x.astype(np.float32) / 2**net.fraction)) - targets
    (0.5 * (error * error).sum()).backward()
    rule.step()


def assert_same(net, rule):
    for weight, parameter in zip(net.weights, rule.quantized.values(), strict=True):
        np.testing.assert_array_equal(parameter.held.codes, weight)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@settings(max_examples=10)
@given(seed=seeds, sizes=layer_sizes, batch=st.integers(1, 40), fraction=st.integers(3, 6), rate=st.integers(3, 9))
def test_integer_training_is_the_simulation_bit_for_bit(backend, seed, sizes, batch, fraction, rate):
    net = IntegerNetwork.random(sizes, seed=seed, fraction=fraction, rate_shift=rate)
    model, rule = net.twin()
    rng = np.random.default_rng(seed)
    with use(backend=backend):
        for _ in range(30):
            x = rng.integers(-128, 128, (batch, sizes[0])).astype(np.int8)
            labels = rng.integers(0, sizes[-1], batch)
            net.step(x, labels)
            simulated_step(model, rule, net, x, labels)
            assert_same(net, rule)


def image_codes(images):
    """(N, 28, 28, 1) bytes -> (N, 196) codes of 0 to 63: the mean of 2x2 pixels without two bits."""
    pixels = images.reshape(-1, 14, 2, 14, 2).astype(np.int32).sum(axis=(2, 4))
    return (pixels >> 4).astype(np.int8).reshape(len(images), -1)


def test_on_images_it_learns_and_stays_equal_for_hundreds_of_steps():
    data, test = (minidl.data.load("fashion-mnist-mini", part) for part in ("train", "test"))
    x, labels = image_codes(data.images), data.labels
    net = IntegerNetwork.random((196, 32, 10), seed=1)
    model, rule = net.twin()
    for step in range(300):
        batch = slice(64 * step % 5952, 64 * step % 5952 + 64)
        net.step(x[batch], labels[batch])
        simulated_step(model, rule, net, x[batch], labels[batch])
    assert_same(net, rule)
    seen = image_codes(test.images)
    np.testing.assert_array_equal(net.scores(seen), model.eval()(minidl.Tensor(seen / np.float32(32))).numpy() * 32)
    assert (net.scores(seen).argmax(axis=1) == test.labels).mean() > 0.6  # 0.1 is chance


def test_every_array_is_of_integers_and_sums_are_of_32_bits():
    net = IntegerNetwork.random((5, 7, 3), seed=0)
    seen = [net.layer(0, np.full((2, 5), 100, np.int8))]
    error = net.error_before(1, np.ones((2, 3), np.int8), seen[0])
    assert {a.dtype for a in [*net.weights, *seen, error]} == {np.dtype(np.int8)}
    assert sums(seen[0], net.weights[1]).dtype == np.int32
    assert sum(w.nbytes for w in net.weights) == 5 * 7 + 7 * 3


@given(seeds, st.integers(1, 1024))
def test_sums_are_exact_and_saturation_is_at_the_ends_of_int8(seed, inner):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-128, 128, (3, inner)).astype(np.int8), rng.integers(-128, 128, (2, inner)).astype(np.int8)
    exact = a.astype(np.float64) @ b.astype(np.float64).T
    np.testing.assert_array_equal(sums(a, b), exact)
    np.testing.assert_array_equal(saturate(sums(a, b)), exact.clip(-128, 127))


def test_huge_gradients_saturate_and_never_wrap():
    net = IntegerNetwork.random((4, 2), seed=0)
    for sign in (1, -1):
        net.update(0, np.full((2, 4), sign * (2**31 - 1), np.int32))
        assert (net.weights[0] == (-128 if sign > 0 else 127)).all()


def test_a_shift_that_no_draw_reaches_is_refused():
    with pytest.raises(ValueError, match="shift gradients by 23, expected 0 to 16"):
        IntegerNetwork.random((4, 2), rate_shift=20)
