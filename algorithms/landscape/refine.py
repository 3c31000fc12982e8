"""A plane from fewer nodes: measure a coarse grid, and between its nodes only what a cubic cannot predict.

Level by level the grid's step is halved.  Where the cubic through the nodes of the level before was wrong, the next
level is measured too; elsewhere it is interpolated, and marked so.  All in logarithms of the loss, since that is how a
picture shows it, and one tolerance then means the same in a valley and on a cliff.
"""

from __future__ import annotations

import time
from typing import Any, TypeAlias, Unpack

import numpy as np

from algorithms.landscape.directions import Direction, cosine
from algorithms.landscape.surface import Options, Surface, axis, grid, known_at
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array

FIRST = 4  # step of the first level; how wrong a cubic is there is seen by predicting it from every second node
DECAY = 4  # halving the step makes the error of a cubic 16 times smaller where the loss is smooth; trust in less
FLOOR = 1e-12  # nats; below it a loss is as good as none
Grid: TypeAlias = tuple[Array, Array]  # indices of rows and of columns
FIELDS = ("loss", "accuracy", "std_error", "difference_error")


def refined_plane(
    model: Module,
    dataset: Dataset,
    dx: Direction,
    dy: Direction,
    xs: Array,
    ys: Array,
    tolerance: float = 0.05,
    **options: Unpack[Options],
) -> Surface:
    """Evaluate the same as `plane`, measuring only where interpolation would be wrong by more than about `tolerance`.

    Parameters
    ----------
    xs, ys : any axes; grids of fewer than about 15 nodes each way leave nothing to save
    tolerance : relative error of an interpolated loss that is accepted.  It is judged by the errors seen at the nodes
        around, so it is a good guess and no guarantee
    options : those of `plane`.  With `cap` the loss above it is not refined, and only roughly known.  After `budget`
        seconds all that is left is interpolated

    Returns
    -------
    Surface
        `measured` tells which nodes were; the others have count 0 and no standard errors (NaN).

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, alike = two_pixels()
    >>> xs = np.linspace(-3, 3, 21)
    >>> surface = refined_plane(net, images, apart, alike, xs, xs)
    >>> bool(surface.measured.mean() < 0.25)  # the rest is interpolated, to a few percent
    True
    >>> exact = np.log1p(np.exp(-2 * xs))  # whatever y is
    >>> bool(np.allclose(surface.loss, exact, rtol=0.05))
    True
    """
    xs, ys = axis("xs", xs), axis("ys", ys)
    nodes = _Nodes(model, dataset, [dx, dy], xs, ys, options)
    grids = _levels(ys, xs)
    coarse = grids[0]
    nodes.measure(coarse)
    half = coarse[0][_every_second(coarse[0])], coarse[1][_every_second(coarse[1])]
    error = nodes.error(coarse, nodes.predict(nodes.height, half, coarse))
    for fine in grids[1:]:
        guess = nodes.predict(nodes.height, coarse, fine)
        expected = _spread(error, coarse, fine) / DECAY
        nodes.measure(fine, expected > tolerance)
        nodes.interpolate(coarse, fine, guess)
        error = np.where(nodes.measured[np.ix_(*fine)], nodes.error(fine, guess), expected)
        coarse = fine
    return nodes.surface({"tolerance": tolerance})


class _Nodes:
    """What is known of every node of the grid, NaN where nothing is yet: arrays (Y, X)."""

    def __init__(
        self, model: Module, dataset: Dataset, directions: list[Direction], xs: Array, ys: Array, options: Options
    ) -> None:
        self.model, self.dataset, self.directions, self.xs, self.ys = model, dataset, directions, xs, ys
        self.options: Options = {**options}
        budget = options.get("budget")
        self.end = None if budget is None else time.monotonic() + budget
        cap = options.get("cap")
        self.highest = np.inf if cap is None else np.log(cap)
        shape = len(ys), len(xs)
        self.values = {name: np.full(shape, np.nan) for name in FIELDS}
        self.height = np.full(shape, np.nan)  # log of the loss
        self.count = np.zeros(shape, np.int64)
        self.measured = np.zeros(shape, bool)
        self.about: dict[str, Any] = {}

    def measure(self, level: Grid, wanted: Array | None = None) -> None:
        """Evaluate a level's nodes, all or those wanted, unless the time is over and there is a first picture."""
        if self.end is not None:
            left = self.end - time.monotonic()
            if left < 0 and self.measured.any():
                return
            self.options["budget"] = left
        where = np.zeros_like(self.measured)
        where[np.ix_(*level)] = True if wanted is None else wanted
        where &= ~self.measured
        if not where.any():
            return
        points = grid(self.xs, self.ys)[where.ravel()]
        known, self.about = known_at(self.model, self.dataset, points, self.directions, self.options)
        for name in FIELDS:
            self.values[name][where] = getattr(known, name)
        self.count[where] = known.count
        self.height[where] = np.log(np.maximum(known.loss, FLOOR))
        self.measured |= where

    def predict(self, values: Array, coarse: Grid, fine: Grid) -> Array:
        """Values at a fine level from those at a coarse one: by the cubic through the four nodes nearest, each way."""
        known = values[np.ix_(*coarse)]
        return cubic(cubic(known, self.ys[coarse[0]], self.ys[fine[0]]).T, self.xs[coarse[1]], self.xs[fine[1]]).T

    def interpolate(self, coarse: Grid, fine: Grid, guess: Array) -> None:
        """Fill in the nodes of a level that were not measured; `guess` is their height by the level before."""
        accuracy = self.predict(self.values["accuracy"], coarse, fine)
        missing = ~self.measured[np.ix_(*fine)] & ~np.outer(*(np.isin(f, c) for f, c in zip(fine, coarse, strict=True)))
        i, j = fine[0][missing.nonzero()[0]], fine[1][missing.nonzero()[1]]
        self.height[i, j] = guess[missing]
        with np.errstate(over="ignore"):
            self.values["loss"][i, j] = np.exp(guess[missing])
        self.values["accuracy"][i, j] = np.clip(accuracy[missing], 0, 1)

    def error(self, level: Grid, guess: Array) -> Array:
        """Return |log a - log b|, the relative error, above the cap none; infinite where one is not a number."""
        height = self.height[np.ix_(*level)]
        with np.errstate(invalid="ignore"):
            difference = np.abs(np.minimum(height, self.highest) - np.minimum(guess, self.highest))
        return np.asarray(np.nan_to_num(difference, nan=np.inf))

    def surface(self, about: dict[str, Any]) -> Surface:
        about = {**self.about, "cosine": cosine(*self.directions), **about}
        return Surface(self.xs, self.ys, **self.values, count=self.count, measured=self.measured, about=about)


def _levels(ys: Array, xs: Array) -> list[Grid]:
    """List ever finer sets of rows and columns, each with all of the one before, from about every fourth to all."""
    rows, columns = _halvings(ys), _halvings(xs)
    count = max(len(rows), len(columns))
    padded = [some + [some[-1]] * (count - len(some)) for some in (rows, columns)]
    return list(zip(*padded, strict=True))


def _halvings(values: Array) -> list[Array]:
    """Nodes of an axis, level by level: the ends and the centre first, and then what lies in the middle between."""
    centre, last = int(np.abs(values).argmin()), len(values) - 1
    sides = [np.linspace(centre, end, -(-abs(end - centre) // FIRST) + 1) for end in (0, last)]
    levels = [np.unique(np.round(np.concatenate(sides)).astype(int))]
    while len(levels[-1]) <= last:
        a = levels[-1]
        levels.append(np.unique(np.concatenate([a, (a[1:] + a[:-1]) // 2])))
    return levels


def _every_second(nodes: Array) -> Array:
    """Positions 0, 2, 4, ... and the last."""
    return np.unique(np.append(np.arange(0, len(nodes), 2), len(nodes) - 1))


def cubic(values: Array, known: Array, wanted: Array) -> Array:
    """Interpolate along axis 0, from coordinates `known` (K,) to `wanted` (W,), by the cubic through the four nearest.

    Examples
    --------
    >>> at, between = np.array([0.0, 1.0, 3.0, 4.0, 6.0]), np.array([0.5, 2.0, 5.0])
    >>> bool(np.allclose(cubic(at**3, at, between), between**3))
    True
    """
    order = min(4, len(known))
    first = np.clip(np.searchsorted(known, wanted, side="right") - order // 2, 0, len(known) - order)
    near = first[:, None] + np.arange(order)  # (W, 4)
    x = known[near]
    result = np.zeros((len(wanted), *values.shape[1:]))
    with np.errstate(invalid="ignore"):  # infinite losses have no cubic through them
        for i in range(order):  # Lagrange's form: one weight for each of the four
            others = np.delete(x, i, axis=1)
            weight = np.prod((wanted[:, None] - others) / (x[:, i : i + 1] - others), axis=1)
            result += np.einsum("w,w...->w...", weight, values[near[:, i]])
    return result


def _spread(error: Array, coarse: Grid, fine: Grid) -> Array:
    """For every node of the finer level, the largest error among the nodes that its cubic is made of, and around."""
    return _spread_rows(_spread_rows(error, coarse[0], fine[0]).T, coarse[1], fine[1]).T


def _spread_rows(error: Array, coarse: Array, fine: Array) -> Array:
    around = error.copy()
    around[1:] = np.maximum(around[1:], error[:-1])
    around[:-1] = np.maximum(around[:-1], error[1:])
    below = np.searchsorted(coarse, fine, side="right") - 1
    above = np.searchsorted(coarse, fine, side="left")
    return np.maximum(around[below], around[above])
