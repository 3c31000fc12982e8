"""The promises that every operation keeps, tested on the whole catalogue.

Values, derivatives of order 1 and 2, Hessian products, dtypes, purity, memory layouts, and silence under no_grad.
"""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, laid_out, seeds

import minidl
from minidl import ops
from minidl.autograd import recording
from ops.catalogue import CATALOGUE

every_op = pytest.mark.parametrize("op", CATALOGUE, ids=lambda op: op.name)

# Sums here have at most about 100 terms of size about 1, so rounding stays below 100 eps; derivatives multiply a few.
TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 2e-4}


def close(found, expected, dtype=np.float64):
    """Whether two arrays agree within the rounding of sums in `dtype`, relative to the largest element."""
    assert found.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0))
    return np.abs(found - expected).max(initial=0) <= TOLERANCE[np.dtype(dtype)] * scale


def direction(shape, dtype, seed=1):
    return minidl.Tensor(np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype))


def first_and_second(op, case, xs, layout="contiguous"):
    """y, the gradients of <u, y>, and the gradients of Σ gradients² (empty where these do not depend on x)."""
    y = op(case, *xs)
    u = laid_out(direction(y.shape, y.dtype).data, layout)
    grads = minidl.grad(y, xs, grad_y=minidl.Tensor(u), create_graph=True)
    squares = [(g * g).sum() for g in grads if g.requires_grad]
    seconds = minidl.grad(sum(squares[1:], start=squares[0]), xs) if squares else ()
    return y, grads, seconds


def test_every_public_operation_is_in_the_catalogue():
    assert {op.name.split(" ")[0] for op in CATALOGUE} == set(ops.__all__)


@every_op
@given(data=st.data())
def test_value_is_the_definition(op, data):
    case = data.draw(op.cases)
    expected = np.asarray(op.define(*case.arrays, **case.options))
    assert close(op(case, *case.tensors()).numpy(), expected)


@every_op
@given(data=st.data())
def test_gradcheck_of_orders_1_and_2(op, data):
    case = data.draw(op.cases)
    some = data.draw(st.lists(st.booleans(), min_size=len(case.arrays), max_size=len(case.arrays)).filter(any))
    xs = case.tensors()
    for x, active in zip(xs, some, strict=True):
        x.requires_grad = active
    assert minidl.gradcheck(lambda *xs: op(case, *xs), xs, order=2)


@every_op
@hypothesis.settings(max_examples=8)
@given(data=st.data(), seed=seeds)
def test_hvp_is_the_dense_hessian_times_the_vector(op, data, seed):
    """The Hessian of <u, y> + ½|y|² by rows, against differences of gradients; `hvp` and rows agree to rounding."""
    case = data.draw(op.cases)
    xs = case.tensors()
    u = direction(op(case, *xs).shape, np.float64)

    def loss(*inputs):
        y = op(case, *inputs)
        return (y * u + 0.5 * (y * y)).sum()

    sizes = [x.size for x in xs]
    vector = np.random.default_rng(seed).standard_normal(sum(sizes))
    parts = [v.reshape(x.shape) for v, x in zip(np.split(vector, np.cumsum(sizes)[:-1]), xs, strict=True)]
    product = flat(minidl.hvp(loss, xs, parts))
    hessian = dense_hessian(loss, xs)
    assert close(product, hessian @ vector)
    assert close(hessian, hessian.T)
    step = 1e-6  # error of the difference: step² · third derivative + eps/step, about 1e-9 of the values
    sides = [flat(gradient(loss, [minidl.Tensor(x.data + s * v, True) for x, v in zip(xs, parts, strict=True)]))
             for s in (step, -step)]  # fmt: skip
    np.testing.assert_allclose(
        (sides[0] - sides[1]) / (2 * step), product, atol=1e-6 * max(1, np.abs(product).max(initial=0))
    )


def gradient(loss, xs):
    return minidl.grad(loss(*xs), xs)


def flat(tensors):
    return np.concatenate([t.numpy().ravel() for t in tensors])


def dense_hessian(loss, xs):
    grads = minidl.grad(loss(*xs), xs, create_graph=True)
    constant = np.zeros(sum(x.size for x in xs))
    rows = [flat(minidl.grad(g.reshape(-1)[i], xs, create_graph=True)) if g.requires_grad else constant
            for g in grads for i in range(g.size)]  # fmt: skip
    return np.array(rows).reshape(len(rows), len(rows))


@every_op
@given(data=st.data())
def test_float32_stays_float32_and_is_near_float64(op, data):
    case = data.draw(op.cases)
    y, grads, seconds = first_and_second(op, case, case.tensors(np.float32))
    exact_y, exact_grads, exact_seconds = first_and_second(op, case, case.tensors(np.float64))
    assert y.dtype == np.float32 and exact_y.dtype == np.float64
    assert close(y.numpy(), exact_y.numpy(), np.float32)
    for found, exact in zip((*grads, *seconds), (*exact_grads, *exact_seconds), strict=True):
        assert found.dtype == np.float32 and exact.dtype == np.float64
    for found, exact in zip(grads, exact_grads, strict=True):
        assert close(found.numpy(), exact.numpy(), np.float32)


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data())
def test_nothing_given_is_changed(op, dtype, data):
    """Inputs, options and the incoming gradient are read-only memory: writing raises, and the numbers stay."""
    case = data.draw(op.cases)
    xs = case.tensors(dtype)
    given_arrays = [x.data for x in xs] + [v for v in case.options_in(dtype).values() if isinstance(v, np.ndarray)]
    before = [a.copy() for a in given_arrays]
    for a in given_arrays:
        a.flags.writeable = False
    y = op(case, *xs)
    grad_y = direction(y.shape, dtype)
    grad_before = grad_y.data.copy()
    grad_y.data.flags.writeable = False
    y.backward(grad_y, retain_graph=True)
    minidl.grad(y, xs, grad_y=grad_y, create_graph=True)
    for a, b in zip([*given_arrays, grad_y.data], [*before, grad_before], strict=True):
        np.testing.assert_array_equal(a, b)


@every_op
@given(data=st.data())
def test_memory_layout_does_not_matter(op, data):
    """Values and derivatives of strided, permuted and reversed inputs and gradients are those of contiguous ones."""
    case, layout = data.draw(op.cases), data.draw(st.sampled_from(LAYOUTS))
    y, grads, seconds = first_and_second(op, case, case.tensors(), layout)
    same_y, same_grads, same_seconds = first_and_second(op, case, case.tensors(contiguous=True))
    for found, expected in zip((y, *grads, *seconds), (same_y, *same_grads, *same_seconds), strict=True):
        assert close(found.numpy(), expected.numpy())  # not bit for bit: NumPy adds in the order of memory


@every_op
@given(data=st.data())
def test_gradients_have_the_shape_of_their_inputs_and_their_own_memory(op, data):
    case = data.draw(op.cases)
    xs = case.tensors()
    y = op(case, *xs)
    y.sum().backward()  # hands y a read-only gradient whose strides are all 0
    for x in xs:
        assert x.grad.shape == x.shape and x.grad.numpy().flags.writeable
        assert not any(np.shares_memory(x.grad.numpy(), other.data) for other in xs)
    assert not any(np.shares_memory(a.grad.numpy(), b.grad.numpy()) for i, a in enumerate(xs) for b in xs[:i])


@every_op
@given(data=st.data())
def test_nothing_is_recorded_under_no_grad_or_for_constants(op, data):
    case = data.draw(op.cases)
    called = []
    with minidl.no_grad(), recording(lambda function, _, y: called.append((function, y))):
        y = op(case, *case.tensors())
    assert not y.requires_grad or y.node is None  # p = 0 dropout and a reshape to the same shape hand back their input
    assert all(function.inputs == () and function.edges == () and result.node is None for function, result in called)
    constant = op(case, *case.tensors(requires_grad=False))
    assert not constant.requires_grad and constant.node is None
    np.testing.assert_array_equal(y.numpy(), constant.numpy())
