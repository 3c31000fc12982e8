"""Directions to walk from a trained network, and how long a step in them is.

A random direction means something only relative to the size of the weights it disturbs: with ReLU or batch norm a filter
can be scaled without changing the function, so a fixed step is large for a small filter and small for a large one.
**Filter normalization** (Visualizing the Loss Landscape of Neural Nets, section 4) gives every filter of the direction
the norm of the filter it disturbs; then pictures of different networks can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from minidl.nn import Module
from minidl.rng import generator
from minidl.types import Array, Rng

Direction: TypeAlias = dict[str, Array]
Norm: TypeAlias = Literal["filter", "layer", "weight", "unit-filter", "unit-layer"] | None
NORMS = ("filter", "layer", "weight", "unit-filter", "unit-layer", None)


def random_direction(model: Module, rng: Rng, norm: Norm = "filter", ignore_1d: bool = True) -> Direction:
    """A Gaussian direction in the space of the parameters, normalized.

    Parameters
    ----------
    model : the network to walk from; not changed
    rng : Generator or seed
    norm : see `normalize`
    ignore_1d : leave every one-dimensional parameter (bias, batch-norm scale and shift) where it is, as the paper does

    Returns
    -------
    dict of arrays, one per parameter, of its shape

    Examples
    --------
    >>> from minidl import nn
    >>> layer = nn.Linear(5, 3, rng=0)
    >>> d = random_direction(layer, rng=1)
    >>> bool(np.allclose(np.linalg.norm(d["weight"], axis=1), np.linalg.norm(layer.weight.data, axis=1)))
    True
    """
    rng = generator(rng)
    weights = {name: p.data for name, p in model.named_parameters()}
    drawn = {name: rng.standard_normal(w.shape).astype(w.dtype) for name, w in weights.items()}
    return normalize(drawn, weights, norm, ignore_1d)


def normalize(
    direction: Mapping[str, Array], weights: Mapping[str, Array], norm: Norm = "filter", ignore_1d: bool = True
) -> Direction:
    """`direction` with the length of every part set from the weights it disturbs.

    ============= =========================================================================
    "filter"      every filter (slice of axis 0) gets the norm of its filter of weights
    "layer"       every array gets the norm of its array of weights
    "weight"      every element is multiplied by the size of its weight
    "unit-filter" every filter gets norm 1
    "unit-layer"  every array gets norm 1
    None          unchanged
    ============= =========================================================================

    A filter of zeros (one that pruning silenced) stays where it is under "filter", "layer" and "weight".
    """
    if norm not in NORMS:
        raise ValueError(f"norm is {norm!r}, expected one of {', '.join(map(repr, NORMS))}")
    return {
        name: np.zeros_like(d) if ignore_1d and d.ndim <= 1 else _normalize_array(d, weights[name], norm)
        for name, d in direction.items()
    }


def _normalize_array(d: Array, w: Array, norm: Norm) -> Array:
    if norm is None:
        return d
    if norm == "weight":
        return d * np.abs(w)
    axes = tuple(range(1, d.ndim)) if norm.endswith("filter") and d.ndim > 1 else tuple(range(d.ndim))
    length = np.sqrt((d.astype(np.float64) ** 2).sum(axis=axes, keepdims=True))
    wanted = np.sqrt((w.astype(np.float64) ** 2).sum(axis=axes, keepdims=True)) if not norm.startswith("unit") else 1.0
    scale = np.divide(wanted, length, out=np.zeros_like(length), where=length > 0)
    return (d * scale).astype(d.dtype)


def between(state_a: Mapping[str, Array], state_b: Mapping[str, Array]) -> Direction:
    """The step from one state to another, buffers included; raises ValueError when they are of different networks."""
    if [*state_a] != [*state_b] or any(state_a[n].shape != state_b[n].shape for n in state_a):
        raise ValueError("the two states are of different networks, expected the same names and shapes in both")
    return {name: state_b[name] - state_a[name] for name in state_a}


def cosine(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Cosine of the angle between two directions; for random ones about sqrt(2 / (pi n)), nearly orthogonal."""
    dot, aa, bb = (sum(float(np.vdot(x[n], y[n])) for n in a) for x, y in ((a, b), (a, a), (b, b)))
    return dot / float(np.sqrt(aa * bb))
