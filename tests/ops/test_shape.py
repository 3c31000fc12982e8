"""Shape operations and reductions: adjoint pairs, odd indices and axes, and ties of a maximum."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import broadcastable, indices_of, seeds, shapes, values

import minidl
from minidl import Tensor, ops
from ops.catalogue import axes_of


def drawn(shape, seed=0):
    return values("any", shape, np.random.default_rng(seed))


@given(broadcastable(min_side=0), seeds)
def test_sum_to_is_the_adjoint_of_broadcast_to(pair, seed):
    """<broadcast_to(x), z> = <x, sum_to(z)>."""
    small, large = pair[0], np.broadcast_shapes(*pair)
    x, z = drawn(small, seed), drawn(large, seed + 1)
    left = np.vdot(ops.broadcast_to(x, large).numpy(), z)
    np.testing.assert_allclose(np.vdot(x, ops.sum_to(z, small).numpy()), left, rtol=1e-11, atol=1e-11)


@given(shapes(max_dims=3), seeds, st.data())
def test_the_gradient_of_an_index_counts_how_often_each_element_is_read(shape, seed, data):
    index = data.draw(indices_of(shape))
    x = Tensor(drawn(shape, seed), requires_grad=True)
    x[index].sum().backward()
    positions = np.arange(x.size).reshape(shape)[index]
    np.testing.assert_array_equal(x.grad.numpy().ravel(), np.bincount(np.ravel(positions), minlength=x.size))


@pytest.mark.parametrize("index", [
    1, -1, np.int64(1), slice(None, None, -1), ..., None, [0, 0, 1], np.array([True, False, True]), (0, [0, 0]),
    (slice(None), np.array([1, 1])), Tensor([0, 2]), True,
], ids=repr)  # fmt: skip
def test_every_kind_of_index(index):
    x = Tensor(drawn((3, 4)), requires_grad=True)
    plain = index.numpy() if isinstance(index, Tensor) else index
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), x.numpy()[plain])
    assert minidl.gradcheck(lambda x: x[index] * x[index], [x], order=2)


@given(shapes(max_dims=3), seeds, st.data())
def test_joining_and_cutting_are_inverse(shape, seed, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = [Tensor(drawn(shape, seed + i), requires_grad=True) for i in range(3)]
    whole = ops.concatenate(parts, axis)
    grad = drawn(whole.shape, seed)
    for g, expected in zip(minidl.grad(whole, parts, grad_y=grad), np.split(grad, 3, axis), strict=True):
        np.testing.assert_array_equal(g.numpy(), expected)


@given(shapes(max_dims=3), seeds, st.data(), st.booleans())
def test_equal_maxima_share_the_gradient(shape, seed, data, keepdims):
    axis = data.draw(axes_of(len(shape)))
    array = np.random.default_rng(seed).integers(0, 3, shape).astype(np.float64)
    x = Tensor(array, requires_grad=True)
    y = ops.max(x, axis, keepdims)
    np.testing.assert_array_equal(y.numpy(), array.max(axis=axis, keepdims=keepdims))
    y.sum().backward()
    is_max = array == array.max(axis=axis, keepdims=True)
    np.testing.assert_allclose(x.grad.numpy(), is_max / is_max.sum(axis=axis, keepdims=True), rtol=1e-14)


@pytest.mark.parametrize("reduce", [ops.sum, ops.mean, ops.max])
def test_a_numpy_integer_is_an_axis_too(reduce):
    x = Tensor(drawn((3, 4)), requires_grad=True)
    assert minidl.gradcheck(lambda x: reduce(x, axis=np.int64(1)), [x])


@pytest.mark.parametrize("call", [lambda: ops.mean(np.zeros((0, 3))), lambda: ops.mean(np.zeros((3, 0)), axis=1)])
def test_the_mean_of_nothing_is_refused(call):
    with pytest.raises(ValueError, match=r"mean got no elements .*shape \(., .\)"):
        call()


def test_the_mean_along_one_axis_of_an_empty_array_is_empty():
    assert ops.mean(np.zeros((3, 0)), axis=0).shape == (0,)


@pytest.mark.parametrize("shape, axis", [((2, 3), 2), ((2, 3), -3), ((), 0), ((), -1)])
def test_an_axis_that_is_not_there_is_refused(shape, axis):
    x = Tensor(np.ones(shape))
    calls = {
        "sum": lambda: x.sum(axis=axis),
        "mean": lambda: x.mean(axis=axis),
        "max": lambda: x.max(axis=(axis,)),
        "concatenate": lambda: ops.concatenate([x, x], axis=axis),
        "transpose": lambda: ops.transpose(x, (axis, *range(1, x.ndim))),
    }
    expected = "-2 to 1" if shape else "one axis or more"
    for name, call in calls.items():
        with pytest.raises(
            ValueError, match=rf"^{name} got axis {axis} for shape {re.escape(str(shape))}, .*{expected}"
        ):
            call()


@pytest.mark.parametrize("axes", [(0, 0), (0, -2), (1,), (0, 1, 0)])
def test_a_transposition_names_every_axis_once(axes):
    with pytest.raises(
        ValueError, match=r"transpose got axes \(.*\) for shape \(2, 3\), expected each of its 2 axes once"
    ):
        ops.transpose(np.ones((2, 3)), axes)


def test_a_transposition_counts_from_the_end_too():
    assert Tensor(drawn((2, 3, 4))).transpose(-1, 0, np.int64(-2)).shape == (4, 2, 3)


def test_joining_nothing_is_refused():
    with pytest.raises(ValueError, match="concatenate got no Tensors, expected one or more"):
        ops.concatenate([])


@pytest.mark.parametrize("a, b", [((), (2, 2)), ((2, 3), (2, 3)), ((3,), (2, 3))])
def test_products_that_do_not_fit_are_refused(a, b):
    with pytest.raises(ValueError, match="matmul got"):
        ops.matmul(np.ones(a), np.ones(b))


def test_layers_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"linear got x \(2, 3, 4\) and weight \(5, 4\), expected \(N, C\)"):
        ops.linear(np.ones((2, 3, 4)), np.ones((5, 4)))
    with pytest.raises(ValueError, match=r"linear got a bias of shape \(4,\), expected \(5,\)"):
        ops.linear(np.ones((2, 4)), np.ones((5, 4)), np.ones(4))
    with pytest.raises(ValueError, match=r"linear got a bias of shape \(4,\), expected \(5,\)"):
        ops.linear(np.ones((2, 4)), np.ones((5, 4)), [1.0] * 4)
