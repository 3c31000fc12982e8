"""A path of training as rows to export: an epoch, its place in the plane, its losses, its height on the relief."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.landscape.export.relief import Heights
from minidl.types import Array


@dataclass(frozen=True)
class Track:
    """A path, one row per epoch.

    Attributes
    ----------
    path : (T, 2) coordinates in the plane
    loss, in_plane : (T,) nats, of the networks themselves and of the points below them
    off_plane : (T,) distances from the plane
    heights : of the relief that the path lies over, so that both fit in one scene
    """

    path: Array
    loss: Array
    in_plane: Array
    off_plane: Array
    heights: Heights

    def columns(self) -> dict[str, Array]:
        """Name → (T,)."""
        named = {"epoch": np.arange(len(self.path)), "x": self.path[:, 0], "y": self.path[:, 1]}
        return named | {"loss": self.loss, "loss_in_plane": self.in_plane, "off_plane": self.off_plane}

    def points(self) -> Array:
        """Where the networks stand in space, at their own losses: (T, 3); at 0 where the loss is not finite."""
        known = np.isfinite(self.loss)
        z = np.where(known, self.heights.of(np.where(known, self.loss, self.heights.low)), 0.0)
        return np.column_stack([self.path, z])
