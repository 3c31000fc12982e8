"""Stochastic rounding of one weight as a Markov chain: its exact transition matrix, its stationary law, its limit law.

A weight on the grid w_1 < … < w_L moves to Q_s(w - α·g) with g ~ N(m(w), σ²), never beyond the ends of the grid.
As α → 0 the chain only becomes slower: where it spends its time tends to a law that does not depend on α (the paper's
argument; the closed form in one dimension is derived here).  Gradients of other laws are left out.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from minidl.types import Array


def transition_matrix(slopes: Array, sigma: float, rate: float, spacing: float) -> Array:
    """Return T_α (L, L), float64: entry (i, j) is the probability to move from grid point i to j.

    Parameters
    ----------
    slopes : (L,) mean gradient m(w) at every grid point
    sigma : standard deviation of the gradient, above 0
    rate : the learning rate α
    spacing : Δ, the distance of neighbours

    Notes
    -----
    Let y be the unrounded weight in units of Δ.  Q_s(y) = k has probability E (1 - |y - k|)⁺, which is a second
    difference of H(k) = E (y - k)⁺: P(k) = H(k-1) - 2 H(k) + H(k+1), and at the last point H(L-2) - H(L-1).  Downward
    the same holds for E (k - y)⁺; each is used on the side where it is small, so that rare moves keep their precision.

    Examples
    --------
    >>> transition_matrix(np.array([0.0, 0.0, 0.0]), sigma=1.0, rate=0.1, spacing=1.0).round(3)
    array([[0.96, 0.04, 0.  ],
           [0.04, 0.92, 0.04],
           [0.  , 0.04, 0.96]])
    """
    _check(sigma, rate=rate, spacing=spacing)
    states = np.arange(len(slopes))
    distance = states[:, None] - states - rate / spacing * np.asarray(slopes, float)[:, None]  # (L, L): E y - k
    deviation = rate * sigma / spacing
    up = np.triu(_upward(mean_excess(distance, deviation)), 1)
    down = np.tril(_upward(mean_excess(-distance, deviation)[:, ::-1])[:, ::-1], -1)
    return up + down + np.diag(1 - up.sum(axis=1) - down.sum(axis=1))


def _upward(excess: Array) -> Array:
    """Return second differences along rows (a first difference at the end), right for points above the row's own."""
    beyond = excess[:, :-1] - excess[:, 1:]  # (L, L-1): P(Q_s(y) > k)
    moves = np.zeros_like(excess)
    moves[:, 1:] = beyond
    moves[:, 1:-1] -= beyond[:, 1:]
    return moves.clip(0, None)


def mean_excess(mean: Array, sigma: float) -> Array:
    """Return E (y)⁺ for y ~ N(mean, σ²): σ·φ(mean/σ) + mean·Φ(mean/σ).

    Examples
    --------
    >>> mean_excess(np.array([-9.0, 0.0, 9.0]), 1.0).round(4)
    array([0.    , 0.3989, 9.    ])
    """
    z = mean / sigma
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(sigma * density + mean * ndtr(z))


def stationary_law(matrix: Array) -> Array:
    """Return the law π with πT = π of an irreducible chain (L, L), by elimination without a single subtraction.

    States are taken out one by one, the chain watched on the others (Grassmann, Taksar and Heyman 1985), so that every
    entry has full relative precision however rare the moves are.

    Raises
    ------
    ValueError
        If some states cannot be left toward lower-numbered ones, so that there is no single law.

    Examples
    --------
    >>> stationary_law(np.array([[0.9, 0.1], [0.3, 0.7]])).round(6)
    array([0.75, 0.25])
    """
    t = np.array(matrix, float)
    for n in range(len(t) - 1, 0, -1):
        leaving = t[n, :n].sum()
        if not leaving > 0:
            raise ValueError(f"state {n} does not lead to a lower one, expected a chain that can go from any to any")
        t[:n, n] /= leaving
        t[:n, :n] += np.outer(t[:n, n], t[n, :n])
    law = np.ones(len(t))
    for n in range(1, len(t)):
        law[n] = law[:n] @ t[:n, n]
        law[: n + 1] /= law[: n + 1].max()  # the first states may be rarer than the smallest float
    return np.asarray(law / law.sum())


def limit_law(slopes: Array, sigma: float) -> Array:
    """Return π̃ (L,), what the stationary law of SR tends to as α → 0.

    In the limit moves go to neighbours only, up at a rate of E(-g)⁺ and down at E(g)⁺, and detailed balance gives

        π̃(w + Δ) / π̃(w) = E(-g(w))⁺ / E(g(w + Δ))⁺.

    Examples
    --------
    >>> limit_law(np.array([-1.0, 0.0, 1.0]), sigma=1.0).round(3)
    array([0.212, 0.576, 0.212])
    """
    _check(sigma)
    slopes = np.asarray(slopes, float)
    up, down = mean_excess(-slopes, sigma), mean_excess(slopes, sigma)
    log_law = np.concatenate([[0.0], np.cumsum(np.log(up[:-1]) - np.log(down[1:]))])
    law = np.exp(log_law - log_law.max())
    return np.asarray(law / law.sum())


def spectral_gap(matrix: Array) -> float:
    """Return 1 - |λ₂|: the chain forgets its start in about 1/gap steps.

    Examples
    --------
    >>> round(spectral_gap(np.array([[0.9, 0.1], [0.3, 0.7]])), 6)
    0.4
    """
    return float(1 - np.sort(np.abs(np.linalg.eigvals(matrix)))[-2])


def mixing_time(matrix: Array, epsilon: float = 0.25) -> int:
    """Return the smallest number of steps after which, from any start, the law is within ε of the stationary one.

    The distance is the largest difference of the probability of any set of states.

    Examples
    --------
    >>> mixing_time(np.array([[0.9, 0.1], [0.3, 0.7]]), epsilon=0.01)
    9
    """
    law = stationary_law(matrix)
    powers = [np.asarray(matrix, float)]  # T^(2^k), until one has mixed
    while _distance(powers[-1], law) > epsilon:
        powers.append(powers[-1] @ powers[-1])
    steps, so_far = 0, np.eye(len(law))
    for k in reversed(range(len(powers) - 1)):  # the largest number of steps that has not mixed
        further = so_far @ powers[k]
        if _distance(further, law) > epsilon:
            steps, so_far = steps + 2**k, further
    return steps + 1


def _distance(matrix: Array, law: Array) -> float:
    return float(np.abs(matrix - law).sum(axis=1).max() / 2)


def _check(sigma: float, **above_zero: float) -> None:
    for name, value in {"sigma": sigma, **above_zero}.items():
        if not value > 0:
            raise ValueError(f"found {name}={value}, expected a number above 0")
