"""Sums, means and maxima over axes."""

from __future__ import annotations

import math

import numpy as np

from minidl.autograd.function import Function
from minidl.ops.axes import normal_axis
from minidl.ops.shape import broadcast_to, reshape
from minidl.tensor import Axes, Tensor, as_tensor
from minidl.types import Array, Shape


class Sum(Function):
    keeps_inputs = False

    def __init__(self, axis: Axes, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Array) -> Array:
        self.shape_of_x = x.shape
        return x.sum(axis=self.axis, keepdims=self.keepdims)  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        kept = _kept_shape(self.shape_of_x, self.axis)
        return (broadcast_to(reshape(grad_y, kept), self.shape_of_x),)


class Max(Function):  # y = max x; equal maxima share the gradient equally
    def __init__(self, axis: Axes, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Array) -> Array:
        return x.max(axis=self.axis, keepdims=self.keepdims)  # type: ignore[no-any-return]

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x = self.inputs[0].data
        is_max = x == x.max(axis=self.axis, keepdims=True)
        share = is_max / is_max.sum(axis=self.axis, keepdims=True, dtype=x.dtype)
        kept = _kept_shape(x.shape, self.axis)
        return (reshape(grad_y, kept) * Tensor.wrap(share.astype(x.dtype, copy=False)),)


def _reduced(operation: str, shape: Shape, axis: Axes) -> set[int]:
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis).tolist()
    return {normal_axis(operation, a, shape) for a in axes}


def _kept_shape(shape: Shape, axis: Axes) -> Shape:
    """The shape after a reduction with keepdims."""
    reduced = _reduced("a reduction", shape, axis)
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def sum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Sum over `axis` (an int, a tuple, or None for all).

    Examples
    --------
    >>> sum([[1.0, 2.0], [10.0, 20.0]], axis=0).numpy()
    array([11., 22.], dtype=float32)
    """
    x = as_tensor(x)
    _reduced("sum", x.shape, axis)  # NumPy takes axis 0 of a scalar, which backward could not put back
    return Sum(axis, keepdims)(x)


def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Mean over `axis` (an int, a tuple, or None for all); a mean of nothing is a ValueError.

    Examples
    --------
    >>> x = Tensor([1.0, 2.0, 3.0, 6.0], requires_grad=True)
    >>> mean(x).backward()
    >>> x.grad
    Tensor([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    x = as_tensor(x)
    count = math.prod(x.shape[a] for a in _reduced("mean", x.shape, axis))
    if count == 0:
        raise ValueError(f"mean got no elements along axis {axis} of shape {x.shape}, expected one or more")
    return sum(x, axis, keepdims) * (1.0 / count)


def max(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axis`; where several are equal, each gets an equal share of the gradient.

    Examples
    --------
    >>> x = Tensor([1.0, 5.0, 5.0], requires_grad=True)
    >>> max(x).backward()
    >>> x.grad
    Tensor([0. , 0.5, 0.5], dtype=float32)
    """
    x = as_tensor(x)
    _reduced("max", x.shape, axis)
    return Max(axis, keepdims)(x)
