"""A surface as a relief to look at: where its nodes stand in space, and which of its cells are known.

The relief of every mesh format.  Leaves out the formats; heights are for the eye, the losses go beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.landscape.surface import Surface
from minidl.types import Array

STEEPNESS = 0.6  # height of the relief over the longer side of the plane


@dataclass(frozen=True)
class Heights:
    """Heights by the loss: 0 at `low`, `top` at `high` and above, in between linear or by the logarithm."""

    low: float
    high: float
    log: bool
    top: float

    def of(self, loss: Array) -> Array:
        """Heights of losses of any shape; NaN stays NaN."""
        f = np.log if self.log else np.asarray
        cut = np.clip(loss, self.low, self.high)
        return np.asarray(self.top * (f(cut) - f(self.low)) / (f(self.high) - f(self.low)))


@dataclass(frozen=True)
class Relief:
    """A surface in space.

    Attributes
    ----------
    points : (Y, X, 3), x and y as in the plane, heights from 0; a node without a finite loss lies at 0
    known : (Y - 1, X - 1) of bool, cells whose four corners have a finite loss
    values : name → (Y, X), to go beside the points, neither cut nor scaled
    heights : how a loss becomes a height
    """

    points: Array
    known: Array
    values: dict[str, Array]
    heights: Heights

    @classmethod
    def of(cls, surface: Surface, cap: float | None = None, log: bool | None = None) -> Relief:
        """Raise the plane by its loss; ValueError for a line, or if no loss is finite."""
        if surface.ys is None:
            raise ValueError("found a line, expected a plane: a mesh needs two directions; export .csv, .json or .npz")
        heights = _heights(surface, cap, log)
        x, y = np.meshgrid(surface.xs, surface.ys)
        finite = np.isfinite(surface.loss)
        z = np.where(finite, heights.of(np.where(finite, surface.loss, heights.low)), 0.0)
        known = finite[1:, 1:] & finite[1:, :-1] & finite[:-1, 1:] & finite[:-1, :-1]
        values = {name: np.asarray(getattr(surface, name), np.float64) for name in ("loss", "accuracy", "std_error")}
        return cls(np.stack([x, y, z], axis=-1), known, values, heights)

    def corners(self) -> Array:
        """Numbers of the nodes (x fastest) at the corners of the known cells, anticlockwise from above: (C, 4)."""
        rows, columns = np.nonzero(self.known)
        first = rows * self.points.shape[1] + columns
        along = self.points.shape[1]
        return np.stack([first, first + 1, first + along + 1, first + along], axis=1)

    def triangles(self) -> Array:
        """Two triangles for every known cell, (2 C, 3)."""
        a, b, c, d = self.corners().T
        return np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3)


def _heights(surface: Surface, cap: float | None, log: bool | None) -> Heights:
    finite = surface.loss[np.isfinite(surface.loss)]
    if not len(finite):
        raise ValueError("found no finite loss on the surface, expected at least one: there is nothing to raise")
    low, high = float(finite.min()), float(finite.max() if cap is None else min(finite.max(), cap))
    if high <= low:
        high = low + 1.0  # flat: any scale will do
    if log and low <= 0:
        raise ValueError(f"found a loss of {low:g}, expected positive ones: a logarithm has no height for it")
    assert surface.ys is not None
    side = max(float(np.ptp(surface.xs)), float(np.ptp(surface.ys)))
    return Heights(low, high, low > 0 and high >= 20 * low if log is None else log, STEEPNESS * side)
