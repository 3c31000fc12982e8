"""The path of training, seen in the plane in which it moves most.

Two random directions are nearly orthogonal to where training went and show almost nothing of it.  So: stack the steps
θ_i - θ_final, take the two leading principal components, and project (section 7 of the landscape paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.directions import Direction
from minidl.types import Array


@dataclass(frozen=True)
class Trajectory:
    """A path in its principal plane.

    Attributes
    ----------
    path : (T, 2)
        Coordinates of every checkpoint; the last is (0, 0).
    dx, dy : the two directions, of unit norm, to hand to `plane`
    explained : (2,)
        Share of the path's variance along each.  A random walk already has about 61 % and 15 %.
    """

    path: Array
    dx: Direction
    dy: Direction
    explained: Array


def trajectory(checkpoints: Sequence[Mapping[str, Array]], ignore_1d: bool = True) -> Trajectory:
    """Principal components of the parameters along training.

    Parameters
    ----------
    checkpoints : at least three dicts of arrays by name, in order; the last is the final network
    ignore_1d : leave out biases and batch-norm parameters and statistics

    Examples
    --------
    >>> states = [{"weight": np.array([[t, 2.0 * t], [1.0, 0.0]])} for t in (3.0, 1.0, 0.0)]
    >>> trajectory(states).explained.round(3).tolist()
    [1.0, 0.0]
    """
    if len(checkpoints) < 3:
        raise ValueError(f"trajectory got {len(checkpoints)} checkpoints, expected at least 3: a plane needs as many")
    final = checkpoints[-1]
    names = [name for name, array in final.items() if array.ndim > 1 or not ignore_1d]
    steps = np.stack([_flatten(state, names) - _flatten(final, names) for state in checkpoints])  # (T, P)
    centred = steps - steps.mean(axis=0)
    # T is small and P large: the T x T matrix of inner products has the same leading directions
    values, vectors = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(values)[::-1][:2]
    components = centred.T @ vectors[:, order]  # (P, 2)
    components /= np.maximum(np.linalg.norm(components, axis=0), np.finfo(float).tiny)
    dx, dy = (_unflatten(components[:, i], final, names) for i in (0, 1))
    explained = np.maximum(values[order], 0) / np.maximum(values, 0).sum()
    return Trajectory(steps @ components, dx, dy, explained)


def _flatten(state: Mapping[str, Array], names: Sequence[str]) -> Array:
    return np.concatenate([state[name].ravel().astype(np.float64) for name in names])


def _unflatten(vector: Array, like: Mapping[str, Array], names: Sequence[str]) -> Direction:
    ends = np.cumsum([like[name].size for name in names])
    parts = np.split(vector, ends[:-1])
    return {
        name: part.reshape(like[name].shape).astype(like[name].dtype) for name, part in zip(names, parts, strict=True)
    }
