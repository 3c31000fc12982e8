"""The map of |λ_min / λ_max| over a plane: where is the loss convex in all directions, not only in the two drawn?

Neighbours have similar spectra, so every node begins with the eigenvectors of the one before, along a path that turns
at the end of each row.  This leaves out the surface itself, which is `plane`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.landscape.curvature import Extremes, hessian_extremes
from algorithms.landscape.directions import Direction, flatten, unflatten
from algorithms.landscape.slice import moved
from algorithms.landscape.surface import axis
from algorithms.landscape.tally import check_same, identity_of
from minidl.checkpoint import StrPath, read, write
from minidl.data import Dataset
from minidl.nn import Module
from minidl.types import Array

FIELDS = ("largest", "smallest", "residual", "products")


@dataclass(frozen=True)
class CurvatureMap:
    """Both ends of the Hessian's spectrum at every node of a grid; NaN where it is not finite or not known yet.

    Attributes
    ----------
    xs, ys : (X,), (Y,)
    largest, smallest : (Y, X) λ_max and λ_min
    residual : (Y, X) the larger of the two residuals, relative as in `hessian_extremes`
    products : (Y, X) Hessian-vector products spent; 0 where nothing was measured
    tolerance : what the residuals were to fall below

    See `curvature_map` for an example.
    """

    xs: Array
    ys: Array
    largest: Array
    smallest: Array
    residual: Array
    products: Array
    tolerance: float

    @property
    def ratio(self) -> Array:
        """Return |λ_min / λ_max|, (Y, X): near 0 where the loss is convex for practical purposes."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.abs(self.smallest / self.largest)

    @property
    def converged(self) -> Array:
        """Tell where the residuals are small enough: bool, (Y, X)."""
        return np.asarray(self.residual <= self.tolerance)


def curvature_map(
    model: Module,
    dataset: Dataset,
    dx: Direction,
    dy: Direction,
    xs: Array,
    ys: Array,
    tolerance: float = 0.05,
    max_products: int = 40,
    batch_size: int = 250,
    seed: int = 0,
    file: StrPath | None = None,
    progress: Callable[[float], object] | None = None,
) -> CurvatureMap:
    """Find the extreme eigenvalues at every node, over the weights with two or more dimensions.

    |λ_min / λ_max| of it is the convexity map of the landscape paper.

    Parameters
    ----------
    tolerance, max_products, batch_size, seed : see `hessian_extremes`
    file : keeps every finished node; a map that was interrupted goes on from it, to the same bits
    progress : called with the share that is done

    Raises
    ------
    ValueError
        If an axis is not finite and rising, or the file is of another map.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, alike = two_pixels()
    >>> found = curvature_map(net, images, apart, alike, np.array([-1, 0]), np.array([0, 1]))
    >>> found.largest.round(2).tolist(), bool(found.ratio.max() < 0.01)  # one layer: convex everywhere
    ([[0.21, 0.5], [0.21, 0.5]], True)
    """
    xs, ys = axis("xs", xs), axis("ys", ys)
    settings = {"xs": xs.tolist(), "ys": ys.tolist(), "tolerance": tolerance, "max_products": max_products}
    settings |= {"batch_size": batch_size, "seed": seed}
    board = _Board(identity_of(model, [dx, dy], dataset, settings), (len(ys), len(xs)), file)
    weights = {name: p.data for name, p in model.named_parameters() if p.ndim > 1}
    for number, (i, j) in enumerate(_there_and_back(len(ys), len(xs))):
        if board.values["products"][i, j] == 0:
            guess = unflatten(board.guess, weights, list(weights)) if len(board.guess) else None
            there = moved(model, [dx, dy], (xs[j], ys[i]))
            found = hessian_extremes(
                there, dataset, batch_size, tolerance, seed=seed, max_products=max_products, guess=guess
            )
            board.put(i, j, found)
        if progress is not None:
            progress((number + 1) / (len(xs) * len(ys)))
    return CurvatureMap(xs, ys, **board.values, tolerance=tolerance)


@dataclass
class _Board:
    """What is known, and where to begin at the next node; kept in a file."""

    identity: dict[str, Any]
    shape: tuple[int, int]
    file: StrPath | None
    values: dict[str, Array] = field(default_factory=dict)
    guess: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        self.values = {name: np.full(self.shape, np.nan) for name in FIELDS} | {"products": np.zeros(self.shape, int)}
        if self.file is not None and Path(self.file).exists():
            arrays, meta = read(self.file)
            check_same(self.file, "curvature map", meta.get("curvature map"), self.identity)
            self.guess = arrays.pop("guess")
            self.values = arrays

    def put(self, i: int, j: int, found: Extremes) -> None:
        """Keep a node."""
        values = found.largest, found.smallest, found.relative_residual, found.products
        for name, value in zip(FIELDS, values, strict=True):
            self.values[name][i, j] = value
        if np.isfinite(found.ratio):
            names = list(found.largest_direction)
            self.guess = flatten(found.largest_direction, names) + flatten(found.smallest_direction, names)
        if self.file is not None:
            write(self.file, {**self.values, "guess": self.guess}, {"curvature map": self.identity})


def _there_and_back(rows: int, columns: int) -> list[tuple[int, int]]:
    """List the nodes so that each is beside the one before."""
    order = range(columns)
    return [(i, j) for i in range(rows) for j in (order if i % 2 == 0 else reversed(order))]
