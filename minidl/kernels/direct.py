"""The direct convolution: a register tile of neighbouring output pixels at a time, for any kernel, stride and padding.

A band of output rows is one item of work. Its input is copied once, padded, into a scratch that stays in the level-2
cache, in blocks of 16 channels, so that a tile's pixels lie a constant 16 floats apart and no border case is left.
Forward and input gradient are this one loop; the weight's gradient is in ``direct_weight.py``.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .jit import jit
from .pack import blocks, pack, pack_transposed
from .parallel import parallel_for
from .simd import LANES, load, load_part, store, zero
from .tile import tile_fill, tile_fma, tile_rows, tile_store, tile_store_part

Array = NDArray[Any]
Pair = tuple[int, int]

ROWS = tile_rows()
SCRATCH_FLOATS = 1 << 16  # 256 KiB: beside as much output, in a common level-2 cache
RANGES = 16  # at most so many: a range allocates its scratch, and fresh memory is not free
RANGE_MACS = 1 << 22  # multiply-adds in a range at least: long beside a dispatch, short beside a layer


# --- The loop ---------------------------------------------------------------------------------------------------------


@jit
def copy_padded(x, at, depth, size, top, left, scratch, to, plane, rows, cols, stride, phase):
    """Copy `depth` channels of rows [top, top + rows) and columns [left, left + cols), zeros outside the image.

    A block of 16 channels goes to each `plane`, column j to place (j mod stride) · phase + j // stride of its row, so
    that neighbouring outputs read neighbouring places.
    """
    height, width, channels = size
    for r in range(rows):
        inside = 0 <= top + r < height
        row = at + ((top + r) * width + left) * channels
        for j in range(cols):
            place = to + (j % stride * phase + j // stride) * LANES
            source = row + j * channels
            for c in range(0, depth, LANES):
                if not (inside and 0 <= left + j < width):
                    store(scratch, place, zero())
                elif depth - c >= LANES:
                    store(scratch, place, load(x, source + c))
                else:
                    store(scratch, place, load_part(x, source + c, depth - c))
                place += plane
        to += stride * phase * LANES


@jit
def sum_taps(tile, scratch, at, weight, at_weight, kernel, row, phase, plane, depth, stride):
    """tile[p] += Σ_{kh,kw,c} scratch[pixel p moved by (kh, kw), c] · weight[kh, kw, c]."""
    for kh in range(kernel[0]):
        column, residue = kh * row, 0
        for _kw in range(kernel[1]):
            at_tap = at + column * LANES
            for first in range(0, depth, LANES):
                for c in range(min(LANES, depth - first)):
                    tile = tile_fma(tile, scratch, at_tap + c, LANES, weight, at_weight)
                    at_weight += LANES
                at_tap += plane
            column, residue = column + phase, residue + 1  # kw % stride · phase + kw // stride, without the divisions
            if residue == stride:
                column, residue = column + 1 - stride * phase, 0
    return tile


@jit
def correlate(start, stop, x, weight, bias, y, x_size, y_size, kernel, stride, offset, y_at, groups, band):
    """Convolve bands [start, stop) of `band` output rows; `y_at`: where y begins, its image, row, column strides."""
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    out_blocks = (out_depth + LANES - 1) // LANES
    bands = (out_height + band - 1) // band
    cols = (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    plane = ((band - 1) * stride[0] + kernel[0]) * row * LANES
    scratch = np.empty((depth + LANES - 1) // LANES * plane + ROWS * LANES, np.float32)
    for item in range(start, stop):
        image, first = item // bands, item % bands * band
        rows = min(band, out_height - first)
        for group in range(groups):
            at = image * height * width * channels + group * depth
            top, copied = first * stride[0] + offset[0], (rows - 1) * stride[0] + kernel[0]
            copy_padded(x, at, depth, x_size, top, offset[1], scratch, 0, plane, copied, cols, stride[1], phase)
            for block in range(out_blocks):
                channel = group * out_depth + block * LANES
                lanes = min(LANES, out_depth - block * LANES)
                at_weight = (group * out_blocks + block) * kernel[0] * kernel[1] * depth * LANES
                bias_vector = load_part(bias, channel, lanes)
                for oh in range(rows):
                    for i in range(0, out_width, ROWS):
                        ow = max(0, min(i, out_width - ROWS))  # the last tile overlaps its neighbour
                        at = (oh * stride[0] * row + ow) * LANES
                        tile = tile_fill(ROWS, bias_vector)
                        tile = sum_taps(
                            tile, scratch, at, weight, at_weight, kernel, row, phase, plane, depth, stride[1]
                        )
                        to = y_at[0] + image * y_at[1] + (first + oh) * y_at[2] + ow * y_at[3] + channel
                        if lanes == LANES and out_width >= ROWS:
                            tile_store(tile, y, to, y_at[3])
                        else:
                            tile_store_part(tile, y, to, y_at[3], out_width - ow, lanes)


# --- Forward and input gradient ---------------------------------------------------------------------------------------


class Geometry(NamedTuple):
    """Where a convolution reads and writes: output pixel (i, j) starts at input pixel (i, j)·stride + offset."""

    y_size: Pair
    kernel: Pair
    stride: Pair
    offset: Pair
    y_at: tuple[int, int, int, int]
    """Where y begins and its image, row and column strides, in floats: an input gradient fills every s-th pixel."""


class Run(Protocol):
    """Fill `y` from `x` and packed weights; `direct.run` and its relatives differ only in how."""

    def __call__(self, x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int) -> None:
        """Run."""


def run(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int) -> None:
    """Fill `y` by `correlate`."""
    n, _, _, channels = x.shape
    filters, (oh, ow), (kh, kw) = y.shape[3], geometry.y_size, geometry.kernel
    band = band_rows(n, geometry, blocks(channels // groups) * LANES)
    macs = band * ow * filters * kh * kw * channels // groups
    items = n * -(-oh // band)
    parallel_for(
        correlate, items, max(1, -(-items // RANGES), RANGE_MACS // macs), x.reshape(-1), packed, bias, y.reshape(-1),
        x.shape[1:], (oh, ow, filters), (kh, kw), geometry.stride, geometry.offset, geometry.y_at, groups, band,
    )  # fmt: skip


def band_rows(n: int, geometry: Geometry, channels: int) -> int:
    """Return how many output rows an item of work has: what fits into the scratch, and 8 items or more in all."""
    (oh, ow), (kh, kw), (sh, sw) = geometry.y_size, geometry.kernel, geometry.stride
    fitting = (SCRATCH_FLOATS // (((ow - 1) * sw + kw) * channels) - kh) // sh + 1
    return max(1, min(fitting, oh, -(-oh * n // 8)))


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, groups: int, y: Array, run: Run = run
) -> None:
    """Fill `y` with the convolution; arrays are float32 and contiguous."""
    filters, kh, kw, _ = weight.shape
    _, oh, ow, _ = y.shape
    bias = np.zeros(filters, np.float32) if bias is None else bias
    y_at = (0, oh * ow * filters, ow * filters, filters)
    geometry = Geometry((oh, ow), (kh, kw), stride, (-padding[0], -padding[1]), y_at)
    run(x, pack(weight, groups), bias, y, geometry, groups)


def grad_input(
    grad_y: Array, weight: Array, stride: Pair, padding: Pair, groups: int, grad_x: Array, run: Run = run
) -> None:
    """Fill `grad_x`: for stride 1 the convolution of `grad_y` with flipped, transposed weights.

    For stride s, pixel s·i + a of x has met only the taps kh ≡ a + padding (mod s); so each of the s·s phases (a, b) of
    the pixels is a convolution of its own, of stride 1, with every s-th tap.
    """
    filters, kh, kw, depth = weight.shape
    _, height, width, channels = grad_x.shape
    zeros = np.zeros(channels, np.float32)
    count = groups * blocks(depth)
    for a in range(min(stride[0], height)):
        first_h, taps_h, offset_h, size_h = phase(a, height, kh, stride[0], padding[0])
        for b in range(min(stride[1], width)):
            first_w, taps_w, offset_w, size_w = phase(b, width, kw, stride[1], padding[1])
            if taps_h * taps_w == 0:
                grad_x[:, a :: stride[0], b :: stride[1]] = 0
                continue
            packed = np.empty(count * taps_h * taps_w * filters // groups * LANES, np.float32)
            parallel_for(
                pack_transposed, count, 8, weight.reshape(-1), packed, filters // groups, (kh, kw), depth,
                (first_h, first_w), stride,
            )  # fmt: skip
            row = width * channels
            y_at = (a * row + b * channels, height * row, stride[0] * row, stride[1] * channels)
            geometry = Geometry((size_h, size_w), (taps_h, taps_w), (1, 1), (offset_h, offset_w), y_at)
            run(grad_y, packed, zeros, grad_x, geometry, groups)


def phase(a: int, size: int, kernel: int, stride: int, padding: int) -> tuple[int, int, int, int]:
    """Return of the pixels stride·i + a: first tap, number of taps, where they begin in grad_y, number of pixels."""
    first = (a + padding) % stride
    taps = -(-max(0, kernel - first) // stride)
    return first, taps, (a + padding) // stride - (taps - 1), -(-(size - a) // stride)
