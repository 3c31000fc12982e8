"""The compiled twins of `minidl.kernels.activation`: loops over the elements [start, stop) of flat arrays.

Each loop runs over slices, not over indices from `start`: LLVM makes vectors only of what it knows to begin at 0.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

ZERO = np.float32(0)


@jit
def relu(start, stop, x, y):  # type: ignore[no-untyped-def]
    """Write max(x, 0) to y."""
    row, to = x[start:stop], y[start:stop]
    for i in range(row.size):
        to[i] = ZERO if row[i] < ZERO else row[i]  # false for NaN, which stays


@jit
def gate(start, stop, grad_y, y, grad_x):  # type: ignore[no-untyped-def]
    """Write grad_y where y > 0, else 0, to grad_x."""
    grad, row, to = grad_y[start:stop], y[start:stop], grad_x[start:stop]
    for i in range(row.size):
        to[i] = grad[i] if row[i] > ZERO else ZERO


@jit
def add(start, stop, a, b, y):  # type: ignore[no-untyped-def]
    """Write a + b to y."""
    left, right, to = a[start:stop], b[start:stop], y[start:stop]
    for i in range(left.size):
        to[i] = left[i] + right[i]
