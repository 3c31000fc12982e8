"""Winograd's F(4×2, 3×3) on an image in blocks of 2×2: two blocks, one above the other, are a patch of outputs.

For a block alone F(2×2, 3×3) would be left, with four products an output instead of three. The eight patches have 6×4
points each. Of one channel, one of the 6 rows of points is two vectors, of 4 patches × 4 points: the four weights of
such a row, repeated for every patch, are multiplied with both, and lanes are full whatever the number of channels.

A quad (``quads.py``) of a block vector is a row of the grid of blocks, of a vector of points it is a patch.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import Call, grain
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .lanewise import flat, steps
from .lanewise_sum import call_sum, even_tiles, lay_out, own_patch, part, rows_of, sum_function, tiles_of
from .parallel import get_num_threads
from .quads import QUAD, fma_quads, in_quads, of_quads, shuffling
from .simd import line_up, load, pointer, prefetch, spread, store, zero
from .tile import most_rows, tile_load, tile_rows, tile_store, tile_transpose, tile_zero
from .vector import LANES
from .winograd_1d import filter_1d, input_1d, output_1d

Array = NDArray[Any]
Pair = tuple[int, int]

TOGETHER = 2 if tile_rows() == 8 else 1  # vectors of a channel that are summed at once
MOST = most_rows() // TOGETHER  # filters of a tile
ROWS, COLUMNS = 6, 4  # the points of a patch
G_ROWS = np.array(filter_1d.py_func(np.eye(3)), np.float32)  # type: ignore[attr-defined]  # what numba compiles
G_COLUMNS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def prepare(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C) as the loops read it: (tiles, 6, C, filters of the tile, 4), flat."""
    u = np.einsum("ik,okqc,jq->icoj", G_ROWS, weight, G_COLUMNS, optimize=True)
    return lay_out(u, even_tiles(len(weight), MOST))


# --- Lanes that change places -----------------------------------------------------------------------------------------

even_rows, odd_rows = of_quads(0, 2, 4, 6), of_quads(1, 3, 5, 7)  # of blocks, of two channels
above, below = of_quads(4, 0, 4, 2), of_quads(1, 4, 3, 4)  # each patch's neighbour, of (a, zeros)
left, right = in_quads(4, 0, 1, 2), in_quads(1, 2, 3, 4)
first_channel, second_channel = of_quads(0, 1, 4, 5), of_quads(2, 3, 6, 7)


def row_of_blocks(row: int) -> Any:
    """Return the intrinsic of (a, b) that makes a block vector of a column of pixels of all patches, a quad each.

    They are patches (P, Q) of P < 2 and Q < 4, those with Q < 2 in a; pixels (P, A, Q) come from row 2 A + `row`.
    """
    return shuffling(*[
        LANES * (q // 2) + QUAD * (q % 2 * 2 + p) + 2 * a + row for p in (0, 1) for a in (0, 1) for q in range(QUAD)
    ])  # fmt: skip


upper_row, lower_row = row_of_blocks(0), row_of_blocks(1)


# --- The transforms: Bᵀ d B of two channels, Aᵀ m A of a filter -------------------------------------------------------


@jit
def column(x, other, row, at):
    """Return the row points of column `at` / 16 of all patches: two quads of them of x, two of `other`."""
    upper, lower = (load(x, at), load(other, at)), (load(x, row + at), load(other, row + at))
    first, third = even_rows(upper[0], upper[1]), odd_rows(upper[0], upper[1])
    second, fourth = even_rows(lower[0], lower[1]), odd_rows(lower[0], lower[1])
    return input_1d((above(fourth, zero()), first, second, third, fourth, below(first, zero())))


@jit
def store_row(a, b, v):
    """Store a row of points of two channels from its two columns inside the patches."""
    before, after = left(b, zero()), right(a, zero())
    patches = tile_transpose((before - b, a + b, b - a, a - after))  # quads of points, for each column of patches
    store(v, 0, first_channel(patches[0], patches[1]))
    store(v, LANES, first_channel(patches[2], patches[3]))
    store(v, 2 * LANES, second_channel(patches[0], patches[1]))
    store(v, 3 * LANES, second_channel(patches[2], patches[3]))


@jit
def transform(x, other, row, v, plane):
    """Store the points of two channels, the rows of points `plane` apart."""
    a, b = column(x, other, row, 0), column(x, other, row, LANES)
    store_row(a[0], b[0], v)
    store_row(a[1], b[1], pointer(v, plane))
    store_row(a[2], b[2], pointer(v, 2 * plane))
    store_row(a[3], b[3], pointer(v, 3 * plane))
    store_row(a[4], b[4], pointer(v, 4 * plane))
    store_row(a[5], b[5], pointer(v, 5 * plane))


@jit
def two_columns(bias, m, plane):
    """Return the outputs of four patches from their points: two columns of vectors of patches × rows."""
    p = tile_transpose(output_1d(tile_load(6, bias, m, 0, plane)))
    middle = p[1] + bias  # it goes to both
    return p[0] + middle + p[2], middle - p[2] - p[3]


@jit
def transform_back(bias, m, plane, residual, floor, y, to, row):
    """Finish a filter's block vectors, two in a row: the outputs of its points, `plane` apart, and the bias."""
    a, b = two_columns(bias, m, plane), two_columns(bias, pointer(m, LANES), plane)
    upper, lower = (
        (upper_row(a[0], b[0]), upper_row(a[1], b[1])),
        (lower_row(a[0], b[0]), lower_row(a[1], b[1])),
    )
    finish_tile(upper, residual, floor, y, to, LANES, 2, LANES)
    finish_tile(lower, residual, floor, y, to + row, LANES, 2, LANES)


# --- The sums ---------------------------------------------------------------------------------------------------------


@functools.cache
def summing(rows: int) -> Any:
    """Return the compiled function that sums tiles of so many filters, as `lanewise_sum.summing` does, of two vectors.

    sums[o] = Σ_k x[k] · u[k, o], for the two vectors of x[k] and of sums[o].
    """

    def sum_tiles(x, u, sums, depth, times, step_x, step_u, step_sums, y, owned, step_y, row, height, width):
        for i in range(times):
            if i < owned:
                own_patch(pointer(y, i * step_y), row, height, width)
            for first in range(0, 2, TOGETHER):
                one = two = tile_zero(rows)
                for k in range(depth):
                    at = k * rows * QUAD
                    one = fma_quads(one, u, at, load(x, (2 * k + first) * LANES))
                    if TOGETHER == 2:
                        two = fma_quads(two, u, at, load(x, (2 * k + 1) * LANES))
                    if first + TOGETHER == 2:
                        for line in range(0, rows * QUAD, LANES):
                            prefetch(u, step_u + at + line, 1, 0)  # of the next time
                tile_store(one, sums, first * LANES, 2 * LANES)
                if TOGETHER == 2:
                    tile_store(two, sums, LANES, 2 * LANES)
            x, u, sums = pointer(x, step_x), pointer(u, step_u), pointer(sums, step_sums)
        return 0

    return sum_function(sum_tiles)


# --- The loop ---------------------------------------------------------------------------------------------------------

KINDS = "ppppfp22ii3iii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is a tile of filters of the image."""
    x, u, bias, residual, floor, y, x_steps, y_steps, depth, filters, tiles, v_plane, m_plane, shared = arguments(
        address, KINDS
    )
    scratch = line_up(ROWS * (v_plane + m_plane))
    for c in range(0, depth, 2):
        other = pointer(x, min(c + 1, depth - 1) * x_steps[1])
        transform(pointer(x, c * x_steps[1]), other, x_steps[0], pointer(scratch, 2 * c * LANES), v_plane)
    for tile in range(start, stop):
        v = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
        m = pointer(v, ROWS * v_plane)
        o, rows, function = part(tile, tiles, filters)
        weights, walk = pointer(u, o * depth * ROWS * COLUMNS), (ROWS, v_plane, rows * depth * COLUMNS, m_plane)
        owned = (shared, 0, y_steps[0], 2, 2 * rows)  # all filters' as one patch: they fit the queue of stores
        call_sum(function, v, weights, m, depth, walk, pointer(y, o * y_steps[1]), owned)
        for k in range(rows):
            points, to = pointer(m, 2 * k * LANES), (o + k) * y_steps[1]
            transform_back(spread(bias, o + k), points, m_plane, residual, floor, y, to, y_steps[0])
    return DONE


def bind(
    x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array, end: Finish, blocks: bool
) -> list[Call]:
    """Return the call that fills y from x, both blocks of 2×2, from transformed weights: 3×3, stride 1, padding 1."""
    depth, filters = x.shape[3], y.shape[3]
    number = even_tiles(filters, MOST)
    tiles = tiles_of(number, filters, summing)
    v_plane = (2 * (depth + depth % 2) + 1) * LANES  # odd, and so the next: points spread over the sets of a cache
    m_plane = (2 * rows_of(number, filters) + 1) * LANES
    macs = 2 * LANES * ROWS * depth * filters
    return [Loop(
        correlate, number, grain(number, macs), flat(x), u, bias, *end, flat(y), steps(x), steps(y), depth, filters,
        tiles, v_plane, m_plane, get_num_threads() > 1,
    )]  # fmt: skip
