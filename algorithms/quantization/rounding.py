"""The named ways to round a number to an integer, one line each; a grid of spacing Δ rounds w as the number w/Δ.
These are definitions to read and to test against; training uses the compiled `minidl.kernels.rounding`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.types import Array


def round_nearest(x: Array) -> Array:
    """Round to nearest, halves away from zero: sign(x)·floor(|x| + 1/2), so that Q(-x) = -Q(x).

    The fraction |x| - floor(|x|) is exact in floating point; the sum |x| + 1/2 is not, and 0.49999997 would become 1.

    Examples
    --------
    >>> round_nearest(np.array([0.5, 1.5, 2.5, -0.5]))
    array([ 1.,  2.,  3., -1.])
    """
    size = np.abs(x)
    whole = np.floor(size)
    return np.asarray(np.copysign(whole + (size - whole >= 0.5), x))


def round_half_even(x: Array) -> Array:
    """Round to nearest, halves to the even neighbour: no drift when halves are frequent.

    Examples
    --------
    >>> round_half_even(np.array([0.5, 1.5, 2.5, -0.5]))
    array([ 0.,  2.,  2., -0.])
    """
    return np.asarray(np.rint(x))


def round_floor(x: Array) -> Array:
    """Round down, always: what an arithmetic shift to the right does; low by 1/2 on average."""
    return np.asarray(np.floor(x))


def round_toward_zero(x: Array) -> Array:
    """Round toward zero, always: what a cast to an integer does; shrinks both signs."""
    return np.asarray(np.trunc(x))


def round_stochastic(x: Array, draws: Array, bits: int) -> Array:
    """Round up with probability equal to the fraction of x (to `bits` bits), else down: right on average.

    Parameters
    ----------
    x : floats
    draws : integers of the same shape, uniform on 0 … 2**bits - 1
    bits : number r of random bits

    Notes
    -----
    x becomes an integer with r bits behind the point, the draw is added, and cutting the bits off leaves the carry.
    With q = x - floor(x): E Q(x) = x whenever q has at most r bits (else it is off by 2**-(r+1) at most), the variance
    is q(1 - q), and integers stay where they are.

    Examples
    --------
    >>> round_stochastic(np.full(4, 2.25), draws=np.arange(4), bits=2)
    array([2., 2., 2., 3.])
    """
    fixed = np.rint(x * 2.0**bits).astype(np.int64)
    return np.asarray(((fixed + draws) >> bits).astype(x.dtype))


def probability_up(fraction: Array, bits: int, cut: bool = False) -> Array:
    """Return the probability with which r bits round up: the fraction rounded (or, as a warning, cut) to r bits.

    Cutting is what comparing `fraction > draw / 2**bits` too early amounts to: every mean is low by 2**-(r+1).

    Examples
    --------
    >>> fractions = (np.arange(1000) + 0.5) / 1000
    >>> round(float((probability_up(fractions, 3) - fractions).mean()), 4)
    0.0
    >>> round(float((probability_up(fractions, 3, cut=True) - fractions).mean()), 4)
    -0.0625
    """
    return np.asarray((np.floor if cut else np.rint)(fraction * 2.0**bits) / 2.0**bits)


MODES: dict[str, Callable[[Array], Array]] = {
    "nearest": round_nearest,
    "half_even": round_half_even,
    "floor": round_floor,
    "toward_zero": round_toward_zero,
}
