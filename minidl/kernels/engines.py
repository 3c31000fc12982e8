"""The compiled convolutions by name, all with one signature for each of forward, input gradient and weight gradient.

Imported when the first convolution runs, because everything below it needs numba; ``conv.choose`` picks the name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import depthwise, direct, direct_weight, images, winograd, winograd_weight

Array = NDArray[Any]
Pair = tuple[int, int]


def _winograd_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int, y: Array
) -> None:
    winograd.forward(x, weight, bias, padding, y)


def _winograd_grad_input(grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array) -> None:
    winograd.grad_input(grad_y, weight, padding, grad_x)


def _winograd_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    winograd_weight.grad_weight(x, grad_y, padding, grad)


def _depthwise_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int, y: Array
) -> None:
    direct.forward(x, weight, bias, stride, padding, 1, y, depthwise.run)


def _depthwise_grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array
) -> None:
    one_filter = np.ascontiguousarray(weight.transpose(3, 1, 2, 0))  # (1, KH, KW, C)
    direct.grad_input(grad_y, one_filter, stride, padding, 1, grad_x, depthwise.run)


def _depthwise_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    depthwise.grad_weight(x, grad_y, stride, padding, grad)


# --- 1×1: every pixel alone, so that pixels of all rows and images are one long row, cut as the tile likes it ---------


def _seen(x: Array, stride: Pair) -> Array:
    """Return the pixels that a 1×1 kernel of this stride reads, (1, rows, columns, C)."""
    return _long_rows(np.ascontiguousarray(x[:, :: stride[0], :: stride[1]]))


def _long_rows(x: Array) -> Array:
    n, height, width, channels = x.shape
    columns = math.gcd(n * height * width, 64)
    return x.reshape(1, -1, columns if columns >= 8 else max(width, 1), channels)


def _pointwise_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int, y: Array
) -> None:
    direct.forward(_seen(x, stride), weight, bias, (1, 1), (0, 0), groups, _long_rows(y))


def _pointwise_grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array
) -> None:
    seen = grad_x if stride == (1, 1) else np.empty((*grad_y.shape[:3], grad_x.shape[3]), np.float32)
    direct.grad_input(_long_rows(grad_y), weight, (1, 1), (0, 0), groups, _long_rows(seen))
    if seen is not grad_x:
        grad_x[...] = 0
        grad_x[:, :: stride[0], :: stride[1]] = seen


def _pointwise_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    direct_weight.grad_weight(_seen(x, stride), _long_rows(grad_y), (1, 1), (0, 0), groups, grad)


FORWARD: dict[str, Callable[..., None]] = {
    "direct": direct.forward,
    "images": partial(direct.forward, run=images.run),
    "winograd": _winograd_forward,
    "depthwise": _depthwise_forward,
    "pointwise": _pointwise_forward,
}
GRAD_INPUT: dict[str, Callable[..., None]] = {
    "direct": direct.grad_input,
    "images": partial(direct.grad_input, run=images.run),
    "winograd": _winograd_grad_input,
    "depthwise": _depthwise_grad_input,
    "pointwise": _pointwise_grad_input,
}
GRAD_WEIGHT: dict[str, Callable[..., None]] = {
    "direct": direct_weight.grad_weight,
    "images": images.grad_weight,
    "winograd": _winograd_grad_weight,
    "depthwise": _depthwise_grad_weight,
    "pointwise": _pointwise_grad_weight,
}
