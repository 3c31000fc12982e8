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
    """Evaluate every checkpoint, and the point of the trajectory's plane below it; `model` lends the architecture."""
    network = copy.deepcopy(model)
    true = np.empty(len(checkpoints))
    for i, state in enumerate(checkpoints):
        network.load_state_dict(state)  # the last one, the final network, stays
        true[i] = evaluate(network, dataset).loss
    straight = not any(step.any() for step in found.dy.values())
    directions = [found.dx] if straight else [found.dx, found.dy]
    shadows, _ = known_at(network, dataset, found.path[:, : len(directions)], directions, options)
    return PathLosses(true, shadows.loss)
