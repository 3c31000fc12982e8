"""The loss at many points around a network: θ(c) = θ* + Σ_i c_i · direction_i, for many coefficient vectors c.

Images are the outer loop and points the inner one, so that after the first chunk of images the whole picture exists with
a known uncertainty, and every further chunk sharpens it.  All sums are in float64 and in a fixed order.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minidl import Tensor, no_grad
from minidl.data import Dataset, batches
from minidl.nn import Module
from minidl.training import evaluating, is_right, sample_losses
from minidl.types import Array


@dataclass(frozen=True)
class Scan:
    """What is known of K points after `count` images.

    Attributes
    ----------
    loss, accuracy, std_error : (K,)
        Mean loss in nats, share of right answers, and the standard error of the loss over the images.
    count : images seen so far
    """

    loss: Array
    accuracy: Array
    std_error: Array
    count: int


def scan(
    model: Module, dataset: Dataset, points: Array, directions: Sequence[Mapping[str, Array]], chunk: int = 250
) -> Iterator[Scan]:
    """Yield the losses at all points after every `chunk` images; the last one is over the whole dataset.

    Parameters
    ----------
    model : the centre; it is copied, never touched
    dataset : images to evaluate on, without augmentation, in evaluation mode (batch norm by its stored statistics)
    points : (K, D) coefficients of the D directions
    directions : D dicts of arrays by the names of parameters or buffers
    """
    moved = _Moved(model, directions)
    sums = np.zeros((3, len(points)))  # of loss, loss² and right answers
    count = 0
    with evaluating(moved.model), no_grad(), np.errstate(over="ignore", invalid="ignore"):
        for x, labels in batches(dataset, chunk, seed=0, epoch=0, shuffle=False):
            for k, point in enumerate(points):
                moved.to(point)
                logits = moved.model(Tensor.wrap(x)).numpy()
                losses = sample_losses(logits, labels)
                sums[:, k] += losses.sum(), np.vdot(losses, losses), is_right(logits, labels).sum()
            count += len(labels)
            yield _summary(sums, count)


def _summary(sums: Array, count: int) -> Scan:
    mean, mean_square, accuracy = sums / count
    with np.errstate(invalid="ignore"):
        variance = np.maximum(mean_square - mean**2, 0)
    return Scan(mean, accuracy, np.sqrt(variance / count), count)


class _Moved:
    """A private copy of a network whose parameters and buffers can be set to any point of the slice."""

    def __init__(self, model: Module, directions: Sequence[Mapping[str, Array]]) -> None:
        self.model = copy.deepcopy(model)
        live = {name: p.data for name, p in self.model.named_parameters()} | dict(self.model.named_buffers())
        for direction in directions:
            for name, d in direction.items():
                if name not in live or live[name].shape != d.shape:
                    raise ValueError(
                        f"the direction's {name} {d.shape} does not fit this network, expected one made for it: "
                        "was it drawn for another architecture?"
                    )
        steps = {name: [d[name] if name in d else None for d in directions] for name in live}
        self.parts = [
            (live[name], live[name].copy(), parts)
            for name, parts in steps.items()
            if any(part is not None and part.any() for part in parts)
        ]

    def to(self, point: Array) -> None:
        """θ* + Σ c_i · direction_i, written into the copy."""
        for live, centre, steps in self.parts:
            live[...] = centre
            for c, step in zip(point, steps, strict=True):
                if step is not None and c != 0:
                    live += live.dtype.type(c) * step
