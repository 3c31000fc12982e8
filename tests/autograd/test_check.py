"""`gradcheck` must fail: on wrong derivatives of either order, on float32, with a message that finds the element."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import Tensor, ops
from minidl.autograd import Function, GradcheckError


class Sine(Function):
    """sin(x) whose backward is multiplied by `factor`, or is right but constant (so that only order 2 is wrong)."""

    def __init__(self, factor=1.0, constant=False):
        self.factor, self.constant = factor, constant

    def forward(self, x):
        return np.sin(x)

    def backward(self, grad_y):
        (x,) = self.inputs
        cosine = Tensor.wrap(np.cos(x.data)) if self.constant else Sine()(x + np.pi / 2)
        return (grad_y * cosine * self.factor,)


def points(n=4):
    return Tensor(np.linspace(0.2, 1.1, n), requires_grad=True)


def test_right_derivatives_pass_to_order_4():
    assert minidl.gradcheck(lambda x: Sine()(x), [points()], order=4)


@given(st.floats(-0.3, 0.3).filter(lambda e: abs(e) > 1e-4), st.integers(1, 20))
def test_a_wrong_factor_is_found(error, n):
    with pytest.raises(GradcheckError):
        minidl.gradcheck(lambda x: Sine(1 + error)(x), [points(n)])


def test_a_constant_backward_passes_order_1_and_fails_order_2():
    assert minidl.gradcheck(lambda x: Sine(constant=True)(x), [points()], order=1)
    with pytest.raises(GradcheckError):
        minidl.gradcheck(lambda x: Sine(constant=True)(x) * 1.0, [points()], order=2)


def test_one_wrong_element_is_named():
    class OneOff(Function):
        def forward(self, a, x):
            return a * x

        def backward(self, grad_y):
            a, x = self.inputs
            error = np.zeros(x.shape)
            error[1, 2] = 0.5
            return grad_y * x, grad_y * (a + Tensor(error))

    a, x = (Tensor(np.ones((2, 3)), requires_grad=True) for _ in range(2))
    with pytest.raises(GradcheckError, match=r"input 1 at \(1, 2\): analytic .*, numeric .*backward"):
        minidl.gradcheck(lambda a, x: OneOff()(a, x), [a, x])


def test_a_lost_gradient_is_found():
    with pytest.raises(GradcheckError, match="analytic 0"):
        minidl.gradcheck(lambda x: Tensor(np.exp(x.data)) + x.detach(), [points()])


def test_float32_is_refused():
    with pytest.raises(TypeError, match="gradcheck got float32, expected float64"):
        minidl.gradcheck(ops.exp, [Tensor([1.0], requires_grad=True)])


def test_inputs_without_gradient_are_not_checked_and_nothing_is_changed():
    x, constant = points(), Tensor(np.array([0.5, 1.0, 2.0, 3.0]))
    before = x.numpy().copy()
    assert minidl.gradcheck(lambda x, c: x * ops.abs(c - 1.0), [x, constant], order=2)
    np.testing.assert_array_equal(x.numpy(), before)
    assert x.grad is None
