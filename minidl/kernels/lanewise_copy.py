"""What goes into lanewise images and out of them: copies of ordinary ones, their borders, and their averages."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from .direct import Call
from .finish import store_turned
from .jit import jit
from .lanewise import first, steps
from .parallel import parallel_call
from .simd import line_up, load, load_part, pointer, store, zero
from .tile import tile_load, tile_store, tile_transpose
from .vector import LANES

Array = NDArray[Any]


@jit
def clear_border(y, top, bottom, size, row, plane):
    """Fill the border beside rows [top, bottom) of all channels with zeros, above the first and below the last too."""
    height, width, channels = size
    first_y = pointer(y, 0)
    start = -1 if top == 0 else top
    stop = plane // row - 1 if bottom == height else bottom
    for c in range(channels):
        for h in range(start, stop):
            at = c * plane + h * row
            store(first_y, at - LANES, zero())
            for w in range(width if 0 <= h < height else 0, row // LANES - 1):
                store(first_y, at + w * LANES, zero())


def clearing(y: Array) -> list[Call]:
    """Return the call that fills the border of y with zeros."""
    return [partial(clear_border, first(y), 0, y.shape[1], y.shape[1:], *steps(y.shape[1:]))]


@jit
def turn(start, stop, x, y, size, row, plane):
    """Copy rows [start, stop) of 16 ordinary images to y, 16 of an image's numbers at a time."""
    height, width, channels = size
    numbers = width * channels
    square = line_up(LANES * LANES)
    first_x, first_y = pointer(x, 0), pointer(y, 0)
    for h in range(start, stop):
        turned = pointer(square, 0)  # named in the loop, as numba frees an array after its last name
        for number in range(0, numbers, LANES):
            count = min(LANES, numbers - number)
            for image in range(LANES):
                at = (image * height + h) * numbers + number
                store(turned, image * LANES, load_part(first_x, at, count))
            tile_store(tile_transpose(tile_load(LANES, zero(), turned, 0, LANES)), turned, 0, LANES)
            for i in range(count):
                w, c = (number + i) // channels, (number + i) % channels
                store(first_y, c * plane + h * row + w * LANES, load(turned, i * LANES))


def turning(x: Array, y: Array) -> list[Call]:
    """Return the calls that copy x (16, H, W, C), an ordinary array, to y."""
    size = y.shape[1:]
    copying = parallel_call(turn, size[0], 4, x.reshape(-1), first(y), size, *steps(size))
    return [copying, *clearing(y)]


@jit
def average(start, stop, x, y, size, row, plane):
    """Global average pooling of channel blocks [start, stop) of 16 to y (16, C), ordinary."""
    height, width, channels = size
    sums = line_up(LANES * LANES)
    first_x, first_y, none = pointer(x, 0), pointer(y, 0), pointer(y[:0], 0)
    scale = 1.0 / (height * width)
    for block in range(start, stop):
        lanes = min(LANES, channels - block * LANES)
        for i in range(lanes):
            total = zero()
            for h in range(height):  # rows first: rounding errors grow with their length, not with the image
                of_row = zero()
                for w in range(width):
                    of_row = of_row + load(first_x, (block * LANES + i) * plane + h * row + w * LANES)
                total = total + of_row
            store(sums, i * LANES, scale * total)
        store_turned(sums, 0, channels, none, first_y, block * LANES, LANES, lanes)


def averaging(x: Array, y: Array) -> list[Call]:
    """Return the call that averages every image and channel of x to y (16, C), an ordinary array."""
    size = x.shape[1:]
    return [partial(average, 0, -(-size[2] // LANES), first(x), y.reshape(-1), size, *steps(size))]
