"""Chapter 3 of the tour: the loss around a network with and one without shortcuts, and the path that training took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.experiments.tour.settings import Workshop
from algorithms.landscape import Surface, Trajectory, line, plane, random_direction, trajectory
from minidl import load
from minidl.data import Dataset
from minidl.nn import Module
from minidl.nn.models import Shortcut, resnet
from minidl.types import Array

NETS: dict[str, Shortcut] = {"with shortcuts": "A", "without shortcuts": None}


@dataclass(frozen=True)
class Landscapes:
    """What the chapter found.

    Attributes
    ----------
    accuracy : net -> test accuracy
    alphas, lines : (A,) and net -> (D, A) loss along D directions
    planes : net -> surface of (Y, X) losses; equal seeds of the directions for both nets
    path : (T, 2) the epochs of the net with shortcuts in the plane in which they move most
    explained, baseline : (2,) share of the path's variance on each axis, and that of a random walk of as many steps
    path_plane : the loss in that plane
    """

    depth: int
    accuracy: dict[str, float]
    alphas: Array
    lines: dict[str, Array]
    planes: dict[str, Surface]
    path: Array
    explained: Array
    baseline: Array
    path_plane: Surface


def landscapes(shop: Workshop) -> Landscapes:
    """Train two networks and look around both."""
    s = shop.settings
    images = shop.images.subset(s.landscape_images)
    alphas, axis = np.linspace(-1, 1, s.line_points), np.linspace(-1, 1, s.plane_points)
    accuracy, lines, planes = {}, {}, {}
    for name, shortcut in NETS.items():
        model = resnet(s.depth, shortcut=shortcut, width=0.5, in_channels=1, rng=shop.seed)
        run = name.replace(" ", "-")
        accuracy[name] = shop.train(run, model, s.landscape_epochs, record_trajectory=True)[-1]
        lines[name] = _lines(shop, model, images, alphas)
        dx, dy = (random_direction(model, rng=shop.seed + i) for i in (0, 1))
        planes[name] = plane(model, images, dx, dy, axis, axis)
        shop.advance(f"plane {name}")
    path, path_plane = _path(shop, images)
    return Landscapes(s.depth, accuracy, alphas, lines, planes, path.path, path.explained, path.baseline, path_plane)


def _lines(shop: Workshop, model: Module, images: Dataset, alphas: Array) -> Array:
    """(D, A) losses along D random directions."""
    losses = []
    for d in range(shop.settings.directions):
        losses.append(line(model, images, random_direction(model, rng=100 + d), alphas).loss)
        shop.advance(f"line {d + 1} of {shop.settings.directions}")
    return np.stack(losses)


def _path(shop: Workshop, images: Dataset) -> tuple[Trajectory, Surface]:
    """The recorded epochs of the net with shortcuts in their principal plane, and the loss there."""
    files = sorted((shop.folder / "with-shortcuts" / "trajectory").glob("epoch_*.npz"))
    checkpoints = [load(file) for file in files]
    path = trajectory([c.state_dict() for c in checkpoints])
    lo, hi = path.path.min(axis=0), path.path.max(axis=0)
    margin = 0.25 * (hi - lo).max()
    xs, ys = (np.linspace(lo[i] - margin, hi[i] + margin, shop.settings.plane_points) for i in (0, 1))
    surface = plane(checkpoints[-1], images, path.dx, path.dy, xs, ys)
    shop.advance("plane of the trajectory")
    return path, surface
