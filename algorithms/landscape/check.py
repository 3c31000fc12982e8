"""Is my plot right?  Five questions whose answers are known, asked of a network, its images and a direction.

Leaves out judging the picture itself: a surface that looks odd and passes these is odd.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.landscape.derivatives import gradient
from algorithms.landscape.directions import Direction, dot
from algorithms.landscape.scan import scan
from algorithms.landscape.slice import BatchNormMode
from algorithms.landscape.surface import last
from minidl.data import Dataset
from minidl.nn import Module
from minidl.training import evaluate
from minidl.types import Array

STEP = 1e-6  # of the difference quotient, in float64: kinks of ReLUs within it are rare


@dataclass(frozen=True)
class Finding:
    """One answer: what was asked, whether it is as it must be (None: for you to judge), and the numbers."""

    question: str
    passed: bool | None
    found: str


def self_check(model: Module, dataset: Dataset, direction: Direction, bn: BatchNormMode = "frozen") -> list[Finding]:
    """Ask all questions; about ten evaluations of `dataset` and one gradient.

    Examples
    --------
    >>> import minidl
    >>> from algorithms.landscape import random_direction
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(20)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> [finding.passed for finding in self_check(net, images, random_direction(net, rng=0))]
    [True, True, True, True, None]
    """
    return [
        _centre(model, dataset, direction),
        _slope(model, dataset, direction),
        _repeated(model, dataset, direction, bn),
        _shortcuts(model, dataset, direction, bn),
        _batch_norm(model, dataset, direction),
    ]


def _losses(
    model: Module, dataset: Dataset, direction: Direction, at: Sequence[float], bn: BatchNormMode, fast: bool = False
) -> Array:
    points = np.array(at, np.float64)[:, None]
    return last(scan(model, dataset, points, [direction], bn=bn, fast=fast)).loss


def _centre(model: Module, dataset: Dataset, direction: Direction) -> Finding:
    centre = float(_losses(model, dataset, direction, [0], "frozen")[0])
    expected = evaluate(model, dataset, batch_size=250).loss
    passed = bool(abs(centre - expected) <= 1e-12 * abs(expected))  # sums in another order
    return Finding("the centre is the loss of the network", passed, f"{centre:.9g} against {expected:.9g}")


def _slope(model: Module, dataset: Dataset, direction: Direction) -> Finding:
    precise = _in_float64(model)
    step = {name: d.astype(np.float64) for name, d in direction.items() if name in dict(model.named_parameters())}
    behind, ahead = _losses(precise, dataset, step, [-STEP, STEP], "frozen")
    difference = (ahead - behind) / (2 * STEP)
    exact = dot(gradient(precise, dataset, ignore_1d=False), step)
    passed = bool(abs(difference - exact) <= 1e-3 * max(abs(exact), 1e-2))
    return Finding("the slope is gradient · direction", passed, f"{difference:.6g} against {exact:.6g}, in float64")


def _repeated(model: Module, dataset: Dataset, direction: Direction, bn: BatchNormMode) -> Finding:
    there, back = (_losses(model, dataset, direction, at, bn) for at in ([-1, 0, 1], [1, 0, -1]))
    passed = bool(np.array_equal(there, back[::-1], equal_nan=True))
    worst = float(np.nanmax(np.abs(there - back[::-1])))
    return Finding("points repeat in any order, bit for bit", passed, f"largest difference {worst:.3g}")


def _shortcuts(model: Module, dataset: Dataset, direction: Direction, bn: BatchNormMode) -> Finding:
    plain, fast = (_losses(model, dataset, direction, [-0.5, 0, 0.5], bn, fast) for fast in (False, True))
    worst = float(np.nanmax(np.abs(fast / plain - 1)))
    return Finding("shortcuts change nothing but rounding", worst < 1e-4, f"largest relative difference {worst:.2g}")


def _batch_norm(model: Module, dataset: Dataset, direction: Direction) -> Finding:
    frozen, recalibrated = (_losses(model, dataset, direction, [0, 0.5], bn) for bn in ("frozen", "recalibrated"))
    texts = (
        f"{where} {a:.4g} and {b:.4g}" for where, a, b in zip(("centre", "half-way"), frozen, recalibrated, strict=True)
    )
    return Finding("loss with batch norm frozen and recalibrated", None, ", ".join(texts))


def _in_float64(model: Module) -> Module:
    """Copy a network and give the copy double precision."""
    precise = copy.deepcopy(model)
    for parameter in precise.parameters():
        parameter.data = parameter.data.astype(np.float64)
    for module in precise.modules():
        for name, value in vars(module).items():
            if isinstance(value, np.ndarray) and value.dtype == np.float32:
                setattr(module, name, value.astype(np.float64))
    return precise
