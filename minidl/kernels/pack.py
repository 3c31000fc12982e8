"""Weights in the order in which the register tile reads them: blocks of 16 output channels, innermost.

The input gradient's weights are transposed, flipped, and every s-th tap of them is taken, on the way.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .jit import jit
from .parallel import parallel_for
from .simd import line_up, load_part, store, zero
from .tile import tile_load, tile_store, tile_transpose
from .vector import LANES

Array = NDArray[Any]


def blocks(channels: int) -> int:
    """Return the number of vectors that hold `channels` floats."""
    return -(-channels // LANES)


@jit
def pack_filters(start, stop, weight, packed, filters, taps, depth):
    """(G, O/G, taps, C/G) → (G, blocks of 16 filters, taps, C/G, 16), over [start, stop) blocks of all groups."""
    per_group = (filters + LANES - 1) // LANES
    inner = taps * depth
    for block in range(start, stop):
        group, first = block // per_group, block % per_group * LANES
        source, to, whole = (group * filters + first) * inner, block * inner * LANES, 0
        if first + LANES <= filters:
            whole = inner // LANES * LANES
            for i in range(0, whole, LANES):
                square = tile_load(LANES, zero(), weight, source + i, inner)
                tile_store(tile_transpose(square), packed, to + i * LANES, LANES)
        for lane in range(LANES):
            for i in range(whole, inner):
                packed[to + i * LANES + lane] = weight[source + lane * inner + i] if first + lane < filters else 0.0


@jit
def pack_transposed(start, stop, weight, packed, filters, kernel, depth, first, step):
    """(G, O/G, KH, KW, C/G) → (G, blocks of 16 channels, taps, O/G, 16): taps first, first + step, … in reverse."""
    per_group = (depth + LANES - 1) // LANES
    rows, cols = (kernel[0] - first[0] + step[0] - 1) // step[0], (kernel[1] - first[1] + step[1] - 1) // step[1]
    for block in range(start, stop):
        group, channel = block // per_group, block % per_group * LANES
        to = block * rows * cols * filters * LANES
        lanes = min(LANES, depth - channel)
        for i in range(rows):
            kh = first[0] + (rows - 1 - i) * step[0]
            for j in range(cols):
                kw = first[1] + (cols - 1 - j) * step[1]
                for o in range(filters):
                    source = (((group * filters + o) * kernel[0] + kh) * kernel[1] + kw) * depth + channel
                    store(packed, to, load_part(weight, source, lanes))
                    to += LANES


def pack(weight: Array, groups: int) -> Array:
    """Return `weight` (O, KH, KW, C/G) as the forward kernels read it; worth keeping where it does not change."""
    filters, kh, kw, depth = weight.shape
    count = groups * blocks(filters // groups)
    packed = line_up(count * kh * kw * depth * LANES)
    parallel_for(pack_filters, count, 8, weight.reshape(-1), packed, filters // groups, kh * kw, depth)
    return packed
