"""What goes into lanewise images and out of them: copies of ordinary ones, and their averages."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .direct import Call
from .entry import DONE, Loop, arguments, entry
from .finish import store_turned
from .jit import jit
from .lanewise import GRID, IMAGES, flat, steps
from .simd import line_up, load, load_part, pointer, store, store_part, zero
from .tile import tile_load, tile_store, tile_sum, tile_transpose
from .vector import LANES

Array = NDArray[Any]

TURNING = "pp323"


@entry(TURNING)
def turn(start, stop, address):
    """Copy rows [start, stop) to the lanes of y, 16 numbers of each at a time.

    In x the next row is `below`, and the lanes are a grid whose first rows are `down` and `right` apart.
    """
    x, y, (below, down, right), (row, plane), (_, width, channels) = arguments(address, TURNING)
    numbers = width * channels
    square = line_up(LANES * LANES)
    for h in range(start, stop):
        turned = pointer(square, 0)  # named in the loop, as numba frees an array after its last name
        for number in range(0, numbers, LANES):
            count = min(LANES, numbers - number)
            for lane in range(LANES):
                at = h * below + lane // GRID * down + lane % GRID * right + number
                store(turned, lane * LANES, load_part(x, at, count))
            tile_store(tile_transpose(tile_load(LANES, zero(), turned, 0, LANES)), turned, 0, LANES)
            for i in range(count):
                w, c = (number + i) // channels, (number + i) % channels
                store(y, h * row + c * plane + w * LANES, load(turned, i * LANES))
    return DONE


def turning(x: Array, y: Array) -> list[Call]:
    """Return the call that copies x, an ordinary array (16, H, W, C), or (1, 4·H, 4·W, C) for y's blocks, to y."""
    height, width, channels = y.shape[1:]
    row = width * channels
    distances = (row, GRID * height * row, height * row) if len(x) == IMAGES else (GRID * row, GRID * height * row, row)
    return [Loop(turn, height, 4, x.reshape(-1), flat(y), distances, steps(y), y.shape[1:])]


@jit
def plane_sum(x, row, height, width):
    """Return the sum over the pixels of a plane, whose rows are `row` floats apart."""
    total = zero()
    for h in range(height):  # rows first: rounding errors grow with their length, not with the image
        of_row = zero()
        for w in range(width):
            of_row = of_row + load(x, h * row + w * LANES)
        total = total + of_row
    return total


AVERAGING = "ppp23i"


@entry(AVERAGING)
def average(start, stop, address):
    """Average groups [start, stop) of 16 channels to y, ordinary: (16, C), or (1, C) if lanes are blocks of one image.

    `none` has no elements.
    """
    x, y, none, (row, plane), (height, width, channels), blocks = arguments(address, AVERAGING)
    sums = line_up(LANES * LANES)
    scale = 1.0 / (height * width)
    for group in range(start, stop):
        count, first = min(LANES, channels - group * LANES), group * LANES
        for i in range(count):
            of_channel = pointer(x, (first + i) * plane)
            store(sums, i * LANES, scale * plane_sum(of_channel, row, height, width))
        if blocks:
            total = tile_sum(tile_transpose(tile_load(LANES, zero(), sums, 0, LANES)))
            store_part(y, first, (1.0 / LANES) * total, count)
        else:
            store_turned(sums, 0, channels, none, y, first, LANES, count)
    return DONE


def averaging(x: Array, y: Array) -> list[Call]:
    """Return the call that averages every channel of x, 16 images or one in blocks, to y (16, C) or (1, C)."""
    groups = -(-x.shape[3] // LANES)
    return [Loop(average, groups, groups, flat(x), y.reshape(-1), y[:0], steps(x), x.shape[1:], len(y) == 1)]
