"""One weight, one loss with three minima: where SR and BinaryConnect spend their time as the rate falls.

SR keeps walking between the minima however small the rate, BC settles in the deepest one: the toy problem of the paper.
The loss is the paper's as far as known; the noise of the gradient, normal with deviation 3, is our choice.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.quantization.markov import limit_law
from minidl.kernels.backend import compiled
from minidl.types import Array

SIGMA = 3.0
SPACING = 0.5
START = 4.0
RATES = (1.0, 0.1, 0.01, 0.001)
ENDS = (-20.0, 25.0)  # of the grid: at rate 1 the walks reach about ±15


def loss(w: Array) -> Array:
    """Three parabolas with minima 2 at 0, 0.75 at 2.5 and 0.19 at 4.75, which meet at 1 and (nearly) at 3.5.

    Examples
    --------
    >>> loss(np.array([0.0, 2.5, 4.5, 4.75, 5.0]))
    array([2.    , 0.75  , 0.2525, 0.19  , 0.2525])
    """
    pieces = [w**2 + 2, (w - 2.5) ** 2 + 0.75, (w - 4.75) ** 2 + 0.19]
    return np.asarray(np.select([w < 1, w < 3.5], pieces[:2], pieces[2]))


def slope(w: Array) -> Array:
    """Return the derivative of `loss`."""
    return np.asarray(2 * (w - np.select([w < 1, w < 3.5], [0.0, 2.5], 4.75)))


def make_grid(spacing: float = SPACING) -> Array:
    """Return the values the weight may take, (L,)."""
    return spacing * np.arange(math.ceil(ENDS[0] / spacing), math.floor(ENDS[1] / spacing) + 1)


# --- The two walks, in units of the spacing and counted from the first grid point -------------------------------------


def sr_walk(start: int, slopes: Array, noise: Array, draws: Array, rate: float, path: Array) -> None:
    """Walk k ← Q_s(k - rate·(slope + noise)) and write every k into `path` (T,)."""
    k, last = start, len(slopes) - 1
    for t in range(len(path)):
        y = min(max(k - rate * (slopes[k] + noise[t]), 0.0), float(last))
        whole = math.floor(y)
        k = whole + (1 if draws[t] < y - whole else 0)
        path[t] = k


def bc_walk(start: int, slopes: Array, noise: Array, rate: float, path: Array) -> None:
    """Walk y ← y - rate·(slope at Q_d(y) + noise) and write every real-valued y into `path` (T,)."""
    y, last = float(start), len(slopes) - 1
    for t in range(len(path)):
        k = math.floor(y + 0.5)
        y = min(max(y - rate * (slopes[k] + noise[t]), 0.0), float(last))
        path[t] = y


@functools.cache
def _fast(walk: Callable[..., None]) -> Any:
    from minidl.kernels.jit import jit

    return jit(walk)


def _run(walk: Callable[..., None], *arguments: Any) -> None:
    """Run a walk compiled where numba is, as the plain loop elsewhere: the same bits."""
    (_fast(walk) if compiled() else walk)(*arguments)


@dataclass(frozen=True)
class Paths:
    """Walks on the grid: `sr` and `bc` are grid values (T,), `latent` is the real-valued weight under `bc`."""

    sr: Array
    bc: Array
    latent: Array


def paths(
    rate: float,
    steps: int,
    *,
    seed: int = 0,
    sigma: float = SIGMA,
    spacing: float = SPACING,
    start: float = START,
    f_slope: Callable[[Array], Array] = slope,
) -> Paths:
    """Walk from `start` with both rules, under the same noise.

    Examples
    --------
    >>> walk = paths(rate=0.001, steps=50_000)
    >>> sorted(set(walk.bc.tolist()))[-2:], bool(walk.sr.std() > 2 * walk.bc[10_000:].std())
    ([4.5, 5.0], True)
    """
    grid = make_grid(spacing)
    rng = np.random.default_rng(seed)
    noise, draws = sigma * rng.standard_normal(steps), rng.random(steps)
    first = int(np.abs(grid - start).argmin())
    codes, latent = np.empty(steps, np.int64), np.empty(steps)
    slopes = f_slope(grid)
    _run(sr_walk, first, slopes, noise, draws, rate / spacing, codes)
    _run(bc_walk, first, slopes, noise, rate / spacing, latent)
    return Paths(grid[codes], grid[np.floor(latent + 0.5).astype(np.int64)], grid[0] + spacing * latent)


@dataclass(frozen=True)
class Histograms:
    """Shares of time on `grid` (L,): `sr` and `bc` (A, L), a row for each rate; `limit` (L,) is SR's law as α → 0."""

    grid: Array
    rates: tuple[float, ...]
    sr: Array
    bc: Array
    limit: Array


def histograms(rates: Sequence[float] = RATES, steps: int = 1_000_000, *, seed: int = 0) -> Histograms:
    """Return where the quantized weight spends its time under both rules, for every rate.

    Examples
    --------
    >>> h = histograms(rates=(0.1, 0.01), steps=20_000)
    >>> h.bc.shape, round(float(h.limit[h.grid >= 3.5].sum()), 3)
    ((2, 91), 0.949)
    """
    grid = make_grid()
    walks = [paths(rate, steps, seed=seed) for rate in rates]
    sr, bc = (np.stack([_shares(getattr(w, rule), grid) for w in walks]) for rule in ("sr", "bc"))
    return Histograms(grid, tuple(rates), sr, bc, limit_law(slope(grid), SIGMA))


def _shares(values: Array, grid: Array) -> Array:
    return np.bincount(np.searchsorted(grid, values), minlength=len(grid)) / len(values)
