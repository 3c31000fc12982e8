"""`grad`, `backward` and `hvp` as their users see them: zeros, intermediates, higher orders, and clear refusals."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, shapes, values

import minidl
from minidl import Tensor, nn, ops


def leaf(array, dtype=np.float64):
    return Tensor(np.asarray(array, dtype), requires_grad=True)


def test_what_y_does_not_depend_on_gets_zeros_of_its_shape_and_dtype():
    x, unused = leaf([1.0]), leaf([[1.0, 2.0]], np.float32)
    ones, zero = minidl.grad(x.sum(), (x, unused))
    assert ones.item() == 1.0
    assert zero.shape == (1, 2) and zero.dtype == np.float32
    np.testing.assert_array_equal(zero.numpy(), 0)
    (only_zero,) = minidl.grad(x.sum(), [unused])
    np.testing.assert_array_equal(only_zero.numpy(), 0)


def test_order_repeats_and_form_of_the_answer_follow_the_question():
    x, w = leaf([2.0]), leaf([3.0])
    y = (x * w).sum()
    a, b, c = minidl.grad(y, [w, x, w], create_graph=True)
    assert [t.item() for t in (a, b, c)] == [2.0, 3.0, 2.0]
    assert isinstance(minidl.grad(y, x), Tensor)
    assert minidl.grad(leaf([1.0]).sum(), []) == ()


def test_grad_leaves_every_dot_grad_alone():
    x = leaf([2.0])
    minidl.grad((x * x).sum(), x)
    assert x.grad is None


def test_gradients_of_intermediates_and_of_the_output_itself():
    x = leaf([1.0, 2.0])
    h = x * 3.0
    y = (h * h).sum()
    for_y, for_h, for_x = minidl.grad(y, [y, h, x])
    assert for_y.item() == 1.0
    np.testing.assert_array_equal(for_h.numpy(), [6.0, 12.0])
    np.testing.assert_array_equal(for_x.numpy(), [18.0, 36.0])
    np.testing.assert_array_equal(minidl.grad(x, x, grad_y=np.ones(2)).numpy(), 1)


@given(st.integers(1, 5), st.floats(0.5, 1.5))
def test_any_order_of_a_power(order, at):
    """The k-th derivative of x⁵."""
    x = leaf(at)
    y = x**5
    for _ in range(order):
        y = minidl.grad(y, x, create_graph=True)
    expected = np.prod(range(6 - order, 6)) * at ** (5 - order)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-13)


def test_backward_with_create_graph_makes_a_differentiable_gradient():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    slope, x.grad = x.grad, None
    slope.backward()
    assert x.grad.item() == 12.0


def test_a_gradient_penalty_reaches_the_weights():
    """d/dw |d(w x²)/dx|² = 8 w x²: differentiation through a first derivative inside a loss."""
    x, w = leaf(1.5), leaf(0.7)
    slope = minidl.grad(w * x * x, x, create_graph=True)
    (slope * slope).backward()
    np.testing.assert_allclose(w.grad.item(), 8 * 0.7 * 1.5**2, rtol=1e-14)


@given(shapes(max_dims=2), seeds)
def test_hvp_of_a_quadratic_is_its_matrix(shape, seed):
    rng = np.random.default_rng(seed)
    x = leaf(values("any", shape, rng))
    matrix, v = values("any", (x.size, x.size), rng), values("any", shape, rng)

    def loss():
        flat = x.reshape(-1)
        return (flat * (Tensor(matrix) @ flat)).sum()

    (product,) = minidl.hvp(loss, [x], [v])
    expected = ((matrix + matrix.T) @ v.ravel()).reshape(shape)
    np.testing.assert_allclose(product.numpy(), expected, rtol=1e-11, atol=1e-11)


def test_hvp_takes_both_kinds_of_loss_and_any_vector():
    w, b = leaf([1.0, 2.0], np.float32), leaf(3.0, np.float32)
    expected = [np.array([6.0, 0.0]), np.array(0.0)]
    for loss in (
        lambda: (w**3).sum() + b,
        lambda w, b: (w**3).sum() + b,
        lambda *params: (params[0] ** 3).sum() + params[1],
    ):
        for vector in ([[1.0, 0.0], 0.0], [np.array([1.0, 0.0]), np.zeros(())], [Tensor([1.0, 0.0]), Tensor(0.0)]):
            found = minidl.hvp(loss, [w, b], vector)
            for f, e in zip(found, expected, strict=True):
                assert f.dtype == np.float32
                np.testing.assert_array_equal(f.numpy(), e)
    assert w.grad is None and b.grad is None


def test_hvp_of_a_linear_loss_and_of_unused_parameters_is_zero():
    w, unused = leaf([1.0, 2.0]), leaf([3.0])
    for loss in (lambda: w.sum(), lambda: (w * w).sum()):
        assert minidl.hvp(loss, [w, unused], [np.ones(2), np.ones(1)])[1].numpy() == [0.0]
    np.testing.assert_array_equal(minidl.hvp(lambda: w.sum(), [w], [np.ones(2)])[0].numpy(), 0)


def test_hvp_of_a_small_network_is_symmetric_and_leaves_it_as_it_was():
    """<u, H v> = <v, H u> through conv, batch norm, pooling and cross entropy in one."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, rng=0), nn.BatchNorm2d(3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3, rng=1)
    )
    params = list(net.parameters())
    for p in params:
        p.data = p.data.astype(np.float64)
    x, labels = Tensor(rng.standard_normal((4, 4, 4, 1))), np.array([0, 1, 2, 1])
    u, v = ([rng.standard_normal(p.shape) for p in params] for _ in range(2))

    def curvature(a, b):
        return sum(
            np.vdot(h.numpy(), w)
            for h, w in zip(minidl.hvp(lambda: ops.cross_entropy(net(x), labels), params, a), b, strict=True)
        )

    np.testing.assert_allclose(curvature(u, v), curvature(v, u), rtol=1e-10)
    assert all(p.grad is None for p in params)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_a_grad_y_of_another_dtype_is_refused(dtype):
    """Let through, it would give the gradient its own dtype, or fail inside some operation's backward."""
    x = leaf([1.0, 2.0])
    words = rf"grad_y is {np.dtype(dtype)}, expected the output's float64: use \.astype\('float64'\)"
    for y in (x + x, x * x):
        with pytest.raises(TypeError, match=words):
            y.backward(np.ones(2, dtype))
        with pytest.raises(TypeError, match=words):
            minidl.grad(y, x, grad_y=Tensor(np.ones(2, dtype)))
    assert x.grad is None


def test_a_grad_y_of_plain_numbers_takes_the_outputs_dtype():
    x = leaf([1.0, 2.0])
    assert minidl.grad(x + x, x, grad_y=[1, 2]).dtype == np.float64


@pytest.mark.parametrize("ask", [
    (lambda x: minidl.grad(x * x, x), "^grad got an output of .*expected a scalar: reduce it, or pass grad_y"),
    (lambda x: (x * x).backward(), "^backward got an output of .*expected a scalar: reduce it, or pass grad_y"),
    (lambda x: (x * x).backward(np.ones(3)), r"grad_y has shape \(3,\), expected the output's shape \(2,\)"),
    (lambda x: minidl.grad(Tensor([1.0]), x), "nothing to differentiate.*requires_grad=True"),
    (lambda x: minidl.grad(x.sum(), [Tensor([1.0])]), r"grad got an x of shape \(1,\) that requires no gradient"),
    (lambda x: minidl.hvp(lambda: (x * x).sum(), [x], [np.ones(3)]), r"hvp got a vector part of shape \(3,\)"),
])  # fmt: skip
def test_refusals_say_what_was_found_and_what_to_do(ask):
    call, message = ask
    with pytest.raises(ValueError, match=message):
        call(leaf([1.0, 2.0]))


def test_differentiating_inside_no_grad_says_so():
    x = leaf([1.0])
    with minidl.no_grad(), pytest.raises(ValueError, match="no_grad"):
        (x * x).sum().backward()


def test_backward_runs_inside_no_grad_on_a_graph_recorded_before():
    x = leaf([3.0])
    y = (x * x).sum()
    with minidl.no_grad():
        y.backward()
    assert x.grad.item() == 6.0 and not x.grad.requires_grad


def test_a_leaf_keeps_its_gradient_without_a_copy_where_nobody_else_holds_it():
    """Of 8 MB of weights the gradient is 8 MB, once; a cotangent that the caller holds is copied."""
    w = Tensor(np.ones(1 << 20), requires_grad=True)
    loss = (w * 3.0).sum()
    tracemalloc.start()
    try:
        loss.backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert w.grad.size * 8 <= peak < 1.5 * w.grad.size * 8
    given = np.ones(3)
    a, b = (Tensor(np.zeros(3), requires_grad=True) for _ in range(2))
    (a + b).backward(given)
    assert not any(np.shares_memory(p, q) for p, q in [(a.grad, b.grad), (a.grad, given), (b.grad, given)])
