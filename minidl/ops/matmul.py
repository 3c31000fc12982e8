"""Matrix products: `matmul` for stacks of matrices and `linear`, a layer's y = x Wᵀ + b."""

from __future__ import annotations

import numpy as np

from minidl.autograd.function import Function
from minidl.ops.shape import reshape, sum_to
from minidl.tensor import Operand, Tensor, as_tensor
from minidl.types import Array


class MatMul(Function):  # Y = A B;  grad_A = grad_Y Bᵀ,  grad_B = Aᵀ grad_Y
    def forward(self, a: Array, b: Array) -> Array:
        return np.matmul(a, b)  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.inputs
        grad_a = sum_to(MatMul()(grad_y, _swap(b)), a.shape) if self.needs[0] else None
        grad_b = sum_to(MatMul()(_swap(a), grad_y), b.shape) if self.needs[1] else None
        return grad_a, grad_b


class Linear(Function):  # Y = X Wᵀ + b;  grad_X = grad_Y W,  grad_W = grad_Yᵀ X,  grad_b = Σ_N grad_Y
    def forward(self, x: Array, weight: Array, *bias: Array) -> Array:
        y: Array = x @ weight.T  # (N, O)
        return np.add(y, bias[0], out=y) if bias else y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *bias = self.inputs
        grad_x = grad_y @ weight if self.needs[0] else None
        grad_weight = grad_y.T @ x if self.needs[1] else None
        return (grad_x, grad_weight, *[grad_y.sum(axis=0) for _ in bias])


def _swap(x: Tensor) -> Tensor:
    return x.transpose(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Matrix product of the last two axes, broadcast over the others; a vector is a row (left) or a column (right).

    Examples
    --------
    >>> import numpy as np
    >>> matmul(np.ones((2, 3), np.float32), np.ones(3, np.float32)).numpy()
    array([3., 3.], dtype=float32)
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul got shapes {a.shape} and {b.shape}, expected vectors or matrices: use * for numbers")
    rows = a if a.ndim > 1 else reshape(a, (1, -1))
    columns = b if b.ndim > 1 else reshape(b, (-1, 1))
    if rows.shape[-1] != columns.shape[-2]:
        raise ValueError(f"matmul got {a.shape} and {b.shape}, expected a's last axis to equal b's second to last")
    y = MatMul()(rows, columns)
    shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
    return reshape(y, shape)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A fully connected layer: every output is a weighted sum of all inputs.

    Parameters
    ----------
    x : (N, C)
    weight : (O, C); row o is the filter of output o
    bias : (O,), optional

    Returns
    -------
    (N, O)

    Examples
    --------
    >>> linear([[1.0, 2.0]], [[1.0, 1.0], [0.0, -1.0], [3.0, 0.0]], [0.0, 0.0, 10.0]).numpy()
    array([[ 3., -2., 13.]], dtype=float32)
    """
    x, weight = as_tensor(x), as_tensor(weight)
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"linear got x {x.shape} and weight {weight.shape}, expected (N, C), (O, C): flatten x, or check its width"
        )
    if bias is None:
        return Linear()(x, weight)
    bias = as_tensor(bias)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"linear got a bias of shape {bias.shape}, expected {weight.shape[:1]}, one number per output")
    return Linear()(x, weight, bias)
