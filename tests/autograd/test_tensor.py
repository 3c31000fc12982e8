"""`Tensor` beside arrays and numbers: which dtypes it keeps, which it refuses, and that it behaves like an array."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, shapes, values

from minidl import Tensor, ops

FLOATS = [np.float32, np.float64]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("dtype", FLOATS)
def test_arrays_keep_their_dtype_and_python_floats_are_float32(dtype):
    assert Tensor(np.ones(2, dtype)).dtype == dtype
    assert Tensor(dtype(1.5)).dtype == dtype
    assert Tensor(1.5).dtype == Tensor([1.5, 2.0]).dtype == np.float32
    assert Tensor([1, 2]).dtype == np.int64 and Tensor([True]).dtype == bool


@pytest.mark.parametrize(
    "wrong", [np.ones(2, np.float16), np.ones(2, np.longdouble), [1j], object(), "a", None, [None]]
)
def test_other_dtypes_are_refused_by_name(wrong):
    with pytest.raises(TypeError, match=f"found data of dtype {np.asarray(wrong).dtype}, expected float32, float64"):
        Tensor(wrong)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("number", [2, 0.5, True, np.float32(0.5), np.float64(0.5), np.int64(2)], ids=repr)
@pytest.mark.parametrize("apply", OPERATORS, ids=lambda f: f.__name__)
def test_numbers_take_the_dtype_of_the_tensor(apply, number, dtype):
    x = Tensor(np.array([1.0, -2.0], dtype), requires_grad=True)
    for y, expected in (
        (apply(x, number), apply(x.data, dtype(number))),
        (apply(number, x), apply(dtype(number), x.data)),
    ):
        assert isinstance(y, Tensor) and y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), expected)
        y.sum().backward()
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)], ids=repr)
def test_exponents_keep_the_dtype(exponent, dtype):
    x = Tensor(np.array([1.0, -2.0], dtype), requires_grad=True)
    y = x**exponent
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, -4.0])


@pytest.mark.parametrize("apply", [*OPERATORS, operator.matmul], ids=lambda f: f.__name__)
@given(shape=shapes(min_dims=2, max_dims=2), seed=seeds)
def test_array_and_tensor_make_a_tensor_on_either_side(apply, shape, seed):
    rng = np.random.default_rng(seed)
    a, b = values("nonzero", shape, rng), values("nonzero", shape[::-1] if apply is operator.matmul else shape, rng)
    expected = apply(a, b)
    for y in (apply(Tensor(a), b), apply(a, Tensor(b)), apply(Tensor(a), Tensor(b))):
        assert isinstance(y, Tensor)
        np.testing.assert_array_equal(y.numpy(), expected)


def test_lists_take_the_dtype_of_the_tensor():
    y = ops.add(np.ones(2), [0.1, 0.2])
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y.numpy(), [1.1, 1.2])


@pytest.mark.parametrize("lose", [
    lambda x: x * 0.5, lambda x: 0.5 + x, lambda x: x - np.float32(0.5), lambda x: x.mean(),
    lambda x: ops.add(x, [0.5, 1.0, 2.0]),
    lambda x: ops.where(np.array([True, False, True]), x, 0.5),
])  # fmt: skip
def test_a_fraction_is_never_rounded_into_an_integer_tensor(lose):
    """0.5 taken as an int64 is 0, and Tensor([1, 2, 3]) * 0.5 would be three zeros without a word."""
    with pytest.raises(TypeError, match=r"int64.*astype"):
        lose(Tensor([1, 2, 3]))


@pytest.mark.parametrize("leave", [
    ops.exp, ops.log, ops.sigmoid, ops.tanh, ops.log_softmax, ops.softmax, ops.leaky_relu, lambda x: x / 2,
    lambda x: x**-1, lambda x: ops.dropout(x, 0.5, rng=0),
    lambda x: ops.avg_pool2d(x.reshape(1, 2, 2, 1), 2), lambda x: ops.max_pool2d(x.reshape(1, 2, 2, 1), 2, padding=1),
])  # fmt: skip
def test_operations_with_fractional_results_refuse_integers(leave):
    """NumPy would answer in float64 or round: both change the dtype silently."""
    with pytest.raises(TypeError, match=r"int64.*astype"):
        leave(Tensor([1, 2, 3, 4]))


def test_operations_that_keep_integers_whole_take_them():
    x = Tensor([3, -1, 2])
    for y in (
        x + 1,
        x * x,
        -x,
        x[::-1],
        x.reshape(3, 1),
        x.sum(),
        x.max(),
        x.abs(),
        ops.relu(x),
        ops.concatenate([x, x]),
    ):
        assert y.dtype == np.int64
    assert x.astype(np.float32).dtype == np.float32


def test_only_float_leaves_can_require_a_gradient():
    with pytest.raises(TypeError, match="found int64 data, expected float32 or float64 to differentiate"):
        Tensor([1, 2], requires_grad=True)
    x = Tensor([1, 2])
    with pytest.raises(TypeError, match="found int64 data, expected float32 or float64 to differentiate"):
        x.requires_grad = True
    y = Tensor([1.0], requires_grad=True) * 2.0
    with pytest.raises(ValueError, match="detach"):
        y.requires_grad = False


def test_assignment_is_refused_and_the_alternatives_are_named():
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"cannot be assigned to.*where, pad or concatenate"):
        x[0] = 5.0


def test_augmented_assignment_makes_a_new_tensor():
    x = Tensor([1.0], requires_grad=True)
    y = x
    y += 1.0
    assert x.numpy() == [1.0] and y.numpy() == [2.0] and y is not x


def test_a_tensor_exponent_is_refused_with_the_way_to_write_it():
    with pytest.raises(TypeError, match=r"exp\(exponent \* log\(x\)\)"):
        Tensor([2.0]) ** Tensor([2.0])


def test_astype_takes_floats_only():
    with pytest.raises(TypeError, match="astype got int32, expected float32 or float64"):
        Tensor([1.0]).astype(np.int32)
    x = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    (x.astype(np.float64) * 3.0).sum().backward()
    assert x.grad.dtype == np.float32


@given(shapes(max_dims=3), st.data())
def test_transpose_and_reshape_take_axes_apart_or_as_one_tuple(shape, data):
    x = Tensor(np.arange(np.prod(shape)).reshape(shape) * 1.0)
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    for y in (x.transpose(*order), x.transpose(order)):
        np.testing.assert_array_equal(y.numpy(), x.numpy().transpose(order))
    for y in (x.reshape(*shape[::-1]), x.reshape(shape[::-1]), x.reshape(list(shape[::-1]))):
        np.testing.assert_array_equal(y.numpy(), x.numpy().reshape(shape[::-1]))
    np.testing.assert_array_equal(x.T.numpy(), x.numpy().T)


def test_it_reads_like_an_array():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 2), 2, 4, 2)
    assert [row.numpy().tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    assert np.asarray(x) is not None and np.asarray(x).dtype == np.float32
    assert x.numpy() is x.data and x.detach().data is x.data and not x.detach().requires_grad
    assert repr(x) == "Tensor([[1., 2.],\n        [3., 4.]], dtype=float32, requires_grad=True)"
    assert Tensor([2.0]).item() == 2.0 and bool(Tensor([0.0])) is False
    assert len({x, x.detach()}) == 2  # by identity: gradients are kept in dictionaries of Tensors


def test_iterating_over_a_tensor_is_differentiable():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    total = sum(v * v for v in x)
    total.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0, 6.0])


@pytest.mark.parametrize("call", [np.exp, np.abs, np.sqrt, lambda x: np.maximum(x, 0)])
def test_numpy_functions_do_not_leave_the_graph_silently(call):
    with pytest.raises(TypeError, match="Tensor"):
        call(Tensor([1.0, 2.0], requires_grad=True))
