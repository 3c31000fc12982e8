"""Directions to walk from a trained network, and how long a step in them is.

A random direction means something only relative to the size of the weights it disturbs: with ReLU or batch norm a
filter can be scaled without changing the function, so one step is large for a small filter and small for a large one.
**Filter normalization** (Visualizing the Loss Landscape of Neural Nets, section 4) gives every filter of the direction
the norm of the filter it disturbs; then pictures of different networks can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from minidl.nn import Module
from minidl.rng import generator
from minidl.types import Array, Rng

Direction: TypeAlias = dict[str, Array]
Norm: TypeAlias = Literal["filter", "layer", "weight", "unit-filter", "unit-layer"] | None
NORMS = ("filter", "layer", "weight", "unit-filter", "unit-layer", None)


def random_direction(model: Module, rng: Rng, norm: Norm = "filter", ignore_1d: bool = True) -> Direction:
    """Draw a Gaussian direction in the space of the parameters, normalized.

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
    """Set the length of every part of `direction` from the weights it disturbs.

    ============= =========================================================================
    "filter"      every filter (slice of axis 0) gets the norm of its filter of weights
    "layer"       every array gets the norm of its array of weights
    "weight"      every element is multiplied by the size of its weight
    "unit-filter" every filter gets norm 1
    "unit-layer"  every array gets norm 1
    None          unchanged
    ============= =========================================================================

    A filter of zeros (one that pruning silenced) stays where it is under "filter", "layer" and "weight".  Shapes and
    dtypes are those of `direction`; ValueError for another norm.

    Examples
    --------
    >>> drawn, weights = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 4.0], [0.5, 0.0]])
    >>> normalize({"weight": drawn}, {"weight": weights})["weight"].tolist()  # filters of length 5 and 0.5
    [[5.0, 0.0], [0.0, 0.5]]
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
    scaled: Array = (d * scale).astype(d.dtype)
    return scaled


def between(state_a: Mapping[str, Array], state_b: Mapping[str, Array]) -> Direction:
    """Return the step from one state to another, buffers included.

    Raises
    ------
    ValueError
        If they are of different networks, naming the first array that does not fit.

    Examples
    --------
    >>> between({"weight": np.array([1.0, 2.0])}, {"weight": np.array([4.0, 6.0])})
    {'weight': array([3., 4.])}
    """
    for name in [*state_a, *state_b]:
        shapes = [state[name].shape if name in state else "nothing" for state in (state_a, state_b)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the two states are of different networks: {name} is {shapes[0]} in one and {shapes[1]} in the other, "
                "expected the same names and shapes in both"
            )
    return {name: state_b[name] - state_a[name] for name in state_a}


def check_fit(arrays: Mapping[str, Array], direction: Mapping[str, Array]) -> None:
    """Raise one clear sentence unless a direction moves arrays of these names and shapes."""
    for name, step in direction.items():
        if name not in arrays or arrays[name].shape != step.shape:
            found = f"found {arrays[name].shape} there" if name in arrays else "found nothing of that name there"
            raise ValueError(
                f"the direction's {name} {step.shape} does not fit this network, {found}, expected one made for it: "
                "was it drawn for another architecture?"
            )


def dot(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Return the inner product of two directions, in float64; what one of them does not name is zero there."""
    return sum(float(np.vdot(a[n].astype(np.float64), b[n].astype(np.float64))) for n in a if n in b)


def cosine(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Return the cosine of the angle between two directions; for random ones about sqrt(2 / (π n)) in size.

    Examples
    --------
    >>> cosine({"weight": np.array([3.0, 4.0])}, {"weight": np.array([1.0, 0.0])})
    0.6
    """
    lengths = np.sqrt(dot(a, a)) * np.sqrt(dot(b, b))
    return dot(a, b) / float(lengths) if lengths > 0 else float("nan")


def flatten(direction: Mapping[str, Array], names: Sequence[str]) -> Array:
    """Put some arrays of a direction or state one after the other: (P,) in float64."""
    return np.concatenate([direction[name].ravel().astype(np.float64) for name in names])


def unflatten(vector: Array, like: Mapping[str, Array], names: Sequence[str]) -> Direction:
    """Take a vector (P,) apart again, into the shapes and dtypes that `like` has."""
    ends = np.cumsum([like[name].size for name in names])[:-1]
    parts = zip(names, np.split(vector, ends), strict=True)
    return {name: part.reshape(like[name].shape).astype(like[name].dtype) for name, part in parts}
