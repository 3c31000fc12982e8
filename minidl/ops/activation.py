"""Non-linearities, element by element."""

from __future__ import annotations

import numpy as np

from minidl.autograd.function import Function
from minidl.kernels import activation as kernel
from minidl.ops.elementwise import exp
from minidl.ops.reduce import sum as sum_
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array


class ReLU(Function):  # y = max(x, 0);  grad_x = grad_y where y > 0
    keeps_inputs = False

    def forward(self, x: Array) -> Array:
        self.y = kernel.relu(x)
        return self.y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (Gate(self.y)(grad_y),)


class Gate(Function):
    """Let the input through where the array `y` is positive: linear, and its own adjoint."""

    keeps_inputs = False

    def __init__(self, y: Array) -> None:
        self.y = y

    def forward(self, x: Array) -> Array:
        return kernel.gate(x, self.y)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (Gate(self.y)(grad_y),)


class PiecewiseLinear(Function):
    """y = f(x) where f has the slope `slope(x)` everywhere: its backward is a product with a constant."""

    def slope(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x = self.inputs[0].data
        return (grad_y * Tensor.wrap(self.slope(x).astype(x.dtype, copy=False)),)


class LeakyReLU(PiecewiseLinear):  # y = x for x > 0, else negative_slope x
    floats_only = True

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, x * x.dtype.type(self.negative_slope))

    def slope(self, x: Array) -> Array:
        return np.where(x > 0, 1.0, self.negative_slope)


class HardTanh(PiecewiseLinear):  # y = x cut to [-1, 1]
    def forward(self, x: Array) -> Array:
        return np.clip(x, -1, 1)

    def slope(self, x: Array) -> Array:
        return np.abs(x) < 1


class Sigmoid(Function):  # y = 1 / (1 + e^-x);  dy/dx = y (1 - y)
    floats_only = True

    def forward(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))  # never overflows
        return np.where(x >= 0, 1, e) / (1 + e)  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        y = sigmoid(self.inputs[0])
        return (grad_y * y * (1.0 - y),)


class Tanh(Function):  # dy/dx = 1 - y²
    floats_only = True

    def forward(self, x: Array) -> Array:
        return np.tanh(x)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        y = tanh(self.inputs[0])
        return (grad_y * (1.0 - y * y),)


class LogSoftmax(Function):  # y_k = x_k - ln Σ_j e^x_j;  grad_x = grad_y - softmax(x) Σ_j grad_y_j
    floats_only = True

    def forward(self, x: Array) -> Array:
        shifted = x - x.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (grad_y - softmax(self.inputs[0]) * sum_(grad_y, axis=-1, keepdims=True),)


def relu(x: Tensor) -> Tensor:
    """max(x, 0); the derivative at 0 is 0.

    Examples
    --------
    >>> relu(Tensor([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """
    return ReLU()(as_tensor(x))


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`x` where positive, else `negative_slope * x` (Maas, Hannun and Ng 2013).

    Examples
    --------
    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.25).numpy()
    array([-0.25,  2.  ], dtype=float32)
    """
    return LeakyReLU(negative_slope)(as_tensor(x))


def hardtanh(x: Tensor) -> Tensor:
    """`x` cut to [-1, 1]; the derivative is 1 strictly inside, else 0.

    Examples
    --------
    >>> hardtanh(Tensor([-3.0, 0.5, 3.0])).numpy()
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return HardTanh()(as_tensor(x))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), without overflow.

    Examples
    --------
    >>> sigmoid(Tensor([-1000.0, 0.0, 1000.0])).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return Sigmoid()(as_tensor(x))


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent.

    Examples
    --------
    >>> x = Tensor([0.0, 20.0], requires_grad=True)
    >>> tanh(x).sum().backward()  # the slope 1 - tanh² is gone where tanh is flat
    >>> x.grad
    Tensor([1., 0.], dtype=float32)
    """
    return Tanh()(as_tensor(x))


def log_softmax(x: Tensor) -> Tensor:
    """Logarithm of the softmax over the last axis, computed without overflow.

    Examples
    --------
    >>> log_softmax(Tensor([1000.0, 1000.0])).numpy().round(4)  # ln 1/2, though e^1000 is too large for any float
    array([-0.6931, -0.6931], dtype=float32)
    """
    return LogSoftmax()(as_tensor(x))


def softmax(x: Tensor) -> Tensor:
    """exp(x) / sum(exp(x)) over the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.log([1.0, 3.0])).numpy().round(4)  # logits are the logarithms of odds, here 1 : 3
    array([0.25, 0.75])
    """
    return exp(log_softmax(x))
