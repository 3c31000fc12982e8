"""`plan` decides which filters leave and says what that saves; `Plan.apply` builds the smaller network.

Nothing is masked: the filters, their feature maps, the batch-norm channels and the inputs that read them are gone, so
the network is smaller and faster at once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.criteria import CRITERIA
from minidl.graph import Cost, cost, trace
from minidl.nn import Conv2d, Module, Parameter
from minidl.rng import generator
from minidl.types import Array, Rng, Shape

M = TypeVar("M", bound=Module)


def plan(
    model: Module,
    input_shape: Shape,
    ratios: float | Mapping[str, float],
    criterion: str = "l1",
    strategy: str = "independent",
    skip: Sequence[str] = (),
    min_keep: int = 1,
    rng: Rng = 0,
) -> Plan:
    """Choose the filters to remove.

    Parameters
    ----------
    model : the network; not changed
    input_shape : (H, W, C) of one image
    ratios : share of filters to remove, of every group that may be pruned or by the name of a layer in the group; the
        number removed is ceil(ratio · n), as in the paper
    criterion : "l1", "l2", "random", "largest"; over a coupled group the layers' scores are added
    strategy : "independent" scores a filter by all its weights, "greedy" leaves out those that read channels already
        removed (section 3.3 of the paper)
    skip : layers whose group stays whole
    min_keep : how many filters every group keeps at least

    Raises
    ------
    ValueError
        On a ratio outside [0, 1), an unknown layer, criterion or strategy, or a layer that may not be pruned.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, rng=1))
    >>> p = plan(net, (3, 3, 1), ratios=0.5)
    >>> p.before.macs, p.after.macs, p.apply(net)[0].weight.shape
    (88, 44, (4, 3, 3, 1))
    """
    if criterion not in CRITERIA or strategy not in ("independent", "greedy"):
        raise ValueError(
            f"plan got criterion {criterion!r} and strategy {strategy!r}, expected one of {', '.join(CRITERIA)} and "
            '"independent" or "greedy"'
        )
    graph = trace(model, input_shape)
    channels = find_channels(graph)
    wanted = _ratios_by_group(channels, ratios, skip)
    weights = {name: p.data for name, p in model.named_parameters()}
    rng, removed = generator(rng), np.zeros(1 + max(c.max() for c in channels.axes.values()), bool)
    order: dict[str, Array] = {}
    for group, ratio in wanted:
        count = min(removed_count(ratio, len(group)), len(group) - min_keep)
        if count > 0:
            scores = _scores(channels, group, weights, criterion, removed if strategy == "greedy" else None, rng)
            order[group.name] = np.sort(np.argsort(scores, kind="stable")[:count])  # ties: the first filter leaves
            removed[group.channels[order[group.name]]] = True
    before = cost(graph)
    draft = Plan(channels, order, before, before)
    return replace(draft, after=cost(trace(draft.apply(model), input_shape)))


@dataclass(frozen=True)
class Plan:
    """What is to leave, and what it saves; printable, and applied to a copy of the network.

    Attributes
    ----------
    channels : the network's channel structure
    removed : by group name, the positions of the filters that leave, ascending
    before, after : cost of the network now and when pruned
    """

    channels: Channels
    removed: dict[str, Array]
    before: Cost
    after: Cost

    def apply(self, model: M) -> M:
        """A smaller copy of `model`, which must be the network that was planned for, with any weights."""
        gone = self._gone()
        pruned = copy.deepcopy(model)
        arrays = {name: p.data for name, p in pruned.named_parameters()} | dict(pruned.named_buffers())
        for name, array in arrays.items():
            kept = array
            for axis in range(array.ndim):
                if (ids := self.channels.axes.get((name, axis))) is not None:
                    if len(ids) != array.shape[axis]:
                        raise ValueError(
                            f"{name} has {array.shape[axis]} channels, expected {len(ids)}: the plan was made for another "
                            "network, or has been applied already"
                        )
                    kept = np.compress(~gone[ids], kept, axis=axis)
            if kept is not array:
                _replace(pruned, name.split("."), np.ascontiguousarray(kept))
        for layer in self.channels.depthwise:
            conv = _find(pruned, layer.split("."))
            if isinstance(conv, Conv2d):  # DepthwiseConv2d reads its number of groups off the weights
                conv.groups = conv.groups * conv.weight.shape[0] // arrays[f"{layer}.weight"].shape[0]
        return pruned

    def explain(self, layer: str, filter: int) -> str:
        """In words: everything that leaves with one filter of a layer, and why."""
        group = self.channels.group_of(layer)
        channel = self.channels.axes[f"{layer}.weight", 0][filter]
        lines = [f"with filter {filter} of {layer} leave:"]
        for name, axis, indices in self.channels.leaving_with(int(channel)):
            what = "filter" if axis == 0 and name.endswith("weight") else "entry" if axis == 0 else "input"
            lines.append(f"  {name}: {what} {', '.join(map(str, indices[:8]))}{' ...' if len(indices) > 8 else ''}")
        if len(group.layers) > 1:
            lines.append(f"since additions tie the filters of {', '.join(group.layers)} together")
        if group.fixed:
            lines.append(f"but none of these may be removed: {group.fixed}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The plan as plain numbers, ready for JSON."""
        return {
            "removed": {name: positions.tolist() for name, positions in self.removed.items()},
            "macs": [self.before.macs, self.after.macs],
            "weights": [self.before.weights, self.after.weights],
        }

    def __str__(self) -> str:
        lines = [
            f"{group.name}: {len(self.removed[group.name])} of {len(group)} filters leave"
            + (f", with those of {', '.join(group.layers[1:])}" if len(group.layers) > 1 else "")
            for group in self.channels.groups
            if group.name in self.removed
        ]
        saved = 1 - self.after.macs / self.before.macs
        lines.append(f"MACs {self.before.macs:,} to {self.after.macs:,}, {saved:.1%} saved")
        lines.append(f"weights {self.before.weights:,} to {self.after.weights:,}")
        return "\n".join(lines)

    def _gone(self) -> Array:
        gone = np.zeros(1 + max(ids.max() for ids in self.channels.axes.values()), bool)
        for name, positions in self.removed.items():
            gone[self.channels.group_of(name).channels[positions]] = True
        return gone


def removed_count(ratio: float, n: int) -> int:
    """ceil(ratio · n), immune to floating-point noise: 0.3 · 10 is 3, not 4.

    Examples
    --------
    >>> [removed_count(p, n) for p, n in ((0.3, 10), (0.1, 16), (0.6, 16), (0.9, 100))]
    [3, 2, 10, 90]
    """
    return math.ceil(round(ratio * n, 9))


def _ratios_by_group(
    channels: Channels, ratios: float | Mapping[str, float], skip: Sequence[str]
) -> list[tuple[Group, float]]:
    skipped = {channels.group_of(layer).name for layer in skip}
    if isinstance(ratios, Mapping):
        by_group = {channels.group_of(layer).name: ratio for layer, ratio in ratios.items()}
        for name in by_group:
            if reason := channels.group_of(name).fixed:
                raise ValueError(f"the filters of {name} may not leave: {reason}")
    else:
        by_group = {group.name: ratios for group in channels.groups if not group.fixed}
    for name, ratio in by_group.items():
        if not 0 <= ratio < 1:
            raise ValueError(f"the ratio for {name} is {ratio}, expected 0 <= ratio < 1, the share of filters to remove")
    return [(g, by_group[g.name]) for g in channels.groups if g.name in by_group and g.name not in skipped]


def _scores(
    channels: Channels,
    group: Group,
    weights: Mapping[str, Array],
    criterion: str,
    removed: Array | None,
    rng: np.random.Generator,
) -> Array:
    """(n,) one score per channel of the group: the sum over the layers that produce it."""
    position = {int(channel): i for i, channel in enumerate(group.channels)}
    scores = np.zeros(len(group))
    for layer in group.layers:
        name = f"{layer}.weight"
        weight = weights[name]
        if removed is not None:  # greedy: kernels that read a removed channel no longer count
            inputs = channels.axes[name, weight.ndim - 1]
            weight = np.compress(~removed[inputs], weight, axis=-1)
        where = [position[int(channel)] for channel in channels.axes[name, 0]]
        np.add.at(scores, where, CRITERIA[criterion](weight, rng))
    return scores


def _find(value: Any, path: Sequence[str]) -> Any:
    """The object at a dotted path through attributes, lists and dicts."""
    for key in path:
        value = value[int(key)] if isinstance(value, (list, tuple)) else value[key] if isinstance(value, dict) else vars(value)[key]
    return value


def _replace(module: Module, path: Sequence[str], array: Array) -> None:
    """Put `array` where the parameter or buffer at `path` was."""
    holder, key = _find(module, path[:-1]), path[-1]
    if isinstance(old := _find(holder, [key]), Parameter):
        old.data = array
    elif isinstance(holder, Module):
        setattr(holder, key, array)
    else:
        holder[int(key) if isinstance(holder, list) else key] = array
