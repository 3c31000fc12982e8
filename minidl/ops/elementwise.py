"""Arithmetic on every element, with NumPy's broadcasting.

Broadcasting repeats an input, so its gradient sums over the repeats: `sum_to` is the adjoint of `broadcast_to`,
and `fit` is that one word in every backward below.
"""

from __future__ import annotations

import numpy as np

from minidl.autograd.function import Function
from minidl.kernels import activation as kernel
from minidl.ops.shape import sum_to
from minidl.tensor import Operand, Tensor, as_tensor
from minidl.types import Array, Shape


class Add(Function):  # y = a + b
    keeps_inputs = False

    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return kernel.add(a, b)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return fit(self, grad_y, 0), fit(self, grad_y, 1)


class Sub(Function):  # y = a - b
    keeps_inputs = False

    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return a - b

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return fit(self, grad_y, 0), fit(self, -grad_y, 1) if self.needs[1] else None


class Mul(Function):  # y = a b
    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return a * b

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.inputs
        return (
            fit(self, grad_y * b, 0) if self.needs[0] else None,
            fit(self, grad_y * a, 1) if self.needs[1] else None,
        )


class Div(Function):  # y = a / b;  dy/db = -a / b²
    floats_only = True

    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return a / b

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.inputs
        grad_a = grad_y / b
        return fit(self, grad_a, 0), fit(self, -grad_a * (a / b), 1) if self.needs[1] else None


class Neg(Function):  # y = -x
    keeps_inputs = False

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (-grad_y,)


class Power(Function):  # y = x^k for a number k;  dy/dx = k x^(k-1)
    floats_only = True

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, x: Array) -> Array:
        return x**self.exponent

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = self.inputs
        if self.exponent == 0:
            return (grad_y * 0.0,)
        return (grad_y * self.exponent * power(x, self.exponent - 1),)


class Exp(Function):  # y = e^x;  dy/dx = e^x
    floats_only = True

    def forward(self, x: Array) -> Array:
        return np.exp(x)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (grad_y * exp(self.inputs[0]),)


class Log(Function):  # y = ln x;  dy/dx = 1/x
    floats_only = True

    def forward(self, x: Array) -> Array:
        return np.log(x)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (grad_y / self.inputs[0],)


class Abs(Function):  # y = |x|;  dy/dx = sign x, and 0 at 0
    def forward(self, x: Array) -> Array:
        return np.abs(x)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (grad_y * Tensor.wrap(np.sign(self.inputs[0].data)),)


class Where(Function):  # y = a where condition, else b
    keeps_inputs = False

    def __init__(self, condition: Array) -> None:
        self.condition = condition

    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return np.where(self.condition, a, b)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (
            fit(self, where(self.condition, grad_y, 0.0), 0) if self.needs[0] else None,
            fit(self, where(self.condition, 0.0, grad_y), 1) if self.needs[1] else None,
        )


class AsType(Function):  # the same numbers in another float type
    keeps_inputs = False

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        self.dtype_of_x = x.dtype
        return x.astype(self.dtype)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        return (astype(grad_y, self.dtype_of_x),)


def fit(function: Add | Sub | Mul | Div | Where, grad: Tensor, i: int) -> Tensor:
    """`grad` summed to the shape of input i."""
    shapes: tuple[Shape, Shape] = function.shapes
    return sum_to(grad, shapes[i])


def _pair(a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    """Both operands as Tensors; a Python number takes the other's dtype."""
    if isinstance(a, Tensor):
        return a, as_tensor(b, dtype=a.dtype)
    if isinstance(b, Tensor):
        return as_tensor(a, dtype=b.dtype), b
    a = as_tensor(a)
    return a, as_tensor(b, dtype=a.dtype)


def add(a: Operand, b: Operand) -> Tensor:
    """Sum of two Tensors, arrays or numbers, broadcast.

    Examples
    --------
    >>> a = Tensor(1.0, requires_grad=True)
    >>> add(a, [10.0, 20.0, 30.0]).sum().backward()  # broadcasting uses a three times
    >>> a.grad
    Tensor(3., dtype=float32)
    """
    return Add()(*_pair(a, b))


def sub(a: Operand, b: Operand) -> Tensor:
    """Difference `a - b`, broadcast.

    Examples
    --------
    >>> sub(1, Tensor([0.25, 0.5])).numpy()
    array([0.75, 0.5 ], dtype=float32)
    """
    return Sub()(*_pair(a, b))


def mul(a: Operand, b: Operand) -> Tensor:
    """Product, element by element, broadcast.

    Examples
    --------
    >>> a, b = Tensor(2.0, requires_grad=True), Tensor(5.0, requires_grad=True)
    >>> mul(a, b).backward()  # the product rule: each gets the other
    >>> a.grad.item(), b.grad.item()
    (5.0, 2.0)
    """
    return Mul()(*_pair(a, b))


def div(a: Operand, b: Operand) -> Tensor:
    """Quotient `a / b`, broadcast; floats only.

    Examples
    --------
    >>> b = Tensor(2.0, requires_grad=True)
    >>> div(1, b).backward()  # d(1/b)/db = -1/b²
    >>> b.grad.item()
    -0.25
    """
    return Div()(*_pair(a, b))


def neg(x: Tensor) -> Tensor:
    """Minus `x`.

    Examples
    --------
    >>> neg(Tensor([1.0, -2.0])).numpy()
    array([-1.,  2.], dtype=float32)
    """
    return Neg()(as_tensor(x))


def power(x: Tensor, exponent: float) -> Tensor:
    """`x` to the power of a number; write `exp(k * log(x))` for an exponent that is itself a Tensor.

    Examples
    --------
    >>> x = Tensor(3.0, requires_grad=True)
    >>> power(x, 2).backward()  # d(x²)/dx = 2x
    >>> x.grad.item()
    6.0
    """
    if isinstance(exponent, Tensor):
        raise TypeError("power got a Tensor as exponent, expected a number: write exp(exponent * log(x))")
    return Power(float(exponent))(as_tensor(x))  # a NumPy number would bring its own dtype


def exp(x: Tensor) -> Tensor:
    """Exponential function, its own derivative.

    Examples
    --------
    >>> exp(Tensor([0.0, 1.0])).numpy().round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return Exp()(as_tensor(x))


def log(x: Tensor) -> Tensor:
    """Natural logarithm.

    Examples
    --------
    >>> x = Tensor(0.25, requires_grad=True)
    >>> log(x).backward()  # d(ln x)/dx = 1/x
    >>> x.grad.item()
    4.0
    """
    return Log()(as_tensor(x))


def abs(x: Tensor) -> Tensor:
    """Absolute value; its derivative at 0 is taken as 0.

    Examples
    --------
    >>> x = Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> abs(x).sum().backward()
    >>> x.grad
    Tensor([-1.,  0.,  1.], dtype=float32)
    """
    return Abs()(as_tensor(x))


def where(condition: Array, a: Operand, b: Operand) -> Tensor:
    """`a` where the boolean array `condition` holds, else `b`; all three broadcast.

    Examples
    --------
    >>> a = Tensor([1.0, 2.0], requires_grad=True)
    >>> where([True, False], a, 0.0).sum().backward()  # what is not chosen learns nothing
    >>> a.grad
    Tensor([1., 0.], dtype=float32)
    """
    a, b = _pair(a, b)
    return Where(np.asarray(condition))(a, b)


def astype(x: Tensor, dtype: object) -> Tensor:
    """The same numbers as float32 or float64; the gradient comes back in the dtype of `x`.

    Examples
    --------
    >>> astype(Tensor(0.1), "float64").item()  # what float32 had made of 0.1
    0.10000000149011612
    """
    target = np.dtype(dtype)  # type: ignore[call-overload]
    x = as_tensor(x)
    if target == x.dtype:
        return x
    if target not in (np.float32, np.float64):
        raise TypeError(f"astype got {target}, expected float32 or float64: convert x.data for other types")
    return AsType(target)(x)
