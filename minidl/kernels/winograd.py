"""Winograd's F(4×4, 3×3): sixteen outputs of a 3×3 convolution from 36 multiplications instead of 144.

y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A for each patch of 6×6 inputs and 4×4 outputs (Lavin and Gray 2016). The products ⊙, summed
over channels, are 36 matrix products. **The cache block**: a few dozen patches are transformed, multiplied with the
register tile and transformed back before the next, so that their 36 matrices never leave the caches.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import RANGES, blocks, pack_filters, pack_transposed
from .jit import jit
from .parallel import parallel_for
from .simd import LANES, load, load_part, store, store_part, tile_fma, tile_rows, tile_store, tile_zero, zero

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
BLOCK_FLOATS = 80_000  # 320 KB of transformed inputs and outputs: beside the weights in a level-2 cache of 1 MiB
CACHE_FLOATS = 1 << 22  # weights beyond 16 MiB come from memory for each block, so blocks are larger then
SCRATCH = 36 * LANES


# --- The one-dimensional transforms, on vectors of 16 channels --------------------------------------------------------


@jit
def input_1d(d):
    """Bᵀ d: 6 inputs → 6 points."""
    even, odd = d[4] - 4.0 * d[2], d[3] - 4.0 * d[1]
    even2, odd2 = d[4] - d[2], 2.0 * (d[3] - d[1])
    first, last = d[4] + 4.0 * d[0] - 5.0 * d[2], d[5] + 4.0 * d[1] - 5.0 * d[3]
    return first, even + odd, even - odd, even2 + odd2, even2 - odd2, last


@jit
def filter_1d(g):
    """G g: 3 taps → 6 points."""
    ends, ends2 = (1 / 6) * (g[0] + g[2]), (1 / 24) * g[0] + (1 / 6) * g[2]
    middle, middle2 = (1 / 6) * g[1], (1 / 12) * g[1]
    return 0.25 * g[0], (-1.0) * ends - middle, middle - ends, ends2 + middle2, ends2 - middle2, g[2]


@jit
def output_1d(m):
    """Aᵀ m: 6 points → 4 outputs."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return m[0] + even + even2, odd + 2.0 * odd2, even + 4.0 * even2, odd + 8.0 * odd2 + m[5]


# --- The two-dimensional transforms -----------------------------------------------------------------------------------


@jit
def load_6(array, at, step):
    """Load six vectors, `step` floats apart."""
    return (
        load(array, at), load(array, at + step), load(array, at + 2 * step),
        load(array, at + 3 * step), load(array, at + 4 * step), load(array, at + 5 * step),
    )  # fmt: skip


@jit
def store_6(array, at, step, values):
    """Store six vectors, `step` floats apart."""
    store(array, at, values[0])
    store(array, at + step, values[1])
    store(array, at + 2 * step, values[2])
    store(array, at + 3 * step, values[3])
    store(array, at + 4 * step, values[4])
    store(array, at + 5 * step, values[5])


@jit
def pixel(x, at, inside, lanes):
    """Return 16 channels of one pixel, zeros outside the image."""
    if not inside:
        return zero()
    if lanes == LANES:
        return load(x, at)
    return load_part(x, at, lanes)


@jit
def transform_patch(x, at, lanes, size, top, left, scratch, v, to, plane):
    """Bᵀ d B of the 6×6 patch of the image at `at` whose corner is (top, left); its 36 points go `plane` floats apart."""
    height, width, channels = size
    row = width * channels
    for j in range(6):
        inside = 0 <= left + j < width
        corner = at + top * row + (left + j) * channels
        d = (
            pixel(x, corner, inside and 0 <= top < height, lanes),
            pixel(x, corner + row, inside and 0 <= top + 1 < height, lanes),
            pixel(x, corner + 2 * row, inside and 0 <= top + 2 < height, lanes),
            pixel(x, corner + 3 * row, inside and 0 <= top + 3 < height, lanes),
            pixel(x, corner + 4 * row, inside and 0 <= top + 4 < height, lanes),
            pixel(x, corner + 5 * row, inside and 0 <= top + 5 < height, lanes),
        )
        store_6(scratch, j * LANES, 6 * LANES, input_1d(d))
    for i in range(6):
        store_6(v, to + i * 6 * plane, plane, input_1d(load_6(scratch, i * 6 * LANES, LANES)))


@jit
def transform_back(m, at, plane, scratch, y, to, y_at, rows, cols, lanes, bias):
    """Aᵀ m A + bias of 36 points `plane` floats apart: the first `rows` × `cols` of the 4×4 outputs go to y."""
    for j in range(6):
        values = output_1d(load_6(m, at + j * plane, 6 * plane))
        store(scratch, j * LANES, values[0])
        store(scratch, (6 + j) * LANES, values[1])
        store(scratch, (12 + j) * LANES, values[2])
        store(scratch, (18 + j) * LANES, values[3])
    for i in range(rows):
        values = output_1d(load_6(scratch, i * 6 * LANES, LANES))
        place = to + i * y_at[2]
        store_part(y, place, values[0] + bias, lanes)
        if cols > 1:
            store_part(y, place + y_at[3], values[1] + bias, lanes)
        if cols > 2:
            store_part(y, place + 2 * y_at[3], values[2] + bias, lanes)
        if cols > 3:
            store_part(y, place + 3 * y_at[3], values[3] + bias, lanes)


@jit
def transform_filters(start, stop, packed, u, depth):
    """G w Gᵀ: (blocks, 9, C, 16) → (36, blocks, C, 16), over [start, stop) blocks."""
    plane = packed.size // 9
    scratch = np.empty(18 * LANES, np.float32)
    tap = depth * LANES
    for block in range(start, stop):
        for c in range(depth):
            at, to = block * 9 * tap + c * LANES, (block * depth + c) * LANES
            for j in range(3):
                column = (load(packed, at + j * tap), load(packed, at + (3 + j) * tap), load(packed, at + (6 + j) * tap))
                store_6(scratch, j * LANES, 3 * LANES, filter_1d(column))
            for i in range(6):
                row = (load(scratch, i * 3 * LANES), load(scratch, (i * 3 + 1) * LANES), load(scratch, (i * 3 + 2) * LANES))
                store_6(u, to + i * 6 * plane, plane, filter_1d(row))


# --- The loop ---------------------------------------------------------------------------------------------------------


@jit
def products(v, u, m, count, block, in_blocks, out_blocks, depth):
    """36 matrix products, (patches, C) · (C, O); rows beyond `count` patches are computed and never read."""
    plane_v, plane_m = (in_blocks * block + 1) * LANES, (out_blocks * block + 1) * LANES
    for point in range(36):
        for o in range(out_blocks):
            for patch in range(0, count, ROWS):
                tile = tile_zero(ROWS)
                at, at_u = point * plane_v + patch * LANES, (point * out_blocks + o) * depth * LANES
                for first in range(0, depth, LANES):
                    for c in range(min(LANES, depth - first)):
                        tile = tile_fma(tile, v, at + c, LANES, u, at_u)
                        at_u += LANES
                    at += block * LANES
                tile_store(tile, m, point * plane_m + (o * block + patch) * LANES, LANES)


@jit
def correlate(start, stop, x, u, bias, y, x_size, y_size, offset, y_at, patches, block, total):
    """Convolve blocks [start, stop) of `block` patches each, of `total` patches in all images."""
    depth, filters = x_size[2], y_size[2]
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (filters + LANES - 1) // LANES
    plane_v, plane_m = (in_blocks * block + 1) * LANES, (out_blocks * block + 1) * LANES  # odd: spread over cache sets
    v, m = np.empty(36 * plane_v, np.float32), np.empty(36 * plane_m, np.float32)
    scratch = np.empty(SCRATCH, np.float32)
    image_x = x_size[0] * x_size[1] * depth
    per_image = patches[0] * patches[1]
    for item in range(start, stop):
        count = min(block, total - item * block)
        for patch in range(count):
            image, place = (item * block + patch) // per_image, (item * block + patch) % per_image
            top, left = place // patches[1] * 4 + offset[0], place % patches[1] * 4 + offset[1]
            for c in range(in_blocks):
                transform_patch(
                    x, image * image_x + c * LANES, min(LANES, depth - c * LANES), x_size, top, left, scratch, v,
                    (c * block + patch) * LANES, plane_v,
                )  # fmt: skip
        products(v, u, m, count, block, in_blocks, out_blocks, depth)
        for patch in range(count):
            image, place = (item * block + patch) // per_image, (item * block + patch) % per_image
            oh, ow = place // patches[1] * 4, place % patches[1] * 4
            to = image * y_at[1] + oh * y_at[2] + ow * y_at[3]
            for o in range(out_blocks):
                lanes = min(LANES, filters - o * LANES)
                transform_back(
                    m, (o * block + patch) * LANES, plane_m, scratch, y, to + o * LANES, y_at,
                    min(4, y_size[0] - oh), min(4, y_size[1] - ow), lanes, load_part(bias, o * LANES, lanes),
                )  # fmt: skip


# --- Forward and input gradient ---------------------------------------------------------------------------------------


def forward(x: Array, weight: Array, bias: Array | None, padding: Pair, y: Array) -> None:
    """Fill `y` (N, OH, OW, O); arrays are float32 and contiguous."""
    filters, _, _, depth = weight.shape
    packed = np.empty(blocks(filters) * 9 * depth * LANES, np.float32)
    parallel_for(pack_filters, blocks(filters), 8, weight.reshape(-1), packed, filters, 9, depth)
    bias = np.zeros(filters, np.float32) if bias is None else bias
    _run(x, packed, bias, y, (-padding[0], -padding[1]))


def grad_input(grad_y: Array, weight: Array, padding: Pair, grad_x: Array) -> None:
    """Fill `grad_x`: the convolution of `grad_y`, padded by 2 − padding, with flipped, transposed weights."""
    filters, _, _, depth = weight.shape
    packed = np.empty(blocks(depth) * 9 * filters * LANES, np.float32)
    parallel_for(
        pack_transposed, blocks(depth), 8, weight.reshape(-1), packed, filters, (3, 3), depth, (0, 0), (1, 1)
    )  # fmt: skip
    _run(grad_y, packed, np.zeros(depth, np.float32), grad_x, (padding[0] - 2, padding[1] - 2))


def _run(x: Array, packed: Array, bias: Array, y: Array, offset: Pair) -> None:
    (n, oh, ow, filters), depth = y.shape, x.shape[3]
    u = np.empty(4 * packed.size, np.float32)  # (36, blocks, C, 16)
    parallel_for(transform_filters, blocks(filters), 2, packed, u, depth)
    patches = (-(-oh // 4), -(-ow // 4))
    total = n * patches[0] * patches[1]
    block = block_patches(depth, filters, total)
    y_at = (0, oh * ow * filters, ow * filters, filters)
    items = -(-total // block)
    parallel_for(
        correlate, items, max(1, -(-items // RANGES)), x.reshape(-1), u, bias, y.reshape(-1), x.shape[1:], y.shape[1:], offset, y_at,
        patches, block, total,
    )  # fmt: skip


def block_patches(channels: int, filters: int, total: int) -> int:
    """Return how many patches to transform at once, a multiple of the tile: what stays in the level-2 cache."""
    fitting = BLOCK_FLOATS // (36 * LANES * (blocks(channels) + blocks(filters)))
    least = 64 if 36 * channels * filters > CACHE_FLOATS else 16
    wanted = min(max(least, min(fitting, 64)), max(1, -(-total // 4)))
    return -(-wanted // ROWS) * ROWS
