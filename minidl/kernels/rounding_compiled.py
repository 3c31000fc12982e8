"""The compiled twins of `minidl.kernels.rounding`: the same loops, one element at a time, the same bits.
Two things make them vector code: ranges are cut out as slices, because an index that might be negative stops the
vectorizer; and every integer is cast back to 32 bits, because numba computes integers in 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import jit
from .random_compiled import word
from .rounding import BITS, GRAIN, LOW_BITS, Array

i32, u32 = np.int32, np.uint32
POINT = u32(BITS)
ONE = u32(1)


@jit
def rounded(position: Any, element: Any, k0: Any, k1: Any, one: Any, rest: Any) -> Any:
    """Return floor(position) plus the carry of its fraction and the element's random bits."""
    whole = np.floor(position)
    fraction = u32(i32(np.rint((position - whole) * one) * rest))
    draw = u32(word(element, k0, k1) >> LOW_BITS)
    return i32(i32(whole) + i32(u32(u32(fraction + draw) >> POINT)))


@jit
def clip(position: Any, lowest: Any, highest: Any) -> Any:
    """Return the position within its ends, a NaN at the lowest."""
    clipped = position if position > lowest else lowest
    return highest if clipped > highest else clipped


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
    start: int, stop: int, x: Array, codes: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, key: Array,
    one: Any, rest: Any, counts: Array,
) -> None:  # fmt: skip
    """Write the codes of elements [start, stop) for `encode_stochastic`."""
    k0, k1 = key[0], key[1]
    saturated, nan = i32(0), i32(0)
    count = counts[start // GRAIN]
    element = u32(start)
    x, codes = x[start:stop], codes[start:stop]
    for i in range(len(x)):
        position = x[i] * inverse + offset
        clipped = clip(position, lowest, highest)
        saturated = i32(saturated + i32(clipped != position))
        nan = i32(nan + i32(position != position))
        codes[i] = rounded(clipped, element, k0, k1, one, rest)
        element = u32(element + ONE)
    count[0] += saturated - nan
    count[1] += nan


@jit
def update(
    start: int, stop: int, codes: Array, grad: Array, rate: Any, lowest: Any, highest: Any, key: Array,
    one: Any, rest: Any, counts: Array,
) -> None:  # fmt: skip
    """Move the codes of elements [start, stop) for `update_codes`."""
    k0, k1 = key[0], key[1]
    saturated, nan = i32(0), i32(0)
    count = counts[start // GRAIN]
    element = u32(start)
    codes, grad = codes[start:stop], grad[start:stop]
    for i in range(len(grad)):
        step = grad[i] * -rate
        code = grad.dtype.type(codes[i])
        clipped = clip(step, lowest - code, highest - code)
        saturated = i32(saturated + i32(clipped != step))
        nan = i32(nan + i32(step != step))
        codes[i] = i32(codes[i] + rounded(clipped, element, k0, k1, one, rest))
        element = u32(element + ONE)
    count[0] += saturated - nan
    count[1] += nan


@jit
def update_packed(
    start: int, stop: int, packed: Array, grad: Array, rate: Any, key: Array, one: Any, rest: Any, counts: Array
) -> None:
    """Move the bits of bytes [start, stop) for `update_bits`."""
    k0, k1 = key[0], key[1]
    saturated, nan = i32(0), i32(0)
    for byte in range(start, stop):
        moved = u32(0)
        for place in range(min(8, len(grad) - 8 * byte)):
            bit = i32((packed[byte] >> place) & 1)
            step = grad[8 * byte + place] * -rate
            clipped = clip(step, grad.dtype.type(-bit), grad.dtype.type(1 - bit))
            saturated += clipped != step
            nan += step != step
            bit = i32(bit + rounded(clipped, u32(8 * byte + place), k0, k1, one, rest))
            moved = u32(moved | u32(u32(bit) << u32(place)))
        packed[byte] = moved
    counts[8 * start // GRAIN, 0] += saturated - nan
    counts[8 * start // GRAIN, 1] += nan


@jit
def shift(start: int, stop: int, values: Array, out: Array, amount: Any, mask: Any, key: Array, counts: Any) -> None:
    """Write elements [start, stop) for `shift_stochastic`."""
    k0, k1 = key[0], key[1]
    element = u32(start)
    values, out = values[start:stop], out[start:stop]
    for i in range(len(values)):
        low = np.uint64(u32(values[i]) & mask) + np.uint64(word(element, k0, k1) & mask)
        out[i] = i32(i32(values[i] >> amount) + i32(low >> np.uint64(amount)))
        element = u32(element + ONE)
