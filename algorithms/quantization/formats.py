"""The number formats: two values, three values, fixed point, and integers that share an exponent.

Each says its spacing and its codes; what can be done with them is in `grid.py`.  A format whose scale follows the
weights (`per_filter`, `BlockFloat`) is turned into one of fixed scale by `fit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from algorithms.quantization.grid import Encoded, Format, Scale, checked
from minidl.kernels.rounding import Counts
from minidl.types import Array, Shape


@dataclass(frozen=True, eq=False)
class Binary(Format):
    """The two values -Δ and +Δ, codes 0 and 1, stored as bits; nearest is the sign, and 0 counts as positive.

    Parameters
    ----------
    delta : Δ > 0, or one for each filter, shaped (O, 1, …)
    per_filter : `fit` sets Δ of each filter (axis 0) to `delta` times the mean of its |w|, as binary-weight networks do

    Examples
    --------
    >>> Binary().round_nearest(np.array([0.3, -0.2, 0.0]))
    array([ 1., -1.,  1.])
    >>> Binary(per_filter=True).round_nearest(np.array([[0.5, -1.5], [0.1, 0.3]]))
    array([[ 1. , -1. ],
           [ 0.2,  0.2]])
    """

    delta: Scale = 1.0
    per_filter: bool = False

    offset: ClassVar[float] = 0.5
    lowest: ClassVar[int] = 0
    highest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_delta("Binary", self.delta)

    @property
    def scale(self) -> Scale:
        return self.delta

    def with_scale(self, scale: Scale) -> Binary:
        return Binary(scale)

    @property
    def spacing(self) -> Scale:
        if self.per_filter:
            return super().spacing
        return 2 * self.delta

    def fit(self, weight: Array) -> Binary:
        if not self.per_filter:
            return self
        size = np.abs(weight).mean(axis=tuple(range(1, weight.ndim)), keepdims=True)  # (O, 1, …)
        if not size.all():
            filters = np.flatnonzero(size.ravel() == 0).tolist()
            raise ValueError(f"filters {filters} are all zero, expected a mean |w| above 0: use a fixed delta instead")
        return Binary(size * self.delta)

    def encode(self, x: Array, mode: str = "nearest") -> Encoded:
        if mode != "nearest":
            return super().encode(x, mode)
        scaled, inverse = self.scaled(x)
        saturated = int((np.abs(scaled) * inverse > 0.5).sum())
        return checked((x >= 0).astype(np.int8), Counts(saturated, int(np.isnan(x).sum())))

    def pack(self, codes: Array) -> Array:
        """Return eight codes to a byte, the first in the lowest bit."""
        return np.packbits(codes.astype(np.uint8), bitorder="little")

    def unpack(self, packed: Array, shape: Shape) -> Array:
        return np.unpackbits(packed, count=math.prod(shape), bitorder="little").astype(np.int8).reshape(shape)


@dataclass(frozen=True, eq=False)
class Ternary(Format):
    """The three values -Δ, 0 and +Δ.

    Examples
    --------
    >>> Ternary(0.5).round_nearest(np.array([0.2, 0.3, -7.0]))
    array([ 0. ,  0.5, -0.5])
    """

    delta: Scale = 1.0

    lowest: ClassVar[int] = -1
    highest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_delta("Ternary", self.delta)

    @property
    def scale(self) -> Scale:
        return self.delta

    def with_scale(self, scale: Scale) -> Ternary:
        return Ternary(scale)

    @property
    def spacing(self) -> Scale:
        return self.delta


@dataclass(frozen=True, eq=False)
class FixedPoint(Format):
    """Two's complement of `word` bits, `fraction` of them behind the point: Δ = 2**-fraction.

    The range is [-2**(word-1)·Δ, (2**(word-1) - 1)·Δ].

    Parameters
    ----------
    word : bits, 2 to 16
    fraction : bits behind the point, may be negative or larger than `word`; or an integer for each filter, (O, 1, …)

    Examples
    --------
    >>> FixedPoint(word=3, fraction=1).grid
    array([-2. , -1.5, -1. , -0.5,  0. ,  0.5,  1. ,  1.5])
    """

    word: int
    fraction: int | Array

    def __post_init__(self) -> None:
        if not 2 <= self.word <= 16:
            raise ValueError(f"FixedPoint got a word of {self.word} bits, expected 2 to 16; for 1 bit use Binary")
        if np.max(np.abs(self.fraction)) > 100:
            raise ValueError(f"FixedPoint got a fraction of {self.fraction} bits, expected -100 to 100")

    @property
    def scale(self) -> Scale:
        return self.fraction

    def with_scale(self, scale: Any) -> FixedPoint:
        return FixedPoint(self.word, scale)

    @property
    def spacing(self) -> Scale:
        return 2.0**-self.fraction

    @property
    def lowest(self) -> int:
        return int(-(2 ** (self.word - 1)))

    @property
    def highest(self) -> int:
        return int(2 ** (self.word - 1)) - 1


@dataclass(frozen=True, eq=False)
class BlockFloat(Format):
    """`word`-bit integers that share one power-of-two scale: one for the whole array, or one for each filter.

    `fit` takes the smallest scale whose range holds the largest |w|, up to the one missing positive code.

    Examples
    --------
    >>> BlockFloat(word=4).fit(np.array([[1.0, 0.2], [0.1, 0.05]])).fraction.ravel()
    array([2, 6])
    """

    word: int
    per_filter: bool = True

    def fit(self, weight: Array) -> FixedPoint:
        axes = tuple(range(1 if self.per_filter else 0, weight.ndim))
        exponent = np.frexp(np.abs(weight).max(axis=axes, keepdims=True))[1]  # max < 2**exponent
        return FixedPoint(self.word, self.word - 1 - exponent.astype(np.int64))


def _check_delta(name: str, delta: Scale) -> None:
    if not (np.all(np.asarray(delta) > 0) and np.all(np.isfinite(delta))):
        raise ValueError(f"{name} got delta={delta}, expected finite and above 0: a grid needs a distance")
