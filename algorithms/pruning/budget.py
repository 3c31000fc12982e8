"""`plan_to`: remove filters until what is left costs no more than a share of now, in a cost of your choice.

Filters are put in one order, the first of it leave, and how many is found by bisection.  Costs that can be counted are
predicted from channel counts alone; milliseconds are measured on this CPU, network against network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.plan import Plan, finish, rank
from algorithms.pruning.scores import Criterion, Ranking
from algorithms.pruning.selection import gone_channels, rounded, select
from algorithms.pruning.surgery import shrink
from algorithms.pruning.timing import time_share
from minidl.graph import Graph, cost, trace
from minidl.nn import Module
from minidl.types import Array, Rng, Shape

TARGETS = ("channels", "macs", "weights", "parameters", "bytes", "milliseconds")
SCOPES = ("local", "global")
Measure = Callable[[Module, Module], float]  # (network now, smaller network) -> share of the time


def plan_to(
    model: Module,
    input_shape: Shape,
    share: float,
    target: str = "macs",
    *,
    scope: str = "local",
    criterion: Criterion = "l1",
    strategy: str = "independent",
    skip: Sequence[str] = (),
    max_ratio: float = 0.9,
    min_keep: int = 1,
    combine: str = "sum",
    multiple: int = 1,
    rounding: str = "up",
    rng: Rng = 0,
    measure: Measure | None = None,
) -> Plan:
    """Remove as few filters as leave at most `share` of a cost.

    Parameters
    ----------
    share : what may remain, of the cost now: 0.5 halves it
    target : "channels" (of groups that may be pruned), "macs", "weights", "parameters" (biases and batch norm too),
        "bytes" (of all parameters and buffers) or "milliseconds" (measured)
    scope : "local" takes the same ratio of every group; "global" takes the filters of the smallest scores, each divided
        by the mean of its group, since norms of different layers do not compare
    max_ratio : share of its filters that a group loses at most
    measure : for "milliseconds", by default `time_share`
    others : as for `plan`

    Raises
    ------
    ValueError
        If the target cannot be reached, with what can.

    Examples
    --------
    >>> from minidl import nn
    >>> chosen = plan_to(nn.models.resnet(8, rng=0), (32, 32, 3), 0.5, "macs", scope="global")
    >>> 0.48 < chosen.after.macs / chosen.before.macs <= 0.5
    True
    """
    _check(share, target, scope, max_ratio)
    graph = trace(model, input_shape)
    channels, before = find_channels(graph), cost(graph)
    skipped = {channels.group_of(layer).name for layer in skip}
    groups = [group for group in channels.groups if not group.fixed and group.name not in skipped]
    ranking = rank(model, channels, before, criterion, combine, min_keep, rng)
    line = _removal_order(ranking, groups, scope, max_ratio)

    def first(count: int) -> dict[str, Array]:
        counts = dict.fromkeys((group.name for group in groups), 0)
        for name in line[:count]:
            counts[name] += 1
        fitted = {g.name: rounded(counts[g.name], len(g), multiple, rounding, line.count(g.name)) for g in groups}
        return select(ranking, fitted, strategy)

    sizes = Sizes.of(graph, channels)
    whole = sizes.count(target, np.zeros(channels.count, bool)) if target != "milliseconds" else 1.0

    def left(count: int) -> float:
        gone = gone_channels(channels, first(count))
        if target == "milliseconds":
            return (measure or time_share(input_shape))(model, shrink(model, channels, gone))
        return sizes.count(target, gone) / whole

    count = _smallest(len(line), lambda n: left(n) <= share)
    if count is None:
        raise ValueError(
            f"removing {len(line)} filters leaves {left(len(line)):.1%} of the {target}, expected at most {share:.1%}: "
            "allow a larger max_ratio, skip fewer layers, or ask for less"
        )
    how = criterion if isinstance(criterion, str) else "given scores"
    how = f"{how}, {strategy}, {combine} over coupled layers, {scope} to {share:.1%} of the {target}"
    return finish(model, input_shape, channels, first(count), before, how)


def _check(share: float, target: str, scope: str, max_ratio: float) -> None:
    if not 0 < share < 1 or not 0 < max_ratio <= 1:
        raise ValueError(f"plan_to got share={share} and max_ratio={max_ratio}, expected them in (0, 1) and (0, 1]")
    if target not in TARGETS or scope not in SCOPES:
        raise ValueError(
            f"plan_to got target={target!r} and scope={scope!r}, expected one of {', '.join(TARGETS)} and one of "
            f"{', '.join(SCOPES)}"
        )


def _removal_order(ranking: Ranking, groups: Sequence[Group], scope: str, max_ratio: float) -> list[str]:
    """Names of groups, one for each filter that may leave, in the order in which they do."""
    keys: list[tuple[float, int, str]] = []
    for i, group in enumerate(groups):
        order = ranking.order(group)[: math.floor(max_ratio * len(group) + 1e-9)]
        if scope == "local":  # the ratio of the group that is reached with this filter
            values = np.arange(1, len(order) + 1) / len(group)
        else:
            scores = ranking.scores(group)
            values = scores[order] / (np.abs(scores).mean() or 1)
        keys += [(float(value), i, group.name) for value in values]
    return [name for _, _, name in sorted(keys, key=lambda key: key[:2])]


def _smallest(most: int, enough: Callable[[int], bool]) -> int | None:
    """Smallest count in 1..most that is enough, if more is always enough too; None if not even `most` is."""
    if most < 1 or not enough(most):
        return None
    low, high = 0, most  # `high` is enough, `low` is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Sizes:
    """What can be counted of a network with fewer channels, without making it.

    Attributes
    ----------
    shapes : of parameters and buffers, with the bytes of one element, and whether it is a parameter
    layers : (name of the weight, times that each weight is used) of each convolution and linear layer that counts
    """

    channels: Channels
    shapes: Mapping[str, tuple[Shape, int, bool]]
    layers: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, graph: Graph, channels: Channels) -> Sizes:
        stored = [node for node in graph if node.op in ("parameter", "buffer") and node.value is not None]
        shapes = {n.name: (n.shape, n.value.itemsize, n.op == "parameter") for n in stored if n.value is not None}
        multiplying = [node for node in graph if node.batched and node.op in ("Conv2d", "Linear")]
        layers = [
            (graph.inputs(node)[1].name, math.prod(node.shape[:-1]))
            for node, row in zip(multiplying, cost(graph).rows, strict=True)
            if not row.projection
        ]
        return cls(channels, shapes, layers)

    def count(self, target: str, gone: Array) -> float:
        """Return the cost in the unit of `target`, without the channels that are gone."""
        if target == "channels":
            return sum(float((~gone[g.channels]).sum()) for g in self.channels.groups if not g.fixed)
        if target == "macs":
            return float(sum(self._size(name, gone) * times for name, times in self.layers))
        if target == "weights":
            return float(sum(self._size(name, gone) for name, _ in self.layers))
        return float(
            sum(
                self._size(name, gone) * (itemsize if target == "bytes" else 1)
                for name, (_, itemsize, learned) in self.shapes.items()
                if learned or target == "bytes"
            )
        )

    def _size(self, name: str, gone: Array) -> int:
        """Return how many elements of a parameter or buffer are left."""
        kept = list(self.shapes[name][0])
        for axis in range(len(kept)):
            if (ids := self.channels.axes.get((name, axis))) is not None:
                kept[axis] = int((~gone[ids]).sum())
        return math.prod(kept)
