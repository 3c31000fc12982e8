"""The depthwise convolution: each channel has a filter of its own, so lanes are channels and nothing is broadcast.

The scaffolding is the direct kernel's (padded scratch, tile of neighbouring pixels, phases of the input gradient); only
the step of the tile differs: tile[p] += x[pixel p] · w, lane by lane. Several filters for a channel are left to groups.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import RANGE_MACS, RANGES, SCRATCH_FLOATS, Geometry, copy_padded
from .jit import jit
from .pack import blocks
from .parallel import parallel_for
from .simd import LANES, fma, load, load_part, store, zero
from .tile import tile_fill, tile_fma_lanes, tile_rows, tile_store, tile_store_part, tile_sum, tile_zero

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()


@jit
def correlate(start, stop, x, weight, bias, y, x_size, y_size, kernel, stride, offset, y_at, band):
    """Convolve bands [start, stop) of `band` output rows with weights (blocks of 16 channels, taps, 16)."""
    height, width, channels = x_size
    out_height, out_width, _ = y_size
    bands = (out_height + band - 1) // band
    cols = (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    scratch = np.empty((((band - 1) * stride[0] + kernel[0]) * row + ROWS) * LANES, np.float32)
    for item in range(start, stop):
        image, first = item // bands, item % bands * band
        rows = min(band, out_height - first)
        for block in range((channels + LANES - 1) // LANES):
            channel = block * LANES
            lanes = min(LANES, channels - channel)
            copy_padded(
                x, image * height * width * channels + channel, lanes, x_size, first * stride[0] + offset[0],
                offset[1], scratch, 0, 0, (rows - 1) * stride[0] + kernel[0], cols, stride[1], phase,
            )  # fmt: skip
            bias_vector = load_part(bias, channel, lanes)
            for oh in range(rows):
                for i in range(0, out_width, ROWS):
                    ow = max(0, min(i, out_width - ROWS))  # the last tile overlaps its neighbour
                    tile = tile_fill(ROWS, bias_vector)
                    for kh in range(kernel[0]):
                        for kw in range(kernel[1]):
                            at = ((oh * stride[0] + kh) * row + kw % stride[1] * phase + kw // stride[1] + ow) * LANES
                            at_weight = ((block * kernel[0] + kh) * kernel[1] + kw) * LANES
                            tile = tile_fma_lanes(tile, scratch, at, LANES, weight, at_weight, 0)
                    to = y_at[0] + image * y_at[1] + (first + oh) * y_at[2] + ow * y_at[3] + channel
                    if lanes == LANES and out_width >= ROWS:
                        tile_store(tile, y, to, y_at[3])
                    else:
                        tile_store_part(tile, y, to, y_at[3], out_width - ow, lanes)


@jit
def grad_chunks(start, stop, x, grad_y, partial, x_size, y_size, kernel, stride, padding, images, chunk):
    """Sum chunks [start, stop) of `chunk` images each into partial (chunks, blocks of 16 channels, taps, 16)."""
    height, width, channels = x_size
    out_height, out_width, _ = y_size
    rows, cols = (out_height - 1) * stride[0] + kernel[0], (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    taps, in_blocks = kernel[0] * kernel[1], (channels + LANES - 1) // LANES
    scratch = np.empty(rows * row * LANES, np.float32)
    scratch_y = np.empty(out_height * out_width * LANES, np.float32)
    for part in range(start, stop):
        for i in range(in_blocks * taps):
            store(partial, (part * in_blocks * taps + i) * LANES, zero())
        for image in range(part * chunk, min((part + 1) * chunk, images)):
            for block in range(in_blocks):
                lanes = min(LANES, channels - block * LANES)
                copy_padded(
                    x, image * height * width * channels + block * LANES, lanes, x_size, -padding[0], -padding[1],
                    scratch, 0, 0, rows, cols, stride[1], phase,
                )  # fmt: skip
                copy_padded(
                    grad_y, image * out_height * out_width * channels + block * LANES, lanes, y_size, 0, 0,
                    scratch_y, 0, 0, out_height, out_width, 1, out_width,
                )  # fmt: skip
                for tap in range(taps):
                    kh, kw = tap // kernel[1], tap % kernel[1]
                    tile, rest = tile_zero(ROWS), zero()
                    for oh in range(out_height):
                        at = ((oh * stride[0] + kh) * row + kw % stride[1] * phase + kw // stride[1]) * LANES
                        at_y = oh * out_width * LANES
                        for _tile in range(out_width // ROWS):
                            tile = tile_fma_lanes(tile, scratch, at, LANES, scratch_y, at_y, LANES)
                            at += ROWS * LANES
                            at_y += ROWS * LANES
                        for _pixel in range(out_width % ROWS):
                            rest = fma(load(scratch, at), load(scratch_y, at_y), rest)
                            at += LANES
                            at_y += LANES
                    to = ((part * in_blocks + block) * taps + tap) * LANES
                    store(partial, to, load(partial, to) + (tile_sum(tile) + rest))


def run(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int) -> None:
    """Fill `y` by `correlate`: the same contract as `direct.run`, for one filter a channel."""
    n, channels = x.shape[0], x.shape[3]
    (oh, ow), (kh, kw), (sh, sw) = geometry.y_size, geometry.kernel, geometry.stride
    fitting = (SCRATCH_FLOATS // (((ow - 1) * sw + kw) * LANES) - kh) // sh + 1
    band = max(1, min(fitting, oh, -(-oh * n // 8)))
    items = n * -(-oh // band)
    grain = max(1, -(-items // RANGES), RANGE_MACS // (16 * band * ow * channels * kh * kw))
    parallel_for(
        correlate, items, grain, x.reshape(-1), packed, bias, y.reshape(-1), x.shape[1:], (oh, ow, channels),
        (kh, kw), (sh, sw), geometry.offset, geometry.y_at, band,
    )  # fmt: skip


def grad_weight(x: Array, grad_y: Array, stride: Pair, padding: Pair, grad: Array) -> None:
    """Fill `grad` (C, KH, KW, 1); arrays are float32 and contiguous."""
    n, (channels, kh, kw, _) = x.shape[0], grad.shape
    chunk = max(1, -(-n // RANGES))
    partial = np.empty((-(-n // chunk), blocks(channels), kh * kw, LANES), np.float32)
    parallel_for(
        grad_chunks, partial.shape[0], 1, x.reshape(-1), grad_y.reshape(-1), partial.reshape(-1), x.shape[1:],
        grad_y.shape[1:], (kh, kw), stride, padding, n, chunk,
    )  # fmt: skip
    sums = partial.sum(axis=0).transpose(0, 2, 1).reshape(-1, kh, kw, 1)  # (C padded, KH, KW, 1)
    grad[...] = sums[:channels]
