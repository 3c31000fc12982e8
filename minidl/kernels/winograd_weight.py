"""The gradient of a 3×3 weight by the same transforms: Gᵀ [ Σ over patches of (Bᵀ x B) ⊙ (A grad_y Aᵀ) ] G.

Like the direct gradient it sums fixed chunks of patches into 36 matrices of their own and adds the chunks in order.
Where those matrices are large and the chunks few, the 36 of them are the ranges instead of the chunks.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .finish import store_turned
from .jit import jit
from .pack import blocks
from .parallel import parallel_for
from .simd import line_up, load, pointer, store, zero
from .tile import tile_fma, tile_load, tile_rows, tile_store, tile_zero
from .vector import LANES
from .winograd import BLOCK_FLOATS, CACHE_FLOATS, transform_grads, transform_inputs
from .winograd_patches import BORDER, first_place, prefetch_part
from .winograd_transforms import taps_2d

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
CHUNKS = 8
SUMS_FLOATS = 1 << 20  # 4 MiB for all chunks' matrices together, or for one round of transformed patches


@jit
def transform_both(start, stop, x, grad_y, v, d, x_size, y_size, padding, patches, block, first):
    """Transform patches first + [start, stop) of x into v and of grad_y into d: (36, blocks, `block` patches, 16)."""
    border, place = line_up(BORDER), first_place(first + start, patches)
    offset = -padding[0], -padding[1]
    transform_inputs(x, x.size, v, border, x_size, offset, place, patches, start, stop, block)
    transform_grads(grad_y, grad_y.size, d, border, y_size, (0, 0), place, patches, start, stop, block)


@jit
def add_products(start, stop, v, d, sums, at_sums, fresh, count, block, depth, filters, x, at_x, grad_y, at_y, lines):
    """sums[point] += Σ_patches v[point, patch, c] · d[point, patch, o] for points [start, stop); `fresh`: from zero on.

    With each product 1/36 of what is read next, lines[0] of x and lines[1] of grad_y, is asked for, as in `products`.
    """
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (filters + LANES - 1) // LANES
    plane_v, plane_d = (in_blocks * block + 1) * LANES, (out_blocks * block + 1) * LANES
    for point in range(start, stop):
        prefetch_part(x, at_x, lines[0], point, 0)
        prefetch_part(grad_y, at_y, lines[1], point, 0)
        for c in range(0, depth, ROWS):
            at_v = point * plane_v + c // LANES * block * LANES + c % LANES
            for o in range(out_blocks):
                to = at_sums + ((point * out_blocks + o) * in_blocks * LANES + point + c) * LANES
                at_d = point * plane_d + o * block * LANES
                tile = tile_zero(ROWS) if fresh else tile_load(ROWS, zero(), sums, to, LANES)
                for patch in range(count):
                    tile = tile_fma(tile, v, at_v + patch * LANES, 1, d, at_d + patch * LANES)
                tile_store(tile, sums, to, LANES)


@jit
def grad_chunks(start, stop, x, grad_y, sums, x_size, y_size, padding, patches, block, chunk, total):
    """Sum chunks [start, stop), each of `chunk` patches, `block` patches at a time."""
    depth, filters = x_size[2], y_size[2]
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (filters + LANES - 1) // LANES
    v, d = line_up(36 * (in_blocks * block + 1) * LANES), line_up(36 * (out_blocks * block + 1) * LANES)
    size = 36 * (out_blocks * in_blocks * LANES + 1) * LANES
    for part in range(start, stop):
        last = min((part + 1) * chunk, total)
        for first in range(part * chunk, last, block):
            count = min(block, last - first)
            transform_both(0, count, x, grad_y, v, d, x_size, y_size, padding, patches, block, first)
            image, row, _ = first_place(first + block, patches)
            at_x = (image * x_size[0] + row * 4) * x_size[1] * depth
            at_y = (image * y_size[0] + row * 4) * y_size[1] * filters
            rows = (block + patches[1] - 1) // patches[1] * 4
            lines = rows * x_size[1] * depth // LANES, rows * y_size[1] * filters // LANES
            fresh = first == part * chunk
            add_products(
                0, 36, v, d, sums, part * size, fresh, count, block, depth, filters, x, at_x, grad_y, at_y, lines
            )


@jit
def transform_sums(start, stop, sums, chunks, grad, filters, depth):
    """Add the chunks in order and apply Gᵀ · G: (chunks, 36, blocks, C padded, 16) → (O, 3, 3, C).

    An item in [start, stop) is 16 filters' 16 channels.
    """
    out_blocks, padded = (filters + LANES - 1) // LANES, (depth + LANES - 1) // LANES * LANES
    plane, square = (out_blocks * padded + 1) * LANES, LANES * LANES
    points, taps = line_up(36 * square), line_up(9 * square)
    first_grad, none = pointer(grad, 0), pointer(np.empty(0, np.float32), 0)
    for item in range(start, stop):
        block, first = item // (padded // LANES), item % (padded // LANES) * LANES
        at = (block * padded + first) * LANES
        for point in range(36):
            for c in range(0, square, LANES):
                total = load(sums, at + point * plane + c)
                for part in range(1, chunks):
                    total = total + load(sums, (part * 36 + point) * plane + at + c)
                store(points, point * square + c, total)
        for c in range(0, square, LANES):
            taps_2d(pointer(points, c), square, pointer(taps, c), square)
        channels, to = min(LANES, depth - first), block * LANES * 9 * depth + first
        for tap in range(9):
            store_turned(
                taps, tap * square, 9 * depth, none, first_grad, to + tap * depth, filters - block * LANES, channels
            )


def grad_weight(x: Array, grad_y: Array, padding: Pair, grad: Array) -> None:
    """Fill `grad` (O, 3, 3, C); arrays are float32 and contiguous."""
    (n, oh, ow, filters), depth = grad_y.shape, x.shape[3]
    patches = (-(-oh // 4), -(-ow // 4))
    total = n * patches[0] * patches[1]
    size = 36 * (blocks(filters) * blocks(depth) * LANES + 1) * LANES
    chunks = max(1, min(CHUNKS, SUMS_FLOATS // size, total // 16))
    sizes = (x.shape[1:], grad_y.shape[1:], padding, patches)
    per_patch = 36 * LANES * (blocks(depth) + blocks(filters))
    if chunks < 4:
        block = min(total, max(SUMS_FLOATS // per_patch, 128 if size > CACHE_FLOATS else 16))
        chunks, sums = 1, _by_point(x.reshape(-1), grad_y.reshape(-1), sizes, block, total, size)
    else:
        chunk = -(-total // chunks)
        chunks = -(-total // chunk)
        block = min(chunk, max(16, min(64, BLOCK_FLOATS // per_patch)))
        sums = line_up(chunks * size)
        parallel_for(
            grad_chunks, chunks, 1, x.reshape(-1), grad_y.reshape(-1), sums, *sizes, block, chunk, total
        )  # fmt: skip
    parallel_for(transform_sums, blocks(filters) * blocks(depth), 4, sums, chunks, grad.reshape(-1), filters, depth)


def _by_point(x: Array, grad_y: Array, sizes: tuple[Any, ...], block: int, total: int, size: int) -> Array:
    """Transform `block` patches, then let each range add some of the 36 products over all of them; and so on."""
    depth, filters = sizes[0][2], sizes[1][2]
    v, d = line_up(36 * (blocks(depth) * block + 1) * LANES), line_up(36 * (blocks(filters) * block + 1) * LANES)
    sums = line_up(size)
    for first in range(0, total, block):
        count = min(block, total - first)
        parallel_for(transform_both, count, 8, x, grad_y, v, d, *sizes, block, first)
        parallel_for(
            add_products, 36, 3, v, d, sums, 0, first == 0, count, block, depth, filters, x, 0, grad_y, 0, (0, 0)
        )
    return sums
