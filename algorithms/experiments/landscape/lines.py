"""Ten random lines through every network: how much the curve depends on the draw, and how sharp the minimum is.

Filter-normalized and, for contrast, unnormalized: there a step is the same absolute disturbance for every network.
"""

from __future__ import annotations

import numpy as np

from algorithms.experiments.landscape.nets import Net
from algorithms.experiments.landscape.workshop import Record, Workshop
from algorithms.landscape import interval, lines, random_direction
from minidl.training import evaluate
from minidl.types import Array

REACH = 0.5  # filter norms to each side


def measure_lines(shop: Workshop, net: Net, seed: int) -> Record:
    """Errors of one network, its losses (D, A) along D directions, and how much they rise within some steps."""
    s = shop.settings
    model, images = shop.trained(net), shop.images.subset(s.line_images)
    alphas = np.linspace(-REACH, REACH, s.line_points)
    seeds = range(1000 * seed, 1000 * seed + s.directions)
    normalized = [random_direction(model, number) for number in seeds]
    found = np.stack([surface.loss for surface in lines(model, images, normalized, alphas, fast=True)])  # (D, A)
    steps = np.array([-step for step in reversed(s.raw_steps)] + [0.0, *s.raw_steps])
    plain = [random_direction(model, number, norm=None) for number in seeds]
    raw = np.stack([surface.loss for surface in lines(model, images, plain, steps, fast=True)])  # (D, 2R + 1)
    train, test = evaluate(model, shop.images), evaluate(model, shop.test)
    return {
        "train_loss": train.loss,
        "train_error": 1 - train.accuracy,
        "test_loss": test.loss,
        "test_error": 1 - test.accuracy,
        "alphas": alphas.tolist(),
        "loss": found.tolist(),
        "sharpness": _rises(found, alphas, s.radii),
        "raw_sharpness": _rises(raw, steps, s.raw_steps),
        "spread": _spread(found),
    }


def _rises(loss: Array, alphas: Array, steps: tuple[float, ...]) -> list[Record]:
    """At each step: mean rise over directions with its 95 % interval, and every direction's."""
    centre = loss[:, int(np.abs(alphas).argmin())]
    rises = []
    for step in steps:
        behind, ahead = (loss[:, int(np.abs(alphas - side).argmin())] for side in (-step, step))
        found = interval((behind + ahead) / 2 - centre)
        kept = {"mean": found.mean, "low": found.low, "high": found.high, "draws": found.draws.tolist()}
        rises.append({"step": step} | kept)
    return rises


def _spread(loss: Array) -> Record:
    """How alike the curves are: relative deviation between directions at the ends, and correlation of each pair."""
    ends = loss[:, [0, -1]]
    pairs = np.corrcoef(np.log(loss))[np.triu_indices(len(loss), 1)]  # of log losses, or the ends decide alone
    return {
        "relative_deviation_at_ends": float((ends.std(axis=0, ddof=1) / ends.mean(axis=0)).mean()),
        "least_correlation": float(pairs.min()),
    }
