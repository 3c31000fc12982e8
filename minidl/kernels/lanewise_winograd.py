"""Winograd's F(4×4, 3×3) on 16 lanewise images, where all its parts cost in proportion to the channels.

The transforms are those of ``winograd.py``, whose lanes are channels there and images here. Patches on the edge, which
in blocks are most, are transformed from where they lie: what is beyond comes as a vector whose lanes are moved. Only
those whose outputs are not all inside are copied first.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from . import winograd
from .jit import jit
from .lanewise_edge import copy_seen, neighbour, tile_neighbour
from .lanewise_patches import binding, correlation
from .lanewise_sum import count_tiles, lay_out
from .simd import load, pointer, zero
from .tile import tile_zero
from .vector import LANES
from .winograd_1d import input_1d
from .winograd_transforms import input_2d, input_rows, transform_back

Array = NDArray[Any]

PATCH, SEEN = 4, 6  # rows of outputs, and of the inputs that they are made of
POINTS = SEEN * SEEN


def prepare(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C) as the loops read it."""
    filters, _, _, depth = weight.shape
    u = winograd.prepare(weight).reshape(POINTS, -1, depth, LANES)
    u = u.transpose(0, 2, 1, 3).reshape(POINTS, depth, -1)[:, :, :filters]
    return lay_out(u, count_tiles(POINTS, depth, filters))


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
    """Store the points of a patch whose outputs are all inside: of its columns, then of their rows."""
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
    input_rows((before, inner[0], inner[1], inner[2], inner[3], after), v, plane)


@jit
def transform(x, row, top, left, height, width, blocks, scratch, v, plane):
    """Store the points of the patch that begins at (top, left) of a plane whose rows are `row` floats apart."""
    first = pointer(x, top * row + left * LANES)
    if top >= 0 and left >= 0 and top + SEEN <= height and left + SEEN <= width:
        input_2d(zero(), first, row, LANES, v, plane)
    elif top + PATCH < height and left + PATCH < width:
        transform_on_edge(x, row, top, left, height, width, blocks, v, plane)
    else:
        copy_seen(x, row, top, left, SEEN, SEEN, height, width, blocks, scratch)
        input_2d(zero(), scratch, SEEN * LANES, LANES, v, plane)


correlate = correlation(PATCH, 1, POINTS, transform, transform_back)
bind = binding(correlate, PATCH, POINTS)
