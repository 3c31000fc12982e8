"""The path of training in its principal plane: how flat it is, beside a random walk, and the loss under it."""

from __future__ import annotations

import numpy as np

from algorithms.experiments.landscape.nets import Net
from algorithms.experiments.landscape.workshop import DROPS, Record, Workshop
from algorithms.landscape import path_losses, refined_plane, trajectory

MARGIN = 0.2  # of the longer side of the path, around it


def measure_path(shop: Workshop, net: Net) -> Record:
    """Coordinates of every epoch, shares of variance, and what the picture hides: distance from the plane."""
    found = trajectory(shop.states(net))
    return {
        "path": found.path.tolist(),
        "explained": found.explained.tolist(),
        "baseline": found.baseline.tolist(),
        "off_plane": found.off_plane.tolist(),
        "drops": [round(drop * net.epochs) for drop in DROPS],
    }


def measure_ground(shop: Workshop, net: Net) -> Record:
    """The loss in the path's plane, with the final network's batch-norm statistics, and the true loss on the way."""
    s = shop.settings
    states, model = shop.states(net), shop.trained(net)
    found = trajectory(states)
    images = shop.images.subset(s.plane_images)
    low, high = found.path.min(axis=0), found.path.max(axis=0)
    margin = MARGIN * float((high - low).max())
    xs, ys = (np.linspace(low[i] - margin, high[i] + margin, s.ground_points) for i in (0, 1))
    losses = path_losses(model, images, states, found)
    surface = refined_plane(model, images, found.dx, found.dy, xs, ys, fast=True)
    return {
        "xs": xs.tolist(),
        "ys": ys.tolist(),
        "loss": surface.loss.tolist(),
        "true": losses.true.tolist(),
        "in_plane": losses.in_plane.tolist(),
    }
