"""What explains the experiments: two walks on the toy problem, the chain's law as the rate falls, few random bits.

Everything here takes seconds and has no seeds but one; networks are in `trainings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.quantization.markov import limit_law, mixing_time, spectral_gap, stationary_law, transition_matrix
from algorithms.quantization.rounding import probability_up
from algorithms.quantization.toy import SIGMA, SPACING, Histograms, Paths, histograms, loss, make_grid, paths, slope
from minidl.types import Array

WALK_RATE, WALK_STEPS = 0.01, 3_000
CHAIN_RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
RANDOM_BITS = (1, 2, 4)


@dataclass(frozen=True)
class Row:
    """One rule at one rate on the toy problem: share of time at w ≥ 3.5, standard deviation of w, mean loss."""

    rule: str
    rate: float
    deepest: float
    deviation: float
    loss: float


@dataclass(frozen=True)
class Chain:
    """The exact chain of SR at falling rates (A,).

    Attributes
    ----------
    distance : total variation between the stationary law and its limit
    leaving : probability to leave the grid point 4.5 in a step; `upward` is the share of it that goes up
    gap : spectral gap
    mixing : steps until from any start every probability is right to 1/4
    """

    rates: Sequence[float]
    distance: list[float]
    leaving: list[float]
    upward: list[float]
    gap: list[float]
    mixing: list[int]


@dataclass(frozen=True)
class Bias:
    """Error of the mean of a rounded number against its fraction (F,), for r random bits: rounded to them, or cut."""

    fractions: Array
    bits: Sequence[int]
    rounded: list[Array]
    cut: list[Array]


@dataclass(frozen=True)
class Theory:
    """All of it; `table` is that of the toy problem, with the limit law as its last row."""

    walks: Paths
    places: Histograms
    table: list[Row]
    chain: Chain
    bias: Bias


def theory(toy_steps: int, seed: int) -> Theory:
    """Compute all of it."""
    places = histograms(steps=toy_steps, seed=seed)
    walks = paths(WALK_RATE, min(WALK_STEPS, toy_steps), seed=seed)
    return Theory(walks, places, toy_table(places), chain(), bias())


def toy_table(places: Histograms) -> list[Row]:
    """Summarize the histograms."""
    rows = [
        _row(rule, rate, places.grid, share)
        for rule in ("sr", "bc")
        for rate, share in zip(places.rates, getattr(places, rule), strict=True)
    ]
    return [*rows, _row("sr", 0.0, places.grid, places.limit)]


def _row(rule: str, rate: float, grid: Array, share: Array) -> Row:
    mean = share @ grid
    deviation = np.sqrt(share @ (grid - mean) ** 2)
    return Row(rule, rate, float(share[grid >= 3.5].sum()), float(deviation), float(share @ loss(grid)))


def chain(rates: Sequence[float] = CHAIN_RATES) -> Chain:
    """Measure the chain on the part of the grid where the weight ever is at these rates."""
    grid = make_grid()
    grid = grid[(grid >= -5) & (grid <= 10)]
    here = int(np.abs(grid - 4.5).argmin())
    limit = limit_law(slope(grid), SIGMA)
    found = Chain(rates, [], [], [], [], [])
    for rate in rates:
        matrix = transition_matrix(slope(grid), SIGMA, rate, SPACING)
        leaving = 1 - float(matrix[here, here])
        found.distance.append(float(np.abs(stationary_law(matrix) - limit).sum() / 2))
        found.leaving.append(leaving)
        found.upward.append(float(matrix[here, here + 1 :].sum()) / leaving)
        found.gap.append(spectral_gap(matrix))
        found.mixing.append(mixing_time(matrix))
    return found


def bias(bits: Sequence[int] = RANDOM_BITS) -> Bias:
    """Take the mean over all draws, exactly."""
    fractions = np.linspace(0, 1, 129)
    rounded, cut = ([probability_up(fractions, r, how) - fractions for r in bits] for how in (False, True))
    return Bias(fractions, bits, rounded, cut)
