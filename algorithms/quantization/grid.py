"""What every number format shares: a grid of values with integer codes, and rounding to it.

value = (code - offset)·spacing for code = lowest … highest.  Which grids there are is said in `formats.py`, training on
them is `rules.py`.
"""

from __future__ import annotations

import math
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
    """Base of the formats: small pure objects that never change.

    Arrays may have any shape; codes have that of the values.

    Examples
    --------
    >>> from algorithms.quantization import FixedPoint
    >>> eighths = FixedPoint(word=4, fraction=3)
    >>> eighths.spacing, eighths.ends
    (0.125, (-1.0, 0.875))
    >>> codes, beyond = eighths.encode(np.array([0.3, -0.5, 9.0]))
    >>> codes.tolist(), beyond, eighths.decode(codes).tolist()
    ([2, -4, 7], 1, [0.25, -0.5, 0.875])
    """

    offset: ClassVar[float] = 0.0

    @property
    def spacing(self) -> Scale:
        """Δ, the distance of neighbouring values: one number, or one for each filter, shaped to broadcast."""
        raise ValueError(f"found {self} without a weight, expected one to measure its scale on: call .fit(weight)")

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

    @property
    def scale(self) -> Scale:
        """What `fit` measures: the argument that fixes the spacing, Δ or the number of fraction bits."""
        raise NotImplementedError

    def with_scale(self, scale: Scale) -> Format:
        """Return the same format with another `scale`."""
        raise NotImplementedError

    # -- values and codes --------------------------------------------------------------------------------------

    @property
    def ends(self) -> tuple[Any, Any]:
        """The smallest and the largest value; of every filter where scales differ."""
        spacing = self.spacing
        return (self.lowest - self.offset) * spacing, (self.highest - self.offset) * spacing

    @property
    def grid(self) -> Array:
        """All values in rising order, float64 (L,), where there is one scale."""
        return self.decode(np.arange(self.lowest, self.highest + 1), np.float64)

    @property
    def code_dtype(self) -> type[np.signedinteger[Any]]:
        """The smaller of int8 and int16 that holds every code."""
        return np.int8 if self.highest <= 127 else np.int16

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
        scaled, inverse = self.scaled(x)
        if mode == "nearest" and not self.offset:
            codes = np.empty(x.shape, self.code_dtype)
            return checked(codes, encode_nearest(scaled, codes, inverse, self.lowest, self.highest))
        position = scaled * x.dtype.type(inverse) + x.dtype.type(self.offset)
        clipped = np.fmin(np.fmax(position, self.lowest), self.highest)
        counts = Counts(int((clipped != position).sum()), int(np.isnan(position).sum()))
        return checked(MODES[mode](clipped).astype(self.code_dtype), counts)

    def encode_stochastic(self, x: Array, key: Array, bits: int = BITS) -> Encoded:
        """Return the codes of x, each rounded up or down so that its mean is right; see `minidl.kernels.rounding`."""
        scaled, inverse = self.scaled(x)
        codes = np.empty(x.shape, self.code_dtype)
        ends = self.lowest, self.highest
        return checked(codes, encode_stochastic(scaled, codes, inverse, self.offset, *ends, key, bits))

    # -- values to values --------------------------------------------------------------------------------------

    def round_nearest(self, x: Array) -> Array:
        """Return Q_d(x), the nearest value of the grid, in the dtype of x.

        Examples
        --------
        >>> from algorithms.quantization import FixedPoint
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
        bits : random bits an element, 1 to 16

        Examples
        --------
        >>> from algorithms.quantization import Binary
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

    def scaled(self, x: Array) -> tuple[Array, float]:
        """Return (y, c) with y·c = x/spacing, exact on the grid: only powers of two are multiplied, others divide."""
        if x.dtype not in (np.float32, np.float64):
            raise ValueError(f"found {x.dtype} to round, expected float32 or float64: convert it with .astype")
        spacing = self.spacing
        if isinstance(spacing, int | float) and math.frexp(spacing)[0] == 0.5:
            return np.ascontiguousarray(x), 1 / spacing
        return np.ascontiguousarray(x / np.asarray(spacing, x.dtype)), 1.0


def checked(codes: Array, counts: Counts) -> Encoded:
    """Raise one clear sentence if a NaN was rounded: no code stands for it."""
    if counts.nan:
        raise ValueError(
            f"{counts.nan} of {codes.size} weights to round are NaN, expected numbers: a gradient was probably "
            "infinite; lower the rate or clip the gradients"
        )
    return Encoded(codes, counts.saturated)
