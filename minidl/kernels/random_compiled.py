"""The compiled twins of `minidl.kernels.random`: the word of one element, and loops that fill a range with draws.
Every operation is cast back to uint32, because numba makes uint64 of ``uint32 * uint32`` and the draws would be wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import jit
from .random import MASK, MULTIPLY, PHILOX_MULTIPLY, PHILOX_WEYL, SHIFT, Array

UNIT = np.float32(2.0**-24)
TILE = 1024  # elements whose words are made at once
RUN = 1 << int(SHIFT[0])  # elements whose upper bits are equal, and so what their first shift leaves

u64 = np.uint64
M0, M1 = u64(PHILOX_MULTIPLY[0]), u64(PHILOX_MULTIPLY[1])
W0, W1 = u64(PHILOX_WEYL[0]), u64(PHILOX_WEYL[1])
LOW, HALF = u64(MASK), u64(32)


@jit
def word(element: Any, k0: Any, k1: Any) -> Any:
    """Return the 32 bits of one element under the key (k0, k1); call it inside other kernels.

    A key is xored in after the shift, as its own ``k ^ k >> s``: the same bits, and all that is the key's alone is
    computed once for a loop.
    """
    k0, k1, bits = np.uint32(k0), np.uint32(k1), np.uint32(element)
    return mix(np.uint32(bits ^ np.uint32(np.uint32(np.uint32(bits ^ k0) >> SHIFT[0]) ^ k0)), k1)


@jit
def mix(bits: Any, k1: Any) -> Any:
    """Return the word of an element whose bits have met the first key and the first shift."""
    bits = np.uint32(bits * MULTIPLY[0])
    bits = np.uint32(np.uint32(bits ^ np.uint32(bits >> SHIFT[1])) ^ np.uint32(k1 ^ np.uint32(k1 >> SHIFT[1])))
    bits = np.uint32(bits * MULTIPLY[1])
    bits = np.uint32(bits ^ np.uint32(bits >> SHIFT[2]))
    bits = np.uint32(bits * MULTIPLY[2])
    return np.uint32(bits ^ np.uint32(bits >> SHIFT[3]))


@jit
def fill_words(first: int, words: Array, key: Array) -> None:
    """Write the words of elements first, first + 1, … into `words`, under a key of either kind."""
    if len(key) > 2:
        fill_philox(first, words, key)
        return
    k0, k1, element = np.uint32(key[0]), np.uint32(key[1]), np.uint32(first)
    upper = np.uint32(np.uint32(np.uint32(element ^ k0) >> SHIFT[0]) ^ k0)  # the same up to the end of a run
    run = min(len(words), RUN - first % RUN)
    for i in range(run):
        words[i] = mix(np.uint32(element ^ upper), k1)
        element = np.uint32(element + np.uint32(1))
    for i in range(run, len(words)):
        words[i] = word(first + i, k0, k1)


@jit
def fill_philox(first: int, words: Array, key: Array) -> None:
    """Write words of Philox: four from a block, of which the first and the last may be cut."""
    for block in range(first // 4, (first + len(words) + 3) // 4):
        place = 4 * block - first
        for i, bits in enumerate(philox(u64(block), key)):
            if 0 <= place + i < len(words):
                words[place + i] = bits


@jit
def philox(block: Any, key: Array) -> Any:
    """Return the four words of Philox4x32-10 for one block of a stream, see `minidl.kernels.random.philox_key`."""
    k0, k1, c0, c1, c2, c3 = u64(key[0]), u64(key[1]), block, u64(key[2]), u64(key[3]), u64(key[4])
    for _ in range(10):
        a, b = u64(c0 * M0), u64(c2 * M1)
        c0, c1, c2, c3 = (b >> HALF) ^ c1 ^ k0, b & LOW, (a >> HALF) ^ c3 ^ k1, a & LOW
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    return np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@jit
def fill_uint32(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the words of elements [start, stop)."""
    fill_words(start, out[start:stop], key)


@jit
def fill_uint16(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the halves of elements [start, stop), a tile of words at a time."""
    words = np.empty(TILE // 2, np.uint32)
    halves = words.view(np.uint16)
    for first in range(start - start % 2, stop, TILE):
        fill_words(first // 2, words, key)
        for element in range(max(first, start), min(first + TILE, stop)):
            out[element] = halves[element - first]


@jit
def fill_uniform(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the top 24 bits of the words of elements [start, stop), times 2**-24."""
    words = np.empty(TILE, np.uint32)
    for first in range(start, stop, TILE):
        fill_words(first, words, key)
        for element in range(first, min(first + TILE, stop)):
            out[element] = np.float32(words[element - first] >> np.uint32(8)) * UNIT
