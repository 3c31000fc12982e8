"""The rate over time, as pure functions of the epoch (fractions of epochs count), so that nothing needs saving."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Schedule: TypeAlias = Callable[[float], float]  # epochs done, from 0.0 -> rate


@dataclass(frozen=True)
class Constant:
    """The same rate throughout.

    Examples
    --------
    >>> Constant(0.1)(0), Constant(0.1)(99.5)
    (0.1, 0.1)
    """

    lr: float

    def __post_init__(self) -> None:
        _check_finite("Constant", lr=self.lr)

    def __call__(self, epoch: float) -> float:
        return self.lr


@dataclass(frozen=True)
class MultiStep:
    """The rate times `gamma` from each milestone on (in epochs done).

    Examples
    --------
    >>> schedule = MultiStep(0.1, milestones=(81, 122))  # the ResNet recipe
    >>> schedule(80.99), round(schedule(81), 6), round(schedule(122), 6)
    (0.1, 0.01, 0.001)
    """

    lr: float
    milestones: tuple[float, ...]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _check_finite("MultiStep", lr=self.lr, gamma=self.gamma)
        for milestone in self.milestones:
            _check_finite("MultiStep", milestone=milestone)
        object.__setattr__(self, "milestones", tuple(sorted(self.milestones)))

    def __call__(self, epoch: float) -> float:
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `lr` at epoch 0 to `final` at `epochs` and after (Loshchilov and Hutter 2017, equation 5).

    Examples
    --------
    >>> schedule = Cosine(0.1, epochs=10)
    >>> schedule(0), round(schedule(5), 6), schedule(10)
    (0.1, 0.05, 0.0)
    """

    lr: float
    epochs: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_epochs("Cosine", self.epochs)
        _check_finite("Cosine", lr=self.lr, final=self.final)

    def __call__(self, epoch: float) -> float:
        share = min(max(epoch / self.epochs, 0.0), 1.0)
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Another schedule, times a factor that rises from `start` at epoch 0 to 1 at `epochs`.

    Examples
    --------
    >>> schedule = WarmUp(Constant(0.1), epochs=5)
    >>> round(schedule(0), 6), round(schedule(2.5), 6), schedule(5)
    (0.01, 0.055, 0.1)
    """

    schedule: Schedule
    epochs: float
    start: float = 0.1

    def __post_init__(self) -> None:
        _check_epochs("WarmUp", self.epochs)
        _check_finite("WarmUp", start=self.start)

    def __call__(self, epoch: float) -> float:
        share = min(max(epoch / self.epochs, 0.0), 1.0)
        return self.schedule(epoch) * (self.start + (1 - self.start) * share)


def _check_epochs(schedule: str, epochs: float) -> None:
    if not 0 < epochs < math.inf:
        raise ValueError(f"{schedule} got epochs={epochs}, expected more than 0 and a finite number")


def _check_finite(schedule: str, **settings: float) -> None:
    for name, value in settings.items():
        if not math.isfinite(value):
            raise ValueError(f"{schedule} got {name}={value}, expected a finite number")
