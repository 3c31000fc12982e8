"""The theorems of section 3 as numbers: how far from the minimum SR and BinaryConnect can end at worst.

Only forms that were derived anew are here, not the printed constants.  Every bound is a term that falls with the steps
T, like that of SGD, and a floor that does not: SR's is linear in the spacing Δ, BC's is 0 on quadratics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Constants:
    """What the theorems ask of a problem.

    Attributes
    ----------
    dimension : d
    gradient : G, with E‖g‖² <= G² everywhere in the box
    convexity : μ of strong convexity
    smoothness : L, the largest curvature
    hessian : L₂, the Lipschitz constant of the Hessian
    diameter : D of the box
    """

    dimension: int
    gradient: float
    convexity: float
    smoothness: float
    hessian: float
    diameter: float


class Bound(NamedTuple):
    """E F(w̄_T) - F* <= falling + floor."""

    falling: float
    floor: float

    @property
    def total(self) -> float:
        return self.falling + self.floor


def rounding_error(constants: Constants, spacing: float, rate: float) -> float:
    """Lemma 1: E‖r‖² <= √d·Δ·α·G, for the error r of rounding stochastically one step from a grid point.

    A coordinate that moves by a = α|g| has E r² = Δ²q(1-q) <= Δa; the sum is at most Δα‖g‖₁ <= √d·Δα‖g‖.
    """
    return math.sqrt(constants.dimension) * spacing * rate * constants.gradient


def sr_strongly_convex(constants: Constants, spacing: float, steps: int) -> Bound:
    """Theorem 1: SR with the rate 1/(μ(t+1)).

    Examples
    --------
    >>> quadratic = Constants(4, gradient=2.0, convexity=1.0, smoothness=1.0, hessian=0.0, diameter=4.0)
    >>> sr_strongly_convex(quadratic, spacing=0.25, steps=1000).floor
    0.5
    """
    return Bound(_falling(constants, steps), _sr_floor(constants, spacing))


def sr_convex(constants: Constants, spacing: float, steps: int, c: float) -> Bound:
    """Theorem 2, in its safe form: SR with the rate c/√t; strong convexity is not needed."""
    return Bound(_falling_slowly(constants, steps, c), _sr_floor(constants, spacing))


def bc_convex(constants: Constants, spacing: float, steps: int, c: float) -> Bound:
    """Theorem 3, in its safe form: BC with the rate c/√t and either rounding; ‖Q(w) - w‖ <= √d·Δ."""
    floor = math.sqrt(constants.dimension) * spacing * constants.smoothness * constants.diameter
    return Bound(_falling_slowly(constants, steps, c), floor)


def bc_strongly_convex(constants: Constants, spacing: float, steps: int) -> Bound:
    """Theorem 4, in its safe form, for unbiased rounding: BC with the rate 1/(μ(t+1)).

    The gradient at Q_s(w) is off by L₂/2·E‖r‖² <= L₂·dΔ²/8 on average: by nothing on a quadratic (Corollary 1).  With
    nearest rounding the error does not average out, and this bound does not hold.
    """
    floor = constants.diameter * constants.hessian * constants.dimension * spacing**2 / 8
    return Bound(_falling(constants, steps), floor)


def _falling(constants: Constants, steps: int) -> float:
    return (1 + math.log(steps + 1)) * constants.gradient**2 / (2 * constants.convexity * steps)


def _falling_slowly(constants: Constants, steps: int, c: float) -> float:
    return (constants.diameter**2 / (2 * c) + c * constants.gradient**2) / math.sqrt(steps)


def _sr_floor(constants: Constants, spacing: float) -> float:
    return math.sqrt(constants.dimension) * spacing * constants.gradient / 2
