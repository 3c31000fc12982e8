"""The compiled twins of `minidl.kernels.random`: the hash of one element, and loops that fill a range with draws.
Every operation is cast back to uint32, because numba makes uint64 of ``uint32 * uint32`` and the draws would be wrong.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .random import MULTIPLY_1, MULTIPLY_2, SHIFT_1, SHIFT_2, SHIFT_3

UNIT = np.float32(2.0**-24)


@jit
def word(element, k0, k1):  # type: ignore[no-untyped-def]
    """Return the 32 bits of one element under the key (k0, k1); call it inside other kernels."""
    bits = np.uint32(np.uint32(element) ^ np.uint32(k0))
    bits = np.uint32(bits ^ np.uint32(bits >> SHIFT_1))
    bits = np.uint32(bits * MULTIPLY_1)
    bits = np.uint32(bits ^ np.uint32(k1))
    bits = np.uint32(bits ^ np.uint32(bits >> SHIFT_2))
    bits = np.uint32(bits * MULTIPLY_2)
    return np.uint32(bits ^ np.uint32(bits >> SHIFT_3))


@jit
def half(element, k0, k1):  # type: ignore[no-untyped-def]
    """Return the 16 bits of one element: the low or high half of the word that it shares with its neighbour."""
    bits = word(np.uint32(element >> 1), k0, k1)
    return np.uint16(np.uint32(bits >> np.uint32((element & 1) << 4)) & np.uint32(0xFFFF))


@jit
def fill_uint32(start, stop, out, key):  # type: ignore[no-untyped-def]
    """Write the words of elements [start, stop)."""
    k0, k1 = key[0], key[1]
    for element in range(start, stop):
        out[element] = word(element, k0, k1)


@jit
def fill_uint16(start, stop, out, key):  # type: ignore[no-untyped-def]
    """Write the halves of elements [start, stop): whole words first, then a half word at either end."""
    k0, k1 = key[0], key[1]
    first, last = (start + 1) >> 1, stop >> 1  # the words that lie in the range with both halves
    for pair in range(first, last):
        bits = word(pair, k0, k1)
        out[2 * pair] = np.uint16(bits & np.uint32(0xFFFF))
        out[2 * pair + 1] = np.uint16(bits >> np.uint32(16))
    for element in range(start, min(2 * first, stop)):
        out[element] = half(element, k0, k1)
    for element in range(max(2 * last, start), stop):
        out[element] = half(element, k0, k1)


@jit
def fill_uniform(start, stop, out, key):  # type: ignore[no-untyped-def]
    """Write the top 24 bits of the words of elements [start, stop), times 2**-24."""
    k0, k1 = key[0], key[1]
    for element in range(start, stop):
        out[element] = np.float32(word(element, k0, k1) >> np.uint32(8)) * UNIT
