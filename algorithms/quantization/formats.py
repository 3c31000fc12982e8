"""Number formats as small pure objects: which values a weight may take, and the integer code of each.

A format is a grid, value = (code - offset)·spacing for code = lowest … highest; rounding to it is a method.  It knows
nothing of training (`rules.py`); `fit` turns a format whose scale follows the weights into one whose scale is fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from algorithms.quantization.rounding import MODES
from minidl.kernels.random import stream_key
from minidl.kernels.rounding import BITS, Counts, encode_nearest, encode_stochastic
from minidl.types import Array, Shape

Scale: TypeAlias = float | Array


class Encoded(NamedTuple):
    """Integer codes of an array, and how many of its elements lay beyond the ends of the grid."""

    codes: Array
    saturated: int


class Format:
    """Base of the formats; see `Binary`, `Ternary`, `FixedPoint`, `BlockFloat`."""

    offset: ClassVar[float] = 0.0

    @property
    def spacing(self) -> Scale:
        """Δ, the distance of neighbouring values: one number, or one for each filter, shaped to broadcast."""
        raise NotImplementedError

    @property
    def lowest(self) -> int:
        """The smallest code."""
        raise NotImplementedError

    @property
    def highest(self) -> int:
        """The largest code."""
        raise NotImplementedError

    def fit(self, weight: Array) -> Format:
        """Return the format to use for this weight: itself, unless its scale is measured on the weight."""
        return self

    # -- values and codes --------------------------------------------------------------------------------------

    @property
    def grid(self) -> Array:
        """All values in rising order, float64; a row for each filter where scales differ."""
        return self.decode(np.arange(self.lowest, self.highest + 1), np.float64)

    @property
    def code_dtype(self) -> type[np.signedinteger[Any]]:
        """The smallest of int8, int16, int32 that holds every code."""
        return next(t for t in (np.int8, np.int16, np.int32) if self.highest <= np.iinfo(t).max)

    def decode(self, codes: Array, dtype: Any = np.float32) -> Array:
        """Return the values of codes."""
        values: Array = codes.astype(dtype)
        values -= dtype(self.offset)
        return np.asarray(values * np.asarray(self.spacing, dtype))

    def encode(self, x: Array, mode: str = "nearest") -> Encoded:
        """Return the codes of x, rounded as a mode of `rounding.py` says, values beyond the ends at the ends.

        Raises
        ------
        ValueError
            If x has a NaN, which no code stands for, or is no float array.
        """
        scaled, inverse = self._scaled(x)
        if mode == "nearest" and not self.offset:
            codes = np.empty(x.shape, self.code_dtype)
            return _checked(codes, encode_nearest(scaled, codes, inverse, self.lowest, self.highest))
        position = scaled * x.dtype.type(inverse) + x.dtype.type(self.offset)
        clipped = np.fmin(np.fmax(position, self.lowest), self.highest)
        counts = Counts(int((clipped != position).sum()), int(np.isnan(position).sum()))
        return _checked(MODES[mode](clipped).astype(self.code_dtype), counts)

    def encode_stochastic(self, x: Array, key: Array, bits: int = BITS) -> Encoded:
        """Return the codes of x, each rounded up or down so that its mean is right; see `minidl.kernels.rounding`."""
        scaled, inverse = self._scaled(x)
        codes = np.empty(x.shape, self.code_dtype)
        ends = self.lowest, self.highest
        return _checked(codes, encode_stochastic(scaled, codes, inverse, self.offset, *ends, key, bits))

    # -- values to values --------------------------------------------------------------------------------------

    def round_nearest(self, x: Array) -> Array:
        """Return Q_d(x), the nearest value of the grid, in the dtype of x.

        Examples
        --------
        >>> FixedPoint(word=4, fraction=1).round_nearest(np.array([0.3, 0.25, -0.25, 9.0]))
        array([ 0.5,  0.5, -0.5,  3.5])
        """
        fixed = self.fit(x)
        return fixed.decode(fixed.encode(x).codes, x.dtype.type)

    def round_stochastic(
        self, x: Array, seed: int | np.random.Generator, stream: int | str = 0, step: int = 0, bits: int = BITS
    ) -> Array:
        """Return Q_s(x): the value above with probability (x - below)/Δ, else the value below, so that E Q_s(x) = x.

        Parameters
        ----------
        x : float array
        seed, stream, step : with the position of an element they decide its draw, and nothing else does;
            a Generator stands for a fresh seed
        bits : random bits an element, 1 to 24

        Examples
        --------
        >>> rounded = Binary(1.0).round_stochastic(np.full(10_000, 0.5), seed=0)
        >>> np.unique(rounded).tolist(), round(float(rounded.mean()), 1)
        ([-1.0, 1.0], 0.5)
        """
        if isinstance(seed, np.random.Generator):
            seed = int(seed.integers(2**63))
        fixed = self.fit(x)
        return fixed.decode(fixed.encode_stochastic(x, stream_key(seed, stream, step), bits).codes, x.dtype.type)

    # -- storage -----------------------------------------------------------------------------------------------

    def pack(self, codes: Array) -> Array:
        """Return the codes as they are stored: int8 for up to 256 values."""
        return codes

    def unpack(self, packed: Array, shape: Shape) -> Array:
        """Return the codes that `pack` stored."""
        return packed.reshape(shape)

    def _scaled(self, x: Array) -> tuple[Array, float]:
        """Return (y, c) with y·c = x/spacing, exact on the grid: only powers of two are multiplied, others divide."""
        if x.dtype not in (np.float32, np.float64):
            raise ValueError(f"found {x.dtype} to round, expected float32 or float64: convert it with .astype")
        spacing = self.spacing
        if isinstance(spacing, float) and math.frexp(spacing)[0] == 0.5:
            return np.ascontiguousarray(x), 1 / spacing
        return np.ascontiguousarray(x / np.asarray(spacing, x.dtype)), 1.0


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
    def spacing(self) -> Scale:
        if self.per_filter:
            raise ValueError("found Binary(per_filter=True) without a weight, expected its scales: call .fit(weight)")
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
        scaled, inverse = self._scaled(x)
        saturated = int((np.abs(scaled) * inverse > 0.5).sum())
        return _checked((x >= 0).astype(np.int8), Counts(saturated, int(np.isnan(x).sum())))

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
    def spacing(self) -> Scale:
        return self.delta


@dataclass(frozen=True, eq=False)
class FixedPoint(Format):
    """Two's complement of `word` bits, `fraction` of them behind the point: Δ = 2**-fraction.

    The range is [-2**(word-1)·Δ, (2**(word-1) - 1)·Δ].

    Parameters
    ----------
    word : bits, 2 to 24
    fraction : bits behind the point, may be negative or larger than `word`; or an integer for each filter, (O, 1, …)

    Examples
    --------
    >>> FixedPoint(word=3, fraction=1).grid
    array([-2. , -1.5, -1. , -0.5,  0. ,  0.5,  1. ,  1.5])
    """

    word: int
    fraction: int | Array

    def __post_init__(self) -> None:
        if not 2 <= self.word <= 24:
            raise ValueError(f"FixedPoint got a word of {self.word} bits, expected 2 to 24; for 1 bit use Binary")
        if np.max(np.abs(self.fraction)) > 100:
            raise ValueError(f"FixedPoint got a fraction of {self.fraction} bits, expected -100 to 100")

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


def _checked(codes: Array, counts: Counts) -> Encoded:
    if counts.nan:
        raise ValueError(
            f"{counts.nan} of {codes.size} weights to round are NaN, expected numbers: a gradient was probably "
            "infinite; lower the rate or clip the gradients"
        )
    return Encoded(codes, counts.saturated)
