"""Pooling on arrays: maxima with the place they were found, means, and the adjoints of both.

`chosen` holds, for each output, which of the KH·KW window positions (counted row by row) was the maximum.
The definitions are NumPy; for 32-bit floats their compiled twins in ``pool_compiled.py`` run instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from .backend import compiled

Array = NDArray[Any]
Pair = tuple[int, int]
Shape = tuple[int, ...]
P = ParamSpec("P")
R = TypeVar("R")


def _or_compiled(definition: Callable[P, R]) -> Callable[P, R]:
    """Run the function of this name in ``pool_compiled`` instead where the first array is of 32-bit floats."""

    @functools.wraps(definition)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if compiled() and getattr(args[0], "dtype", None) == np.float32:
            from . import pool_compiled

            twin: Callable[P, R] = getattr(pool_compiled, definition.__name__)
            return twin(*args, **kwargs)
        return definition(*args, **kwargs)

    return run


@_or_compiled
def max_pool(x: Array, size: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
    """Return the maxima (N, OH, OW, C) and `chosen`, the position of the first maximum (NaN counts as largest).

    Examples
    --------
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> y, chosen = max_pool(x, (2, 2), (2, 2), (0, 0))
    >>> y[0, :, :, 0], chosen[0, :, :, 0]
    (array([[ 5.,  7.],
           [13., 15.]]), array([[3, 3],
           [3, 3]], dtype=uint8))
    """
    views = list(_windows(_pad(x, padding, -np.inf), size, stride))
    y = views[0].copy()
    chosen = np.empty(y.shape, np.uint8 if len(views) < 256 else np.int32)
    chosen[...] = _first_real(y.shape, size, stride, padding)  # among equals the image is first, not its padding
    for k, view in enumerate(views[1:], start=1):
        larger = ~(view <= y) & ~np.isnan(y)  # also true where view is NaN
        np.copyto(y, view, where=larger)
        np.copyto(chosen, k, where=larger)
    return y, chosen


@_or_compiled
def gather(x: Array, chosen: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the chosen element of each window: the adjoint of `spread`."""
    y = np.zeros(chosen.shape, x.dtype)
    for k, view in enumerate(_windows(_pad(x, padding, 0), size, stride)):
        np.copyto(y, view, where=chosen == k)
    return y


@_or_compiled
def spread(y: Array, chosen: Array, x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return zeros (N, H, W, C) with every y added at the chosen element of its window."""
    padded = np.zeros(_padded_shape(x_shape, padding), y.dtype)
    for k, view in enumerate(_windows(padded, size, stride)):
        np.add(view, y, out=view, where=chosen == k)
    return _crop(padded, padding)


@_or_compiled
def avg_pool(x: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the mean (N, OH, OW, C) of each window, padding counted as zeros."""
    views = _windows(_pad(x, padding, 0), size, stride)
    y = next(views).copy()
    for view in views:
        y += view
    y *= y.dtype.type(1 / (size[0] * size[1]))
    return y


@_or_compiled
def avg_pool_grad(grad_y: Array, x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the adjoint of `avg_pool`: every window's gradient shared equally by its elements."""
    padded = np.zeros(_padded_shape(x_shape, padding), grad_y.dtype)
    share = grad_y * grad_y.dtype.type(1 / (size[0] * size[1]))
    for view in _windows(padded, size, stride):
        view += share
    return _crop(padded, padding)


@_or_compiled
def global_avg_pool(x: Array) -> Array:
    """Return the mean of each channel over the image, (N, H, W, C) to (N, C)."""
    mean: Array = x.mean(axis=(1, 2), dtype=np.float64).astype(x.dtype)
    return mean


@_or_compiled
def global_avg_pool_grad(grad_y: Array, x_shape: Shape) -> Array:
    """Return the adjoint of `global_avg_pool`: the gradient (N, C) shared equally by all pixels."""
    share = grad_y * grad_y.dtype.type(1 / (x_shape[1] * x_shape[2]))
    return np.broadcast_to(share[:, None, None], x_shape).copy()


def _first_real(y_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Array:
    """For each output, (OH, OW, 1), the first place of its window that lies in the image."""
    top, left = (np.maximum(padding[i] - stride[i] * np.arange(y_shape[1 + i]), 0) for i in (0, 1))
    return (top[:, None] * size[1] + left)[:, :, None]


def _windows(padded: Array, size: Pair, stride: Pair) -> Iterator[Array]:
    """For each window position, row by row, the view (N, OH, OW, C) of that element of every window."""
    rows, columns = ((padded.shape[1 + i] - size[i]) // stride[i] + 1 for i in (0, 1))
    for k in range(size[0]):
        for l in range(size[1]):
            yield padded[:, k : k + rows * stride[0] : stride[0], l : l + columns * stride[1] : stride[1]][
                :, :rows, :columns
            ]


def _padded_shape(shape: Shape, padding: Pair) -> Shape:
    n, h, w, c = shape
    return n, h + 2 * padding[0], w + 2 * padding[1], c


def _pad(x: Array, padding: Pair, value: float) -> Array:
    if padding == (0, 0):
        return x
    padded = np.full(_padded_shape(x.shape, padding), value, x.dtype)
    _crop(padded, padding)[...] = x
    return padded


def _crop(padded: Array, padding: Pair) -> Array:
    (ph, pw), (_, h, w, _) = padding, padded.shape
    return padded[:, ph : h - ph, pw : w - pw]
