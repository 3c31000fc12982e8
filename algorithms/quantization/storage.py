"""Weights in memory as codes and nothing else: bits for two values, int8 or int16 for more.

`CodeStore` is what a rule puts in place of a Parameter's array.  Whoever reads the Parameter gets floats that are
decoded for the occasion and gone with their last reader; no float copy stays behind.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from algorithms.quantization.grid import Format
from minidl.types import Array, Shape


class CodeStore:
    """The codes of one weight, packed, and the format that they are codes of.

    Examples
    --------
    >>> from algorithms.quantization import Binary
    >>> from minidl.nn import Parameter
    >>> weight = Parameter(np.ones((16, 3, 3, 8), np.float32))
    >>> weight.held = CodeStore(Binary(), np.ones(weight.shape, np.int8), weight.dtype)
    >>> weight.held.nbytes, weight.data.nbytes, weight.shape
    (144, 4608, (16, 3, 3, 8))
    """

    def __init__(self, format: Format, codes: Array, dtype: np.dtype[Any]) -> None:
        self.format, self.packed = format, format.pack(codes)
        self.shape: Shape = codes.shape
        self.dtype = np.dtype(dtype)
        self._decoded: Callable[[], Array | None] = lambda: None

    @property
    def codes(self) -> Array:
        """The codes, one integer each."""
        return self.format.unpack(self.packed, self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the codes and, where filters have scales of their own, of the scales."""
        return self.packed.nbytes + int(getattr(self.format.scale, "nbytes", 0))

    def read(self) -> Array:
        """Return the numbers, read-only; readers at the same time share one array."""
        array = self._decoded()
        if array is None:
            array = self.format.decode(self.codes, self.dtype.type)
            array.flags.writeable = False
            self._decoded = weakref.ref(array)
        return array
