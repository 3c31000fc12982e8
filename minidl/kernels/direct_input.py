"""The direct convolution's input gradient: again convolutions, of the output's gradient with transposed weights."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import Bind, Geometry, bind
from .finish import finish
from .pack import blocks, pack_transposed
from .parallel import parallel_for
from .simd import line_up
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]


def grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array, bind: Bind = bind
) -> None:
    """Fill `grad_x`: for stride 1 the convolution of `grad_y` with flipped, transposed weights.

    For stride s, pixel s·i + a of x has met only the taps kh ≡ a + padding (mod s); so each of the s·s phases (a, b) of
    the pixels is a convolution of its own, of stride 1, with every s-th tap.
    """
    filters, kh, kw, depth = weight.shape
    _, height, width, channels = grad_x.shape
    zeros = np.zeros(channels, np.float32)
    count = groups * blocks(depth)
    for a in range(min(stride[0], height)):
        first_h, taps_h, offset_h, size_h = phase(a, height, kh, stride[0], padding[0])
        for b in range(min(stride[1], width)):
            first_w, taps_w, offset_w, size_w = phase(b, width, kw, stride[1], padding[1])
            if taps_h * taps_w == 0:
                grad_x[:, a :: stride[0], b :: stride[1]] = 0
                continue
            packed = line_up(count * taps_h * taps_w * filters // groups * LANES)
            parallel_for(
                pack_transposed, count, 8, weight.reshape(-1), packed, filters // groups, (kh, kw), depth,
                (first_h, first_w), stride,
            )  # fmt: skip
            row = width * channels
            y_at = (a * row + b * channels, height * row, stride[0] * row, stride[1] * channels)
            geometry = Geometry((size_h, size_w), (taps_h, taps_w), (1, 1), (offset_h, offset_w), y_at)
            for call in bind(grad_y, packed, zeros, grad_x, geometry, groups, finish()):
                call()


def phase(a: int, size: int, kernel: int, stride: int, padding: int) -> tuple[int, int, int, int]:
    """Return of the pixels stride·i + a: first tap, number of taps, where they begin in grad_y, number of pixels."""
    first = (a + padding) % stride
    taps = -(-max(0, kernel - first) // stride)
    return first, taps, (a + padding) // stride - (taps - 1), -(-(size - a) // stride)
