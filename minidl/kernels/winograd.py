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

from .direct import RANGES
from .jit import jit
from .pack import blocks, pack, pack_transposed
from .parallel import parallel_for
from .simd import LANES, load_part
from .tile import tile_fma, tile_rows, tile_store, tile_zero
from .winograd_transforms import SCRATCH, transform_back, transform_filters, transform_patch

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
BLOCK_FLOATS = 80_000  # 320 KB of transformed inputs and outputs: beside the weights in a level-2 cache of 1 MiB
CACHE_FLOATS = 1 << 22  # weights beyond 16 MiB come from memory for each block, so blocks are larger then


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
    bias = np.zeros(weight.shape[0], np.float32) if bias is None else bias
    run(x, transformed(pack(weight, 1), weight.shape[3]), bias, y, (-padding[0], -padding[1]))


def grad_input(grad_y: Array, weight: Array, padding: Pair, grad_x: Array) -> None:
    """Fill `grad_x`: the convolution of `grad_y`, padded by 2 − padding, with flipped, transposed weights."""
    filters, _, _, depth = weight.shape
    packed = np.empty(blocks(depth) * 9 * filters * LANES, np.float32)
    parallel_for(
        pack_transposed, blocks(depth), 8, weight.reshape(-1), packed, filters, (3, 3), depth, (0, 0), (1, 1)
    )  # fmt: skip
    zeros = np.zeros(depth, np.float32)
    run(grad_y, transformed(packed, filters), zeros, grad_x, (padding[0] - 2, padding[1] - 2))


def transformed(packed: Array, depth: int) -> Array:
    """Return G w Gᵀ of packed weights, (36, blocks, C, 16); worth keeping where the weight does not change."""
    u = np.empty(4 * packed.size, np.float32)
    parallel_for(transform_filters, packed.size // (9 * depth * LANES), 2, packed, u, depth)
    return u


def run(x: Array, u: Array, bias: Array, y: Array, offset: Pair) -> None:
    """Fill `y`, whose pixel (0, 0) begins at pixel `offset` of x, with the convolution of transformed weights."""
    (n, oh, ow, filters), depth = y.shape, x.shape[3]
    patches = (-(-oh // 4), -(-ow // 4))
    total = n * patches[0] * patches[1]
    block = block_patches(depth, filters, total)
    y_at = (0, oh * ow * filters, ow * filters, filters)
    items = -(-total // block)
    parallel_for(
        correlate, items, max(1, -(-items // RANGES)), x.reshape(-1), u, bias, y.reshape(-1), x.shape[1:],
        y.shape[1:], offset, y_at, patches, block, total,
    )  # fmt: skip


def block_patches(channels: int, filters: int, total: int) -> int:
    """Return how many patches to transform at once, a multiple of the tile: what stays in the level-2 cache."""
    fitting = BLOCK_FLOATS // (36 * LANES * (blocks(channels) + blocks(filters)))
    least = 64 if 36 * channels * filters > CACHE_FLOATS else 16
    wanted = min(max(least, min(fitting, 64)), max(1, -(-total // 4)))
    return -(-wanted // ROWS) * ROWS
