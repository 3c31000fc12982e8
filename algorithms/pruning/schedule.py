"""Pruning in several steps, with training between them; and batch-norm statistics measured anew.

How a network is retrained is the caller's business: it is a function that gets the smaller network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from algorithms.pruning.budget import plan_to
from algorithms.pruning.plan import Plan
from algorithms.pruning.scores import Criterion
from minidl import no_grad
from minidl.data import Dataset, batches
from minidl.graph import cost, trace
from minidl.nn import BatchNorm1d, BatchNorm2d, Module
from minidl.training import as_input, evaluating
from minidl.types import Shape

Retrain = Callable[[Module], None]


def one_shot(share: float) -> list[float]:
    """All at once, the paper's choice: [share]."""
    return [share]


def linear(share: float, steps: int) -> list[float]:
    """Equal parts: what remains after each step.

    Examples
    --------
    >>> [round(left, 3) for left in linear(0.4, 3)]
    [0.8, 0.6, 0.4]
    """
    _check(share, steps)
    return [1 - (1 - share) * step / steps for step in range(1, steps + 1)]


def cubic(share: float, steps: int) -> list[float]:
    """Much at first, little in the end, removed(t) = (1 - share)·(1 - (1 - t)³), as Zhu and Gupta (2017) prune.

    Examples
    --------
    >>> [round(left, 3) for left in cubic(0.4, 3)]
    [0.578, 0.422, 0.4]
    """
    _check(share, steps)
    return [1 - (1 - share) * (1 - (1 - step / steps) ** 3) for step in range(1, steps + 1)]


def _check(share: float, steps: int) -> None:
    if not 0 < share < 1 or steps < 1:
        raise ValueError(
            f"a schedule got share={share} and steps={steps}, expected a share in (0, 1) and at least 1 step"
        )


@dataclass(frozen=True)
class Step:
    """After one step: the network, the plan that made it from the one before, and the share of the MACs left.

    Attributes
    ----------
    model : pruned and retrained; the object that the next step starts from, which copies it
    left : of the MACs of the whole network, in (0, 1]

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, rng=1))
    >>> steps = prune_in_steps(net, (3, 3, 1), [0.75, 0.5], retrain=lambda smaller: None)
    >>> [(step.left, len(step.model[0].weight.data)) for step in steps]
    [(0.75, 3), (0.5, 2)]
    """

    model: Module
    plan: Plan
    left: float


def prune_in_steps(
    model: Module,
    input_shape: Shape,
    shares: Sequence[float],
    retrain: Retrain,
    criterion: Criterion | Callable[[Module], Criterion] = "l1",
    **options: Any,
) -> Iterator[Step]:
    """Prune to each share of the original MACs in turn, retrain, and yield; `model` itself stays whole.

    Parameters
    ----------
    shares : what remains after each step, such as `cubic(0.5, 4)`
    retrain : called with the smaller network after each step
    criterion : as for `plan_to`, or a function that gives one for the network before each step, since scores such as
        of `image_scores` are of one network
    options : for `plan_to`: scope, skip, ...

    Examples
    --------
    >>> from minidl import nn
    >>> steps = prune_in_steps(nn.models.resnet(8, rng=0), (32, 32, 3), linear(0.4, 2), retrain=lambda net: None)
    >>> [step.left <= share for step, share in zip(steps, linear(0.4, 2))]
    [True, True]
    """
    whole = left = cost(trace(model, input_shape)).macs
    for share in shares:
        if left <= share * whole:
            continue  # the step before has gone as far as this one would
        now = criterion(model) if callable(criterion) else criterion
        chosen = plan_to(model, input_shape, share * whole / left, "macs", criterion=now, **options)
        model, left = chosen.apply(model), chosen.after.macs
        retrain(model)
        yield Step(model, chosen, left / whole)


def recalibrate(model: Module, dataset: Dataset, batch_size: int = 128) -> None:
    """Measure the running statistics of every batch norm anew, in place: the mean over batches, weights untouched.

    After filters have left, a layer's inputs are distributed otherwise than in training, which this corrects without a
    single gradient.  Images left over behind the last whole batch are not seen.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, use
    >>> pixels = Dataset(np.array([[[[0]]], [[[255]]]], np.uint8), [0, 1])  # normalized to -1 and 1
    >>> net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(1))
    >>> net[1].running_mean[...] = 7  # stale
    >>> with use("numpy"):  # two pixels need no compiled kernel
    ...     recalibrate(net, pixels)
    >>> net[1].running_mean.tolist()
    [0.0]
    """
    norms = [module for module in model.modules() if isinstance(module, (BatchNorm1d, BatchNorm2d))]
    momenta = [norm.momentum for norm in norms]
    try:
        with evaluating(model), no_grad():
            for norm in norms:
                norm.training = True
            for i, (x, _) in enumerate(
                batches(dataset, batch_size, seed=0, epoch=0, drop_last=len(dataset) >= batch_size)
            ):
                for norm in norms:
                    norm.momentum = 1 / (i + 1)  # so that all batches count alike
                model(as_input(model, x))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
