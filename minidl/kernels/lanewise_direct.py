"""The direct convolution of 16 lanewise images: the lanes are images, the rows of a register tile are filters.

One vector of a pixel is multiplied with as many weights as the tile has rows, each spread over the lanes, so a layer
of 6 or 57 filters does the work of 6 or 57. Winograd's 36 products are this loop too, over a kernel of one tap.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import Call, grain
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .lanewise import first, steps
from .lanewise_copy import clear_border
from .simd import line_up, load, pointer, prefetch, spread
from .tile import tile_fma, tile_rows, tile_store, tile_zero
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

MOST = {8: 8, 4: 6, 2: 2}[tile_rows()]  # rows of a tile: with a vector and a weight they fit the registers
LEAST = (MOST + 1) // 2  # filters are parted evenly, so tiles have no fewer rows but where these are all


@jit
def part(tile, tiles, filters):
    """Return the first filter of a tile, and how many it has: `np.array_split` parts them so."""
    least, more = filters // tiles, filters % tiles
    return tile * least + min(tile, more), least + (1 if tile < more else 0)


def lay_out(u: Array) -> Array:
    """(taps, C, O) → (tiles, taps, C, rows of the tile), flat: in the order in which the loops read them."""
    tiles = np.array_split(u, -(-u.shape[2] // MOST), axis=2)
    lacking = max(0, LEAST - tiles[0].shape[2])
    return np.concatenate([np.pad(tile, ((0, 0), (0, 0), (0, lacking))).ravel() for tile in tiles])


def prepare(weight: Array, groups: int) -> Array:
    """Return `weight` (O, KH, KW, C) as the loops read it."""
    filters, kh, kw, depth = weight.shape
    return lay_out(weight.reshape(filters, kh * kw, depth).transpose(1, 2, 0))


def sum_exactly(rows):
    """Return the function that sums tiles of so many filters, which to numba must be a constant.

    sums[o] = Σ_{kh,kw,c} x[c, kh, kw] · u[kh, kw, c, o]. `walk`: how many times, and how much further on each time in
    x, in u (counted in weights of all the filters) and in sums.
    """

    @jit
    def sum_tiles(count, x, u, sums, walk, x_steps, kernel, depth):
        times, step_x, step_u, step_sums = walk
        at_x, at_u, to = 0, 0, 0
        for _ in range(times):
            tile, at_tap = tile_zero(rows), at_u
            for kh in range(kernel[0]):
                for kw in range(kernel[1]):
                    at = at_x + kh * x_steps[0] + kw * LANES
                    for _c in range(depth):
                        tile = tile_fma(tile, u, at_tap, 1, x, at)
                        prefetch(u, at_tap + step_u * rows, 0)  # of the next time; all at once would be slower
                        at += x_steps[1]
                        at_tap += rows
            tile_store(tile, sums, to, LANES)
            at_x, at_u, to = at_x + step_x, at_u + step_u * rows, to + step_sums

    return sum_tiles


def sum_up_to(rows):
    """Return the function that sums tiles of `count` filters, from `LEAST` to so many."""
    exactly = sum_exactly(rows)
    if rows == LEAST:
        return exactly
    fewer = sum_up_to(rows - 1)

    @jit
    def sum_tiles(count, x, u, sums, walk, x_steps, kernel, depth):
        if count == rows:
            exactly(count, x, u, sums, walk, x_steps, kernel, depth)
        else:
            fewer(count, x, u, sums, walk, x_steps, kernel, depth)

    return sum_tiles


sum_filters = sum_up_to(MOST)


KINDS = "ppppfpi2322224"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is a row of outputs, of all 16 images."""
    x, u, bias, residual, floor, y, depth, x_steps, y_size, y_steps, kernel, stride, padding, walk = arguments(
        address, KINDS
    )
    _, width, filters = y_size
    scratch, tiles = line_up(width * MOST * LANES), (filters + MOST - 1) // MOST
    for h in range(start, stop):
        sums = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
        seen = pointer(x, (h * stride[0] - padding[0]) * x_steps[0] - padding[1] * LANES)
        for tile in range(tiles):
            o, count = part(tile, tiles, filters)
            weights = pointer(u, o * kernel[0] * kernel[1] * depth)
            sum_filters(count, seen, weights, sums, walk, x_steps, kernel, depth)
            for k in range(count):
                to, added_bias = (o + k) * y_steps[1] + h * y_steps[0], spread(bias, o + k)
                for w in range(width):
                    done = (load(sums, (w * MOST + k) * LANES) + added_bias,)
                    finish_tile(done, residual, floor, y, to + w * LANES, 0, 1, LANES)
    clear_border(y, start, stop, y_size, y_steps[0], y_steps[1])
    return DONE


def bind(
    x: Array, packed: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, groups: int, y: Array, end: Finish
) -> list[Call]:
    """Return the call that fills y from x, both lanewise, with weights from `prepare`; for padding 0 and 1."""
    (height, width, filters), depth = y.shape[1:], x.shape[3]
    macs = LANES * height * width * filters * kernel[0] * kernel[1] * depth
    walk = width, stride[1] * LANES, 0, MOST * LANES
    return [Loop(
        correlate, height, grain(height, macs), first(x), packed, bias, *end, first(y), depth,
        steps(x.shape[1:]), (height, width, filters), steps(y.shape[1:]), kernel, stride, padding, walk,
    )]  # fmt: skip
