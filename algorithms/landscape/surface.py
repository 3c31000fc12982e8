"""Lines and planes through a network: `line`, `plane` and `interpolate`, each returning a `Surface` to draw."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.directions import Direction, between
from algorithms.landscape.scan import Scan, scan
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array

Progress = Callable[[Scan], object]


@dataclass(frozen=True)
class Surface:
    """Loss and accuracy over a line (ys is None) or a grid.

    Attributes
    ----------
    xs, ys : (X,), (Y,) or None
        Coefficients of the directions; 0 is the network itself.
    loss, accuracy, std_error : (X,) or (Y, X)
        Loss in nats and its standard error over the images; accuracy as a fraction.
    count : images that each point was evaluated on
    """

    xs: Array
    ys: Array | None
    loss: Array
    accuracy: Array
    std_error: Array
    count: int


def line(
    model: Module, dataset: Dataset, direction: Direction, alphas: Array, progress: Progress | None = None
) -> Surface:
    """The loss at θ* + α · direction for every α, in nats.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(50)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> from algorithms.landscape import random_direction
    >>> line(net, images, random_direction(net, rng=0), np.linspace(-1, 1, 3)).loss.shape
    (3,)
    """
    xs = _axis("alphas", alphas)
    last = _run(scan(model, dataset, xs[:, None], [direction]), progress)
    return Surface(xs, None, last.loss, last.accuracy, last.std_error, last.count)


def plane(
    model: Module,
    dataset: Dataset,
    dx: Direction,
    dy: Direction,
    xs: Array,
    ys: Array,
    progress: Progress | None = None,
) -> Surface:
    """The loss at θ* + x · dx + y · dy for every node of the grid: arrays (Y, X)."""
    xs, ys = _axis("xs", xs), _axis("ys", ys)
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)  # (Y X, 2), x fastest
    last = _run(scan(model, dataset, points, [dx, dy]), progress)
    shape = (len(ys), len(xs))
    return Surface(
        xs, ys, last.loss.reshape(shape), last.accuracy.reshape(shape), last.std_error.reshape(shape), last.count
    )


def interpolate(
    state_a: Mapping[str, Array],
    state_b: Mapping[str, Array],
    model: Module,
    dataset: Dataset,
    alphas: Array | None = None,
    progress: Progress | None = None,
) -> Surface:
    """The loss on the straight line (1 - α) A + α B through two trained states, running statistics included.

    `model` lends its architecture; by default α runs over 401 points of [-0.5, 1.5].
    Differences in weight scale show up as differences in width here, so width alone says little about generalization.
    """
    start = copy.deepcopy(model)
    start.load_state_dict(state_a)
    alphas = np.linspace(-0.5, 1.5, 401) if alphas is None else alphas
    return line(start, dataset, between(state_a, state_b), alphas, progress)


def _run(scans: object, progress: Progress | None) -> Scan:
    last: Scan | None = None
    for last in scans:  # type: ignore[attr-defined]
        if progress is not None:
            progress(last)
    assert last is not None  # a dataset holds at least one image
    return last


def _axis(name: str, values: Array) -> Array:
    axis = np.asarray(values, np.float64)
    if axis.ndim != 1 or len(axis) < 2 or not (np.diff(axis) > 0).all():
        raise ValueError(f"{name} has shape {axis.shape}, expected at least two numbers in increasing order")
    return axis
