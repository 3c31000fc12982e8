"""Winograd's F(4×4, 3×3) on 16 lanewise images, where all its parts cost in proportion to the channels.

The transforms are those of ``winograd.py``, whose lanes are channels there and images here; between them a patch of 16
images is multiplied on its own, as its 36 points of all channels fit the caches, with the tile of the direct sum.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from . import winograd
from .direct import Call, grain
from .entry import DONE, Entry, Loop, arguments, entry
from .finish import Finish
from .jit import jit
from .lanewise import flat, steps
from .lanewise_edge import copy_seen, neighbour, tile_neighbour
from .lanewise_sum import call_sum, count_tiles, lay_out, part, rows_of, tiles_of
from .simd import line_up, load, pointer, spread, zero
from .tile import across, tile_store, tile_zero
from .vector import LANES
from .winograd_1d import input_1d
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
def column(x, row, top, height, blocks):
    """Return the row points of a column of a patch, the first and the last row of which may be beyond the edge."""
    above = below = zero()
    if top >= 0:
        above = load(x, top * row)
    elif blocks:
        above = neighbour(load(x, (height - 1) * row), -1, 0)
    if top + SEEN <= height:
        below = load(x, (top + SEEN - 1) * row)
    elif blocks:
        below = neighbour(load(x, 0), 1, 0)
    first = pointer(x, (top + 1) * row)
    return input_1d((above, load(first, 0), load(first, row), load(first, 2 * row), load(first, 3 * row), below))


@jit
def transform_on_edge(x, row, top, left, height, width, blocks, v, plane):
    """Store the points of a patch whose outputs are all inside, columns first, then those beyond the edge."""
    first = pointer(x, (left + 1) * LANES)
    inner = (
        column(first, row, top, height, blocks), column(pointer(first, LANES), row, top, height, blocks),
        column(pointer(first, 2 * LANES), row, top, height, blocks),
        column(pointer(first, 3 * LANES), row, top, height, blocks),
    )  # fmt: skip
    before = after = tile_zero(SEEN)
    if left >= 0:
        before = column(pointer(x, left * LANES), row, top, height, blocks)
    elif blocks:
        last = inner[3] if width == PATCH else column(pointer(x, (width - 1) * LANES), row, top, height, blocks)
        before = tile_neighbour(last, 0, -1)
    if left + SEEN <= width:
        after = column(pointer(x, (left + SEEN - 1) * LANES), row, top, height, blocks)
    elif blocks:
        after = tile_neighbour(inner[0] if width == PATCH else column(x, row, top, height, blocks), 0, 1)
    c = (before, inner[0], inner[1], inner[2], inner[3], after)
    tile_store(input_1d(across(c, 0)), v, 0, plane)
    tile_store(input_1d(across(c, 1)), v, 6 * plane, plane)
    tile_store(input_1d(across(c, 2)), v, 12 * plane, plane)
    tile_store(input_1d(across(c, 3)), v, 18 * plane, plane)
    tile_store(input_1d(across(c, 4)), v, 24 * plane, plane)
    tile_store(input_1d(across(c, 5)), v, 30 * plane, plane)


@jit
def transform(x, row, top, left, height, width, blocks, scratch, v, v_plane):
    """Store the points of the patch that begins at (top, left) of a plane whose rows are `row` floats apart."""
    first = pointer(x, top * row + left * LANES)
    if top >= 0 and left >= 0 and top + SEEN <= height and left + SEEN <= width:
        input_2d(zero(), first, row, LANES, v, v_plane)
    elif top + PATCH < height and left + PATCH < width:
        transform_on_edge(x, row, top, left, height, width, blocks, v, v_plane)
    else:
        copy_seen(x, row, top, left, SEEN, SEEN, height, width, blocks, scratch)
        input_2d(zero(), scratch, SEEN * LANES, LANES, v, v_plane)


KINDS = "ppppfp22333iii"


def correlation(patch, stride, points, transform, transform_back):
    """Return the kernel for patches of `patch` × `patch` outputs, which have so many points, with their transforms."""

    @entry(KINDS)
    def correlate(start, stop, address):
        """Convolve; an item in [start, stop) is a tile of filters of a row of patches of outputs, of all lanes."""
        (
            x, u, bias, residual, floor, y, x_steps, y_steps, tiles, x_size, y_size, v_plane, m_plane, blocks,
        ) = arguments(address, KINDS)  # fmt: skip
        in_height, in_width, depth = x_size
        height, width, filters = y_size
        scratch = line_up(points * (v_plane + m_plane + LANES))  # at once, as memory takes some 200 ns to come
        count = tiles[0]
        for line in range(start // count, (stop + count - 1) // count):
            v = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
            m, copy = pointer(v, points * v_plane), pointer(v, points * (v_plane + m_plane))
            top, first, last = line * patch, max(start - line * count, 0), min(stop - line * count, count)
            for left in range(0, width, patch):
                for c in range(depth):
                    transform(
                        pointer(x, c * x_steps[1]), x_steps[0], top * stride - 1, left * stride - 1, in_height,
                        in_width, blocks, copy, pointer(v, c * LANES), v_plane,
                    )  # fmt: skip
                for tile in range(first, last):
                    o, rows, function = part(tile, tiles, filters)
                    weights, walk = pointer(u, o * points * depth), (points, v_plane, rows * depth, m_plane)
                    call_sum(function, v, weights, m, depth, walk)
                    for k in range(rows):
                        transform_back(
                            spread(bias, o + k), pointer(m, k * LANES), m_plane, residual, floor, y,
                            top * y_steps[0] + (o + k) * y_steps[1] + left * LANES, (0, 0, y_steps[0], LANES),
                            min(patch, height - top), min(patch, width - left), LANES,
                        )  # fmt: skip
        return DONE

    return correlate


def binding(correlate: Entry, patch: int, points: int) -> Callable[..., list[Call]]:
    """Return the function that binds such a kernel."""

    def bind(
        x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array, end: Finish, blocks: bool
    ) -> list[Call]:
        """Return the call that fills y from x, both lanewise, from transformed weights: 3×3 with padding 1."""
        height, width, filters = y.shape[1:]
        depth, lines = x.shape[3], -(-height // patch)
        tiles = tiles_of(points, depth, filters)
        items, macs = lines * tiles.number, LANES * points * depth * filters * lines * -(-width // patch)
        v_plane = (depth | 1) * LANES  # odd, and so the next: points spread over the sets of a cache
        m_plane = (rows_of(tiles.number, filters) | 1) * LANES
        return [Loop(
            correlate, items, grain(items, macs), flat(x), u, bias, *end, flat(y), steps(x), steps(y), tiles,
            x.shape[1:], y.shape[1:], v_plane, m_plane, blocks,
        )]  # fmt: skip

    return bind


bind = binding(correlation(PATCH, 1, POINTS, transform, transform_back), PATCH, POINTS)
