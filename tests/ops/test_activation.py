"""Non-linearities on all floats, infinities and NaN included, and softmax without overflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special
from strategies import seeds, shapes, values

import minidl
from minidl import Tensor, ops

any_floats = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: arrays(dtype, shapes(max_dims=2, max_side=8))
)


@given(any_floats)
def test_relu_is_the_maximum_with_zero_for_every_float(x):
    leaf = Tensor(x, requires_grad=True)
    y = ops.relu(leaf)
    np.testing.assert_array_equal(y.numpy(), np.maximum(x, 0))
    y.backward(np.ones_like(x))
    np.testing.assert_array_equal(leaf.grad.numpy(), (x > 0).astype(x.dtype))


@given(any_floats)
def test_hardtanh_and_leaky_relu_follow_numpy_on_every_float(x):
    np.testing.assert_array_equal(ops.hardtanh(x).numpy(), np.clip(x, -1, 1))
    np.testing.assert_array_equal(ops.leaky_relu(x, 0.25).numpy(), np.where(x > 0, x, x * x.dtype.type(0.25)))


@pytest.mark.parametrize(
    "kink, operation", [(0.0, ops.relu), (0.0, ops.abs), (1.0, ops.hardtanh), (-1.0, ops.hardtanh)]
)
def test_the_derivative_at_a_kink_is_zero(kink, operation):
    x = Tensor(np.array([kink]), requires_grad=True)
    assert minidl.grad(operation(x).sum(), x).item() == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_and_tanh_saturate_without_overflow(dtype):
    x = Tensor(np.array([-np.inf, -1e30, -1000, -100, 0, 100, 1000, 1e30, np.inf], dtype), requires_grad=True)
    np.testing.assert_allclose(
        ops.sigmoid(x).numpy(),
        special.expit(x.numpy().astype(float)),
        rtol=4 * np.finfo(dtype).eps,
        atol=np.finfo(dtype).tiny,
    )
    np.testing.assert_allclose(ops.tanh(x).numpy(), np.tanh(x.numpy()))
    for y in (ops.sigmoid(x), ops.tanh(x)):
        assert np.isfinite(minidl.grad(y, x, grad_y=np.ones(9, dtype)).numpy()).all()


@given(shapes(max_dims=3), seeds, st.sampled_from([1.0, 1e4, 1e30]), st.sampled_from([np.float32, np.float64]))
def test_log_softmax_is_scipys_also_for_huge_logits(shape, seed, scale, dtype):
    x = (values("any", shape, np.random.default_rng(seed)) * scale).astype(dtype)
    expected = special.log_softmax(x.astype(np.float64), axis=-1)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(ops.log_softmax(x).numpy(), expected, rtol=8 * eps, atol=8 * eps * (1 + np.abs(x).max()))
    p = ops.softmax(x).numpy()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=20 * eps)


@given(shapes(max_dims=2), seeds, st.floats(-100, 100))
def test_softmax_does_not_see_a_common_shift(shape, seed, shift):
    x = values("any", shape, np.random.default_rng(seed))
    np.testing.assert_allclose(ops.softmax(x + shift).numpy(), ops.softmax(x).numpy(), rtol=1e-12)


def test_a_masked_class_has_probability_zero_and_no_gradient():
    x = Tensor(np.array([[1.0, -np.inf, 2.0]]), requires_grad=True)
    y = ops.softmax(x)
    assert y.numpy()[0, 1] == 0.0
    grad = minidl.grad(ops.log_softmax(x)[0, 2], x).numpy()
    assert grad[0, 1] == 0.0 and np.isfinite(grad).all()
