"""Numbers that go with the pictures: pictures cannot be ranked, and a number without an interval should not be.

Sharpness is measured in filter norms, so that networks of different scale can be compared; what it leaves out is
curvature at a point, which is `curvature.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from algorithms.landscape.directions import Direction, random_direction
from algorithms.landscape.surface import Options, Surface, known_at, lines
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array


@dataclass(frozen=True)
class Interval:
    """A mean over draws, an interval that holds the true mean with probability `level`, and the draws themselves.

    See `interval` for an example.
    """

    mean: float
    low: float
    high: float
    level: float
    draws: Array


def interval(draws: Sequence[float] | Array, level: float = 0.95) -> Interval:
    """Student's interval for the mean of independent draws.

    Examples
    --------
    >>> found = interval([1.0, 2.0, 3.0])
    >>> round(found.mean, 2), round(found.low, 2), round(found.high, 2)
    (2.0, -0.48, 4.48)
    """
    from scipy.stats import t

    values = np.asarray(draws, np.float64)
    if len(values) < 2:
        raise ValueError(f"interval got {len(values)} draws, expected at least 2: one alone says nothing of the spread")
    mean = float(values.mean())
    half = float(t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half, level, values)


def expected_sharpness(
    model: Module,
    dataset: Dataset,
    radius: float = 0.5,
    directions: int = 10,
    seed: int = 0,
    level: float = 0.95,
    **options: Unpack[Options],
) -> Interval:
    """Rise of the loss, in nats, at `radius` filter norms from the network, mean over random directions and both ways.

    Each direction is filter-normalized, with one-dimensional parameters left where they are, as in the pictures.

    Raises
    ------
    ValueError
        If the radius is not positive, or there are fewer than 2 directions.

    Examples
    --------
    >>> from minidl import nn
    >>> images = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), [0, 1])  # a black and a white pixel
    >>> layers = nn.Linear(1, 4, bias=False, rng=0), nn.ReLU(), nn.Linear(4, 2, bias=False, rng=1)
    >>> net = nn.Sequential(nn.Flatten(), *layers)
    >>> before = expected_sharpness(net, images, directions=3)
    >>> net[1].weight.data[...] *= 8
    >>> net[3].weight.data[...] /= 8  # the same function, so as sharp
    >>> before.mean > 0, abs(expected_sharpness(net, images, directions=3).mean - before.mean) < 1e-5
    (True, True)
    """
    if not radius > 0:
        raise ValueError(f"expected_sharpness got radius {radius}, expected a positive number of filter norms")
    drawn = [random_direction(model, seed + i) for i in range(directions)]
    found = lines(model, dataset, drawn, np.array([-radius, 0, radius]), **options)
    return interval([(s.loss[0] + s.loss[2]) / 2 - s.loss[1] for s in found], level)


def reach(
    model: Module, dataset: Dataset, directions: Sequence[Direction], target: float, **options: Unpack[Options]
) -> float:
    """How far to draw: the step at which the loss, mean over `directions` and both ways, first reaches `target` nats.

    By doubling from 2⁻⁵ to 2⁵, and five bisections in the logarithm, so to about 2 %; what is not a number counts as
    above.  Networks that are compared should share one range: take the largest of theirs.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, _ = two_pixels()
    >>> round(reach(net, images, [apart], target=1.0), 2)  # from ln 2 = 0.69
    0.84
    """

    def above(step: float) -> bool:
        points = step * np.concatenate([np.eye(len(directions)), -np.eye(len(directions))])
        known, _ = known_at(model, dataset, points, list(directions), options)
        return not float(known.loss.mean()) < target

    exponent = -5.0
    while exponent < 5 and not above(2**exponent):
        exponent += 1
    for half in 2.0 ** -np.arange(1, 6):  # between the last doubling and the one before
        if above(2 ** (exponent - half)):
            exponent -= half
    return float(2**exponent)


def half_width(surface: Surface, delta: float) -> float:
    """How far one can walk from the centre of a line until the loss has risen by `delta` nats: mean of both sides.

    Linear between the points; infinite if a side ends before the loss has risen so far.

    Examples
    --------
    >>> from algorithms.landscape.surface import Surface
    >>> xs = np.linspace(-2, 2, 5)
    >>> half_width(Surface(xs, None, np.abs(xs), xs, xs, xs, xs, xs), delta=1.5)
    1.5
    """
    centre = int(np.abs(surface.xs).argmin())
    if surface.ys is not None or abs(surface.xs[centre]) > 1e-9:
        raise ValueError("half_width got no line through the network, expected one whose coordinates include 0")
    level = surface.loss[centre] + delta
    right = _first_crossing(surface.xs[centre:], surface.loss[centre:], level)
    left = _first_crossing(-surface.xs[centre::-1], surface.loss[centre::-1], level)
    return (left + right) / 2


def _first_crossing(x: Array, loss: Array, level: float) -> float:
    above = np.flatnonzero(~(loss < level))  # what is not a number is above anything
    if not len(above):
        return float("inf")
    i = above[0]
    if not np.isfinite(loss[i]):
        return float(x[i - 1])
    share = (level - loss[i - 1]) / (loss[i] - loss[i - 1])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def barrier(surface: Surface) -> float:
    """How high the loss between two networks rises above the straight line between their losses, in nats; 0 if nowhere.

    `surface` is of `interpolate`: one network at 0, the other at 1; ValueError if it has no such points.

    Examples
    --------
    >>> from algorithms.landscape.surface import Surface
    >>> xs, loss = np.array([0, 0.5, 1]), np.array([0.25, 2.0, 0.75])
    >>> barrier(Surface(xs, None, loss, xs, xs, xs, xs, xs))  # halfway 2, where the straight line has 0.5
    1.5
    """
    xs = surface.xs
    a, b = (int(np.abs(xs - end).argmin()) for end in (0, 1))
    if surface.ys is not None or abs(xs[a]) > 1e-9 or abs(xs[b] - 1) > 1e-9:
        raise ValueError("barrier got no line between two networks, expected one whose coordinates include 0 and 1")
    straight = surface.loss[a] + xs[a : b + 1] * (surface.loss[b] - surface.loss[a])
    return float(np.max(surface.loss[a : b + 1] - straight))


def convex_share(surface: Surface) -> float:
    """Share of a plane's inner nodes at which the surface is convex, by second differences; NaN if none is known.

    Convex here does not mean convex in all directions, only that positive curvature dominates; see `curvature_map`.
    Raises ValueError for a line or less than 3 x 3 nodes.

    Examples
    --------
    >>> from algorithms.landscape.surface import Surface
    >>> xs = np.linspace(-1, 1, 5)
    >>> x2, y2 = np.meshgrid(xs**2, xs**2)
    >>> [convex_share(Surface(xs, xs, loss, *[loss] * 5)) for loss in (x2 + y2, x2 - y2)]  # a bowl and a saddle
    [1.0, 0.0]
    """
    if surface.ys is None or min(surface.loss.shape) < 3:
        raise ValueError(f"convex_share got a surface of shape {surface.loss.shape}, expected a plane of 3 x 3 or more")
    f = surface.loss
    with np.errstate(invalid="ignore", over="ignore"):
        xx = _second_difference(f.T, surface.xs).T[1:-1]
        yy = _second_difference(f, surface.ys)[:, 1:-1]
        area = np.outer(surface.ys[2:] - surface.ys[:-2], surface.xs[2:] - surface.xs[:-2])
        xy = (f[2:, 2:] - f[2:, :-2] - f[:-2, 2:] + f[:-2, :-2]) / area
        size = np.abs(xx) + np.abs(yy)
        least = (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy)  # the smaller eigenvalue
        known = np.isfinite(least)
        convex = least >= -1e-9 * size  # a valley of no curvature at all is convex
    return float(convex[known].mean()) if known.any() else float("nan")


def _second_difference(f: Array, x: Array) -> Array:
    """Along axis 0, for nodes at any distances: (X - 2, ...)."""
    slopes = np.diff(f, axis=0) / np.diff(x)[:, None]
    return np.asarray(2 * np.diff(slopes, axis=0) / (x[2:] - x[:-2])[:, None])
