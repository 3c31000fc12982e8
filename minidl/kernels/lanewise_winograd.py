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
from .jit import jit
from .lanewise import flat, steps
from .lanewise_edge import copy_seen
from .lanewise_sum import call_sum, count_tiles, lay_out, part, rows_of, tiles_of
from .simd import line_up, pointer, spread, zero
from .vector import LANES
from .winograd_transforms import input_2d, transform_back

Array = NDArray[Any]
Pair = tuple[int, int]

PATCH, SEEN = 4, 6  # rows of outputs, and of the inputs that they are made of
POINTS = SEEN * SEEN


def prepare(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C) as the loops read it."""
    filters, _, _, depth = weight.shape
    u = winograd.prepare(weight).reshape(POINTS, -1, depth, LANES)
    u = u.transpose(0, 2, 1, 3).reshape(POINTS, depth, -1)[:, :, :filters]
    return lay_out(u, count_tiles(*u.shape))


@jit
def transform(x, row, top, left, height, width, blocks, scratch, v, v_plane):
    """Store the points of the patch that begins at (top, left) of a plane whose rows are `row` floats apart."""
    first = pointer(x, top * row + left * LANES)
    if top < 0 or left < 0 or top + SEEN > height or left + SEEN > width:
        copy_seen(x, row, top, left, SEEN, SEEN, height, width, blocks, scratch)
        first, row = scratch, SEEN * LANES
    input_2d(zero(), first, row, LANES, v, v_plane)


KINDS = "ppppfp22i33iii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is a tile of filters of a row of patches of outputs, of all lanes."""
    (
        x, u, bias, residual, floor, y, x_steps, y_steps, depth, size, tiles, v_plane, m_plane, blocks,
    ) = arguments(address, KINDS)  # fmt: skip
    height, width, filters = size
    scratch = line_up(POINTS * (v_plane + m_plane + LANES))  # at once, as memory takes some 200 ns to come
    count = tiles[0]
    for line in range(start // count, (stop + count - 1) // count):
        v = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
        m, copy = pointer(v, POINTS * v_plane), pointer(v, POINTS * (v_plane + m_plane))
        top, first, last = line * PATCH, max(start - line * count, 0), min(stop - line * count, count)
        for left in range(0, width, PATCH):
            for c in range(depth):
                plane, to = pointer(x, c * x_steps[1]), pointer(v, c * LANES)
                transform(plane, x_steps[0], top - 1, left - 1, height, width, blocks, copy, to, v_plane)
            for tile in range(first, last):
                o, rows, function = part(tile, tiles, filters)
                weights, walk = pointer(u, o * POINTS * depth), (POINTS, v_plane, rows * depth, m_plane)
                call_sum(function, v, weights, m, depth, walk)
                for k in range(rows):
                    transform_back(
                        spread(bias, o + k), pointer(m, k * LANES), m_plane, residual, floor, y,
                        top * y_steps[0] + (o + k) * y_steps[1] + left * LANES, (0, 0, y_steps[0], LANES),
                        min(PATCH, height - top), min(PATCH, width - left), LANES,
                    )  # fmt: skip
    return DONE


def bind(
    x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array, end: Finish, blocks: bool
) -> list[Call]:
    """Return the call that fills y from x, both lanewise, from transformed weights: 3×3, stride 1, padding 1."""
    size, depth = y.shape[1:], x.shape[3]
    tiles, lines = tiles_of(POINTS, depth, size[2]), -(-size[0] // PATCH)
    items, macs = lines * tiles.number, LANES * POINTS * depth * size[2] * lines * -(-size[1] // PATCH)
    v_plane = (depth | 1) * LANES  # odd, and so the next: points spread over the sets of a cache
    m_plane = (rows_of(tiles.number, size[2]) | 1) * LANES
    return [Loop(
        correlate, items, grain(items, macs), flat(x), u, bias, *end, flat(y), steps(x), steps(y), depth, size, tiles,
        v_plane, m_plane, blocks,
    )]  # fmt: skip
