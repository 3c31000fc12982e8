"""Pooling: who wins a window (ties, NaN, infinities, borders), and the mean as a depthwise convolution."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, windows

import minidl
from minidl import Tensor, ops
from ops import definitions
from ops.catalogue import poolings

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def images(problem, seed, dtype, choices):
    """Images of few different values, so that windows tie often."""
    (h, w), *_ = problem
    return np.random.default_rng(seed).choice(choices, (2, h, w, 3)).astype(dtype)


@FLOATS
@given(problem=windows(half_padding=True), seed=seeds)
def test_of_equal_maxima_the_first_gets_the_whole_gradient(dtype, problem, seed):
    _, kernel, stride, padding = problem
    data = images(problem, seed, dtype, [-2, -1, 0, 1])
    x = Tensor(data, requires_grad=True)
    y = ops.max_pool2d(x, kernel, stride, padding)
    np.testing.assert_array_equal(y.numpy(), definitions.max_pool2d(data, kernel, stride, padding))
    weights = np.random.default_rng(seed).integers(1, 9, y.shape).astype(dtype)  # small integers: sums are exact
    y.backward(weights)
    np.testing.assert_array_equal(x.grad.numpy(), first_winners(data, weights, kernel, stride, padding))


def first_winners(x, weights, kernel, stride, padding):
    """Each window's weight, given to its first maximum counted row by row."""
    grad = np.zeros_like(x)
    for (i, j), reads in definitions._window_reads(x.shape, kernel, stride, padding):
        inside = np.array([x[:, r, c] for _, _, r, c in reads])  # (reads, N, C)
        winner = np.where(np.isnan(inside), np.inf, inside).argmax(axis=0)
        for k, (_, _, r, c) in enumerate(reads):
            grad[:, r, c] += weights[:, i, j] * (winner == k)
    return grad


@FLOATS
@given(problem=windows(half_padding=True), seed=seeds)
def test_nan_wins_its_windows_and_gets_the_gradient(dtype, problem, seed):
    _, kernel, stride, padding = problem
    data = images(problem, seed, dtype, [np.nan, 1, 2, 3])
    x = Tensor(data, requires_grad=True)
    y = ops.max_pool2d(x, kernel, stride, padding)
    np.testing.assert_array_equal(y.numpy(), definitions.max_pool2d(data, kernel, stride, padding))
    y.backward(np.ones_like(y.numpy()))
    np.testing.assert_array_equal(x.grad.numpy(), first_winners(data, np.ones_like(y.numpy()), kernel, stride, padding))


@FLOATS
@given(problem=windows(half_padding=True), seed=seeds)
def test_padding_never_wins_not_even_against_minus_infinity(dtype, problem, seed):
    """No gradient may vanish into the border: what comes back adds up to what went in."""
    _, kernel, stride, padding = problem
    x = Tensor(images(problem, seed, dtype, [-np.inf, -1000]), requires_grad=True)
    y = ops.max_pool2d(x, kernel, stride, padding)
    assert y.numpy().max() <= -1000
    y.backward(np.ones_like(y.numpy()))
    assert x.grad.numpy().sum() == y.size


@given(poolings("any"))
def test_the_mean_is_a_depthwise_convolution_with_equal_weights(case):
    (x,), channels = case.arrays, case.arrays[0].shape[3]
    size = case.options["kernel_size"]
    weight = np.full((channels, *size, 1), 1 / (size[0] * size[1]))
    how = {"stride": case.options["stride"] or size, "padding": case.options["padding"], "groups": channels}
    leaves = [Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)]
    pooled, convolved = ops.avg_pool2d(leaves[0], **case.options), ops.conv2d(leaves[1], weight, **how)
    np.testing.assert_allclose(pooled.numpy(), convolved.numpy(), rtol=1e-12, atol=1e-13)
    for y in (pooled, convolved):
        (y * y).sum().backward()
    np.testing.assert_allclose(leaves[0].grad.numpy(), leaves[1].grad.numpy(), rtol=1e-12, atol=1e-13)


@given(st.integers(1, 4), st.integers(1, 4), seeds)
def test_a_window_of_the_whole_image_is_the_global_pool(h, w, seed):
    x = np.random.default_rng(seed).standard_normal((2, h, w, 3))
    np.testing.assert_allclose(
        ops.avg_pool2d(x, (h, w)).numpy()[:, 0, 0], ops.global_avg_pool2d(x).numpy(), rtol=1e-12, atol=1e-13
    )
    np.testing.assert_array_equal(ops.max_pool2d(x, (h, w)).numpy()[:, 0, 0], x.max(axis=(1, 2)))


@pytest.mark.parametrize("pool, kind", [(ops.max_pool2d, "distinct"), (ops.avg_pool2d, "any")])
@hypothesis.settings(max_examples=8)
@given(data=st.data())
def test_derivatives_of_order_3(pool, kind, data):
    """Order 3 is the first that differentiates `Gather`, the adjoint of the adjoint."""
    case = data.draw(poolings(kind))
    leaf = Tensor(case.arrays[0], requires_grad=True)
    assert minidl.gradcheck(lambda x: ops.tanh(pool(x, **case.options)), [leaf], order=3, atol=1e-5, rtol=1e-5)


def test_a_window_of_more_than_255_pixels_finds_its_maximum():
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 16] = 5
    leaf = Tensor(x, requires_grad=True)
    y = ops.max_pool2d(leaf, 17)
    y.sum().backward()
    assert y.item() == 5 and leaf.grad.numpy()[0, 16, 16, 0] == 1 and leaf.grad.numpy().sum() == 1


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
@pytest.mark.parametrize("shape, options, message", [
    ((4, 4, 1), {"kernel_size": 2}, r"expected \(N, H, W, C\)"),
    ((1, 4, 4, 1), {"kernel_size": 0}, "sizes and strides >= 1"),
    ((1, 4, 4, 1), {"kernel_size": 2, "padding": 2}, "padding at most half"),
    ((1, 1, 4, 1), {"kernel_size": 2}, "expected it to fit"),
    ((1, 4, 4, 1), {"kernel_size": 2, "stride": 0}, "stride"),
])  # fmt: skip
def test_refusals(pool, shape, options, message):
    with pytest.raises(ValueError, match=message):
        pool(np.ones(shape, np.float32), **options)


def test_no_images_give_no_outputs():
    x = Tensor(np.zeros((0, 4, 4, 2), np.float32), requires_grad=True)
    for y in (ops.max_pool2d(x, 2), ops.avg_pool2d(x, 2)):
        assert y.shape == (0, 2, 2, 2)
        assert minidl.grad(y.sum(), x).shape == x.shape
