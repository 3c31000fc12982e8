"""How much accuracy each group of filters is worth: prune one group alone, without retraining, at several ratios.

The figure of the paper's section 3.2: layers whose curve stays flat can lose many filters, steep ones should be left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from algorithms.pruning.channels import find_channels
from algorithms.pruning.plan import plan
from minidl.data import Dataset
from minidl.graph import trace
from minidl.nn import Module
from minidl.training import evaluate
from minidl.types import Shape

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Sensitivity:
    """One point: `group` (named by its first layer) pruned alone by `ratio`."""

    group: str
    ratio: float
    loss: float
    accuracy: float


def sensitivity(
    model: Module,
    dataset: Dataset,
    ratios: Sequence[float] = RATIOS,
    groups: Sequence[str] | None = None,
    criterion: str = "l1",
) -> Iterator[Sensitivity]:
    """Yield loss and accuracy for every group and ratio; `groups` names some, by default all that may be pruned.

    Use a validation set: ratios chosen by the test set would make its accuracy a fit, not a measurement.
    """
    shape = dataset.images.shape[1:]
    if groups is None:
        groups = [group.name for group in find_channels(trace(model, shape)).groups if not group.fixed]
    for group in groups:
        for ratio in ratios:
            result = evaluate(plan(model, shape, {group: ratio}, criterion).apply(model), dataset)
            yield Sensitivity(group, ratio, result.loss, result.accuracy)


def suggest_ratios(
    model: Module, input_shape: Shape, points: Sequence[Sensitivity], macs_share: float, criterion: str = "l1"
) -> dict[str, float]:
    """Ratios that leave at most `macs_share` of the MACs, giving up as little accuracy as the points allow.

    One tolerance for all groups: each is pruned by the largest ratio at which it alone stays above the tolerated accuracy,
    and the tolerance is loosened, point by point, until enough MACs are gone.

    Raises
    ------
    ValueError
        If not even the largest ratios of all groups save enough.
    """
    for tolerated in sorted({point.accuracy for point in points}, reverse=True):
        ratios: dict[str, float] = {}
        for point in points:
            if point.accuracy >= tolerated:
                ratios[point.group] = max(point.ratio, ratios.get(point.group, 0.0))
        candidate = plan(model, input_shape, ratios, criterion)
        if candidate.after.macs <= macs_share * candidate.before.macs:
            return ratios
    raise ValueError(
        f"the measured ratios leave {candidate.after.macs / candidate.before.macs:.0%} of the MACs, expected at most "
        f"{macs_share:.0%}: measure larger ratios, or ask for less"
    )
