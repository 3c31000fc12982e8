"""The direct convolution of few pixels: what each pixel sees is copied, so that every weight is read once for all.

With one image the weights are most of what is read, and they come from memory. Two tiles of 16 filters each are summed
at once: they share what is read of the pixels, and two streams of weights come faster than one.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .direct import Call, Geometry
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .pack import blocks
from .simd import line_up, load_part, store, zero
from .tile import tile_fma, tile_load, tile_rows, tile_store
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

HALF = max(1, tile_rows() // 2)  # two tiles of so many rows take as many registers as one of all rows
WHOLE = 2 * HALF if tile_rows() == 8 else HALF  # where tiles have 8 rows, there are registers for two of them
RANGE_FLOATS = 1 << 16  # weights that a range reads at least: long beside a dispatch


GATHERING = "pp32222ii"


@entry(GATHERING)
def gather(start, stop, address):
    """Copy what taps [start, stop) see: (N, H, W, C) → (taps, blocks of 16 channels, `padded` pixels, 16)."""
    x, seen, x_size, y_size, kernel, stride, offset, pixels, padded = arguments(address, GATHERING)
    height, width, channels = x_size
    for tap in range(start, stop):
        for pixel in range(pixels):
            image, place = pixel // (y_size[0] * y_size[1]), pixel % (y_size[0] * y_size[1])
            row = place // y_size[1] * stride[0] + offset[0] + tap // kernel[1]
            column = place % y_size[1] * stride[1] + offset[1] + tap % kernel[1]
            inside = 0 <= row < height and 0 <= column < width
            at = ((image * height + row) * width + column) * channels
            to = (tap * ((channels + LANES - 1) // LANES) * padded + pixel) * LANES
            for c in range(0, channels, LANES):
                vector = load_part(x, at + c, min(LANES, channels - c)) if inside else zero()
                store(seen, to, vector)
                to += padded * LANES
    return DONE


@jit
def sum_pair(pair, seen, at, weight, at_one, at_two, depth, step):
    """Add Σ_c seen[pixel, c] · weight[c] to two tiles, of the filters at `at_one` and `at_two`."""
    one, two = pair
    for first in range(0, depth, LANES):
        for c in range(min(LANES, depth - first)):
            one = tile_fma(one, seen, at + c, LANES, weight, at_one)
            two = tile_fma(two, seen, at + c, LANES, weight, at_two)
            at_one += LANES
            at_two += LANES
        at += step
    return one, two


@jit
def load_pair(rows, sums, at):
    """Return two tiles of so many pixels, whose sums lie side by side."""
    return tile_load(rows, zero(), sums, at, 2 * LANES), tile_load(rows, zero(), sums, at + LANES, 2 * LANES)


@jit
def add_tap(rows, sums, to, seen, at, weight, at_one, at_two, depth, step):
    """Add one tap to the sums of so many pixels."""
    one, two = sum_pair(load_pair(rows, sums, to), seen, at, weight, at_one, at_two, depth, step)
    tile_store(one, sums, to, 2 * LANES)
    tile_store(two, sums, to + LANES, 2 * LANES)


@jit
def finish_pair(pair, residual, floor, y, to, filters, pixels, lanes):
    """Finish two tiles, of `lanes` filters together."""
    finish_tile(pair[0], residual, floor, y, to, filters, pixels, min(lanes, LANES))
    if lanes > LANES:
        finish_tile(pair[1], residual, floor, y, to + LANES, filters, pixels, lanes - LANES)


KINDS = "ppppfpiiiii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; an item in [start, stop) is 32 filters of all pixels, tap by tap: the weights of one fit a cache."""
    seen, weights, bias, residual, floor, y, pixels, padded, taps, depth, filters = arguments(address, KINDS)
    step, a_tap = padded * LANES, depth * LANES
    sums = line_up(padded * 2 * LANES)
    for item in range(start, stop):
        channel = item * 2 * LANES
        lanes = min(2 * LANES, filters - channel)
        at_one = item * 2 * taps * a_tap
        at_two = at_one + taps * a_tap if lanes > LANES else at_one
        left = load_part(bias, channel, min(lanes, LANES))
        right = load_part(bias, channel + LANES, max(lanes - LANES, 0))
        for pixel in range(padded):
            store(sums, pixel * 2 * LANES, left)
            store(sums, pixel * 2 * LANES + LANES, right)
        for tap in range(taps):
            at, pixel = tap * ((depth + LANES - 1) // LANES) * step, 0
            while pixel < pixels:
                to, first = pixel * 2 * LANES, at + pixel * LANES
                if pixels - pixel <= HALF:
                    add_tap(HALF, sums, to, seen, first, weights, at_one, at_two, depth, step)
                    pixel += HALF
                else:
                    add_tap(WHOLE, sums, to, seen, first, weights, at_one, at_two, depth, step)
                    pixel += WHOLE
            at_one, at_two = at_one + a_tap, at_two + a_tap
        for pixel in range(0, pixels, HALF):
            pair = load_pair(HALF, sums, pixel * 2 * LANES)
            finish_pair(pair, residual, floor, y, pixel * filters + channel, filters, pixels - pixel, lanes)
    return DONE


def bind(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int, end: Finish) -> list[Call]:
    """Return the calls of `gather` and `correlate` that fill all of `y`; as `direct.bind`, for one group only."""
    (n, height, width, channels), filters, kernel = x.shape, y.shape[3], geometry.kernel
    pixels, taps = n * geometry.y_size[0] * geometry.y_size[1], kernel[0] * kernel[1]
    padded = -(-pixels // HALF) * HALF
    seen = line_up((taps * blocks(channels) * padded + WHOLE) * LANES)  # the last tile may reach behind the last pixel
    seen[:] = 0  # what is multiplied there for nothing takes many times as long if it is denormal
    items, weights = -(-blocks(filters) // 2), 2 * LANES * taps * channels
    copying = Loop(
        gather, taps, taps, x.reshape(-1), seen, (height, width, channels), geometry.y_size, kernel,
        geometry.stride, geometry.offset, pixels, padded,
    )  # fmt: skip
    return [copying, Loop(
        correlate, items, -(-RANGE_FLOATS // weights), seen, packed, bias, *end, y.reshape(-1), pixels,
        padded, taps, channels, filters,
    )]  # fmt: skip
