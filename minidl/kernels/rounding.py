"""Rounding of floats to integer codes and of integers to fewer bits, nearest or stochastic, with saturation counted.
The five NumPy loops below are the definition; `rounding_compiled.py` holds their compiled twins of the same bits.
What a code stands for (its grid, its scale) is left to the caller: here ``position = x * inverse + offset``.

**One idea of stochastic rounding.** Add r random bits behind the binary point: the carry rounds up, with probability
equal to the fraction.  It is an addition of integers, so a code on the grid (fraction 0) never moves, and the mean is
exact for every fraction of at most r bits; the float sum ``floor(x + u)`` has neither property.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .backend import compiled
from .parallel import parallel_for
from .random import hash32

Array = NDArray[Any]

GRAIN = 1 << 16  # elements in a range; a multiple of 8, so that no two ranges share a byte of packed bits
BITS = 24  # random bits an element: as many as a float32 keeps of a fraction
LOW_BITS = np.uint32(32 - BITS)


class Counts(NamedTuple):
    """How many elements lay beyond the ends of the range (infinities too), and how many were not numbers."""

    saturated: int
    nan: int


def encode_nearest(x: Array, codes: Array, inverse: float, lowest: int, highest: int) -> Counts:
    """Round ``x * inverse`` to the nearest integer, halves away from zero, into ``codes`` (any signed type).

    Examples
    --------
    >>> codes = np.empty(4, np.int8)
    >>> encode_nearest(np.array([0.5, -0.5, 0.49999997, 9], np.float32), codes, 1, -2, 1)
    Counts(saturated=1, nan=0)
    >>> codes
    array([ 1, -1,  0,  1], dtype=int8)
    """
    number = x.dtype.type
    return _run("nearest", x.size, _flat(x), _flat(codes), number(inverse), number(lowest), number(highest))


def encode_stochastic(
    x: Array, codes: Array, inverse: float, offset: float, lowest: int, highest: int, key: Array, bits: int = BITS
) -> Counts:
    """Round ``t = x * inverse + offset`` up with probability ``t - floor(t)``, else down, into ``codes``.

    Parameters
    ----------
    x : float32 or float64, any shape, C-contiguous
    codes : signed integers of the same size; receives codes in ``[lowest, highest]``, and ``lowest`` for a NaN
    key : uint32 (2,), from `random.stream_key`; element e draws the word e of that stream
    bits : random bits r, 1 to 24; the probability is the fraction rounded to r bits (halves to even)
    """
    number = x.dtype.type
    scale = (number(inverse), number(offset), number(lowest), number(highest))
    return _run("stochastic", x.size, _flat(x), _flat(codes), *scale, key, *_precision(number, bits))


def update_codes(
    codes: Array, grad: Array, rate: float, lowest: int, highest: int, key: Array, bits: int = BITS
) -> Counts:
    """Do ``codes <- SR(codes - rate * grad)`` in place, never leaving the codes; ``rate`` is the learning rate over Δ.

    Only the step is rounded: ``SR(code + step) = code + SR(step)``, so small steps lose nothing beside large codes.
    """
    number = grad.dtype.type
    ends = number(lowest), number(highest)
    return _run("update", grad.size, _flat(codes), _flat(grad), number(rate), *ends, key, *_precision(number, bits))


def update_bits(packed: Array, grad: Array, rate: float, key: Array, bits: int = BITS) -> Counts:
    """Do `update_codes` for codes 0 and 1 that are packed eight to a byte (the first element in the lowest bit)."""
    number = grad.dtype.type
    arguments = (packed, _flat(grad), number(rate), key, *_precision(number, bits))
    return _run("update_packed", -(-grad.size // 8), *arguments, grain=GRAIN // 8)


def shift_stochastic(values: Array, shift: int, key: Array) -> Array:
    """Return ``values / 2**shift`` (int32) rounded stochastically by mask and shift: exactly unbiased, no floats.

    Examples
    --------
    >>> from minidl.kernels.random import stream_key
    >>> halves = shift_stochastic(np.full(10_000, -3, np.int32), 1, stream_key(0, "example", 0))
    >>> np.unique(halves).tolist(), round(float(halves.mean()), 1)
    ([-2, -1], -1.5)
    """
    if values.dtype != np.int32 or not 0 <= shift <= 31:
        raise ValueError(f"found {values.dtype} and a shift of {shift}, expected int32 and a shift of 0 to 31: convert")
    out = np.empty_like(values, order="C")
    mask = np.uint32((1 << shift) - 1)
    _run("shift", values.size, _flat(np.ascontiguousarray(values)), _flat(out), np.int32(shift), mask, key)
    return out


def _run(kernel: str, n: int, *arguments: Any, grain: int = GRAIN) -> Counts:
    """Run the compiled kernel of this name, or its twin below, over ``[0, n)``, and add up the ranges' counts."""
    module = import_module("minidl.kernels.rounding_compiled") if compiled() else sys.modules[__name__]
    counts = np.zeros((-(-n // grain), 2), np.int64)
    parallel_for(getattr(module, kernel), n, grain, *arguments, counts)
    return Counts(*counts.sum(axis=0).tolist())


def _flat(array: Array) -> Array:
    if not array.flags.c_contiguous:
        raise ValueError("found an array that is not C-contiguous, expected one: pass np.ascontiguousarray(array)")
    return array.reshape(-1)


def _precision(number: Any, bits: int) -> tuple[Any, Any]:
    """Return 2**r and 2**(24 - r): a threshold of r bits is one of 24 whose low bits are 0."""
    if not 1 <= bits <= BITS:
        raise ValueError(f"found {bits} random bits, expected 1 to {BITS}")
    return number(2**bits), number(2 ** (BITS - bits))


# --- The definition: five loops over a range of elements --------------------------------------------------------------


def nearest(
    start: int, stop: int, x: Array, codes: Array, inverse: Any, lowest: Any, highest: Any, counts: Any
) -> None:
    """Write the codes of elements ``[start, stop)`` for `encode_nearest`."""
    position = x[start:stop] * inverse
    clipped = _clip(position, lowest, highest, counts[start // GRAIN])
    size = np.abs(clipped)
    whole = np.floor(size)
    whole += size - whole >= 0.5  # exact; floor(size + 0.5) would take 0.49999997 to 1
    codes[start:stop] = np.copysign(whole, clipped)


def stochastic(
    start: int, stop: int, x: Array, codes: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, key: Array,
    one: Any, rest: Any, counts: Array,
) -> None:  # fmt: skip
    """Write the codes of elements ``[start, stop)`` for `encode_stochastic`."""
    position = x[start:stop] * inverse + offset
    clipped = _clip(position, lowest, highest, counts[start // GRAIN])
    codes[start:stop] = _rounded(clipped, start, key, one, rest)


def update(
    start: int, stop: int, codes: Array, grad: Array, rate: Any, lowest: Any, highest: Any, key: Array,
    one: Any, rest: Any, counts: Array,
) -> None:  # fmt: skip
    """Move the codes of elements ``[start, stop)`` for `update_codes`."""
    step = grad[start:stop] * -rate
    code = codes[start:stop]
    clipped = _clip(step, lowest - code, highest - code, counts[start // GRAIN])
    codes[start:stop] += _rounded(clipped, start, key, one, rest).astype(codes.dtype)


def update_packed(
    start: int, stop: int, packed: Array, grad: Array, rate: Any, key: Array, one: Any, rest: Any, counts: Array
) -> None:
    """Move the bits of bytes ``[start, stop)`` for `update_bits`."""
    step = grad[8 * start : 8 * stop] * -rate
    bit = np.unpackbits(packed[start:stop], bitorder="little")[: len(step)].astype(step.dtype)
    clipped = _clip(step, -bit, 1 - bit, counts[8 * start // GRAIN])
    bit += _rounded(clipped, 8 * start, key, one, rest)
    packed[start:stop] = np.packbits(bit.astype(np.uint8), bitorder="little")


def shift(start: int, stop: int, values: Array, out: Array, amount: Any, mask: Any, key: Array, counts: Any) -> None:
    """Write elements ``[start, stop)`` for `shift_stochastic`: the carry of the low bits and as many random ones."""
    low = values[start:stop].view(np.uint32) & mask
    carry = (low.astype(np.uint64) + (_words(start, stop, key) & mask)) >> np.uint64(amount)
    out[start:stop] = (values[start:stop] >> amount) + carry.astype(np.int32)


def _clip(position: Array, lowest: Any, highest: Any, count: Array) -> Array:
    """Return the position within its ends (a NaN at the lowest), and count what lay beyond."""
    clipped = np.where(position > lowest, position, lowest)
    clipped = np.where(clipped > highest, highest, clipped)
    nan = np.isnan(position).sum()
    count += ((clipped != position).sum() - nan, nan)
    return clipped


def _rounded(position: Array, start: int, key: Array, one: Any, rest: Any) -> Array:
    """Return floor(position) plus the carry of the fraction, rounded to r bits, and r random bits; int32."""
    whole = np.floor(position)
    fraction = (np.rint((position - whole) * one) * rest).astype(np.uint32)  # in units of 2**-24, at most 2**24
    draw = _words(start, start + len(position), key) >> LOW_BITS
    return np.asarray(whole.astype(np.int32) + ((fraction + draw) >> np.uint32(BITS)).astype(np.int32))


def _words(start: int, stop: int, key: Array) -> Array:
    return hash32(np.arange(start, stop, dtype=np.uint32), key)
