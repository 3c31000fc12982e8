"""Winograd's F(4×4, 3×3) on 16 lanewise images, where all its parts cost in proportion to the channels.

The transforms are those of ``winograd.py``, whose lanes are channels there and images here; between them a patch of 16
images is multiplied on its own, as its 36 points of all channels fit the caches, with the tile of the direct sum.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from . import winograd
from .direct import Call, grain
from .entry import DONE, Loop, arguments, entry
from .finish import Finish
from .lanewise import PATCH, first, steps
from .lanewise_copy import clear_border
from .lanewise_direct import MOST, lay_out, part, sum_filters
from .simd import line_up, pointer, spread, zero
from .vector import LANES
from .winograd_transforms import input_2d, transform_back

Array = NDArray[Any]
Pair = tuple[int, int]


def prepare(weight: Array, groups: int) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C) as the loops read it."""
    filters, _, _, depth = weight.shape
    u = winograd.prepare(weight).reshape(36, -1, depth, LANES)
    return lay_out(u.transpose(0, 2, 1, 3).reshape(36, depth, -1)[:, :, :filters])


KINDS = "ppppfpi3ii224"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is a row of patches of 4×4 outputs, of all 16 images.

    `v_steps` and `tap` never differ, but as literals they would have the sums compiled a second time.
    """
    x, u, bias, residual, floor, y, depth, size, row, plane, v_steps, tap, walk = arguments(address, KINDS)
    height, width, filters = size
    tiles = (filters + MOST - 1) // MOST
    times, v_plane, _, m_plane = walk
    points, sums = line_up(times * v_plane), line_up(times * m_plane)
    for item in range(start, stop):
        v, m = pointer(points, 0), pointer(sums, 0)  # named in the loop, as numba frees an array after its last name
        top = item * PATCH
        rows = min(PATCH, height - top)
        for left in range(0, width, PATCH):
            cols, at = min(PATCH, width - left), top * row + left * LANES
            for c in range(depth):
                patch = pointer(x, at + c * plane - row - LANES)
                input_2d(zero(), patch, row, LANES, pointer(v, c * LANES), v_plane)
            for tile in range(tiles):
                o, count = part(tile, tiles, filters)
                weights = pointer(u, o * 36 * depth)
                sum_filters(count, v, weights, m, walk, v_steps, tap, depth)  # 36 products, (O, C) · (C, images)
                for k in range(count):
                    transform_back(
                        spread(bias, o + k), pointer(m, k * LANES), m_plane, residual, floor, y,
                        at + (o + k) * plane, (0, 0, row, LANES), rows, cols, LANES,
                    )  # fmt: skip
        clear_border(y, top, top + rows, size, row, plane)
    return DONE


def bind(
    x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int, y: Array, end: Finish
) -> list[Call]:
    """Return the call that fills y from x, both lanewise, with transformed weights; for 3×3, stride 1, padding 1."""
    (height, width, filters), depth = y.shape[1:], x.shape[3]
    items = -(-height // PATCH)
    macs = LANES * 36 * depth * filters * items * -(-width // PATCH)
    walk = 36, (depth | 1) * LANES, depth, (MOST + 1) * LANES  # odd: points spread over the sets of a cache
    return [Loop(
        correlate, items, grain(items, macs), first(x), u, bias, *end, first(y), depth, y.shape[1:],
        *steps(y.shape[1:]), (0, LANES), (1, 1), walk,
    )]  # fmt: skip
