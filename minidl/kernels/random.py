"""Counter-based random numbers: every draw is a pure function of (seed, stream, step, element).
Philox4x32-10 turns (seed, stream, step) into a 64-bit key; a three-multiply hash turns (key, element) into 32 bits.
No state is kept anywhere, so any thread count, tile size or resumed run draws the same bits.

Whoever would rather check every draw against the published generator takes a `philox_key` instead: all functions that
take a key then draw from Philox itself, about ten times slower.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import compiled
from .parallel import parallel_for

Array = NDArray[Any]

GRAIN = 1 << 16  # elements in a range: 256 kB of words, some 30 microseconds compiled

# The multipliers and shifts of a bijection of 32-bit words that mixes well (C. Wellons' search, "triple32").  With two
# multiplies elements 2**k apart are visibly correlated (chi-square of pairs 20 sigma and more off in 4 million draws).
MULTIPLY = (np.uint32(0xED5AD4BB), np.uint32(0xAC4C1B51), np.uint32(0x31848BAB))
SHIFT = (np.uint32(17), np.uint32(11), np.uint32(15), np.uint32(14))

# Philox4x32: two multipliers and the two Weyl constants that advance the key (Salmon et al., SC 2011, section 4.1).
PHILOX_MULTIPLY = (0xD2511F53, 0xCD9E8D57)
PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF


def philox4x32(counter: tuple[Any, Any, Any, Any], key: tuple[int, int], rounds: int = 10) -> tuple[Any, ...]:
    """Return the four 32-bit words of Philox4x32 for one counter and key, or for arrays (uint64) of counters.

    One round: ``(c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0))``
    (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

    Examples
    --------
    >>> [f"{word:08x}" for word in philox4x32((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        a, b = PHILOX_MULTIPLY[0] * c0, PHILOX_MULTIPLY[1] * c2  # 64-bit products
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & MASK, (a >> 32) ^ c3 ^ k1, a & MASK
        k0, k1 = (k0 + PHILOX_WEYL[0]) & MASK, (k1 + PHILOX_WEYL[1]) & MASK
    return c0, c1, c2, c3


def stream_key(seed: int, stream: int | str, step: int) -> Array:
    """Return the 64-bit key of one stream (a tensor's name, "shuffle", ...) at one step, as uint32 ``(2,)``.

    Seeds, numbered streams and steps are taken modulo 2**64; a name is hashed to 64 bits.

    Examples
    --------
    >>> stream_key(0, "conv1.weight", 3).dtype, bool((stream_key(0, 0, 1) == stream_key(0, 1, 0)).any())
    (dtype('uint32'), False)
    """
    words = philox4x32((*_halves(step), *_halves(_number(stream))), _halves(seed))
    return np.array(words[:2], np.uint32)


def philox_key(seed: int, stream: int | str, step: int) -> Array:
    """Return what makes every draw of a stream one of Philox4x32-10's, as uint32 ``(5,)``: a key and a counter's end.

    Word w of the stream is word w % 4 of Philox with the key `seed` (64 bits) and the counter
    ``(w // 4, step, stream % 2**32, stream // 2**32)``; step is taken modulo 2**32, a name is hashed to 64 bits.

    Examples
    --------
    >>> [f"{word:08x}" for word in random_uint32(4, philox_key(seed=0, stream=0, step=0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    return np.array((*_halves(seed), step & MASK, *_halves(_number(stream))), np.uint32)


def _halves(number: int) -> tuple[int, int]:
    """Return the low and the high 32 bits of a number modulo 2**64."""
    return number & MASK, number >> 32 & MASK


def _number(stream: int | str) -> int:
    if isinstance(stream, int):
        return stream
    return int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")


def stream_words(element: Array, key: Array) -> Array:
    """Return the 32 bits of each element number (integers, any shape) under a key of either kind, uint32."""
    if len(key) == 2:
        return hash32(element, key)
    block = element.astype(np.uint64) >> np.uint64(2)
    k0, k1, step, low, high = (int(word) for word in key)
    four = [np.asarray(word, np.uint32) for word in philox4x32((block, step, low, high), (k0, k1))]
    return np.choose((element & 3).astype(np.intp), four)


def hash32(element: Array, key: Array) -> Array:
    """Return 32 random bits for each element number (uint32, any shape); a bijection of the element for every key."""
    bits: Array = np.array(element, np.uint32)
    bits ^= key[0]
    bits ^= bits >> SHIFT[0]
    bits *= MULTIPLY[0]
    bits ^= key[1]
    bits ^= bits >> SHIFT[1]
    bits *= MULTIPLY[1]
    bits ^= bits >> SHIFT[2]
    bits *= MULTIPLY[2]
    bits ^= bits >> SHIFT[3]
    return bits


def draws16(start: int, stop: int, key: Array) -> Array:
    """Return the halves of elements ``[start, stop)``, in the integers of their words: two a word, the low one first.

    Examples
    --------
    >>> key = stream_key(0, "example", 0)
    >>> bool((draws16(3, 9, key) == draws16(0, 9, key)[3:]).all())
    True
    """
    element = np.arange(start, stop, dtype=np.uint64)
    word = stream_words((element >> np.uint64(1)).astype(np.uint32), key)
    return np.asarray(np.where(element & np.uint64(1), word >> np.uint32(16), word & np.uint32(0xFFFF)))


def random_uint32(n: int, key: Array) -> Array:
    """Return the 32-bit draws of elements 0 .. n-1, uint32 ``(n,)``; n is at most 2**32."""
    return _fill("fill_uint32", np.empty(n, np.uint32), key)


def random_uint16(n: int, key: Array) -> Array:
    """Return 16-bit draws of elements 0 .. n-1, uint16 ``(n,)``: two a word, the low half first; n at most 2**33."""
    return _fill("fill_uint16", np.empty(n, np.uint16), key)


def uniform(n: int, key: Array) -> Array:
    """Return draws in [0, 1) of elements 0 .. n-1, float32 ``(n,)``: multiples of 2**-24, one a word.

    Examples
    --------
    >>> draws = uniform(100_000, stream_key(0, "example", 0))
    >>> round(float(draws.mean()), 2), round(float(draws.var() * 12), 1)
    (0.5, 1.0)
    """
    return _fill("fill_uniform", np.empty(n, np.float32), key)


def _fill(kernel: str, out: Array, key: Array) -> Array:
    """Run the compiled kernel of this name, or its twin below, over all of ``out``."""
    module = import_module("minidl.kernels.random_compiled") if compiled() else sys.modules[__name__]
    parallel_for(getattr(module, kernel), len(out), GRAIN, out, key)
    return out


def fill_uint32(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the words of elements ``[start, stop)``."""
    out[start:stop] = stream_words(np.arange(start, stop, dtype=np.uint32), key)


def fill_uint16(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the halves of elements ``[start, stop)``: element e has the low (e even) or high half of word e // 2."""
    out[start:stop] = draws16(start, stop, key)


def fill_uniform(start: int, stop: int, out: Array, key: Array) -> None:
    """Write the top 24 bits of the words of elements ``[start, stop)``, times 2**-24: exact in float32."""
    word = stream_words(np.arange(start, stop, dtype=np.uint32), key)
    out[start:stop] = (word >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def permutation(n: int, key: Array) -> Array:
    """Return a random order of 0 .. n-1, int64 ``(n,)``.

    Sorting the draws is exact, because the hash is a bijection and no two draws tie (Philox's may); and unlike NumPy's
    ``Generator.permutation``, whose stream may change between releases, it gives the same order for ever.

    Examples
    --------
    >>> sorted(permutation(5, stream_key(0, "shuffle", 0)).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(stream_words(np.arange(n, dtype=np.uint32), key), kind="stable")
