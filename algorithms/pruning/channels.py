"""Which parts of a network leave together: every channel gets a number, and numbers that must agree are united.

A channel is born as the output of one filter and lives on through batch norm, activations and pooling, until the next
layer reads it; an addition unites the channels of its operands, so a residual stage shares one set.  What each
operation does is said in `rules.py`, the union-find is in `labels.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from algorithms.pruning.labels import Axis, Labeller, layer_of
from algorithms.pruning.rules import RULES
from minidl.graph import Graph
from minidl.types import Array


@dataclass(frozen=True)
class Group:
    """Layers whose filters can only leave together; most groups are one layer.

    Attributes
    ----------
    layers : names of the layers that produce these channels, in order
    channels : (n,) the channels' numbers: those that the first layer makes in the order of its filters, then those
        that only later layers make
    fixed : why none of them may leave (network output, sliced by position, ...), or "" if they may

    Examples
    --------
    >>> from minidl import graph, nn
    >>> net = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2, rng=0))
    >>> conv, linear = find_channels(graph.trace(net, (3, 3, 1))).groups
    >>> conv.name, len(conv), linear.fixed
    ('layers.0', 3, "they are the network's output")
    """

    layers: tuple[str, ...]
    channels: Array
    fixed: str

    @property
    def name(self) -> str:
        """The first layer's name stands for the group."""
        return self.layers[0]

    def __len__(self) -> int:
        return len(self.channels)


@dataclass(frozen=True)
class Channels:
    """The channel structure of a network.

    Attributes
    ----------
    count : how many numbers there are; a united set goes by its smallest
    axes : for an axis of a parameter or buffer, the channel number of every index
    readers : the axes over which a layer sums what it reads: there channels end
    groups : in the order of their first layer
    weights : for every layer, the name of its weight; `depthwise` are those whose filters belong to what they read
    why : for a channel, what united it with others, in words

    Examples
    --------
    >>> from minidl import graph, nn
    >>> net = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2, rng=0))
    >>> channels = find_channels(graph.trace(net, (3, 3, 1)))
    >>> channel = channels.of_filters("layers.0")[2]  # the last filter's
    >>> [(name, axis, indices.tolist()) for name, axis, indices in channels.leaving_with(channel)]
    [('layers.0.weight', 0, [2]), ('layers.0.bias', 0, [2]), ('layers.3.weight', 1, [2])]
    """

    count: int
    axes: dict[Axis, Array]
    readers: frozenset[Axis]
    groups: tuple[Group, ...]
    weights: dict[str, str]
    depthwise: tuple[str, ...]
    why: dict[int, tuple[str, ...]]

    def group_of(self, layer: str) -> Group:
        """Return the group that a layer belongs to; raises ValueError with the known names."""
        channel = self.of_filters(layer)[0]
        for group in self.groups:
            if layer in group.layers or channel in group.channels:
                return group
        raise ValueError(f"the filters of {layer} belong to the network's input, expected a layer that makes channels")

    def of_filters(self, layer: str) -> Array:
        """(O,) the channel that each filter of a layer makes; raises ValueError with the known names."""
        if layer not in self.weights:
            known = ", ".join(name for group in self.groups for name in group.layers)
            raise ValueError(f"there is no layer {layer!r} with filters, expected one of {known}")
        return self.axes[self.weights[layer], 0]

    def leaving_with(self, channel: int) -> list[tuple[str, int, Array]]:
        """Everything that leaves with one channel: (name, axis, indices)."""
        found = ((name, axis, np.flatnonzero(ids == channel)) for (name, axis), ids in self.axes.items())
        return [(name, axis, indices) for name, axis, indices in found if len(indices)]


def find_channels(graph: Graph) -> Channels:
    """Label every channel of `graph`, unite what must agree, and collect the groups.

    Raises
    ------
    ValueError
        Naming an operation that has no rule.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> channels = find_channels(graph.trace(nn.models.resnet(8, rng=0), (32, 32, 3)))
    >>> [(group.name, len(group)) for group in channels.groups if not group.fixed]
    [('conv1', 64), ('stages.0.0.conv1', 16), ('stages.1.0.conv1', 32), ('stages.2.0.conv1', 64)]
    >>> channels.group_of("conv1").layers
    ('conv1', 'stages.0.0.conv2', 'stages.1.0.conv2', 'stages.2.0.conv2')
    """
    labeller = Labeller(graph)
    for node in graph:
        if not node.batched:
            continue
        if node.op not in RULES:
            raise ValueError(
                f"pruning has no rule for the operation {node.op} {node.name}, expected one of "
                f"{', '.join(sorted(RULES))}: it cannot tell how channels pass through it"
            )
        labeller.labels[node.index] = RULES[node.op](labeller, node)
    labeller.fix(labeller.labels[graph.output.index], "they are the network's output")
    return _collect(labeller)


def _collect(labeller: Labeller) -> Channels:
    root = np.array([labeller.find(c) for c in range(len(labeller.parent))])
    first_last = reversed(labeller.fixed)  # so that of several reasons the first is kept
    fixed = {int(c): reason for labels, reason in first_last for c in root[labels]}
    why: dict[int, dict[str, None]] = {}
    for channel, reason in labeller.reasons:
        why.setdefault(int(root[channel]), {})[reason] = None
    names = [name for name, _ in labeller.births] + labeller.depthwise
    return Channels(
        count=len(root),
        axes={axis: root[labels] for axis, labels in labeller.axes.items()},
        readers=frozenset(labeller.readers),
        groups=tuple(_groups({layer_of(name): root[labels] for name, labels in labeller.births}, fixed)),
        weights={layer_of(name): name for name in names if (name, 0) in labeller.axes},
        depthwise=tuple(dict.fromkeys(layer_of(name) for name in labeller.depthwise if (name, 0) in labeller.axes)),
        why={channel: tuple(reasons) for channel, reasons in why.items()},
    )


def _groups(made: dict[str, Array], fixed: dict[int, str]) -> Iterator[Group]:
    """Layers that share a channel, directly or through a third, are one group."""
    parts: list[tuple[set[str], set[int]]] = []  # names and channels
    for name, labels in made.items():
        names, channels = {name}, set(labels.tolist())
        for part in [part for part in parts if not part[1].isdisjoint(channels)]:
            parts.remove(part)
            names, channels = part[0] | names, part[1] | channels
        parts.append((names, channels))
    order = {name: i for i, name in enumerate(made)}
    for names in sorted((part[0] for part in parts), key=lambda names: min(order[name] for name in names)):
        layers = sorted(names, key=order.__getitem__)
        ids = dict.fromkeys(c for name in layers for c in made[name].tolist())
        yield Group(tuple(layers), np.array(list(ids)), next((fixed[c] for c in ids if c in fixed), ""))
