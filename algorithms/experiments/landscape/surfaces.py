"""Surfaces of networks with and without shortcuts, and the map that says where they are convex in all directions."""

from __future__ import annotations

import numpy as np

from algorithms.experiments.landscape.nets import Net
from algorithms.experiments.landscape.workshop import Record, Workshop
from algorithms.landscape import Direction, convex_share, curvature_map, plane, random_direction
from minidl.nn import Module

CAP = 10.0  # nats: where the paper's pictures end
CHUNK = 100  # images after which a node that is surely above twice the cap is left


def measure_plane(shop: Workshop, net: Net, seed: int) -> Record:
    """Loss over two filter-normalized directions; the same seeds of directions for every network."""
    s = shop.settings
    model, axis = shop.trained(net), np.linspace(-s.span, s.span, s.plane_points)
    images = shop.images.subset(s.plane_images)
    found = plane(model, images, *_directions(model, seed), axis, axis, fast=True, cap=2 * CAP, chunk=CHUNK)
    return {
        "xs": axis.tolist(),
        "ys": axis.tolist(),
        "loss": found.loss.tolist(),
        "convex_share": convex_share(found),
        "share_below": {str(level): float((found.loss < level).mean()) for level in (1.0, 2.0, CAP)},
    }


def measure_map(shop: Workshop, net: Net, seed: int) -> Record:
    """Both ends of the Hessian's spectrum over the middle half of the same plane."""
    s = shop.settings
    model, axis = shop.trained(net), np.linspace(-s.span / 2, s.span / 2, s.map_points)
    images, (dx, dy) = shop.images.subset(s.map_images), _directions(model, seed)
    found = curvature_map(model, images, dx, dy, axis, axis, max_products=s.map_products, batch_size=s.map_images)
    return {
        "xs": axis.tolist(),
        "ys": axis.tolist(),
        "largest": found.largest.tolist(),
        "smallest": found.smallest.tolist(),
        "ratio": found.ratio.tolist(),
        "residual": found.residual.tolist(),
        "tolerance": found.tolerance,
        "converged": float(found.converged.mean()),
        "median_ratio": float(np.median(found.ratio)),
    }


def _directions(model: Module, seed: int) -> tuple[Direction, Direction]:
    return random_direction(model, 2000 + 2 * seed), random_direction(model, 2001 + 2 * seed)
