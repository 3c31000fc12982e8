"""What the picture of a trajectory hides: the networks are not in the plane that it is drawn on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from algorithms.landscape.surface import Options, known_at
from algorithms.landscape.trajectory import Trajectory
from minidl.data import Dataset
from minidl.nn import Module
from minidl.training import evaluate
from minidl.types import Array


@dataclass(frozen=True)
class PathLosses:
    """Loss in nats at each of T checkpoints.

    Attributes
    ----------
    true : (T,) of the checkpoint itself
    in_plane : (T,) of its shadow: the final network moved, in the plane, to where the checkpoint is drawn

    See `path_losses` for an example.
    """

    true: Array
    in_plane: Array


def path_losses(
    model: Module,
    dataset: Dataset,
    checkpoints: Sequence[Mapping[str, Array]],
    found: Trajectory,
    **options: Unpack[Options],
) -> PathLosses:
    """Evaluate every checkpoint, and the point of the trajectory's plane below it; `model` lends the architecture.

    `found` is the `trajectory` of the same `checkpoints`, the last of which is the final network.

    Examples
    --------
    >>> from algorithms.landscape import trajectory
    >>> from minidl import nn
    >>> images = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), [0, 1])  # a black and a white pixel, as -1 and 1
    >>> net = nn.Linear(1, 2, rng=0)
    >>> model = nn.Sequential(nn.Flatten(), net)
    >>> states = []
    >>> for weight, bias in ((0.0, 2.0), (0.5, 1.0), (1.0, 0.0)):
    ...     net.weight.data[...], net.bias.data[...] = [[-weight], [weight]], [-bias, bias]
    ...     states.append({name: array.copy() for name, array in model.state_dict().items()})
    >>> losses = path_losses(model, images, states, trajectory(states))
    >>> losses.true.round(2).tolist(), losses.in_plane.round(2).tolist()  # the plane leaves biases out
    ([2.02, 0.68, 0.13], [0.69, 0.31, 0.13])
    """
    network = copy.deepcopy(model)
    true = np.empty(len(checkpoints))
    for i, state in enumerate(checkpoints):
        network.load_state_dict(state)  # the last one, the final network, stays
        true[i] = evaluate(network, dataset).loss
    straight = not any(step.any() for step in found.dy.values())
    directions = [found.dx] if straight else [found.dx, found.dy]
    shadows, _ = known_at(network, dataset, found.path[:, : len(directions)], directions, options)
    return PathLosses(true, shadows.loss)
