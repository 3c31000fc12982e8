"""Rounding of floats to integer codes and of integers to fewer bits, nearest or stochastic, with saturation counted.
The five NumPy loops below are the definition; `rounding_compiled.py` holds their compiled twins of the same bits.
What a code stands for (its grid, its scale) is left to the caller: here ``position = x * inverse + offset``.

**One idea of stochastic rounding.** Make the position an integer with r bits behind the point, add r random bits, and
cut the r bits off: the carry rounds up, with probability equal to the fraction.  A sum of integers never moves a code
that is on the grid (fraction 0), and its mean is exact for every fraction of at most r bits; ``floor(x + u)`` has
neither property.  Other fractions are first rounded to r bits, so the mean is off by 2**-(r+1) of the spacing at most:
by 2**-17 with all 16 bits, and nothing on average over fractions.  Integers are rounded by the very same sum, so that
float and integer training can agree to the bit.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .backend import compiled
from .parallel import parallel_for
from .random import draws16

Array = NDArray[Any]

GRAIN = 1 << 17  # elements in a range; a multiple of 16, so that no two ranges share a word of draws or a byte of bits
BITS = 16  # random bits an element: two draws a word; beside codes of 16 bits they fill an int32


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
    lowest, highest : the ends, at most those of 16 bits
    key : from `random.stream_key`, or from `random.philox_key` for draws that can be checked against any other
        Philox4x32-10; element e draws the half-word e of that stream
    bits : random bits r, 1 to 16; the probability is the fraction rounded to r bits (halves to even)
    """
    if lowest < -(2**15) or highest >= 2**15:
        raise ValueError(f"found codes from {lowest} to {highest}, expected at most 16 bits to round stochastically")
    scale = _scaled(x.dtype, bits, inverse, offset, lowest, highest)
    return _run("stochastic", x.size, _flat(x), _flat(codes), *scale, np.int32(2 ** (BITS - bits)), key)


def update_codes(
    codes: Array, grad: Array, rate: float, lowest: int, highest: int, key: Array, bits: int = BITS
) -> Counts:
    """Do ``codes <- SR(codes - rate * grad)`` in place, never leaving the codes; ``rate`` is the learning rate over Δ.

    Only the step is rounded: ``SR(code + step) = code + SR(step)``, so small steps lose nothing beside large codes.
    Codes are int8.
    """
    if codes.dtype != np.int8:
        raise ValueError(f"found {codes.dtype} codes, expected int8: the fused update is for codes of 8 bits")
    scale = _scaled(grad.dtype, bits, -rate, lowest, highest, 1)
    return _run("update", grad.size, _flat(codes), _flat(grad), *scale, np.int32(2 ** (BITS - bits)), key)


def update_bits(packed: Array, grad: Array, rate: float, key: Array, bits: int = BITS) -> Counts:
    """Do `update_codes` for codes 0 and 1 that are packed eight to a byte (the first element in the lowest bit)."""
    arguments = (packed, _flat(grad), *_scaled(grad.dtype, bits, -rate, 1), np.int32(2 ** (BITS - bits)), key)
    return _run("update_packed", -(-grad.size // 8), *arguments, grain=GRAIN // 8)


def shift_stochastic(values: Array, shift: int, key: Array) -> Array:
    """Return ``values / 2**shift`` (int32) rounded stochastically by mask and shift: exactly unbiased, no floats.

    Draws what `encode_stochastic` with ``bits=shift`` draws.

    Examples
    --------
    >>> from minidl.kernels.random import stream_key
    >>> halves = shift_stochastic(np.full(10_000, -3, np.int32), 1, stream_key(0, "example", 0))
    >>> np.unique(halves).tolist(), round(float(halves.mean()), 1)
    ([-2, -1], -1.5)
    """
    if values.dtype != np.int32 or not 0 <= shift <= BITS:
        raise ValueError(f"found {values.dtype} and a shift of {shift}, expected int32 and a shift of 0 to {BITS}")
    out = np.empty_like(values, order="C")
    mask = np.int32((1 << shift) - 1)
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


def _scaled(dtype: Any, bits: int, *numbers: float) -> tuple[Any, ...]:
    """Return the numbers in units of the last of r bits, in the arrays' type: a product with 2**r is exact."""
    if not 1 <= bits <= BITS:
        raise ValueError(f"found {bits} random bits, expected 1 to {BITS}")
    return tuple(dtype.type(number * 2.0**bits) for number in numbers)


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
    start: int, stop: int, x: Array, codes: Array, inverse: Any, offset: Any, lowest: Any, highest: Any, rest: Any,
    key: Array, counts: Array,
) -> None:  # fmt: skip
    """Write the codes of elements ``[start, stop)`` for `encode_stochastic`."""
    position = x[start:stop] * inverse + offset
    codes[start:stop] = _carried(_clip(position, lowest, highest, counts[start // GRAIN]), start, rest, key)


def update(
    start: int, stop: int, codes: Array, grad: Array, rate: Any, lowest: Any, highest: Any, one: Any, rest: Any,
    key: Array, counts: Array,
) -> None:  # fmt: skip
    """Move the codes of elements ``[start, stop)`` for `update_codes`."""
    step = grad[start:stop] * rate
    code = codes[start:stop] * one
    clipped = _clip(step, lowest - code, highest - code, counts[start // GRAIN])
    codes[start:stop] += _carried(clipped, start, rest, key).astype(codes.dtype)


def update_packed(
    start: int, stop: int, packed: Array, grad: Array, rate: Any, one: Any, rest: Any, key: Array, counts: Array
) -> None:
    """Move the bits of bytes ``[start, stop)`` for `update_bits`."""
    step = grad[8 * start : 8 * stop] * rate
    bit = np.unpackbits(packed[start:stop], bitorder="little")[: len(step)].view(np.int8)
    clipped = _clip(step, -bit * one, (1 - bit) * one, counts[8 * start // GRAIN])
    bit += _carried(clipped, 8 * start, rest, key).astype(np.int8)
    packed[start:stop] = np.packbits(bit.view(np.uint8), bitorder="little")


def shift(start: int, stop: int, values: Array, out: Array, amount: Any, mask: Any, key: Array, counts: Any) -> None:
    """Write elements ``[start, stop)`` for `shift_stochastic`: the carry of the low bits and as many random ones."""
    low = values[start:stop] & mask
    draws = _draws(start, stop, key) >> (BITS - amount)
    out[start:stop] = (values[start:stop] >> amount) + ((low + draws) >> amount)


def _clip(position: Array, lowest: Any, highest: Any, count: Array) -> Array:
    """Return the position within its ends (a NaN at the lowest), and count what lay beyond."""
    clipped = np.where(position > lowest, position, lowest)
    clipped = np.where(clipped > highest, highest, clipped)
    nan = np.isnan(position).sum()
    count += ((clipped != position).sum() - nan, nan)
    return clipped


def _carried(position: Array, start: int, rest: Any, key: Array) -> Array:
    """Return the position, in units of the last of r bits, as an integer of 16 bits behind the point, rounded; int32.

    `rest` is 2**(16 - r): a fraction of r bits is one of 16 whose low bits are 0.
    """
    fixed = np.rint(position).astype(np.int32) * rest
    return np.asarray((fixed + _draws(start, start + len(position), key)) >> BITS)


def _draws(start: int, stop: int, key: Array) -> Array:
    return draws16(start, stop, key).astype(np.int32)
