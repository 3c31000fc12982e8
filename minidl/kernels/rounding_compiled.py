"""The compiled twins of `minidl.kernels.rounding`: the same sums, one element at a time, the same bits.
Four things make them fast vector code: ranges are cut out as slices, because an index that might be negative stops the
vectorizer; every integer is cast back to 32 bits and shifted by constants, because numba computes integers in 64; draws
are made a tile ahead, two from a word, in a loop of their own; and a float becomes its nearest integer in one
instruction (`to_int32`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .jit import jit
from .random_compiled import fill_words
from .rounding import BITS, GRAIN, Array
from .rounding_simd import encode_many

i32, u32 = np.int32, np.uint32
TILE = 1024  # elements whose draws are made at once: 2 kB


def _emit_to_int32(context: Any, x: Any) -> Any:
    """Return the nearest integer of a float within the range of int32, halves to even: in LLVM's word for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name, integer = f"llvm.lrint.i32.f{x.bitwidth}", ir.IntType(32)
        declared = builder.module.globals.get(name)
        lrint = declared or ir.Function(builder.module, ir.FunctionType(integer, [arguments[0].type]), name)
        return builder.call(lrint, arguments)

    return types.int32(x), generate


to_int32: Any = intrinsic(_emit_to_int32)


@jit
def clip(position: Any, lowest: Any, highest: Any) -> Any:
    """Return the position within its ends, a NaN at the lowest."""
    clipped = position if position > lowest else lowest
    return highest if clipped > highest else clipped


@jit
def carried(position: Any, rest: Any, draw: Any) -> Any:
    """Return the position, in units of the last of r bits, rounded to an integer by its carry; `rest` None is 1."""
    if rest is None:
        return i32(i32(to_int32(position) + i32(draw)) >> BITS)
    return i32(i32(i32(to_int32(position) * rest) + i32(draw)) >> BITS)


@jit
def nearest(
    start: int, stop: int, x: Array, codes: Array, inverse: Any, lowest: Any, highest: Any, counts: Any
) -> None:
    """Write the codes of elements [start, stop) for `encode_nearest`."""
    saturated, nan = i32(0), i32(0)
    count = counts[start // GRAIN]
    x, codes = x[start:stop], codes[start:stop]
    for i in range(len(x)):
        position = x[i] * inverse
        clipped = clip(position, lowest, highest)
        saturated = i32(saturated + i32(clipped != position))
        nan = i32(nan + i32(position != position))
        size = abs(clipped)
        whole = np.floor(size)
        whole = whole + x.dtype.type(size - whole >= 0.5)
        codes[i] = i32(np.copysign(whole, clipped))
    count[0] += saturated - nan
    count[1] += nan


@jit
def stochastic(
    start: int, stop: int, x: Array, codes: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, rest: Any,
    key: Array, counts: Array,
) -> None:  # fmt: skip
    """Write the codes of elements [start, stop) for `encode_stochastic`.

    The most frequent calls, for all 16 bits and without an offset, get loops that are compiled without those.
    """
    count = counts[start // GRAIN]
    if rest != 1:
        encode(start, stop, x, codes, inverse, offset, lowest, highest, rest, key, count)
    elif offset != 0:
        encode(start, stop, x, codes, inverse, offset, lowest, highest, None, key, count)
    else:
        encode(start, stop, x, codes, inverse, None, lowest, highest, None, key, count)


@jit
def encode(
    start: int, stop: int, x: Array, codes: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, rest: Any,
    key: Array, count: Array,
) -> None:  # fmt: skip
    """Write the codes of elements [start, stop), tile by tile; `offset` None is 0, `rest` None is 1."""
    words = np.empty(TILE // 2, np.uint32)
    draws = words.view(np.uint16)
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        fill_words(first // 2, words, key)
        changed, done = encode_many(x, codes, draws, first, last, inverse, offset, lowest, highest, rest)
        if done < last or changed != 0:
            finish_tile(x, codes, draws, first, done, last, changed, inverse, offset, lowest, highest, rest, count)


@jit
def finish_tile(
    x: Array, codes: Array, draws: Array, first: int, done: int, last: int, changed: Any, inverse: Any, offset: Any,
    lowest: Any, highest: Any, rest: Any, count: Array,
) -> None:  # fmt: skip
    """Write the codes of [done, last), and count if any position of [first, last) may have been clipped."""
    left = draws[done - first :]
    some = encode_some(x[done:last], codes[done:last], left, inverse, offset, lowest, highest, rest)
    if changed != 0 or some != 0:
        count_tile(x[first:last], inverse, offset, lowest, highest, count)


@jit
def encode_some(
    x: Array, codes: Array, draws: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, rest: Any
) -> Any:
    """Write the codes, and return a number that is 0 only if no position was clipped."""
    changed = i32(0)
    for i in range(len(x)):
        position = x[i] * inverse if offset is None else x[i] * inverse + offset
        clipped = clip(position, lowest, highest)
        changed = i32(changed | difference(clipped, position))
        codes[i] = carried(clipped, rest, draws[i])
    return changed


@jit
def count_tile(x: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, count: Array) -> None:
    """Count what lay beyond the ends of a tile: most tiles need not be looked at twice."""
    saturated, nan = i32(0), i32(0)
    for i in range(len(x)):
        position = x[i] * inverse if offset is None else x[i] * inverse + offset
        saturated = i32(saturated + i32((position < lowest) | (position > highest)))
        nan = i32(nan + i32(position != position))
    count[0] += saturated
    count[1] += nan


@jit
def difference(a: Any, b: Any) -> Any:
    """Return an int32 that is 0 only if two floats of one type have the same bits."""
    if isinstance(a, np.float32):
        return i32(np.float32(a).view(i32) ^ np.float32(b).view(i32))
    bits = np.float64(a).view(np.int64) ^ np.float64(b).view(np.int64)
    return i32(bits | (bits >> 32))


@jit
def update(
    start: int, stop: int, codes: Array, grad: Array, rate: Any, lowest: Any, highest: Any, one: Any, rest: Any,
    key: Array, counts: Array,
) -> None:  # fmt: skip
    """Move the codes of elements [start, stop) for `update_codes`."""
    words = np.empty(TILE // 2, np.uint32)
    draws = words.view(np.uint16)
    count = counts[start // GRAIN]
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        fill_words(first // 2, words, key)
        update_tile(codes[first:last], grad[first:last], draws, rate, lowest, highest, one, rest, count)


@jit
def update_tile(
    codes: Array, grad: Array, draws: Array, rate: Any, lowest: Any, highest: Any, one: Any, rest: Any, count: Array
) -> None:
    """Move the codes of a tile."""
    saturated, nan = i32(0), i32(0)
    for i in range(len(grad)):
        step = grad[i] * rate
        code = grad.dtype.type(codes[i]) * one
        clipped = clip(step, lowest - code, highest - code)
        saturated = i32(saturated + i32(clipped != step))
        nan = i32(nan + i32(step != step))
        codes[i] = i32(codes[i] + carried(clipped, rest, draws[i]))
    count[0] += saturated - nan
    count[1] += nan


@jit
def update_packed(
    start: int, stop: int, packed: Array, grad: Array, rate: Any, one: Any, rest: Any, key: Array, counts: Array
) -> None:
    """Move the bits of bytes [start, stop) for `update_bits`: unpacked a tile at a time, moved as codes, packed."""
    words, codes = np.empty(TILE // 2, np.uint32), np.empty(TILE, np.int8)
    draws = words.view(np.uint16)
    count = counts[8 * start // GRAIN]
    zero = rate * 0
    for first in range(start, stop, TILE // 8):
        last = min(first + TILE // 8, stop)
        fill_words(4 * first, words, key)
        for byte in range(first, last):
            for place in range(8):
                codes[8 * (byte - first) + place] = (packed[byte] >> place) & 1
        tile = grad[8 * first : min(8 * last, len(grad))]
        update_tile(codes[: len(tile)], tile, draws, rate, zero, one, one, rest, count)
        codes[len(tile) :] = 0
        for byte in range(first, last):
            moved = 0
            for place in range(8):
                moved |= codes[8 * (byte - first) + place] << place
            packed[byte] = moved


@jit
def shift(start: int, stop: int, values: Array, out: Array, amount: Any, mask: Any, key: Array, counts: Any) -> None:
    """Write elements [start, stop) for `shift_stochastic`."""
    words = np.empty(TILE // 2, np.uint32)
    draws = words.view(np.uint16)
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        fill_words(first // 2, words, key)
        for i in range(first, last):
            low = i32(values[i] & mask) + i32(draws[i - first] >> (BITS - amount))
            out[i] = i32(i32(values[i] >> amount) + i32(low >> amount))
