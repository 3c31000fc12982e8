"""The direct convolution: a register tile of neighbouring output pixels at a time, for any kernel, stride and padding.

A band of output rows is one item of work. Its input is copied once, padded, into a scratch that stays in the level-2
cache, in blocks of 16 channels, so that a tile's pixels lie a constant 16 floats apart and no border case is left.
Forward and input gradient are this one loop; the weight's gradient is in ``direct_weight.py``.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from .entry import DONE, Loop, arguments, entry
from .finish import Finish, finish_tile
from .jit import jit
from .pack import blocks
from .parallel import get_num_threads
from .simd import line_up, load, load_part, load_part_like, narrow_zero, store, zero
from .tile import tile_fill, tile_fma, tile_rows
from .vector import LANES, NARROW

Array = NDArray[Any]
Pair = tuple[int, int]
Call = Callable[[], object]

ROWS = tile_rows()
SCRATCH_FLOATS = 1 << 16  # 256 KiB: beside as much output, in a common level-2 cache
RANGES = 16  # at most so many: a range allocates its scratch, and fresh memory is not free
PART_MACS = 1 << 17  # multiply-adds that are worth a thread's coming, a few microseconds
RANGE_MACS = 1 << 21  # multiply-adds in a range at least: long beside a dispatch, short beside a layer


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


KINDS = "ppppfp332224iii"


@entry(KINDS)
def correlate(start, stop, address):
    """Convolve; item = (`band` output rows, one of `parts` of the filters) over [start, stop).

    `y_at`: where y begins, its image, row, column strides.
    """
    x, weight, bias, residual, floor, y, x_size, y_size, kernel, stride, offset, y_at, groups, band, parts = arguments(
        address, KINDS
    )
    height, width, channels = x_size
    out_height, out_width, filters = y_size
    depth, out_depth = channels // groups, filters // groups
    out_blocks = (out_depth + LANES - 1) // LANES
    bands = (out_height + band - 1) // band
    cols = (out_width - 1) * stride[1] + kernel[1]
    phase = (cols + stride[1] - 1) // stride[1]
    row = stride[1] * phase
    plane = ((band - 1) * stride[0] + kernel[0]) * row * LANES
    scratch = line_up((depth + LANES - 1) // LANES * plane + ROWS * LANES)
    for item in range(start, stop):
        image, first, part = item // (bands * parts), item // parts % bands * band, item % parts
        rows = min(band, out_height - first)
        for group in range(groups):
            at = image * height * width * channels + group * depth
            top, copied = first * stride[0] + offset[0], (rows - 1) * stride[0] + kernel[0]
            copy_padded(x, at, depth, x_size, top, offset[1], scratch, 0, plane, copied, cols, stride[1], phase)
            for block in range(part * out_blocks // parts, (part + 1) * out_blocks // parts):
                channel = group * out_depth + block * LANES
                lanes = min(LANES, out_depth - block * LANES)
                at_weight = (group * out_blocks + block) * kernel[0] * kernel[1] * depth * LANES
                wide, half = load_part(bias, channel, lanes), load_part_like(narrow_zero(), bias, channel, lanes)
                for oh in range(rows):
                    for i in range(0, out_width, ROWS):
                        ow = max(0, min(i, out_width - ROWS))  # the last tile overlaps its neighbour
                        at = (oh * stride[0] * row + ow) * LANES
                        to = y_at[0] + image * y_at[1] + (first + oh) * y_at[2] + ow * y_at[3] + channel
                        if lanes > NARROW:
                            tile = sum_taps(
                                tile_fill(ROWS, wide), scratch, at, weight, at_weight, kernel, row, phase, plane,
                                depth, stride[1],
                            )  # fmt: skip
                            finish_tile(tile, residual, floor, y, to, y_at[3], out_width - ow, lanes)
                        else:
                            narrow = sum_taps(
                                tile_fill(ROWS, half), scratch, at, weight, at_weight, kernel, row, phase, plane,
                                depth, stride[1],
                            )  # fmt: skip
                            finish_tile(narrow, residual, floor, y, to, y_at[3], out_width - ow, lanes)
    return DONE


# --- What it is bound to ----------------------------------------------------------------------------------------------


class Geometry(NamedTuple):
    """Where a convolution reads and writes: output pixel (i, j) starts at input pixel (i, j)·stride + offset."""

    y_size: Pair
    kernel: Pair
    stride: Pair
    offset: Pair
    y_at: tuple[int, int, int, int]
    """Where y begins and its image, row and column strides, in floats: an input gradient fills every s-th pixel."""


class Bind(Protocol):
    """Return the calls that fill `y` from `x` and packed weights; `direct.bind` and its relatives differ in how."""

    def __call__(
        self, x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int, end: Finish
    ) -> list[Call]:
        """Bind."""


def bind(x: Array, packed: Array, bias: Array, y: Array, geometry: Geometry, groups: int, end: Finish) -> list[Call]:
    """Return the call of `correlate` that fills `y`."""
    n, _, _, channels = x.shape
    filters, (oh, ow), (kh, kw) = y.shape[3], geometry.y_size, geometry.kernel
    macs = oh * ow * filters * kh * kw * channels // groups
    band, parts = split(n, geometry, blocks(channels // groups) * LANES, blocks(filters // groups), macs)
    items = n * -(-oh // band) * parts
    return [Loop(
        correlate, items, grain(items, n * macs), x.reshape(-1), packed, bias, *end, y.reshape(-1),
        x.shape[1:], (oh, ow, filters), (kh, kw), geometry.stride, geometry.offset, geometry.y_at, groups, band, parts,
    )]  # fmt: skip


def split(n: int, geometry: Geometry, channels: int, out_blocks: int, macs: int) -> Pair:
    """Return the output rows and the parts of the filters of an item: what fits the scratch, and 8 items if worth it.

    Filters are parted first: then each weight is read by one item, while items of few rows all read all weights.
    """
    (oh, ow), (kh, kw), (sh, sw) = geometry.y_size, geometry.kernel, geometry.stride
    fitting = (SCRATCH_FLOATS // (((ow - 1) * sw + kw) * channels) - kh) // sh + 1
    band = max(1, min(fitting, oh))
    wanted = max(min(8, n * macs // RANGE_MACS), min(get_num_threads(), n * macs // PART_MACS), 1)
    parts = min(out_blocks, -(-wanted // max(1, n * -(-oh // band))))
    return max(1, min(band, -(-oh * n * parts // wanted))), parts


def grain(items: int, macs: int) -> int:
    """Return the items of a range: at most `RANGES` ranges, of `RANGE_MACS` of all `macs` multiply-adds at least."""
    return max(1, -(-items // RANGES), RANGE_MACS * items // max(macs, 1))


def geometry(y: Array, kernel: Pair, stride: Pair, padding: Pair) -> Geometry:
    """Return the geometry of a forward convolution that fills all of y (N, OH, OW, O)."""
    _, oh, ow, filters = y.shape
    return Geometry((oh, ow), kernel, stride, (-padding[0], -padding[1]), (0, oh * ow * filters, ow * filters, filters))
