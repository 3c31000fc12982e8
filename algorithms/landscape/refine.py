"""A plane from fewer nodes: measure a coarse grid, and between its nodes only what a cubic cannot predict.

Level by level the grid's step is halved.  Where the cubic through the nodes of the level before was wrong, the next
level is measured too; elsewhere it is interpolated, and marked so.  All in logarithms of the loss, since that is how a
picture shows it, and one tolerance then means the same in a valley and on a cliff.
"""

from __future__ import annotations

import time
from typing import Any, Unpack

import numpy as np

from algorithms.landscape.directions import Direction, cosine
from algorithms.landscape.surface import Options, Surface, axis, grid, known_at
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array

FIRST = 4  # step of the first level; how wrong a cubic is there is seen by predicting it from every second node
DECAY = 4  # halving the step makes the error of a cubic 16 times smaller where the loss is smooth; trust in less
FLOOR = 1e-12  # nats; below it a loss is as good as none
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
    xs, ys : evenly spaced, 25, 33, 41, ... nodes each (8n + 1)
    tolerance : relative error of an interpolated loss that is accepted.  It is judged by the errors seen at the nodes
        around, so it is a good guess and no guarantee
    options : those of `plane`.  With `cap` the loss above it is not refined, and only roughly known.  After `budget`
        seconds all that is left is interpolated

    Returns
    -------
    Surface
        `measured` tells which nodes were; the others have count 0 and no standard errors (NaN).
    """
    xs, ys = _even_axis("xs", xs), _even_axis("ys", ys)
    nodes = _Nodes(model, dataset, [dx, dy], xs, ys, options)
    level = np.zeros((len(ys), len(xs)), bool)
    level[::FIRST, ::FIRST] = level[np.abs(ys).argmin(), np.abs(xs).argmin()] = True  # the centre in any case
    nodes.measure(level)
    error = nodes.error(nodes.height[::FIRST, ::FIRST], upsample(nodes.height[:: 2 * FIRST, :: 2 * FIRST]))
    step = FIRST
    while step > 1:
        coarse, fine = (slice(None, None, step),) * 2, (slice(None, None, step // 2),) * 2
        guess = upsample(nodes.height[coarse])
        expected = _spread(error) / DECAY
        level[...] = False
        level[fine] = expected > tolerance
        nodes.measure(level & ~nodes.measured)
        nodes.interpolate(coarse, fine, guess)
        error = np.where(nodes.measured[fine], nodes.error(nodes.height[fine], guess), expected)
        step //= 2
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

    def measure(self, where: Array) -> None:
        """Evaluate some nodes, unless the time is over and there is a first picture."""
        if self.end is not None:
            left = self.end - time.monotonic()
            if left < 0 and self.measured.any():
                return
            self.options["budget"] = left
        if not where.any():
            return
        points = grid(self.xs, self.ys)[where.ravel()]
        known, self.about = known_at(self.model, self.dataset, points, self.directions, self.options)
        for name in FIELDS:
            self.values[name][where] = getattr(known, name)
        self.count[where] = known.count
        self.height[where] = np.log(np.maximum(known.loss, FLOOR))
        self.measured |= where

    def interpolate(self, coarse: tuple[slice, ...], fine: tuple[slice, ...], guess: Array) -> None:
        """Fill in the nodes of a level that were not measured; `guess` is their height by the level before."""
        accuracy = upsample(self.values["accuracy"][coarse])
        missing = ~self.measured[fine]
        missing[::2, ::2] = False  # those of the level before are known
        self.height[fine][missing] = guess[missing]
        with np.errstate(over="ignore"):
            self.values["loss"][fine][missing] = np.exp(guess[missing])
        self.values["accuracy"][fine][missing] = np.clip(accuracy[missing], 0, 1)

    def error(self, height: Array, guess: Array) -> Array:
        """Return |log a - log b|, the relative error, above the cap none; infinite where one is not a number."""
        with np.errstate(invalid="ignore"):
            difference = np.abs(np.minimum(height, self.highest) - np.minimum(guess, self.highest))
        return np.asarray(np.nan_to_num(difference, nan=np.inf))

    def surface(self, about: dict[str, Any]) -> Surface:
        about = {**self.about, "cosine": cosine(*self.directions), **about}
        return Surface(self.xs, self.ys, **self.values, count=self.count, measured=self.measured, about=about)


def upsample(values: Array) -> Array:
    """Put a node between all neighbours of a grid, by the cubic through the four nodes nearest: (2Y - 1, 2X - 1).

    Examples
    --------
    >>> cubes = np.arange(5.0) ** 3
    >>> upsample(np.tile(cubes, (4, 1)))[3].tolist() == (np.arange(0, 4.5, 0.5) ** 3).tolist()
    True
    """
    return _upsample_rows(_upsample_rows(values).T).T


def _upsample_rows(a: Array) -> Array:
    between = np.empty((len(a) - 1, *a.shape[1:]))
    with np.errstate(invalid="ignore"):  # infinite losses have no cubic through them
        between[1:-1] = (-a[:-3] + 9 * a[1:-2] + 9 * a[2:-1] - a[3:]) / 16
        between[0] = (5 * a[0] + 15 * a[1] - 5 * a[2] + a[3]) / 16
        between[-1] = (5 * a[-1] + 15 * a[-2] - 5 * a[-3] + a[-4]) / 16
    return _interleave(a, between)


def _spread(error: Array) -> Array:
    """For every node of the finer grid, the largest error among the nodes its cubic is made of: (2Y - 1, 2X - 1)."""
    return _spread_rows(_spread_rows(error).T).T


def _spread_rows(a: Array) -> Array:
    around = a.copy()
    around[1:] = np.maximum(around[1:], a[:-1])
    around[:-1] = np.maximum(around[:-1], a[1:])
    return _interleave(around, np.maximum(around[1:], around[:-1]))


def _interleave(a: Array, between: Array) -> Array:
    both = np.empty((len(a) + len(between), *a.shape[1:]))
    both[::2], both[1::2] = a, between
    return both


def _even_axis(name: str, values: Array) -> Array:
    array = axis(name, values)
    if len(array) < 6 * FIRST + 1 or len(array) % (2 * FIRST) != 1 or np.ptp(np.diff(array)) > 1e-9 * np.ptp(array):
        raise ValueError(
            f"{name} has {len(array)} nodes, expected 25, 33, 41 or another 8n + 1, evenly spaced, to refine: use "
            "`plane` for others"
        )
    return array
