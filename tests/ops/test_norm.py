"""Batch normalization: the statistics it promises, both its backward passes, and accuracy under a common offset."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, laid_out, seeds

import minidl
from minidl import Tensor, ops

EPS = np.finfo(np.float32).eps


@st.composite
def batches(draw, min_rows=4):
    """Draw x (M, C) or (N, H, W, C) of several means and scales, weight and bias (C,), and the generator."""
    rows = draw(
        st.one_of(
            st.tuples(st.integers(min_rows, 12)),
            st.tuples(st.integers(min_rows, 5), st.integers(1, 3), st.integers(1, 3)),
        )
    )
    c = draw(st.sampled_from([1, 2, 3, 17]))
    rng = np.random.default_rng(draw(seeds))
    x = rng.standard_normal((*rows, c)) * rng.uniform(0.5, 5, c) + rng.uniform(-5, 5, c)
    return laid_out(x, draw(st.sampled_from(LAYOUTS))), rng.uniform(0.5, 2, c), rng.standard_normal(c), rng


def axes(x):
    return tuple(range(x.ndim - 1))


def normalize(x, weight, bias, **options):
    return ops.batch_norm(x, None, None, weight, bias, training=True, **options)


@given(batches())
def test_each_channel_has_mean_bias_and_deviation_weight(batch):
    x, weight, bias, _ = batch
    y = normalize(x, weight, bias, eps=0.0).numpy()
    np.testing.assert_allclose(y.mean(axes(x)), bias, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(y.std(axes(x)), weight, rtol=1e-9)


@given(batches(), st.sampled_from([0.1, 1.0, 0.0]))
def test_running_statistics_follow_the_batch_with_unbiased_variance(batch, momentum):
    x, weight, bias, rng = batch
    mean, var = rng.standard_normal(len(bias)), rng.uniform(0.5, 2, len(bias))
    expected_mean = (1 - momentum) * mean + momentum * x.mean(axes(x))
    expected_var = (1 - momentum) * var + momentum * x.var(axes(x), ddof=1)
    ops.batch_norm(x, mean, var, weight, bias, training=True, momentum=momentum)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(var, expected_var, rtol=1e-10)


@given(batches())
def test_evaluation_is_affine_in_x_and_leaves_the_statistics_alone(batch):
    x, weight, bias, rng = batch
    mean, var = rng.standard_normal(len(bias)), rng.uniform(0.5, 2, len(bias))
    before = mean.copy(), var.copy()

    def evaluate(x):
        return ops.batch_norm(x, mean, var, weight, bias, training=False).numpy()

    other = rng.standard_normal(x.shape)
    np.testing.assert_allclose(
        evaluate(0.3 * x + 0.7 * other), 0.3 * evaluate(x) + 0.7 * evaluate(other), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_array_equal(mean, before[0])
    np.testing.assert_array_equal(var, before[1])


def test_training_between_an_evaluation_and_its_backward_changes_no_gradient():
    """The statistics are moved in place; the evaluation's backward must still use those of its forward."""
    rng = np.random.default_rng(0)
    x, weight, bias = (Tensor(a, requires_grad=True) for a in (rng.standard_normal((5, 2)), np.ones(2), np.zeros(2)))
    mean, var = np.zeros(2), np.full(2, 4.0)
    y = ops.batch_norm(x, mean, var, weight, bias).sum()
    ops.batch_norm(x, mean, var, weight, bias, training=True)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / np.sqrt(4 + 1e-5), rtol=1e-12)


@given(batches())
def test_fused_backward_is_the_differentiable_one(batch):
    x, weight, bias, rng = batch
    leaves = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
    grad_y = rng.standard_normal(x.shape)
    fused = minidl.grad(normalize(*leaves), leaves, grad_y=grad_y)
    written_out = minidl.grad(normalize(*leaves), leaves, grad_y=grad_y, create_graph=True)
    for a, b in zip(fused, written_out, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-11 * np.abs(b.numpy()).max())


@hypothesis.settings(max_examples=10)
@given(st.sampled_from([0.0, 10.0, 1e3, 1e4, -1e4]), st.sampled_from([(64, 4), (16, 8, 8, 4), (8, 16, 16, 20)]), seeds)
def test_a_common_offset_costs_no_more_than_it_must_in_float32(offset, shape, seed):
    """float32 stores x to eps·|offset|, so x̂ (of deviation 1) cannot be nearer; it must stay within a few of these."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) + offset).astype(np.float32)
    c = shape[-1]
    weight, bias, grad_y = (
        np.ones(c, np.float32),
        np.zeros(c, np.float32),
        rng.standard_normal(shape).astype(np.float32),
    )

    def run(dtype):
        leaves = [Tensor(a.astype(dtype), requires_grad=True) for a in (x, weight, bias)]
        mean, var = np.zeros(c, dtype), np.ones(c, dtype)
        y = ops.batch_norm(leaves[0], mean, var, *leaves[1:], training=True, momentum=1.0)
        y.backward(grad_y.astype(dtype))
        return y.numpy(), mean, var, *(t.grad.numpy() for t in leaves)

    step = EPS * max(1, abs(offset))
    y, mean, var, grad_x, grad_weight, grad_bias = run(np.float32)
    exact = run(np.float64)
    rows = x.size // c
    assert np.abs(y - exact[0]).max() <= 8 * step + 8 * EPS
    assert np.abs(mean - exact[1]).max() <= step
    np.testing.assert_allclose(var, exact[2], rtol=4 * step + 16 * EPS)
    assert np.abs(grad_x - exact[3]).max() <= 16 * step + 32 * EPS
    assert np.abs(grad_weight - exact[4]).max() <= (8 * step + 16 * EPS) * rows**0.5 * 4
    assert np.abs(grad_bias - exact[5]).max() <= 32 * EPS * rows**0.5


@given(batches(), st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_and_offset_of_the_input_do_not_matter(batch, scale, offset):
    x, weight, bias, _ = batch
    a, b = normalize(x, weight, bias, eps=0.0), normalize(x * scale + offset, weight, bias, eps=0.0)
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-8, atol=1e-8)


def test_a_constant_channel_is_its_bias_and_has_finite_gradients():
    for dtype in (np.float32, np.float64):
        x = Tensor(np.full((8, 1), 7.0, dtype), requires_grad=True)
        y = normalize(x, np.ones(1, dtype), np.full(1, 2.0, dtype))
        y.backward(np.arange(8, dtype=dtype)[:, None])
        np.testing.assert_array_equal(y.numpy(), 2.0)
        assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("x, channels, training, message", [
    ((4, 3), 2, True, "made for another number of channels"), ((3,), 3, True, r"expected \(N, ..., C\)"),
    ((1, 3), 3, True, "one value per channel"), ((1, 1, 1, 3), 3, True, "two or more"),
    ((4, 3), 3, False, "no running statistics"),
])  # fmt: skip
def test_refusals(x, channels, training, message):
    ones = np.ones(channels, np.float32)
    with pytest.raises(ValueError, match=message):
        ops.batch_norm(np.ones(x, np.float32), None, None, ones, ones, training=training)


# -- a ReLU and a residual that ride along -----------------------------------------------------------------------------


@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(1, 20))
def test_fused_is_the_separate_operations(with_residual, dtype, seed, channels):
    rng = np.random.default_rng(seed)
    shape = (3, 4, 2, channels)
    arrays = [rng.standard_normal(s).astype(dtype) for s in (shape, (channels,), (channels,), shape)]
    grad_y = rng.standard_normal(shape).astype(dtype)

    def run(fused):
        x, weight, bias, residual = leaves = [minidl.Tensor(a, requires_grad=True) for a in arrays]
        added = residual if with_residual else None
        if fused:
            y = ops.batch_norm(x, None, None, weight, bias, training=True, residual=added, relu=True)
        else:
            y = ops.batch_norm(x, None, None, weight, bias, training=True)
            y = ops.relu(y + residual if with_residual else y)
        y.backward(grad_y)
        return [y.numpy()] + [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]

    for got, want in zip(run(True), run(False), strict=True):
        # the same formula in the same order: what differs is only whether the compiler fuses a product and a sum
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=64 * np.finfo(dtype).eps * (1 + np.abs(want).max()))


@pytest.mark.parametrize("with_residual", [False, True])
@given(seed=st.integers(0, 2**32 - 1))
def test_fused_is_differentiable_twice(with_residual, seed):
    rng = np.random.default_rng(seed)
    inputs = [minidl.Tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 3), (3,), (3,), (4, 3))]

    def fused(x, weight, bias, residual):
        added = residual if with_residual else None
        return ops.batch_norm(x, None, None, weight, bias, training=True, residual=added, relu=True)

    before_relu = ops.batch_norm(*inputs[:1], None, None, *inputs[1:3], training=True).numpy()
    before_relu = before_relu + inputs[3].numpy() * with_residual
    hypothesis.assume(np.abs(before_relu).min() > 1e-3)  # away from the kink
    assert minidl.gradcheck(fused, inputs if with_residual else [*inputs[:3], inputs[3].detach()], order=2)


def test_a_residual_of_another_shape_is_refused():
    x, ones = minidl.Tensor(np.zeros((4, 3), np.float32)), np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"x \(4, 3\) and residual \(1, 3\), expected equal shapes"):
        ops.batch_norm(x, None, None, ones, ones, training=True, residual=minidl.Tensor(np.zeros((1, 3), np.float32)))
