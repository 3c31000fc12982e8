"""Numbers of several seeds as one: the mean and how far it may be off, and differences paired by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.landscape import interval


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, half the width of its 95 % interval (infinite for one seed), and the single values."""

    mean: float
    half_width: float
    values: list[float]

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return abs(self.mean) > self.half_width

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} ± {100 * self.half_width:.1f} %"


def estimate(values: Sequence[float]) -> Estimate:
    """Student's interval for the mean of independent values.

    Examples
    --------
    >>> found = estimate([0.1, 0.2, 0.3])
    >>> round(found.mean, 3), round(found.half_width, 3), found.clear
    (0.2, 0.248, False)
    """
    half_width = math.inf
    if len(values) > 1:
        found = interval(values)
        half_width = found.high - found.mean
    return Estimate(float(np.mean(values)), half_width, [float(value) for value in values])


def paired(a: Estimate, b: Estimate) -> Estimate:
    """Estimate a - b from the differences of each seed, in which what the seed brings to both cancels.

    Examples
    --------
    >>> paired(estimate([0.5, 0.7, 0.6]), estimate([0.4, 0.6, 0.5])).clear
    True
    """
    return estimate([x - y for x, y in zip(a.values, b.values, strict=True)])
