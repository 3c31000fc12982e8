"""The compiled convolutions by name, all with one signature for each of forward, input gradient and weight gradient.

Imported when the first convolution runs, because everything below it needs numba; ``choice.py`` picks the name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import (
    columns,
    depthwise,
    direct,
    direct_input,
    direct_weight,
    images,
    lanewise_direct,
    lanewise_small,
    lanewise_stride,
    lanewise_winograd,
    winograd,
    winograd_weight,
)
from .direct import Call
from .finish import Finish
from .pack import pack

Array = NDArray[Any]
Pair = tuple[int, int]


class Forward(NamedTuple):
    """A forward convolution in two steps: what is done once for a weight, and what is bound to arrays and then called.

    prepare : (weight (O, KH, KW, C/G), groups) -> the weight as the loops read it
    bind : (x, prepared weight, bias, kernel, stride, padding, groups, y, finish) -> the calls that fill y, in order
    """

    prepare: Callable[[Array, int], Array]
    bind: Callable[[Array, Array, Array, Pair, Pair, Pair, int, Array, Finish], list[Call]]


def _direct(how: direct.Bind) -> Forward:
    def bind(
        x: Array, packed: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int, y: Array,
        end: Finish,
    ) -> list[Call]:  # fmt: skip
        return how(x, packed, bias, y, direct.geometry(y, kernel, stride, padding), groups, end)

    return Forward(pack, bind)


def _winograd_bind(
    x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int, y: Array, end: Finish
) -> list[Call]:
    return winograd.bind(x, u, bias, y, (-padding[0], -padding[1]), end)


def _winograd_grad_input(grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array) -> None:
    winograd.grad_input(grad_y, weight, padding, grad_x)


def _winograd_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    winograd_weight.grad_weight(x, grad_y, padding, grad)


def _depthwise_grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array
) -> None:
    one_filter = np.ascontiguousarray(weight.transpose(3, 1, 2, 0))  # (1, KH, KW, C)
    direct_input.grad_input(grad_y, one_filter, stride, padding, 1, grad_x, depthwise.bind)


def _depthwise_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    depthwise.grad_weight(x, grad_y, stride, padding, grad)


# --- 1×1: every pixel alone, so that pixels of all rows and images are one long row, cut as the tile likes it ---------


def _long_rows(x: Array) -> Array:
    """(N, H, W, C) → (1, rows, pixels, C): few pixels in one row, many in rows that make tiles without a rest."""
    n, height, width, channels = x.shape
    pixels = n * height * width
    in_row = pixels if pixels <= 64 else math.gcd(pixels, 64)
    return x.reshape(1, -1, in_row if in_row >= 8 or 0 < pixels < 8 else max(width, 1), channels)


def _pointwise_bind(
    x: Array, packed: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int, y: Array, end: Finish
) -> list[Call]:
    seen, copying = x, []
    if stride != (1, 1):
        seen = np.empty((*y.shape[:3], x.shape[3]), np.float32)
        copying = [partial(np.copyto, seen, x[:, :: stride[0], :: stride[1]])]
    rows, long_y = _long_rows(seen), _long_rows(y)
    return copying + direct.bind(
        rows, packed, bias, long_y, direct.geometry(long_y, (1, 1), (1, 1), (0, 0)), groups, end
    )


def _pointwise_grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array
) -> None:
    seen = grad_x if stride == (1, 1) else np.empty((*grad_y.shape[:3], grad_x.shape[3]), np.float32)
    direct_input.grad_input(_long_rows(grad_y), weight, (1, 1), (0, 0), groups, _long_rows(seen))
    if seen is not grad_x:
        grad_x[...] = 0
        grad_x[:, :: stride[0], :: stride[1]] = seen


def _pointwise_grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    seen = np.ascontiguousarray(x[:, :: stride[0], :: stride[1]])
    direct_weight.grad_weight(_long_rows(seen), _long_rows(grad_y), (1, 1), (0, 0), groups, grad)


FORWARD = {
    "direct": _direct(direct.bind),
    "images": _direct(images.bind),
    "winograd": Forward(lambda weight, groups: winograd.prepare(weight), _winograd_bind),
    "depthwise": _direct(depthwise.bind)._replace(prepare=lambda weight, groups: pack(weight, 1)),
    "pointwise": Forward(pack, _pointwise_bind),
    "columns": _direct(columns.bind),
}


class Lanewise(NamedTuple):
    """The same for lanewise images, or if `blocks` one in blocks.

    prepare : weight (O, KH, KW, C) -> the weight as the loops read it
    bind : (x, prepared weight, bias, kernel, stride, padding, y, finish, blocks) -> the calls that fill y, in order
    """

    prepare: Callable[[Array], Array]
    bind: Callable[[Array, Array, Array, Pair, Pair, Pair, Array, Finish, bool], list[Call]]


LANEWISE = {
    "direct": Lanewise(lanewise_direct.prepare, lanewise_direct.bind),
    "winograd": Lanewise(lanewise_winograd.prepare, lanewise_winograd.bind),
    "stride": Lanewise(lanewise_stride.prepare, lanewise_stride.bind),
    "small": Lanewise(lanewise_small.prepare, lanewise_small.bind),
}
GRAD_INPUT: dict[str, Callable[..., None]] = {
    "direct": direct_input.grad_input,
    "images": partial(direct_input.grad_input, bind=images.bind),
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
