"""How much a filter matters: one score per filter, the smallest leave first.  Each criterion sees one weight array."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidl.types import Array

Criterion = Callable[[Array, np.random.Generator], Array]


def l1(weight: Array, rng: np.random.Generator) -> Array:
    """Sum of absolute weights of each filter: the paper's rule (Pruning Filters for Efficient ConvNets, section 3.1)."""
    return np.abs(weight, dtype=np.float64).sum(axis=tuple(range(1, weight.ndim)))  # type: ignore[no-any-return]


def l2(weight: Array, rng: np.random.Generator) -> Array:
    """Euclidean norm of each filter."""
    return np.sqrt((weight.astype(np.float64) ** 2).sum(axis=tuple(range(1, weight.ndim))))  # type: ignore[no-any-return]


def random(weight: Array, rng: np.random.Generator) -> Array:
    """A random order: the control every criterion must beat."""
    return rng.permutation(len(weight)).astype(np.float64)


def largest(weight: Array, rng: np.random.Generator) -> Array:
    """Largest L1 norm first: the control that must lose."""
    return -l1(weight, rng)


CRITERIA: dict[str, Criterion] = {"l1": l1, "l2": l2, "random": random, "largest": largest}
