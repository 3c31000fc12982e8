"""The two names that signatures share.  Shapes are said in words beside them, in the docstrings."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
Rng: TypeAlias = np.random.Generator | int | None
