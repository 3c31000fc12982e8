"""Winograd's F(4×4, 3×3): sixteen outputs of a 3×3 convolution from 36 multiplications instead of 144.

y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A for each patch of 6×6 inputs and 4×4 outputs (Lavin and Gray 2016). The products ⊙,
summed over channels, are 36 matrix products. **The cache block**: a few dozen patches are transformed, multiplied with
the register tile and transformed back before the next, so that their 36 matrices never leave the caches.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import HALF, sum_pair
from .direct import PART_MACS, Call, grain
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish
from .jit import jit
from .pack import blocks, pack
from .parallel import get_num_threads, parallel_for
from .simd import is_there, line_up, load_part, load_part_like, narrow_zero, pointer, zero
from .tile import most_rows, tile_fill, tile_fma, tile_store, tile_zero
from .vector import LANES, NARROW
from .winograd_patches import BORDER, first_place, next_place, prefetch_part
from .winograd_transforms import (
    transform_back,
    transform_filters,
    transform_filters_back,
    transform_grad,
    transform_input,
)

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = min(8, most_rows())
NARROW_ROWS = 8 if ROWS == 8 else 2 * ROWS  # what is in reach of the loads, or as many sums as of whole vectors
BLOCK_FLOATS = 80_000  # 320 KB of transformed inputs and outputs: beside the weights in a level-2 cache of 1 MiB
PAIRED_FLOATS = 1 << 20  # weights of two blocks of filters are read at once up to 4 MiB; beyond, one stream is faster
CACHED_FLOATS = 1 << 15  # inputs up to 128 KiB, such as one small image, are in a cache: nothing to ask ahead
CACHE_FLOATS = 1 << 22  # weights beyond 16 MiB come from memory for each block, so blocks are larger then


# --- The loop ---------------------------------------------------------------------------------------------------------


@jit
def sum_channels(tile, v, at, u, at_u, depth, step):
    """tile[patch] += Σ_c v[patch, c] · u[c], where blocks of 16 channels lie `step` apart."""
    for first in range(0, depth, LANES):
        for c in range(min(LANES, depth - first)):
            tile = tile_fma(tile, v, at + c, LANES, u, at_u)
            at_u += LANES
        at += step
    return tile


@jit
def multiply_few(v, u, m, point, block, depth, out_blocks, out_first, out_last):
    """The product of one point for `HALF` patches at most: two blocks of filters share what is read of the patches."""
    in_blocks, a_block = (depth + LANES - 1) // LANES, depth * LANES
    at = point * (in_blocks * block + 1) * LANES
    for o in range(out_first, out_last, 2):
        at_u, to = (point * out_blocks + o) * a_block, (point * (out_blocks * block + 1) + o * block) * LANES
        at_two = at_u + a_block if o + 1 < out_last else at_u
        pair = tile_zero(HALF), tile_zero(HALF)
        one, two = sum_pair(pair, v, at, u, at_u, at_two, depth, block * LANES)
        tile_store(one, m, to, LANES)
        if o + 1 < out_last:
            tile_store(two, m, to + block * LANES, LANES)


@jit
def products(v, u, m, count, block, depth, filters, out_first, out_last, x, at_x, x_lines, y, residual, at_y, y_lines):
    """36 products, (patches, C) · (C, O), for blocks [out_first, out_last) of 16 filters; rows beyond `count` are junk.

    Memory would be idle meanwhile, so with each product 1/36 of the lines that are read and written next is asked for.
    """
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (filters + LANES - 1) // LANES
    step = block * LANES
    for point in range(36):
        prefetch_part(x, at_x, x_lines, point, 0)
        prefetch_part(y, at_y, y_lines, point, 1)
        if is_there(residual):
            prefetch_part(residual, at_y, y_lines, point, 0)
        if count <= HALF and 36 * depth * filters <= PAIRED_FLOATS:
            multiply_few(v, u, m, point, block, depth, out_blocks, out_first, out_last)
            continue
        for o in range(out_first, out_last):
            at, at_u = point * (in_blocks * block + 1) * LANES, (point * out_blocks + o) * depth * LANES
            to = (point * (out_blocks * block + 1) + o * block) * LANES
            narrow = filters - o * LANES <= NARROW
            for _ in range(0, count, NARROW_ROWS if narrow else ROWS):
                if narrow:
                    half = tile_fill(NARROW_ROWS, narrow_zero())
                    tile_store(sum_channels(half, v, at, u, at_u, depth, step), m, to, LANES)
                    at, to = at + NARROW_ROWS * LANES, to + NARROW_ROWS * LANES
                else:
                    tile_store(sum_channels(tile_zero(ROWS), v, at, u, at_u, depth, step), m, to, LANES)
                    at, to = at + ROWS * LANES, to + ROWS * LANES


def block_transform(transform_patch):
    """Return the function that transforms patches of x from `place` on to [start, stop) of v.

    They go to (36, blocks of 16 channels, `block` patches, 16); `offset` is where the first patch of an image begins.
    """

    @jit
    def transform_block(x, floats, v, border, size, offset, place, patches, start, stop, block):
        depth, scratch = size[2], pointer(border, 0)
        in_blocks = (depth + LANES - 1) // LANES
        plane = (in_blocks * block + 1) * LANES  # odd: spread over cache sets
        first_x, first_v = pointer(x, 0), pointer(v, 0)
        for patch in range(start, stop):
            at = place[0] * size[0] * size[1] * depth
            top, left = place[1] * 4 + offset[0], place[2] * 4 + offset[1]
            for c in range(in_blocks):
                lanes, image, to = (
                    depth - c * LANES,
                    pointer(first_x, at),
                    pointer(first_v, (c * block + patch) * LANES),
                )
                if lanes > NARROW:
                    lanes = min(lanes, LANES)
                    transform_patch(zero(), image, floats - at, lanes, size, top, left, scratch, to, plane)
                else:
                    transform_patch(narrow_zero(), image, floats - at, lanes, size, top, left, scratch, to, plane)
                at += LANES
            place = next_place(place, patches)

    return transform_block


transform_inputs, transform_grads = block_transform(transform_input), block_transform(transform_grad)


@jit
def transform_block_back(m, bias, residual, floor, y, size, y_at, place, patches, count, block, out_first, out_last):
    """Finish `count` patches of y from `place` on, whose points are in m as `block_transform` arranges them."""
    filters = size[2]
    plane = ((filters + LANES - 1) // LANES * block + 1) * LANES
    first_m, first_y, biases, added = pointer(m, 0), pointer(y, 0), pointer(bias, 0), pointer(residual, 0)
    for patch in range(count):
        oh, ow = place[1] * 4, place[2] * 4
        at_y = place[0] * y_at[1] + oh * y_at[2] + ow * y_at[3]
        rows, cols = min(4, size[0] - oh), min(4, size[1] - ow)
        for o in range(out_first, out_last):
            lanes, points, to = filters - o * LANES, pointer(first_m, (o * block + patch) * LANES), at_y + o * LANES
            if lanes > NARROW:
                lanes = min(lanes, LANES)
                wide = load_part(biases, o * LANES, lanes)
                transform_back(wide, points, plane, added, floor, first_y, to, y_at, rows, cols, lanes)
            else:
                half = load_part_like(narrow_zero(), biases, o * LANES, lanes)
                transform_back(half, points, plane, added, floor, first_y, to, y_at, rows, cols, lanes)
        place = next_place(place, patches)


KINDS = "ppppfpi33242iii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; item = (`block` of the `total` patches in all images, one of `parts` of the filters) in [start, stop).

    The parts transform the same patches, each for itself, which is little beside what they multiply.
    """
    x, u, bias, residual, floor, y, floats, x_size, y_size, offset, y_at, patches, block, total, parts = arguments(
        address, KINDS
    )
    depth, filters = x_size[2], y_size[2]
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (filters + LANES - 1) // LANES
    v, m = line_up(36 * (in_blocks * block + 1) * LANES), line_up(36 * (out_blocks * block + 1) * LANES)
    border = line_up(BORDER)
    for item in range(start, stop):
        patch, part = item // parts * block, item % parts
        count, first, after = (
            min(block, total - patch),
            first_place(patch, patches),
            first_place(patch + block, patches),
        )
        out_first, out_last = part * out_blocks // parts, (part + 1) * out_blocks // parts
        transform_inputs(x, floats, v, border, x_size, offset, first, patches, 0, count, block)
        rows = (count + patches[1] - 1) // patches[1] * 4 if floats > CACHED_FLOATS else 0
        at_x = (after[0] * x_size[0] + after[1] * 4) * x_size[1] * depth
        at_y = first[0] * y_at[1] + first[1] * 4 * y_at[2]
        products(
            v, u, m, count, block, depth, filters, out_first, out_last, x, at_x, rows * x_size[1] * depth // LANES, y,
            residual, at_y, rows * y_at[2] // LANES,
        )  # fmt: skip
        transform_block_back(
            m, bias, residual, floor, y, y_size, y_at, first, patches, count, block, out_first, out_last
        )
    return DONE


# --- Forward and input gradient ---------------------------------------------------------------------------------------


def prepare(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C), (36, blocks of 16 filters, C, 16); worth keeping where it is constant."""
    filters, _, _, depth = weight.shape
    packed, u = pack(weight, 1), line_up(36 * blocks(filters) * depth * LANES)
    parallel_for(transform_filters, blocks(filters), 2, packed, u, depth)
    return u


def grad_input(grad_y: Array, weight: Array, padding: Pair, grad_x: Array) -> None:
    """Fill `grad_x`: the convolution of `grad_y`, padded by 2 − padding, with flipped, transposed weights."""
    filters, _, _, depth = weight.shape
    u = line_up(36 * blocks(depth) * filters * LANES)
    parallel_for(transform_filters_back, blocks(depth), 2, weight.reshape(-1), u, filters, depth)
    zeros, offset = np.zeros(depth, np.float32), (padding[0] - 2, padding[1] - 2)
    for call in bind(grad_y, u, zeros, grad_x, offset, finish()):
        call()


def bind(x: Array, u: Array, bias: Array, y: Array, offset: Pair, end: Finish) -> list[Call]:
    """Return the call that fills `y`, whose pixel (0, 0) begins at pixel `offset` of x, from transformed weights."""
    (n, oh, ow, filters), depth = y.shape, x.shape[3]
    patches = (-(-oh // 4), -(-ow // 4))
    total = n * patches[0] * patches[1]
    block = block_patches(depth, filters, total)
    y_at = (0, oh * ow * filters, ow * filters, filters)
    count, macs = -(-total // block), total * 36 * depth * filters
    parts = max(1, min(blocks(filters) // 2, get_num_threads(), macs // PART_MACS)) if count == 1 else 1
    items = count * parts
    return [Loop(
        correlate, items, grain(items, macs), x.reshape(-1), u, bias, *end, y.reshape(-1), x.size, x.shape[1:],
        y.shape[1:], offset, y_at, patches, block, total, parts,
    )]  # fmt: skip


def block_patches(channels: int, filters: int, total: int) -> int:
    """Return how many patches to transform at once, a multiple of the tiles: what stays in the level-2 cache."""
    fitting = BLOCK_FLOATS // (36 * LANES * (blocks(channels) + blocks(filters)))
    least = 64 if 36 * channels * filters > CACHE_FLOATS else 16
    wanted = min(max(least, min(fitting, 64)), max(1, -(-total // 4)))
    return -(-wanted // NARROW_ROWS) * NARROW_ROWS
