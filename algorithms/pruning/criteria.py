"""How much a filter matters, told from the weights alone: one score per filter, the smallest leave first.

A criterion sees one layer's weight.  Those that need images are in `activations.py`; `scores.py` adds the scores of
layers that must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from algorithms.pruning.channels import Channels
from minidl.types import Array

WeightCriterion = Callable[[Array, np.random.Generator], Array]


def l1(weight: Array, rng: np.random.Generator | None = None) -> Array:
    """Sum of absolute weights of each filter: the rule of "Pruning Filters for Efficient ConvNets", section 3.1."""
    return np.abs(weight, dtype=np.float64).sum(axis=tuple(range(1, weight.ndim)))  # type: ignore[no-any-return]


def l2(weight: Array, rng: np.random.Generator | None = None) -> Array:
    """Euclidean norm of each filter."""
    return np.sqrt((weight.astype(np.float64) ** 2).sum(axis=tuple(range(1, weight.ndim))))  # type: ignore[no-any-return]


def geometric_median(weight: Array, rng: np.random.Generator | None = None) -> Array:
    """Sum of each filter's distances to all filters of the layer: the nearest to the middle is the most replaceable.

    This is the score of "Filter Pruning via Geometric Median" (He et al. 2019), with exact distances.

    Examples
    --------
    >>> geometric_median(np.array([[0.0], [1.0], [5.0]]))
    array([6., 5., 9.])
    """
    from scipy.spatial.distance import cdist

    filters = weight.reshape(len(weight), -1).astype(np.float64)
    return cdist(filters, filters).sum(axis=1)  # type: ignore[no-any-return]


def random(weight: Array, rng: np.random.Generator) -> Array:
    """Draw a random order: the control every criterion must beat."""
    return rng.permutation(len(weight)).astype(np.float64)


def largest(weight: Array, rng: np.random.Generator | None = None) -> Array:
    """Largest L1 norm first: the control that must lose."""
    return -l1(weight)


CRITERIA: dict[str, WeightCriterion] = {
    "l1": l1, "l2": l2, "geometric-median": geometric_median, "random": random, "largest": largest,
}  # fmt: skip


def gamma(channels: Channels, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Size of the batch-norm scale behind each filter, for every layer (the mean, if a channel passes several).

    A layer that no batch norm follows has no such score, and is left out.
    """
    total, met = np.zeros(channels.count), np.zeros(channels.count)
    for (name, axis), ids in channels.axes.items():
        statistics = (f"{name.removesuffix('weight')}running_var", 0)
        if name.endswith("weight") and axis == 0 and statistics in channels.axes:
            np.add.at(total, ids, np.abs(arrays[name]))
            np.add.at(met, ids, 1)
    layers = {layer: channels.of_filters(layer) for layer in channels.weights}
    return {layer: total[ids] / met[ids] for layer, ids in layers.items() if met[ids].all()}
