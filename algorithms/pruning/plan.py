"""`plan` decides which filters leave and says what that saves; `Plan.apply` builds the smaller network.

Nothing is masked: the filters, their feature maps, the batch-norm channels and the inputs that read them are gone, so
the network is smaller and faster at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypeVar

import numpy as np

from algorithms.pruning.channels import Channels, Group, find_channels
from algorithms.pruning.scores import Criterion, Ranking
from algorithms.pruning.selection import gone_channels, ratios_by_group, removed_count, rounded, select
from algorithms.pruning.surgery import arrays_of, shrink, shrink_optimizer
from minidl.graph import Cost, cost, trace
from minidl.nn import Module
from minidl.optim import Optimizer
from minidl.rng import generator
from minidl.types import Array, Rng, Shape

M = TypeVar("M", bound=Module)
O = TypeVar("O", bound=Optimizer)


def plan(
    model: Module,
    input_shape: Shape,
    ratios: float | Mapping[str, float],
    criterion: Criterion = "l1",
    strategy: str = "independent",
    skip: Sequence[str] = (),
    min_keep: int = 1,
    rng: Rng = 0,
    combine: str = "sum",
    multiple: int = 1,
    rounding: str = "up",
) -> Plan:
    """Choose the filters to remove.

    Parameters
    ----------
    model : the network; not changed
    input_shape : (H, W, C) of one image
    ratios : share of filters to remove, of every group that may be pruned or by the name of a layer in the group; the
        number removed is ceil(ratio · n), as in the paper.  Of layers that leave together it is a share of their
        channels: where shortcuts are padded, most of these may be made by the wider layers alone
    criterion : "l1", "l2", "geometric-median", "gamma" (batch-norm scale), "random", "largest", or scores by layer,
        such as `image_scores` gives; the smallest leave, of equal ones the first
    strategy : "independent" scores a filter by all its weights, "greedy" leaves out those that read channels already
        removed (section 3.3 of the paper)
    skip : layers whose group stays whole
    min_keep : how many filters every layer keeps at least
    combine : how scores of layers that must agree become one: "sum", "mean", "max", "shortcut"; see `Ranking`
    multiple, rounding : the number kept is rounded to a multiple, "up" (removing less), "down" or "nearest"; never to 0

    Raises
    ------
    ValueError
        On a ratio outside [0, 1), an unknown layer, criterion or strategy, a layer that may not be pruned, or if no
        filter would leave.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, rng=1))
    >>> p = plan(net, (3, 3, 1), ratios=0.5)
    >>> p.before.macs, p.after.macs, p.apply(net)[0].weight.shape
    (88, 44, (4, 3, 3, 1))
    """
    graph = trace(model, input_shape)
    channels, before = find_channels(graph), cost(graph)
    ranking = rank(model, channels, before, criterion, combine, min_keep, rng)
    counts = {}
    for group, ratio in ratios_by_group(channels, ratios, skip):
        most = len(ranking.order(group)) if multiple > 1 else None  # a multiple must stay, with `min_keep` too
        counts[group.name] = rounded(removed_count(ratio, len(group)), len(group), multiple, rounding, most)
    removed = select(ranking, counts, strategy)
    if not removed:
        raise ValueError(
            f"no filter would leave, expected a larger ratio{', or a smaller multiple' * (multiple > 1)}, for some "
            "layer that may be pruned"
        )
    how = criterion if isinstance(criterion, str) else "given scores"
    return finish(model, input_shape, channels, removed, before, f"{how}, {strategy}, {combine} over coupled layers")


@dataclass(frozen=True)
class Plan:
    """What is to leave, and what it saves; printable, and applied to a copy of the network.

    Attributes
    ----------
    channels : the network's channel structure
    removed : by group name, the positions of the filters that leave, ascending
    before, after : cost of the network now and when pruned
    arrays : names of all parameters and buffers of the network that was planned for
    how : the rule that chose, in words

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, rng=1))
    >>> p = plan(net, (3, 3, 1), ratios=0.5)
    >>> print(p)
    layers.0: 2 of 4 filters leave
    MACs 44 to 22, 50.0% saved
    weights 44 to 22, 50.0% saved
    parameters 50 to 26, 48.0% saved
    >>> print(p.explain("layers.0", 1))
    with filter 1 of layers.0 leave:
      layers.0.weight: filter 1
      layers.0.bias: entry 1
      layers.3.weight: input 1
    """

    channels: Channels
    removed: dict[str, Array]
    before: Cost
    after: Cost
    arrays: frozenset[str]
    how: str = ""

    @property
    def gone(self) -> Array:
        """(channels.count,) which channels leave."""
        return gone_channels(self.channels, self.removed)

    def apply(self, model: M) -> M:
        """Make a smaller copy of `model`, which must be the network that was planned for, with any weights."""
        smaller = shrink(model, self.channels, self.gone)  # it refuses a network that lacks something
        if more := sorted(arrays_of(model).keys() - self.arrays):
            raise ValueError(f"the network has {more[0]}, which the one that was planned for had not: it is another")
        return smaller

    def apply_optimizer(self, optimizer: O, pruned: Module) -> O:
        """Copy `optimizer` so that it moves the `pruned` network and remembers what concerns filters that stayed."""
        return shrink_optimizer(optimizer, pruned, self.channels, self.gone)

    def kept(self, layer: str) -> Array:
        """Which filters of a layer stay, bool (O,)."""
        return ~self.gone[self.channels.of_filters(layer)]

    def explain(self, layer: str, filter: int) -> str:
        """In words: everything that leaves with one filter of a layer, and why."""
        group, filters = self.channels.group_of(layer), self.channels.of_filters(layer)
        if not 0 <= filter < len(filters):
            raise ValueError(f"{layer} has no filter {filter}, expected 0 to {len(filters) - 1}")
        channel = int(filters[filter])
        lines = [f"with filter {filter} of {layer} leave:"]
        for name, axis, indices in self.channels.leaving_with(channel):
            reads = (name, axis) in self.channels.readers
            what = "input" if reads else "filter" if name in self.channels.weights.values() else "entry"
            lines.append(f"  {name}: {what} {', '.join(map(str, indices[:8]))}{' ...' if len(indices) > 8 else ''}")
        lines += [f"since {reason}" for reason in self.channels.why.get(channel, ())]
        if group.fixed:
            lines.append(f"but none of the filters of {group.name} may be removed: {group.fixed}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """Return the plan as plain numbers, ready for JSON; `from_record` reads it."""
        return {
            "removed": {name: positions.tolist() for name, positions in self.removed.items()},
            "filters": {name: len(self.channels.group_of(name)) for name in self.removed},
            "arrays": len(self.arrays),
            "macs": [self.before.macs, self.after.macs],
            "weights": [self.before.weights, self.after.weights],
            "how": self.how,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], model: Module, input_shape: Shape) -> Plan:
        """Make the plan again, for the network that it was made for.

        Raises
        ------
        ValueError
            If the record is malformed, or of another network.
        """
        graph = trace(model, input_shape)
        channels = find_channels(graph)
        try:
            how = str(record["how"])
            removed = {str(name): np.unique([index(i) for i in at]) for name, at in record["removed"].items()}
            totals = {name: int(record["filters"][name]) for name in removed}
            arrays = int(record["arrays"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"found a malformed record ({error!r}), expected one made by Plan.record") from None
        if arrays != (found := len(arrays_of(model))):
            raise ValueError(
                f"the plan was made for a network of {arrays} parameters and buffers, this one has {found}"
            )
        for name, positions in removed.items():
            group = channels.group_of(name)
            if len(group) != totals[name] or group.fixed or not set(positions) < set(range(len(group))):
                raise ValueError(
                    f"the plan removes {len(positions)} of {totals[name]} filters of {name}, which has {len(group)}"
                    f"{' that may not leave' * bool(group.fixed)}: it was made for another network"
                )
        return finish(model, input_shape, channels, removed, cost(graph), how)

    def __str__(self) -> str:
        lines = [self._leaving(group) for group in self.channels.groups if group.name in self.removed]
        for name, what in (("MACs", "macs"), ("weights", "weights"), ("parameters", "params")):
            old, new = getattr(self.before, what), getattr(self.after, what)
            lines.append(f"{name} {old:,} to {new:,}, {1 - new / old:.1%} saved")
        return "\n".join(lines)

    def _leaving(self, group: Group) -> str:
        """How many filters of each layer of a group leave, in words."""
        kept = {layer: self.kept(layer) for layer in group.layers}
        counts = {layer: f"{np.sum(~mask)} of {len(mask)}" for layer, mask in kept.items()}
        if len(set(counts.values())) > 1:  # padded shortcuts: not every layer makes every channel
            return f"together: {', '.join(f'{layer} {count}' for layer, count in counts.items())} filters leave"
        others = f", with those of {', '.join(group.layers[1:])}" if len(group.layers) > 1 else ""
        return f"{group.name}: {counts[group.name]} filters leave{others}"


# -- the steps of planning, used by `budget` and `sensitivity` too ---------------------------------------------------


def rank(
    model: Module, channels: Channels, before: Cost, criterion: Criterion, combine: str, min_keep: int, rng: Rng
) -> Ranking:
    """Prepare the order in which the channels of every group leave."""
    projections = frozenset(row.name for row in before.rows if row.projection)
    return Ranking(channels, arrays_of(model), criterion, combine, projections, min_keep, generator(rng))


def finish(
    model: Module, input_shape: Shape, channels: Channels, removed: dict[str, Array], before: Cost, how: str
) -> Plan:
    """Try the plan on a copy, which shows that the network still runs and what it costs then."""
    smaller = shrink(model, channels, gone_channels(channels, removed))
    try:
        after = cost(trace(smaller, input_shape))
    except ValueError as error:
        raise ValueError(f"the network names a number of channels, so it does not run with fewer: {error}") from None
    return Plan(channels, removed, before, after, frozenset(arrays_of(model)), how)
