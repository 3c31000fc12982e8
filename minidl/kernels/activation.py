"""The ReLU, its gate, and the sum of two arrays, each in one pass over memory.

Defined here in NumPy; the compiled twins, for 32-bit floats of one shape, are in ``activation_compiled.py``. On one
thread NumPy's `a + b` is as fast as ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import compiled
from .parallel import parallel_for

Array = NDArray[Any]

GRAIN = 1 << 16  # elements in a range: 10 to 20 µs of work, twice what a dispatch to a thread costs; fewer run in place
SMALL = 1 << 12  # up to here NumPy's one call costs less than the way to a compiled loop


def relu(x: Array) -> Array:
    """Return max(x, 0); NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _run("relu", x) if _compiled(x) else np.maximum(x, 0)


def gate(grad_y: Array, y: Array) -> Array:
    """Return grad_y where y is positive, else 0: the gradient of a ReLU from its output (or its input).

    Examples
    --------
    >>> gate(np.array([3.0, 4.0]), np.array([0.0, 2.0]))
    array([0., 4.])
    """
    return _run("gate", grad_y, y) if _compiled(grad_y, y) else np.where(y > 0, grad_y, grad_y.dtype.type(0))


def add(a: Array, b: Array) -> Array:
    """Return a + b, broadcast.

    Examples
    --------
    >>> add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0]))
    array([[11., 21.],
           [12., 22.]])
    """
    total: Array = _run("add", a, b) if _compiled(a, b) else a + b
    return total


def _compiled(x: Array, *others: Array) -> bool:
    """Whether compiled loops take these arrays: all of 32-bit floats, of one shape, and not small."""
    return (
        x.size > SMALL
        and compiled()
        and x.dtype == np.float32
        and all(other.dtype == x.dtype and other.shape == x.shape for other in others)
    )


def _run(loop: str, *inputs: Array) -> Array:
    """Run a compiled loop over all elements, in the order of memory."""
    from . import activation_compiled

    y = np.empty(inputs[0].shape, np.float32)
    flat = [np.ascontiguousarray(array).reshape(-1) for array in (*inputs, y)]
    parallel_for(getattr(activation_compiled, loop), y.size, GRAIN, *flat)
    return y
