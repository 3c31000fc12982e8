"""Small against large batch: the straight line between the two solutions, and the weights that explain its picture."""

from __future__ import annotations

import numpy as np

from algorithms.experiments.landscape.nets import Net
from algorithms.experiments.landscape.workshop import Record, Workshop
from algorithms.landscape import Surface, barrier, interpolate
from minidl.types import Array

WAYS = (0.05, 0.1, 0.25)  # shares of the way to the other solution, at which sharpness is read off
BINS = np.linspace(-0.5, 0.5, 101)


def join(shop: Workshop, small: Net, large: Net) -> Record:
    """Loss and accuracy on the line from the small-batch solution (0) to the large-batch one (1), not normalized."""
    s = shop.settings
    a, b = shop.trained(small).state_dict(), shop.trained(large).state_dict()
    alphas = np.linspace(-0.5, 1.5, s.join_points)
    record: Record = {"alphas": alphas.tolist()}
    for name, images in (("train", shop.images), ("test", shop.test)):
        images = images.subset(min(s.line_images, len(images)))
        surface = interpolate(a, b, shop.trained(small), images, alphas, fast=True)
        record[f"{name}_loss"], record[f"{name}_accuracy"] = surface.loss.tolist(), surface.accuracy.tolist()
        if name == "train":
            record |= {"barrier": barrier(surface), "rise": _rises(surface)}
    return record


def _rises(surface: Surface) -> list[dict[str, float]]:
    """How much the loss rises within a share of the way to the other solution."""

    def loss(place: float) -> float:
        return float(surface.loss[np.abs(surface.xs - place).argmin()])

    return [{"way": way, "small": loss(way) - loss(0), "large": loss(1 - way) - loss(1)} for way in WAYS]


def weigh(shop: Workshop, net: Net) -> Record:
    """Norm after every epoch and distribution at the end, of the weights in arrays of two or more dimensions."""
    states = shop.states(net)
    final = _flat(states[-1])
    density, _ = np.histogram(np.clip(final, BINS[0], BINS[-1]), BINS, density=True)
    return {
        "norm": [float(np.linalg.norm(_flat(state))) for state in states],
        "bins": BINS.tolist(),
        "density": density.tolist(),
    }


def _flat(state: dict[str, Array]) -> Array:
    return np.concatenate([array.ravel() for array in state.values() if array.ndim > 1]).astype(np.float64)
