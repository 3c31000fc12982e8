"""The sums of a lanewise convolution: the lanes are images, the rows of a register tile are filters.

One vector of a pixel is multiplied with as many weights as the tile has rows, each spread over the lanes. Filters are
parted evenly among tiles, and for each number of rows there is a function of its own, compiled when a layer needs it.

Where threads share an image, the other has read what one writes anew in the next layer, and to take such a cache line
back keeps the stores of a core waiting (some 15 cycles each on an AMD Zen 4). That is hidden behind the arithmetic:
while a tile is summed point by point, it owns the lines that its outputs are going to.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .atomic import INT64
from .entry import FLOATS
from .jit import cached, jit
from .simd import own, pointer, prefetch
from .tile import most_rows, tile_fma, tile_store, tile_zero
from .vector import LANES

Array = NDArray[Any]

MOST = most_rows()
ENOUGH = 8  # rows of a tile, so that additions need not wait for one another
PATCH_COST = 256  # multiply-adds of a vector that take about as long as to own a patch of 4×4
CACHE = 768  # vectors in a level-1 cache of 48 KiB


def count_tiles(points: int, depth: int, filters: int) -> int:
    """Return in how many tiles filters are computed: one if they fit it, else an even number for two threads.

    Two also where the sums of one, at all points, would drive the inputs out of the level-1 cache, those of half not.
    """
    if filters > MOST:
        return even_tiles(filters, MOST)
    half = filters // 2
    return 2 if half >= ENOUGH and half + depth <= CACHE // points < filters + depth else 1


def even_tiles(filters: int, most: int) -> int:
    """Return in how many tiles of at most `most` filters: in one, or if possible in an even number, for two threads."""
    return 1 if filters <= most else min(filters, -(-filters // (2 * most)) * 2)


def lay_out(u: Array, tiles: int) -> Array:
    """(points, C, O, ...) → (tiles, points, C, rows of the tile, ...), flat: in the order in which loops read them."""
    return np.concatenate([tile.ravel() for tile in np.array_split(u, tiles, axis=2)])


class Tiles(NamedTuple):
    """How many tiles there are, and the addresses of the functions that sum the smaller and the larger ones."""

    number: int
    smaller: int
    larger: int


def tiles_of(number: int, filters: int, summing: Callable[[int], Any]) -> Tiles:
    """Return so many tiles of a layer, with the functions that `summing` returns for their numbers of rows."""
    return Tiles(number, summing(filters // number).address, summing(rows_of(number, filters)).address)


def rows_of(tiles: int, filters: int) -> int:
    """Return the rows of the largest of so many tiles."""
    return -(-filters // tiles)


@jit
def part(tile, tiles, filters):
    """Return the first filter of a tile, how many it has, and its function: `np.array_split` parts them so."""
    number, smaller, larger = tiles
    least, more = filters // number, filters % number
    return tile * least + min(tile, more), least + (1 if tile < more else 0), larger if tile < more else smaller


@jit
def own_patch(y, row, height, width):
    """Own the vectors of `height` × `width` pixels, the rows of which lie `row` floats apart."""
    for i in range(height):
        for j in range(width):
            own(y, i * row + j * LANES)


SIGNATURE = types.intp(FLOATS, FLOATS, FLOATS, *[types.intp] * 5, FLOATS, *[types.intp] * 5)


@functools.cache
def summing(rows: int) -> Any:
    """Return the compiled function that sums tiles of so many filters, which to numba must be a constant.

    sums[o] = Σ_k x[k] · u[k, o], `times` times, and then so much further in x, in u and in sums. Meanwhile
    `owned` patches of y, at most `times`, are owned, `step_y` apart: one each time, or evenly where a time is short.
    """

    def sum_tiles(x, u, sums, depth, times, step_x, step_u, step_sums, y, owned, step_y, row, height, width):
        pace = owned if depth * rows <= PATCH_COST else times
        done, due = 0, times - pace
        for _ in range(times):
            due += pace
            if due >= times and done < owned:
                own_patch(pointer(y, done * step_y), row, height, width)
                done, due = done + 1, due - times
            tile = tile_zero(rows)
            for k in range(depth):
                tile = tile_fma(tile, u, k * rows, 1, x, k * LANES)
                prefetch(u, step_u + k * rows, 1, 0)  # of the next time; all at once would be slower
                prefetch(x, step_x + k * LANES, 1, 0)
            tile_store(tile, sums, 0, LANES)
            x, u, sums = pointer(x, step_x), pointer(u, step_u), pointer(sums, step_sums)
        return 0

    return sum_function(sum_tiles)


def sum_function(function: Any) -> Any:
    """Compile such a function, which must be kept: with it goes the code at its address."""
    return cached(numba.cfunc, SIGNATURE)(function)


@intrinsic
def call_sum(typing: Any, function: Any, x: Any, u: Any, sums: Any, depth: Any, walk: Any, y: Any, owned: Any) -> Any:
    """``call_sum(function, x, u, sums, depth, walk, y, owned)``: call such a function.

    `walk` is the times and three steps; `owned` how many patches are owned, how far they and their rows lie apart, and
    their height and width.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        floats = ir.FloatType().as_pointer()
        kind = ir.FunctionType(INT64, [floats] * 3 + [INT64] * 5 + [floats] + [INT64] * 5)
        walks, owns = (cgutils.unpack_tuple(builder, numbers) for numbers in (args[5], args[7]))
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*args[1:5], *walks, args[6], *owns])

    four, five = types.UniTuple(types.intp, 4), types.UniTuple(types.intp, 5)
    return types.intp(types.intp, FLOATS, FLOATS, FLOATS, types.intp, four, FLOATS, five), lower
