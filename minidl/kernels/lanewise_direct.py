"""The direct convolution of 16 lanewise images: the lanes are images, the rows of a register tile are filters.

A layer of 6 or 57 filters does the work of 6 or 57.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

from .direct import Call, grain
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .lanewise import flat, steps
from .lanewise_edge import copy_seen
from .lanewise_sum import call_sum, count_tiles, lay_out, part, summing, tiles_of
from .simd import line_up, load, pointer, spread
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]


def prepare(weight: Array) -> Array:
    """Return `weight` (O, KH, KW, C) as the loops read it."""
    u = weight.transpose(3, 1, 2, 0).reshape(1, -1, len(weight))
    return lay_out(u, count_tiles(1, prod(weight.shape[1:]), len(weight)))


KINDS = "ppppfp22333222i"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is a row of outputs, of all lanes."""
    (
        x, u, bias, residual, floor, y, x_steps, y_steps, tiles, x_size, y_size, kernel, stride, padding, blocks,
    ) = arguments(address, KINDS)  # fmt: skip
    in_height, in_width, depth = x_size
    _, width, filters = y_size
    taps = kernel[0] * kernel[1]
    scratch = line_up((depth * taps + filters) * LANES)
    for h in range(start, stop):
        seen = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
        sums = pointer(seen, depth * taps * LANES)
        for w in range(width):
            top, left = h * stride[0] - padding[0], w * stride[1] - padding[1]
            for c in range(depth):
                plane, to = pointer(x, c * x_steps[1]), pointer(seen, c * taps * LANES)
                copy_seen(plane, x_steps[0], top, left, kernel[0], kernel[1], in_height, in_width, blocks, to)
            for tile in range(tiles[0]):
                o, count, function = part(tile, tiles, filters)
                weights, walk = pointer(u, o * depth * taps), (1, 0, 0, 0)  # once: too short to own lines meanwhile
                call_sum(function, seen, weights, sums, depth * taps, walk, pointer(y, 0), (0, 0, 0, 0, 0))
                for k in range(count):
                    done = (load(sums, k * LANES) + spread(bias, o + k),)
                    to = h * y_steps[0] + (o + k) * y_steps[1] + w * LANES
                    finish_tile(done, residual, floor, y, to, 0, 1, LANES)
    return DONE


def bind(
    x: Array, packed: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array, end: Finish, blocks: bool
) -> list[Call]:
    """Return the call that fills y from x, both lanewise, with weights from `prepare`; for padding 0 and 1."""
    height, width, filters = y.shape[1:]
    seen = kernel[0] * kernel[1] * x.shape[3]
    tiles = tiles_of(count_tiles(1, seen, filters), filters, summing)
    macs = LANES * height * width * filters * seen
    return [Loop(
        correlate, height, grain(height, macs), flat(x), packed, bias, *end, flat(y),
        steps(x), steps(y), tiles,
        x.shape[1:], y.shape[1:], kernel, stride, padding, blocks,
    )]  # fmt: skip
