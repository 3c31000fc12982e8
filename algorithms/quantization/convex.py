"""Two convex problems with known constants, and SR and BinaryConnect run on them: measured beside `bounds.py`.

A problem is a loss over the box [-1, 1]^d with a random gradient whose mean is the true one; many runs go side by side
in one array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from scipy.optimize import minimize

from algorithms.quantization.bounds import Constants
from algorithms.quantization.rounding import round_nearest, round_stochastic
from minidl.types import Array

BITS = 32  # random bits of a rounding: so many that their bias is far below everything measured


class Problem(Protocol):
    """A loss over the box, its random gradient, its minimum and its constants; weights come as (R, d), R runs."""

    constants: Constants
    minimum: float

    def loss(self, w: Array) -> Array: ...
    def gradient(self, w: Array, rng: np.random.Generator) -> Array: ...


class Quadratic:
    """F(w) = ½ Σ λ_k (w_k - c_k)²; the gradient has uniform noise in [-noise, noise] on every coordinate.

    Examples
    --------
    >>> problem = Quadratic(curvature=[1.0, 4.0], center=[0.5, 0.0], noise=0.0)
    >>> problem.loss(np.zeros((1, 2))), problem.constants.smoothness
    (array([0.125]), 4.0)
    """

    minimum = 0.0

    def __init__(self, curvature: Sequence[float], center: Sequence[float], noise: float = 1.0) -> None:
        self.curvature, self.center, self.noise = np.array(curvature, float), np.array(center, float), noise
        d = len(self.curvature)
        steepest = np.sum((self.curvature * (1 + np.abs(self.center))) ** 2)  # in the corner farthest from the center
        self.constants = Constants(
            dimension=d,
            gradient=float(np.sqrt(steepest + d * noise**2 / 3)),
            convexity=float(self.curvature.min()),
            smoothness=float(self.curvature.max()),
            hessian=0.0,
            diameter=2 * d**0.5,
        )

    def loss(self, w: Array) -> Array:
        return np.asarray(0.5 * (w - self.center) ** 2 @ self.curvature)

    def gradient(self, w: Array, rng: np.random.Generator) -> Array:
        return np.asarray(self.curvature * (w - self.center) + rng.uniform(-self.noise, self.noise, w.shape))


class Logistic:
    """F(w) = mean log(1 + exp(-s_i x_i·w)) + μ/2 ‖w‖²; the gradient is that of one random sample.

    Parameters
    ----------
    x : (N, d) samples
    signs : (N,) of -1 and +1
    convexity : μ > 0, the weight of the penalty
    """

    def __init__(self, x: Array, signs: Array, convexity: float) -> None:
        self.x, self.signs, self.convexity = np.asarray(x, float), np.asarray(signs, float), convexity
        n, d = self.x.shape
        sizes = np.linalg.norm(self.x, axis=1)
        curvature = np.linalg.eigvalsh(self.x.T @ self.x / (4 * n))[-1]  # σ′ <= 1/4
        self.constants = Constants(
            dimension=d,
            gradient=float(np.sqrt(np.mean((sizes + convexity * d**0.5) ** 2))),
            convexity=convexity,
            smoothness=float(curvature + convexity),
            hessian=float((sizes**3).mean() / (6 * 3**0.5)),  # |σ″| <= 1/(6√3)
            diameter=2 * d**0.5,
        )
        best = minimize(lambda w: self.loss(w[None])[0], np.zeros(d), bounds=[(-1, 1)] * d, tol=1e-14)
        self.minimum = float(best.fun)

    def loss(self, w: Array) -> Array:
        margins = (w @ self.x.T) * self.signs  # (R, N)
        return np.asarray(np.logaddexp(0, -margins).mean(axis=1) + self.convexity / 2 * (w**2).sum(axis=1))

    def gradient(self, w: Array, rng: np.random.Generator) -> Array:
        chosen = rng.integers(len(self.x), size=len(w))
        x, sign = self.x[chosen], self.signs[chosen]
        wrong = 1 / (1 + np.exp(sign * (w * x).sum(axis=1)))  # (R,): the probability of the other sign
        return np.asarray(-(wrong * sign)[:, None] * x + self.convexity * w)


def excess_loss(
    problem: Problem,
    rule: Literal["sgd", "sr", "bc", "bc-nearest"],
    spacing: float,
    steps: Sequence[int],
    runs: int = 20,
    seed: int = 0,
    rate: Callable[[int], float] | None = None,
) -> Array:
    """Return F(w̄_T) - F* for every T of `steps` and every run, (len(steps), runs), of the averaged iterate w̄_T.

    Parameters
    ----------
    rule : SGD, SR, or BC that takes its gradient at Q_s(w) or ("bc-nearest") at Q_d(w); BC's average is of w_r
    spacing : Δ, 1/Δ an integer, so that the ends of the box are on the grid
    rate : α of step t = 1, 2, …; by default 1/(μ(t+1))

    Examples
    --------
    >>> problem = Quadratic([1.0, 2.0], [0.3, -0.4])
    >>> sr, bc = (excess_loss(problem, rule, 0.25, [2000]).mean() for rule in ("sr", "bc"))
    >>> bool(sr > 5 * bc)
    True
    """
    rng = np.random.default_rng(seed)
    w = np.zeros((runs, problem.constants.dimension))
    total, found = np.zeros_like(w), []
    for t in range(1, max(steps) + 1):
        total += w
        if t in steps:
            found.append(problem.loss(total / t) - problem.minimum)
        seen = {"bc": round_to, "bc-nearest": nearest_to}.get(rule, _as_it_is)(w, spacing, rng)
        alpha = 1 / (problem.constants.convexity * (t + 1)) if rate is None else rate(t)
        w = np.clip(w - alpha * problem.gradient(seen, rng), -1, 1)
        if rule == "sr":
            w = round_to(w, spacing, rng)
    return np.array(found)


def round_to(w: Array, spacing: float, rng: np.random.Generator) -> Array:
    """Return Q_s(w)."""
    return spacing * round_stochastic(w / spacing, rng.integers(2**BITS, size=w.shape), BITS)


def nearest_to(w: Array, spacing: float, rng: np.random.Generator) -> Array:
    """Return Q_d(w)."""
    return spacing * round_nearest(w / spacing)


def _as_it_is(w: Array, spacing: float, rng: np.random.Generator) -> Array:
    return w
