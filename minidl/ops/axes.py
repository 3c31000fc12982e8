"""The one check of an axis, which NumPy leaves out in places (a modulo wraps it, a scalar has an axis 0)."""

from __future__ import annotations

from minidl.types import Shape


def normal_axis(operation: str, axis: int, shape: Shape) -> int:
    """`axis` counted from 0; one that `shape` does not have is refused."""
    n = len(shape)
    if not -n <= axis < n:
        expected = f"an axis from {-n} to {n - 1}" if n else "a Tensor of one axis or more"
        raise ValueError(f"{operation} got axis {axis} for shape {shape}, expected {expected}")
    return int(axis) % n
