"""The path of training, seen in the plane in which it moves most.

Two random directions are nearly orthogonal to where training went and show almost nothing of it.  So: stack the steps
θ_i - θ_final, take the two leading principal components, and project (section 7 of the landscape paper).  But a random
walk too is nearly flat, so the share of variance in the plane says something only beside `random_walk_explained`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.directions import Direction, check_fit, dot, unflatten
from minidl.types import Array

BLOCK = 1 << 16  # parameters of all checkpoints that are held in float64 at a time


@dataclass(frozen=True)
class Trajectory:
    """A path in its principal plane, which goes through the final network.

    Attributes
    ----------
    path : (T, 2)
        Coordinates of every checkpoint; the last is (0, 0).
    dx, dy : the two directions, of unit norm, to hand to `plane`; dy is zero for a straight path
    explained : (2,)
        Share of the path's variance along each, about its mean.
    baseline : (2,)
        The same for a random walk of as many steps in many dimensions.
    off_plane : (T,)
        Distance of every checkpoint from the plane: what the picture cannot show.

    Examples
    --------
    >>> states = [{"weight": np.array([[x, y]])} for x, y in ((3.0, 4.0), (3.0, 0.0), (0.0, 0.0))]
    >>> found = trajectory(states)
    >>> np.linalg.norm(found.path, axis=1).round(3).tolist(), round(float(found.explained.sum()), 3)
    ([5.0, 3.0, 0.0], 1.0)
    """

    path: Array
    dx: Direction
    dy: Direction
    explained: Array
    baseline: Array
    off_plane: Array


def trajectory(checkpoints: Sequence[Mapping[str, Array]], ignore_1d: bool = True) -> Trajectory:
    """Find the principal components of the parameters along training; the first checkpoint has coordinates ≥ 0.

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
    return trajectories([checkpoints], ignore_1d)[0]


def trajectories(runs: Sequence[Sequence[Mapping[str, Array]]], ignore_1d: bool = True) -> list[Trajectory]:
    """Find the one plane in which several runs of one architecture move most, to draw them together.

    Parameters
    ----------
    runs : dicts of arrays by name for every run, in order; the plane goes through the final network of the first
    ignore_1d : leave out biases and batch-norm parameters and statistics

    Returns
    -------
    list of Trajectory
        `dx`, `dy`, `explained` and `baseline` are the same for all; paths have their own length.  The baseline is of as
        many independent random walks from one start.

    Raises
    ------
    ValueError
        With fewer than 3 checkpoints in all, some of another network, or if nothing moves.

    Examples
    --------
    >>> start, left, right = ({"weight": np.array([[x, y]])} for x, y in ((0.0, 4.0), (-1.0, 0.0), (1.0, 0.0)))
    >>> a, b = trajectories([[start, left], [start, right]])
    >>> [round(float(np.linalg.norm(a.path[t] - b.path[t])), 3) for t in (0, 1)]  # they part
    [0.0, 2.0]
    """
    checkpoints = [state for run in runs for state in run]
    if len(checkpoints) < 3:
        raise ValueError(f"trajectory got {len(checkpoints)} checkpoints, expected at least 3: a plane needs as many")
    anchor = len(runs[0]) - 1
    final = checkpoints[anchor]
    for i, state in enumerate(checkpoints):
        if {n: a.shape for n, a in state.items()} != {n: a.shape for n, a in final.items()}:
            raise ValueError(f"checkpoint {i} is of another network than the last, expected one training's checkpoints")
    names = [name for name, array in final.items() if array.ndim > 1 or not ignore_1d]
    gram = np.zeros((len(checkpoints),) * 2)  # inner products of the steps; all but the directions follows from them
    for _, _, steps in _blocks(checkpoints, anchor, names):
        gram += steps @ steps.T
    mixture, explained = _principal(gram)  # (T, 2): components = stepsᵀ · mixture
    path = gram @ mixture  # (T, 2)
    signs = np.where(path[0] < 0, -1.0, 1.0)  # those of eigenvectors are arbitrary
    mixture, path = mixture * signs, path * signs
    both = np.empty((2, sum(final[name].size for name in names)))
    for start, stop, steps in _blocks(checkpoints, anchor, names):
        both[:, start:stop] = (steps.T @ mixture).T
    dx, dy = (unflatten(component, final, names) for component in both)
    off_plane = np.sqrt(np.maximum(np.diag(gram) - (path**2).sum(axis=1), 0))
    baseline = random_walk_explained(*map(len, runs))
    ends = np.cumsum([len(run) for run in runs])[:-1]
    paths = zip(np.split(path, ends), np.split(off_plane, ends), strict=True)
    return [Trajectory(own, dx, dy, explained, baseline, off) for own, off in paths]


def _blocks(
    checkpoints: Sequence[Mapping[str, Array]], anchor: int, names: Sequence[str]
) -> Iterator[tuple[int, int, Array]]:
    """Yield (start, stop, steps from the anchor (T, stop - start)), so that all are never in memory at once."""
    offset = 0
    for name in names:
        flat = [state[name].reshape(-1) for state in checkpoints]
        for start in range(0, flat[anchor].size, BLOCK):
            part = slice(start, start + BLOCK)
            zero = flat[anchor][part].astype(np.float64)
            steps = np.stack([values[part] - zero for values in flat])  # (T, B)
            yield offset + start, offset + start + len(zero), steps
        offset += flat[anchor].size


def _principal(gram: Array) -> tuple[Array, Array]:
    """Return how the two principal components are mixed from the steps, (T, 2), and their shares of variance (2,)."""
    centre = np.eye(len(gram)) - 1 / len(gram)
    values, vectors = np.linalg.eigh(centre @ gram @ centre)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if not values[0] > 0:
        raise ValueError("the checkpoints are all the same or not finite, expected a path: nothing was learned in it")
    lengths = np.sqrt(values[:2])
    if lengths[1] <= 1e-7 * lengths[0]:  # a straight path: what is left of a second component is rounding
        lengths[1] = np.inf
    return centre @ vectors[:, :2] / lengths, values[:2] / values.sum()


def random_walk_explained(*points: int) -> Array:
    """Shares (2,) of variance in the two leading components of a random walk, for ever more dimensions.

    For long walks they tend to 6/π² = 61 % and 15 % (Antognini and Sohl-Dickstein, 2018): the inner products of the
    steps become a multiple of the identity, so those of the centred path are C L Lᵀ C with L summing the steps.
    Several numbers of points are of independent walks that begin at one place.

    Examples
    --------
    >>> random_walk_explained(300).round(3).tolist()
    [0.608, 0.152]
    """
    ends = np.cumsum(points)
    walk = np.zeros((ends[-1], ends[-1]))
    for stop, length in zip(ends, points, strict=True):
        own = slice(stop - length, stop)
        walk[own, own] = np.tril(np.ones((length, length)), -1)  # the first point is the start
    walk -= walk.mean(axis=0)
    values = np.linalg.svd(walk, compute_uv=False) ** 2
    return np.asarray(values[:2] / values.sum())


def project(
    checkpoints: Sequence[Mapping[str, Array]], centre: Mapping[str, Array], dx: Direction, dy: Direction
) -> tuple[Array, Array]:
    """Coordinates (T, 2) by least squares in any plane through `centre`, and the distances (T,) from it.

    The directions need be neither of length 1 nor at right angles; several runs can so be drawn on one plane.
    Raises ValueError if a direction does not fit the states.

    Examples
    --------
    >>> centre, state, dx, dy = ({"w": np.array([w])} for w in ([0.0, 0, 0], [3.0, 1, 5], [2.0, 0, 0], [1.0, 1, 0]))
    >>> path, distances = project([state], centre, dx, dy)
    >>> path.round(3).tolist(), distances.round(3).tolist()
    ([[1.0, 1.0]], [5.0])
    """
    for state in (centre, *checkpoints):
        for direction in (dx, dy):
            check_fit(state, direction)
    gram = np.array([[dot(a, b) for b in (dx, dy)] for a in (dx, dy)])
    steps = [{n: state[n].astype(np.float64) - centre[n] for n in dx} for state in checkpoints]
    onto = np.array([[dot(step, d) for d in (dx, dy)] for step in steps])  # (T, 2)
    path = np.linalg.lstsq(gram, onto.T, rcond=None)[0].T
    left = [
        np.sqrt(sum(float(((step[n] - x * dx[n] - y * dy[n]) ** 2).sum()) for n in dx))
        for step, (x, y) in zip(steps, path, strict=True)
    ]
    return path, np.array(left)
