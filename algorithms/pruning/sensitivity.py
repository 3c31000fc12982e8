"""How much accuracy each group of filters is worth: prune one group alone, without retraining, at several ratios.

The figure of the paper's section 3.2: layers whose curve stays flat can lose many filters, steep ones should be left.
What is removed is hidden from those who read it, which gives the same answers; all that comes before is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.criteria import CRITERIA
from algorithms.pruning.mask import silenced
from algorithms.pruning.plan import plan, rank
from algorithms.pruning.points import PointsFile, Sensitivity, identity
from algorithms.pruning.replay import Replay
from algorithms.pruning.scores import Criterion
from algorithms.pruning.selection import gone_channels, removed_count
from minidl.checkpoint import StrPath
from minidl.data import Dataset
from minidl.graph import Graph, cost, trace
from minidl.nn import Module
from minidl.types import Array, Shape

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def sensitivity(
    model: Module,
    dataset: Dataset,
    ratios: Sequence[float] = RATIOS,
    groups: Sequence[str] | None = None,
    criterion: Criterion = "l1",
    combine: str = "sum",
    stop_below: float = 0.0,
    file: StrPath | None = None,
    batch_size: int = 50,
    cache_bytes: int = 1 << 30,
    seed: int = 0,
) -> Iterator[Sensitivity]:
    """Yield loss and accuracy for every group and ratio, a group at a time.

    Use a validation set: ratios chosen by the test set would make its accuracy a fit, not a measurement.

    Parameters
    ----------
    groups : names of layers, by default all groups that may be pruned
    criterion, combine : as for `plan`
    stop_below : accuracy below which the larger ratios of a group are left out
    file : a CSV file that gets each point as soon as it is known; points that it holds already are not measured again
    cache_bytes : memory for what comes before a group; where it does not suffice, that is computed again
    seed : where the criterion "random" starts; what it draws for a layer depends on no other layer

    Raises
    ------
    ValueError
        On a ratio outside [0, 1), an unknown layer or criterion, a group that may not be pruned, or a file with points
        of another network, dataset, criterion or seed, or with a line that is no point.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", split="test").subset(100)
    >>> model = minidl.nn.models.resnet(8, width=0.25, in_channels=1, rng=0)
    >>> [point.ratio for point in sensitivity(model, images, (0.25, 0.5), ["stages.0.0.conv1"])]
    [0.25, 0.5]
    """
    graph = trace(model, dataset.images.shape[1:])
    channels = find_channels(graph)
    if unfit := [ratio for ratio in ratios if not 0 <= ratio < 1]:
        raise ValueError(f"found the ratio {unfit[0]}, expected 0 <= ratio < 1, the share of filters to remove")
    names = [group.name for group in channels.groups if not group.fixed] if groups is None else groups
    chosen = [channels.group_of(name) for name in names]
    for group in chosen:
        if group.fixed:
            raise ValueError(f"the filters of {group.name} may not leave: {group.fixed}")
    scores = _drawn(channels, seed) if criterion == "random" else criterion
    ranking = rank(model, channels, cost(graph), scores, combine, 1, 0)
    orders = {group.name: ranking.order(group) for group in chosen}
    log = None if file is None else PointsFile(Path(file), identity(model, dataset, criterion, combine, seed))
    return _measure(
        graph, channels, chosen, orders, ratios, Replay(graph, dataset, batch_size, cache_bytes), stop_below, log
    )


def _drawn(channels: Channels, seed: int) -> dict[str, Array]:
    """Scores of the criterion "random", each layer's from a generator of its own: a resumed file may ask for few."""
    return {
        layer: CRITERIA["random"](channels.of_filters(layer), np.random.default_rng([seed, *layer.encode()]))
        for layer in channels.weights
    }


def _measure(
    graph: Graph,
    channels: Channels,
    groups: Sequence[Group],
    orders: Mapping[str, Array],
    ratios: Sequence[float],
    replay: Replay,
    stop_below: float,
    log: PointsFile | None,
) -> Iterator[Sensitivity]:
    weights = {node.name: node.value for node in graph if node.op == "parameter" and node.value is not None}
    starts = {group.name: _first_reader(graph, channels, group) for group in groups}
    known = {} if log is None else log.known
    for group in sorted(groups, key=lambda group: starts[group.name]):
        for ratio in sorted(ratios):
            point = known.get((group.name, ratio))
            if point is None:
                replay.advance(starts[group.name])
                removed = {group.name: orders[group.name][: removed_count(ratio, len(group))]}
                gone = gone_channels(channels, removed)
                hidden = {name: silenced(channels, gone, name, weight) for name, weight in weights.items()}
                point = Sensitivity(group.name, ratio, *replay.evaluate(hidden))
                if log is not None:
                    log.add(point)
            yield point
            if point.accuracy < stop_below:
                break


def _first_reader(graph: Graph, channels: Channels, group: Group) -> int:
    """Index of the first node that reads a channel of the group: all before it is the same, whatever leaves."""
    reads = {name for name, axis in channels.readers if np.isin(channels.axes[name, axis], group.channels).any()}
    return next(node.index for node in graph if node.batched and any(x.name in reads for x in graph.inputs(node)))


def suggest_ratios(
    model: Module,
    input_shape: Shape,
    points: Sequence[Sensitivity],
    macs_share: float | None = None,
    criterion: Criterion = "l1",
    max_loss: float | None = None,
) -> dict[str, float]:
    """Ratios that leave at most `macs_share` of the MACs, giving up as little accuracy as the points allow.

    One tolerance for all groups: each is pruned by the largest ratio at which it alone stays above the tolerated
    accuracy, and the tolerance is loosened, point by point, until enough MACs are gone.  With `max_loss` instead, each
    group is pruned as far as its loss alone stays within it.

    Raises
    ------
    ValueError
        If not even the largest ratios of all groups save enough, none is within the loss, or `macs_share` and
        `max_loss` are both given, or neither.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, rng=1))
    >>> points = [Sensitivity("layers.0", *of) for of in ((0.25, 0.5, 0.9), (0.5, 0.6, 0.8), (0.75, 2.0, 0.3))]
    >>> suggest_ratios(net, (3, 3, 1), points, macs_share=0.8), suggest_ratios(net, (3, 3, 1), points, max_loss=1.0)
    ({'layers.0': 0.25}, {'layers.0': 0.5})
    """
    if (macs_share is None) == (max_loss is None):
        raise ValueError("suggest_ratios got both or neither of macs_share and max_loss, expected one of them")
    if max_loss is not None:
        if ratios := _largest(point for point in points if point.loss <= max_loss):
            return ratios
        raise ValueError(f"no ratio keeps the loss within {max_loss:g}: measure smaller ratios, or allow more")
    left = 1.0
    for tolerated in sorted({point.accuracy for point in points}, reverse=True):
        ratios = _largest(point for point in points if point.accuracy >= tolerated)
        if not any(ratios.values()):
            continue
        candidate = plan(model, input_shape, ratios, criterion)
        left = candidate.after.macs / candidate.before.macs
        if macs_share is not None and left <= macs_share:
            return ratios
    raise ValueError(
        f"the measured ratios leave {left:.0%} of the MACs, expected at most {macs_share:.0%}: measure larger ratios, "
        "or ask for less"
    )


def _largest(points: Iterator[Sensitivity]) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for point in points:
        ratios[point.group] = max(point.ratio, ratios.get(point.group, 0.0))
    return ratios
