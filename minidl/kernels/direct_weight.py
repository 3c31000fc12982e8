"""The direct gradient of a convolution's weight: the same register tile, its rows 16 input channels' halves, not pixels.

Σ over pixels of x[pixel + tap, c] · grad_y[pixel, o] is a matrix product summed over pixels. Images are cut into chunks
whose size depends on the work only; each chunk sums into a weight of its own, and these are added in a fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import LANES, RANGE_MACS, ROWS, SCRATCH_FLOATS, blocks, copy_padded
from .jit import jit
from .parallel import parallel_for
from .simd import load, store, tile_fma, tile_load, tile_store

Array = NDArray[Any]
Pair = tuple[int, int]

PARTIAL_FLOATS = 1 << 22  # 16 MiB for all chunks' weights together
CHUNKS = 16


@jit
def sum_pixels(tile, x, at_x, image_x, row_x, grad, at_grad, image_grad, rows, cols):  # type: ignore[no-untyped-def]
    """tile[c] += Σ_{image,oh,ow} x[image, oh, ow, c] · grad[image, oh, ow]; `rows` counts each image's rows."""
    for image in range(rows.size):
        for oh in range(rows[image]):
            at, at_g = at_x + oh * row_x, at_grad + oh * cols * LANES
            for ow in range(cols):
                tile = tile_fma(tile, x, at + ow * LANES, 1, grad, at_g + ow * LANES)
        at_x += image_x
        at_grad += image_grad
    return tile


@jit
def grad_chunks(start, stop, x, grad_y, partial, x_size, y_size, kernel, stride, padding, groups, band, batch, units, chunk):  # type: ignore[no-untyped-def]
    """Sum chunks [start, stop), each of `chunk` units (an image's band of output rows), `batch` units at a time."""
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    bands = (out_height + band - 1) // band
    rows, cols = (band - 1) * stride[0] + kernel[0], (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase * LANES
    plane, plane_y = rows * row, band * out_width * LANES
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (out_depth + LANES - 1) // LANES
    scratch = np.empty(batch * in_blocks * plane + LANES, np.float32)
    scratch_y = np.empty(batch * out_blocks * plane_y, np.float32)
    rows_of = np.empty(batch, np.int64)
    tap_size = in_blocks * LANES * LANES
    block_size = kernel[0] * kernel[1] * tap_size
    chunk_size = groups * out_blocks * block_size
    for part in range(start, stop):
        for i in range(part * chunk_size, (part + 1) * chunk_size, LANES):
            partial[i : i + LANES] = np.float32(0.0)
        for first_unit in range(part * chunk, min((part + 1) * chunk, units), batch):
            count = min(batch, min((part + 1) * chunk, units) - first_unit)
            for group in range(groups):
                for u in range(count):
                    image, first = (first_unit + u) // bands, (first_unit + u) % bands * band
                    rows_of[u] = min(band, out_height - first)
                    at = image * height * width * channels + group * depth
                    for c in range(in_blocks):
                        copy_padded(
                            x, at + c * LANES, min(LANES, depth - c * LANES), x_size, first * stride[0] - padding[0],
                            -padding[1], scratch, (u * in_blocks + c) * plane,
                            (rows_of[u] - 1) * stride[0] + kernel[0], cols, stride[1], phase,
                        )  # fmt: skip
                    at = image * out_height * out_width * filters + group * out_depth
                    for o in range(out_blocks):
                        copy_padded(
                            grad_y, at + o * LANES, min(LANES, out_depth - o * LANES), y_size, first, 0, scratch_y,
                            (u * out_blocks + o) * plane_y, rows_of[u], out_width, 1, out_width,
                        )  # fmt: skip
                for o in range(out_blocks):
                    for c in range(0, depth, ROWS):
                        at_block = c // LANES * plane + c % LANES
                        to = part * chunk_size + (group * out_blocks + o) * block_size + c * LANES
                        for kh in range(kernel[0]):
                            for kw in range(kernel[1]):
                                at = at_block + kh * row + (kw % stride[1] * phase + kw // stride[1]) * LANES
                                tile = tile_load(ROWS, partial, to, LANES)
                                tile = sum_pixels(
                                    tile, scratch, at, in_blocks * plane, stride[0] * row, scratch_y, o * plane_y,
                                    out_blocks * plane_y, rows_of[:count], out_width,
                                )  # fmt: skip
                                tile_store(tile, partial, to, LANES)
                                to += tap_size


@jit
def add_chunks(start, stop, partial, chunks, grad_weight, filters, taps, depth):  # type: ignore[no-untyped-def]
    """Add the chunks in order and unpack blocks [start, stop): (blocks, taps, C padded, 16) → (O, taps, C)."""
    per_group = (filters + LANES - 1) // LANES
    padded = (depth + LANES - 1) // LANES * LANES
    size = taps * padded * LANES
    chunk_size = partial.size // chunks
    for block in range(start, stop):
        group, first = block // per_group, block % per_group * LANES
        for i in range(block * size, (block + 1) * size, LANES):
            total = load(partial, i)
            for part in range(1, chunks):
                total = total + load(partial, part * chunk_size + i)
            store(partial, i, total)
        for lane in range(min(LANES, filters - first)):
            to = (group * filters + first + lane) * taps * depth
            for tap in range(taps):
                at = block * size + tap * padded * LANES + lane
                for c in range(depth):
                    grad_weight[to] = partial[at + c * LANES]
                    to += 1


def grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    """Fill `grad` (O, KH, KW, C/G); arrays are float32 and contiguous."""
    (n, height, width, channels), (_, oh, ow, filters) = x.shape, grad_y.shape
    if n == 0:
        grad[...] = 0
        return
    kernel, depth, out_depth = grad.shape[1:3], grad.shape[3], filters // groups
    row = ((ow - 1) * stride[1] + kernel[1]) * stride[0] * blocks(depth) * LANES + ow * blocks(out_depth) * LANES
    band = max(1, min(oh, SCRATCH_FLOATS // row))
    units = n * -(-oh // band)
    batch = max(1, min(units, SCRATCH_FLOATS // (row * band)))
    size = groups * blocks(out_depth) * kernel[0] * kernel[1] * blocks(depth) * LANES * LANES
    chunks = max(1, min(CHUNKS, PARTIAL_FLOATS // size, units))
    chunk = -(-units // chunks)
    chunks = -(-units // chunk)
    partial = np.empty(chunks * size, np.float32)
    parallel_for(
        grad_chunks, chunks, max(1, RANGE_MACS // (chunk * band * ow * filters * depth * kernel[0] * kernel[1])),
        x.reshape(-1), grad_y.reshape(-1), partial, x.shape[1:], grad_y.shape[1:], kernel, stride, padding, groups,
        band, batch, units, chunk,
    )  # fmt: skip
    parallel_for(
        add_chunks, groups * blocks(out_depth), 4, partial, chunks, grad.reshape(-1), out_depth,
        kernel[0] * kernel[1], depth,
    )  # fmt: skip
