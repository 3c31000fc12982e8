"""The direct gradient of a convolution's weight: the same register tile, its rows input channels instead of pixels.

Σ over pixels of x[pixel + tap, c] · grad_y[pixel, o] is a matrix product summed over pixels. Images are cut into chunks
whose size depends on the work only; each chunk sums into a weight of its own, and these are added in a fixed order.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import RANGE_MACS, SCRATCH_FLOATS, copy_padded
from .finish import store_turned
from .jit import jit
from .pack import blocks
from .parallel import parallel_for
from .simd import line_up, load, pointer, store, zero
from .tile import tile_fma, tile_load, tile_rows, tile_store
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
CHUNKS = 16
PARTIAL_FLOATS = 1 << 22  # 16 MiB for all chunks' weights together


@jit
def sum_pixels(tile, x, at_x, image_x, row_x, grad, at_grad, image_grad, rows, cols):
    """tile[c] += Σ_{unit,oh,ow} x[unit, oh, ow, c] · grad[unit, oh, ow]; `rows` counts each unit's rows."""
    for unit in range(rows.size):
        for oh in range(rows[unit]):
            at, at_g = at_x + oh * row_x, at_grad + oh * cols * LANES
            for ow in range(cols):
                tile = tile_fma(tile, x, at + ow * LANES, 1, grad, at_g + ow * LANES)
        at_x += image_x
        at_grad += image_grad
    return tile


@jit
def add_units(sums, at_sums, x, grad, rows, kernel, stride, depth, out_depth, out_width, row, phase, plane, plane_y):
    """sums[o, kh, kw, c] += the products of all units in the scratches x and grad."""
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (out_depth + LANES - 1) // LANES
    tap = in_blocks * LANES * LANES
    for o in range(out_blocks):
        for c in range(0, depth, ROWS):
            at_block = c // LANES * plane + c % LANES
            to = at_sums + o * kernel[0] * kernel[1] * tap + c * LANES
            for kh in range(kernel[0]):
                for kw in range(kernel[1]):
                    at = at_block + (kh * row + kw % stride[1] * phase + kw // stride[1]) * LANES
                    tile = tile_load(ROWS, zero(), sums, to, LANES)
                    tile = sum_pixels(
                        tile, x, at, in_blocks * plane, stride[0] * row * LANES, grad, o * plane_y,
                        out_blocks * plane_y, rows, out_width,
                    )  # fmt: skip
                    tile_store(tile, sums, to, LANES)
                    to += tap


@jit
def grad_chunks(
    start, stop, x, grad_y, partial, x_size, y_size, kernel, stride, padding, groups, band, batch, units, chunk
):
    """Sum chunks [start, stop), each of `chunk` units (an image's band of output rows), `batch` units at a time."""
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    in_blocks, out_blocks = (depth + LANES - 1) // LANES, (out_depth + LANES - 1) // LANES
    bands = (out_height + band - 1) // band
    cols = (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    plane = ((band - 1) * stride[0] + kernel[0]) * row * LANES
    plane_y = band * out_width * LANES
    scratch, scratch_y = line_up(batch * in_blocks * plane + LANES), line_up(batch * out_blocks * plane_y)
    rows = np.empty(batch, np.int64)
    group_size = out_blocks * kernel[0] * kernel[1] * in_blocks * LANES * LANES
    for part in range(start, stop):
        at_part, last = part * groups * group_size, min((part + 1) * chunk, units)
        partial[at_part : at_part + groups * group_size] = np.float32(0.0)
        for first_unit in range(part * chunk, last, batch):
            count = min(batch, last - first_unit)
            for group in range(groups):
                for u in range(count):
                    image, first = (first_unit + u) // bands, (first_unit + u) % bands * band
                    rows[u] = min(band, out_height - first)
                    copy_padded(
                        x, image * height * width * channels + group * depth, depth, x_size,
                        first * stride[0] - padding[0], -padding[1], scratch, u * in_blocks * plane, plane,
                        (rows[u] - 1) * stride[0] + kernel[0], cols, stride[1], phase,
                    )  # fmt: skip
                    copy_padded(
                        grad_y, image * out_height * out_width * filters + group * out_depth, out_depth, y_size,
                        first, 0, scratch_y, u * out_blocks * plane_y, plane_y, rows[u], out_width, 1, out_width,
                    )  # fmt: skip
                add_units(
                    partial, at_part + group * group_size, scratch, scratch_y, rows[:count], kernel, stride, depth,
                    out_depth, out_width, row, phase, plane, plane_y,
                )  # fmt: skip


@jit
def add_chunks(start, stop, partial, chunks, grad_weight, filters, taps, depth):
    """Add the chunks in order and unpack blocks [start, stop): (blocks, taps, C padded, 16) → (O, taps, C)."""
    per_group = (filters + LANES - 1) // LANES
    padded = (depth + LANES - 1) // LANES * LANES
    size = taps * padded * LANES
    chunk_size = partial.size // chunks
    first_grad, none = pointer(grad_weight, 0), pointer(np.empty(0, np.float32), 0)
    for block in range(start, stop):
        group, first = block // per_group, block % per_group * LANES
        for i in range(block * size, (block + 1) * size, LANES):
            total = load(partial, i)
            for part in range(1, chunks):
                total = total + load(partial, part * chunk_size + i)
            store(partial, i, total)
        for tap in range(taps):
            for c in range(0, depth, LANES):
                at, to = block * size + (tap * padded + c) * LANES, ((group * filters + first) * taps + tap) * depth + c
                store_turned(partial, at, taps * depth, none, first_grad, to, filters - first, min(LANES, depth - c))


def grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, groups: int, grad: Array) -> None:
    """Fill `grad` (O, KH, KW, C/G); arrays are float32 and contiguous, with one image or more."""
    n, oh, ow, filters = grad_y.shape
    kernel, depth, out_depth = grad.shape[1:3], grad.shape[3], filters // groups
    row = ((ow - 1) * stride[1] + kernel[1]) * stride[0] * blocks(depth) * LANES + ow * blocks(out_depth) * LANES
    band = max(1, min(oh, SCRATCH_FLOATS // row))
    units = n * -(-oh // band)
    batch = max(1, min(units, SCRATCH_FLOATS // (row * band)))
    size = groups * blocks(out_depth) * kernel[0] * kernel[1] * blocks(depth) * LANES * LANES
    chunk = -(-units // max(1, min(CHUNKS, PARTIAL_FLOATS // size, units)))
    chunks = -(-units // chunk)
    partial = line_up(chunks * size)
    macs = chunk * band * ow * filters * depth * kernel[0] * kernel[1]
    parallel_for(
        grad_chunks, chunks, max(1, RANGE_MACS // macs), x.reshape(-1), grad_y.reshape(-1), partial, x.shape[1:],
        grad_y.shape[1:], kernel, stride, padding, groups, band, batch, units, chunk,
    )  # fmt: skip
    parallel_for(
        add_chunks, groups * blocks(out_depth), 4, partial, chunks, grad.reshape(-1), out_depth,
        kernel[0] * kernel[1], depth,
    )  # fmt: skip
