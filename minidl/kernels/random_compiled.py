"""The compiled twins of `minidl.kernels.random`: the hash of one element, and loops that fill a range with draws.
Every operation is cast back to uint32, because numba makes uint64 of ``uint32 * uint32`` and the draws would be wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import jit
from .random import MULTIPLY, SHIFT, Array

UNIT = np.float32(2.0**-24)


@jit
def word(element: Any, k0: Any, k1: Any) -> Any:
    """Return the 32 bits of one element under the key (k0, k1); call it inside other kernels.

    A key is xored in after the shift, as its own ``k ^ k >> s``: the same bits, and all that is the key's alone is
    computed once for a loop.
    """
    k0, k1 = np.uint32(k0), np.uint32(k1)
    bits = np.uint32(element)
    bits = np.uint32(np.uint32(bits ^ np.uint32(bits >> SHIFT[0])) ^ np.uint32(k0 ^ np.uint32(k0 >> SHIFT[0])))
    bits = np.uint32(bits * MULTIPLY[0])
    bits = np.uint32(np.uint32(bits ^ np.uint32(bits >> SHIFT[1])) ^ np.uint32(k1 ^ np.uint32(k1 >> SHIFT[1])))
    bits = np.uint32(bits * MULTIPLY[1])
    bits = np.uint32(bits ^ np.uint32(bits >> SHIFT[2]))
    bits = np.uint32(bits * MULTIPLY[2])
    return np.uint32(bits ^ np.uint32(bits >> SHIFT[3]))


@jit
def half(element: Any, k0: Any, k1: Any) -> Any:
    """Return the 16 bits of one element: the low or high half of the word that it shares with its neighbour."""
    bits = word(np.uint32(element >> 1), k0, k1)
    return np.uint16(np.uint32(bits >> np.uint32((element & 1) << 4)) & np.uint32(0xFFFF))


@jit
def fill_words(first: int, words: Array, key: Array) -> None:
    """Write the words of elements first, first + 1, … into `words`."""
    k0, k1 = key[0], key[1]
    element = np.uint32(first)
    for i in range(len(words)):
        words[i] = word(element, k0, k1)
        element = np.uint32(element + np.uint32(1))


@jit
def fill_uint32(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the words of elements [start, stop)."""
    k0, k1 = key[0], key[1]
    for element in range(start, stop):
        out[element] = word(element, k0, k1)


@jit
def fill_uint16(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the halves of elements [start, stop)."""
    k0, k1 = key[0], key[1]
    for element in range(start, stop):
        out[element] = half(element, k0, k1)


@jit
def fill_uniform(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the top 24 bits of the words of elements [start, stop), times 2**-24."""
    k0, k1 = key[0], key[1]
    for element in range(start, stop):
        out[element] = np.float32(word(element, k0, k1) >> np.uint32(8)) * UNIT
