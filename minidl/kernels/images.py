"""The direct convolution of small images: the rows of a register tile are one output pixel of neighbouring *images*.

A row of 2 or 4 pixels cannot fill a tile, but a batch can; and as every pixel is visited alone, its taps outside the
image are left out instead of multiplied by zero: a 2×2 image with padding 1 needs 16 of 36 products.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .direct import Call, Geometry
from .direct_weight import add_chunks
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .pack import blocks
from .parallel import parallel_for
from .simd import line_up, load_part, store, zero
from .tile import tile_fill, tile_fma, tile_rows, tile_store, tile_zero
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
IMAGES = 64  # images in an item of work: enough to read each weight seldom, few enough to stay in the cache


ARRANGING = "ppiiiii"


@entry(ARRANGING)
def arrange(start, stop, address):
    """(N, H·W, C) → (G, blocks of 16 channels, H·W, padded images, 16), for images [start, stop), zeros past N."""
    x, arranged, pixels, channels, groups, images, padded = arguments(address, ARRANGING)
    depth = channels // groups
    in_blocks = (depth + LANES - 1) // LANES
    for image in range(start, stop):
        for group in range(groups):
            for block in range(in_blocks):
                lanes = min(LANES, depth - block * LANES)
                at = image * pixels * channels + group * depth + block * LANES
                for pixel in range(pixels):
                    to = (((group * in_blocks + block) * pixels + pixel) * padded + image) * LANES
                    if image < images:
                        store(arranged, to, load_part(x, at + pixel * channels, lanes))
                    else:
                        store(arranged, to, zero())
    return DONE


@jit
def taps_inside(pixel, stride, offset, kernel, size):
    """Return the first input position of an output position, and the range of the taps that lie in the image."""
    first = pixel * stride + offset
    return first, max(0, -first), min(kernel, size - first)


KINDS = "ppppfp332224iii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; item = (block of output channels, `IMAGES` images) over [start, stop), x as `arrange` leaves it."""
    x, weight, bias, residual, floor, y, x_size, y_size, kernel, stride, offset, y_at, groups, images, padded = (
        arguments(address, KINDS)
    )
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (out_depth + LANES - 1) // LANES
    plane = height * width * padded * LANES
    parts = (images + IMAGES - 1) // IMAGES
    for item in range(start, stop):
        block, first = item // parts, item % parts * IMAGES
        group = block // out_blocks
        channel = group * out_depth + block % out_blocks * LANES
        lanes = min(LANES, out_depth - block % out_blocks * LANES)
        bias_vector = load_part(bias, channel, lanes)
        at_block = block * kernel[0] * kernel[1] * depth * LANES
        for oh in range(out_height):
            ih, kh_first, kh_last = taps_inside(oh, stride[0], offset[0], kernel[0], height)
            for ow in range(out_width):
                iw, kw_first, kw_last = taps_inside(ow, stride[1], offset[1], kernel[1], width)
                for image in range(first, min(first + IMAGES, images), ROWS):
                    tile = tile_fill(ROWS, bias_vector)
                    for kh in range(kh_first, kh_last):
                        for kw in range(kw_first, kw_last):
                            at = group * in_blocks * plane + (((ih + kh) * width + iw + kw) * padded + image) * LANES
                            at_weight = at_block + (kh * kernel[1] + kw) * depth * LANES
                            for c_first in range(0, depth, LANES):
                                for c in range(min(LANES, depth - c_first)):
                                    tile = tile_fma(tile, x, at + c, LANES, weight, at_weight)
                                    at_weight += LANES
                                at += plane
                    to = y_at[0] + image * y_at[1] + oh * y_at[2] + ow * y_at[3] + channel
                    finish_tile(tile, residual, floor, y, to, y_at[1], images - image, lanes)
    return DONE


@jit
def grad_blocks(start, stop, x, grad_y, sums, x_size, y_size, kernel, stride, offset, groups, images, padded):
    """Sum over all images the weight's gradient; item = (block of filters, block of channels) over [start, stop)."""
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (out_depth + LANES - 1) // LANES
    plane, plane_y = height * width * padded * LANES, out_height * out_width * padded * LANES
    for item in range(start, stop):
        block, c_block = item // in_blocks, item % in_blocks
        at_x = (block // out_blocks * in_blocks + c_block) * plane
        for c in range(0, min(LANES, depth - c_block * LANES), ROWS):
            for kh in range(kernel[0]):
                for kw in range(kernel[1]):
                    tile = tile_zero(ROWS)
                    for oh in range(out_height):
                        ih, kh_first, kh_last = taps_inside(oh, stride[0], offset[0], kernel[0], height)
                        if kh_first <= kh < kh_last:
                            for ow in range(out_width):
                                iw, kw_first, kw_last = taps_inside(ow, stride[1], offset[1], kernel[1], width)
                                if kw_first <= kw < kw_last:
                                    at = at_x + ((ih + kh) * width + iw + kw) * padded * LANES + c
                                    at_y = block * plane_y + (oh * out_width + ow) * padded * LANES
                                    for _image in range(images):
                                        tile = tile_fma(tile, x, at, 1, grad_y, at_y)
                                        at += LANES
                                        at_y += LANES
                    to = ((block * kernel[0] + kh) * kernel[1] + kw) * in_blocks * LANES + c_block * LANES + c
                    tile_store(tile, sums, to * LANES, LANES)


def bind(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int, end: Finish) -> list[Call]:
    """Return the calls of `arrange` and `correlate` that fill `y`: the same contract as `direct.bind`."""
    n, filters = x.shape[0], y.shape[3]
    arrange_x, arranged, padded = _arrangement(x, groups)
    return [arrange_x, Loop(
        correlate, groups * blocks(filters // groups) * -(-n // IMAGES), 1, arranged, packed, bias, *end,
        y.reshape(-1), x.shape[1:], (*geometry.y_size, filters), geometry.kernel, geometry.stride, geometry.offset,
        geometry.y_at, groups, n, padded,
    )]  # fmt: skip


def grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    """Fill `grad` (O, KH, KW, C/G); arrays are float32 and contiguous."""
    filters, kh, kw, depth = grad.shape
    arrange_x, arranged, padded = _arrangement(x, groups)
    arrange_y, arranged_y, _ = _arrangement(grad_y, groups)
    arrange_x()
    arrange_y()
    out_blocks = groups * blocks(filters // groups)
    sums = line_up(out_blocks * kh * kw * blocks(depth) * LANES * LANES)
    parallel_for(
        grad_blocks, out_blocks * blocks(depth), 2, arranged, arranged_y, sums, x.shape[1:], grad_y.shape[1:],
        (kh, kw), stride, (-padding[0], -padding[1]), groups, x.shape[0], padded,
    )  # fmt: skip
    parallel_for(add_chunks, out_blocks, 4, sums, 1, grad.reshape(-1), filters // groups, kh * kw, depth)


def _arrangement(x: Array, groups: int) -> tuple[Call, Array, int]:
    """Return the call of `arrange`, the array that it fills, and the number of images in that."""
    n, height, width, channels = x.shape
    padded = -(-n // ROWS) * ROWS + 1  # odd: pixels spread over the cache's sets
    arranged = line_up(groups * blocks(channels // groups) * height * width * padded * LANES)
    call = Loop(arrange, padded, 16, x.reshape(-1), arranged, height * width, channels, groups, n, padded)
    return call, arranged, padded
