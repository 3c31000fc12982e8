"""The depthwise convolution: each channel has a filter of its own, so lanes are channels and nothing is broadcast.

The scaffolding is the direct kernel's (padded scratch, tile of neighbouring pixels, phases of the input gradient); only
the step of the tile differs: tile[p] += x[pixel p] · w, lane by lane. Several filters for a channel are left to groups.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .direct import RANGES, Call, Geometry, copy_padded, grain, split
from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .pack import blocks
from .parallel import parallel_for
from .simd import fma, line_up, load, load_part, store, zero
from .tile import tile_fill, tile_fma_lanes, tile_rows, tile_sum, tile_zero
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()


@jit
def sum_taps(tile, scratch, at, weight, at_weight, kernel, row, phase, stride):
    """tile[p] += Σ_{kh,kw} scratch[pixel p moved by (kh, kw)] · weight[kh, kw], lane by lane."""
    for kh in range(kernel[0]):
        column, residue = kh * row, 0
        for _kw in range(kernel[1]):
            tile = tile_fma_lanes(tile, scratch, at + column * LANES, LANES, weight, at_weight, 0)
            at_weight += LANES
            column, residue = column + phase, residue + 1  # kw % stride · phase + kw // stride, without the divisions
            if residue == stride:
                column, residue = column + 1 - stride * phase, 0
    return tile


KINDS = "ppppfp332224i"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve bands [start, stop) of `band` output rows with weights (blocks of 16 channels, taps, 16)."""
    x, weight, bias, residual, floor, y, x_size, y_size, kernel, stride, offset, y_at, band = arguments(address, KINDS)
    height, width, channels = x_size
    out_height, out_width, _ = y_size
    bands = (out_height + band - 1) // band
    cols = (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    plane = ((band - 1) * stride[0] + kernel[0]) * row * LANES
    scratch = line_up((channels + LANES - 1) // LANES * plane + ROWS * LANES)
    for item in range(start, stop):
        image, first = item // bands, item % bands * band
        rows = min(band, out_height - first)
        copy_padded(
            x, image * height * width * channels, channels, x_size, first * stride[0] + offset[0], offset[1], scratch,
            0, plane, (rows - 1) * stride[0] + kernel[0], cols, stride[1], phase,
        )  # fmt: skip
        for channel in range(0, channels, LANES):
            lanes = min(LANES, channels - channel)
            bias_vector = load_part(bias, channel, lanes)
            for oh in range(rows):
                for i in range(0, out_width, ROWS):
                    ow = max(0, min(i, out_width - ROWS))  # the last tile overlaps its neighbour
                    at = channel // LANES * plane + (oh * stride[0] * row + ow) * LANES
                    tile = tile_fill(ROWS, bias_vector)
                    tile = sum_taps(
                        tile, scratch, at, weight, channel * kernel[0] * kernel[1], kernel, row, phase, stride[1]
                    )
                    to = y_at[0] + image * y_at[1] + (first + oh) * y_at[2] + ow * y_at[3] + channel
                    finish_tile(tile, residual, floor, y, to, y_at[3], out_width - ow, lanes)
    return DONE


@jit
def sum_pixels(x, at_x, row_x, grad, at_grad, rows, cols):
    """Σ_{oh,ow} x[oh, ow] · grad[oh, ow], lane by lane, in as many sums as a tile has rows."""
    tile, rest = tile_zero(ROWS), zero()
    for oh in range(rows):
        at = at_x + oh * row_x
        for _tile in range(cols // ROWS):
            tile = tile_fma_lanes(tile, x, at, LANES, grad, at_grad, LANES)
            at += ROWS * LANES
            at_grad += ROWS * LANES
        for _pixel in range(cols % ROWS):
            rest = fma(load(x, at), load(grad, at_grad), rest)
            at += LANES
            at_grad += LANES
    return tile_sum(tile) + rest


@jit
def grad_chunks(start, stop, x, grad_y, partial, x_size, y_size, kernel, stride, padding, images, chunk):
    """Sum chunks [start, stop) of `chunk` images each into partial (chunks, blocks of 16 channels, taps, 16)."""
    height, width, channels = x_size
    out_height, out_width, _ = y_size
    rows, cols = (out_height - 1) * stride[0] + kernel[0], (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    taps, in_blocks = kernel[0] * kernel[1], (channels + LANES - 1) // LANES
    plane, plane_y = rows * row * LANES, out_height * out_width * LANES
    scratch, scratch_y = line_up(in_blocks * plane), line_up(in_blocks * plane_y)
    for part in range(start, stop):
        at_part = part * in_blocks * taps * LANES
        partial[at_part : at_part + in_blocks * taps * LANES] = np.float32(0.0)
        for image in range(part * chunk, min((part + 1) * chunk, images)):
            at, at_y = image * height * width * channels, image * out_height * out_width * channels
            copy_padded(
                x, at, channels, x_size, -padding[0], -padding[1], scratch, 0, plane, rows, cols, stride[1], phase
            )
            copy_padded(
                grad_y, at_y, channels, y_size, 0, 0, scratch_y, 0, plane_y, out_height, out_width, 1, out_width
            )
            for block in range(in_blocks):
                for tap in range(taps):
                    kh, kw = tap // kernel[1], tap % kernel[1]
                    at = block * plane + (kh * row + kw % stride[1] * phase + kw // stride[1]) * LANES
                    to = at_part + (block * taps + tap) * LANES
                    total = sum_pixels(
                        scratch, at, stride[0] * row * LANES, scratch_y, block * plane_y, out_height, out_width
                    )
                    store(partial, to, load(partial, to) + total)


def bind(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int, end: Finish) -> list[Call]:
    """Return the call of `correlate` that fills `y`: as `direct.bind`, for one filter a channel."""
    n, channels = x.shape[0], x.shape[3]
    (oh, ow), kernel = geometry.y_size, geometry.kernel
    macs = oh * ow * kernel[0] * kernel[1] * channels
    band, _ = split(n, geometry, blocks(channels) * LANES, 1, macs)
    items = n * -(-oh // band)
    return [Loop(
        correlate, items, grain(items, n * macs), x.reshape(-1), packed, bias, *end, y.reshape(-1),
        x.shape[1:], (oh, ow, channels), kernel, geometry.stride, geometry.offset, geometry.y_at, band,
    )]  # fmt: skip


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
