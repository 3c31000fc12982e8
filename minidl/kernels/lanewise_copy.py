"""What goes into lanewise images and out of them: copies of ordinary ones, their borders, and their averages."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .direct import Call
from .entry import DONE, Loop, arguments, entry
from .finish import store_turned
from .jit import jit
from .lanewise import Shape, first, steps
from .simd import line_up, load, load_part, pointer, store, zero
from .tile import tile_load, tile_store, tile_transpose
from .vector import LANES

Array = NDArray[Any]


@jit
def clear_border(y, top, bottom, size, row, plane):
    """Fill the border beside rows [top, bottom) of all channels with zeros, above the first and below the last too."""
    height, width, channels = size
    start = -1 if top == 0 else top
    stop = plane // row - 1 if bottom == height else bottom
    for c in range(channels):
        for h in range(start, stop):
            at = c * plane + h * row
            store(y, at - LANES, zero())
            for w in range(width if 0 <= h < height else 0, row // LANES - 1):
                store(y, at + w * LANES, zero())


CLEARING = "p3ii"


@entry(CLEARING)
def clear(start, stop, address):
    """Fill the border beside rows [start, stop) with zeros."""
    y, size, row, plane = arguments(address, CLEARING)
    clear_border(y, start, stop, size, row, plane)
    return DONE


def clearing(y: Array) -> list[Call]:
    """Return the call that fills the border of y with zeros."""
    size = y.shape[1:]
    return [Loop(clear, size[0], size[0], first(y), size, *steps(size))]


TURNING = "pp3ii"


@entry(TURNING)
def turn(start, stop, address):
    """Copy rows [start, stop) of 16 ordinary images to y, 16 of an image's numbers at a time."""
    x, y, size, row, plane = arguments(address, TURNING)
    height, width, channels = size
    numbers = width * channels
    square = line_up(LANES * LANES)
    for h in range(start, stop):
        turned = pointer(square, 0)  # named in the loop, as numba frees an array after its last name
        for number in range(0, numbers, LANES):
            count = min(LANES, numbers - number)
            for image in range(LANES):
                at = (image * height + h) * numbers + number
                store(turned, image * LANES, load_part(x, at, count))
            tile_store(tile_transpose(tile_load(LANES, zero(), turned, 0, LANES)), turned, 0, LANES)
            for i in range(count):
                w, c = (number + i) // channels, (number + i) % channels
                store(y, c * plane + h * row + w * LANES, load(turned, i * LANES))
    return DONE


def turning(x: Array, y: Array) -> list[Call]:
    """Return the calls that copy x (16, H, W, C), an ordinary array, to y."""
    size = y.shape[1:]
    copying = Loop(turn, size[0], 4, x.reshape(-1), first(y), size, *steps(size))
    return [copying, *clearing(y)]


PADDING = "pp333ii"


@entry(PADDING)
def pad(start, stop, address):
    """Fill channels [start, stop) of y, borders included; x has any strides, and lies `before` from y's first pixel."""
    x, y, x_size, x_steps, before, row, plane = arguments(address, PADDING)
    for channel in range(start, stop):
        image = pointer(y, channel * plane)
        for at in range(-row - LANES, plane - row - LANES, LANES):
            store(image, at, zero())
        if 0 <= channel - before[2] < x_size[2]:
            for h in range(x_size[0]):
                at = h * x_steps[0] + (channel - before[2]) * x_steps[2]
                to = (h + before[0]) * row + before[1] * LANES
                for w in range(x_size[1]):
                    store(image, to + w * LANES, load(x, at + w * x_steps[1]))
    return DONE


def padding(x: Array, y: Array, before: Shape) -> list[Call]:
    """Return the call that copies x, images in the lanes, into y, `before` from its first row, column and channel."""
    x_steps = tuple(step // x.itemsize for step in x.strides[1:])
    size, many = y.shape[1:], y.shape[3]
    return [Loop(pad, many, many, x[:1, :1, :1, :1], first(y), x.shape[1:], x_steps, before, *steps(size))]


AVERAGING = "ppp3ii"


@entry(AVERAGING)
def average(start, stop, address):
    """Global average pooling of channel blocks [start, stop) of 16 to y (16, C), ordinary; `none` has no elements."""
    x, y, none, size, row, plane = arguments(address, AVERAGING)
    height, width, channels = size
    sums = line_up(LANES * LANES)
    scale = 1.0 / (height * width)
    for block in range(start, stop):
        lanes = min(LANES, channels - block * LANES)
        for i in range(lanes):
            total = zero()
            for h in range(height):  # rows first: rounding errors grow with their length, not with the image
                of_row = zero()
                for w in range(width):
                    of_row = of_row + load(x, (block * LANES + i) * plane + h * row + w * LANES)
                total = total + of_row
            store(sums, i * LANES, scale * total)
        store_turned(sums, 0, channels, none, y, block * LANES, LANES, lanes)
    return DONE


def averaging(x: Array, y: Array) -> list[Call]:
    """Return the call that averages every image and channel of x to y (16, C), an ordinary array."""
    size = x.shape[1:]
    blocks = -(-size[2] // LANES)
    return [Loop(average, blocks, blocks, first(x), y.reshape(-1), y[:0], size, *steps(size))]
