"""The greedy phase in numbers: what a fall of the rate brings at once, and what the epochs after it bring.

All are measured at the first fall.  "Before" is the mean of the last three epochs, since at the large rate a single
epoch says little; "at once" is the first epoch after the fall, and "in the end" the last of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.experiments.over_seeds import Estimate, estimate
from algorithms.quantization import Curve
from minidl.types import Array

BEFORE = 3  # epochs


@dataclass(frozen=True)
class Greedy:
    """One rule at the fall of the rate, over the seeds; gains are positive where it improves.

    Attributes
    ----------
    at_once, after : gain of test error from before the fall to the first epoch, and from there to the end
    loss_at_once, loss_after : the same of the training loss, in nats
    flips : share of weights that flip in a step in the epoch after the fall, over that in the epoch before it; None
        for the rule that flips none
    """

    at_once: Estimate
    after: Estimate
    loss_at_once: Estimate
    loss_after: Estimate
    flips: Estimate | None


def greedy(runs: Sequence[Curve], drop: int) -> Greedy:
    """Measure one rule's runs, one a seed; `drop` is the epoch after which the rate falls."""
    errors = np.array([_gains(1 - run.validation_accuracy, drop) for run in runs])  # (S, 2)
    losses = np.array([_gains(run.loss, drop) for run in runs])
    flips = [float(run.flips[drop] / run.flips[drop - 1]) for run in runs if run.flips[drop - 1]]
    at_once, after, loss_at_once, loss_after = (estimate(column.tolist()) for column in (*errors.T, *losses.T))
    return Greedy(at_once, after, loss_at_once, loss_after, estimate(flips) if len(flips) == len(runs) else None)


def _gains(values: Array, drop: int) -> tuple[float, float]:
    """Return the gain at once and the gain after, of values per epoch (T,).

    Examples
    --------
    >>> _gains(np.array([9.0, 6.0, 6.0, 6.0, 4.0, 3.0]), drop=4)
    (2.0, 1.0)
    """
    before = values[max(drop - BEFORE, 0) : drop].mean()
    return float(before - values[drop]), float(values[drop] - values[-1])
