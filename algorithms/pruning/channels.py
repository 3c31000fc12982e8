"""Which parts of a network leave together: every channel gets a number, and numbers that must agree are united.

A channel is born as the output of one filter and lives on through batch norm, activations and pooling, until the next
layer reads it; an addition unites the channels of its operands, so a residual stage shares one set.  One short rule per
operation says what happens to the last axis.  An operation without a rule is refused by name, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.graph import Graph, Node
from minidl.types import Array

Axis = tuple[str, int]  # (dotted name of a parameter or buffer, axis)


@dataclass(frozen=True)
class Group:
    """Layers whose filters can only leave together; most groups are one layer.

    Attributes
    ----------
    layers : names of the layers that produce these channels, in order
    channels : (n,) the channels' numbers, in the order of the first layer's filters
    fixed : why none of them may leave (network output, sliced by position, ...), or "" if they may
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
    axes : for an axis of a parameter or buffer, the channel number of every index
    groups : in the order of their first layer
    depthwise : layers whose number of groups is their number of channels
    why : for each united pair (a, b) of channels, the operation that united them
    """

    axes: dict[Axis, Array]
    groups: tuple[Group, ...]
    depthwise: tuple[str, ...]
    why: dict[tuple[int, int], str]

    def group_of(self, layer: str) -> Group:
        """The group that a layer belongs to; raises ValueError with the known names."""
        for group in self.groups:
            if layer in group.layers:
                return group
        known = ", ".join(name for group in self.groups for name in group.layers)
        raise ValueError(f"there is no layer {layer!r} with filters, expected one of {known}")

    def leaving_with(self, channel: int) -> list[tuple[str, int, Array]]:
        """Everything that leaves with one channel: (name, axis, indices)."""
        found = ((name, axis, np.flatnonzero(ids == channel)) for (name, axis), ids in self.axes.items())
        return [(name, axis, indices) for name, axis, indices in found if len(indices)]


def find_channels(graph: Graph) -> Channels:
    """Label every channel of `graph`, unite what must agree, and collect the groups."""
    labeller = _Labeller(graph)
    for node in graph:
        if node.batched:
            labeller.visit(node)
    labeller.fix(graph.output, "they are the network's output")
    return labeller.result()


class _Labeller:
    """Walks the graph once; `labels[node]` holds the channel number of each index of its last axis."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parent: list[int] = []  # union-find: parent[c] is c for the representative of a set
        self.labels: dict[int, Array] = {}
        self.axes: dict[Axis, Array] = {}
        self.births: list[tuple[str, Array]] = []  # (layer, its channels)
        self.fixed: list[tuple[Array, str]] = []
        self.depthwise: list[str] = []
        self.why: dict[tuple[int, int], str] = {}

    # -- union-find ----------------------------------------------------------------------------------------------

    def fresh(self, count: int) -> Array:
        first = len(self.parent)
        self.parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def find(self, channel: int) -> int:
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def unite(self, a: Array, b: Array, reason: str) -> None:
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            ri, rj = self.find(i), self.find(j)
            if ri != rj:
                self.parent[max(ri, rj)] = min(ri, rj)
                self.why[i, j] = reason

    # -- rules ---------------------------------------------------------------------------------------------------

    def visit(self, node: Node) -> None:
        if node.op not in RULES:
            raise ValueError(
                f"pruning has no rule for the operation {node.op} {node.name}, expected one of {', '.join(sorted(RULES))}: "
                "it cannot tell how channels pass through it"
            )
        self.labels[node.index] = RULES[node.op](self, node)

    def of_input(self, node: Node, i: int = 0) -> Array:
        return self.labels[node.inputs[i]]

    def own(self, source: Node, axis: int, labels: Array) -> None:
        """Say that index k of an axis of a parameter or buffer belongs to channel labels[k]."""
        if source.op not in ("parameter", "buffer"):
            self.fixed.append((labels, f"a constant ({source.op}) has one number for each of them"))
            return
        axis %= len(source.shape)
        if (former := self.axes.setdefault((source.name, axis), labels)) is not labels:
            self.unite(former, labels, f"{source.name} is used twice")

    def fix(self, node: Node, reason: str) -> None:
        self.fixed.append((self.labels[node.index], reason))

    def born(self, node: Node, count: int) -> Array:
        labels = self.fresh(count)
        self.births.append((node.name, labels))
        return labels

    # -- result --------------------------------------------------------------------------------------------------

    def result(self) -> Channels:
        root = np.array([self.find(c) for c in range(len(self.parent))])
        reasons = {int(c): reason for labels, reason in self.fixed for c in root[labels]}
        axes = {axis: root[labels] for axis, labels in self.axes.items()}
        return Channels(axes, tuple(self._groups(root, reasons)), tuple(self.depthwise), self.why)

    def _groups(self, root: Array, reasons: dict[int, str]) -> list[Group]:
        """Layers that share a channel, directly or through a third, are one group."""
        groups: list[tuple[list[str], dict[int, None]]] = []  # names, and channels as an ordered set
        for name, labels in self.births:
            channels = dict.fromkeys(root[labels].tolist())
            merged = [group for group in groups if not group[1].keys().isdisjoint(channels)]
            names = [n for group in merged for n in group[0]] + [name]
            together = {c: None for group in merged for c in group[1]} | channels
            groups = [group for group in groups if group not in merged]
            groups.append((list(dict.fromkeys(names)), together))
        order = {name: i for i, (name, _) in enumerate(self.births)}
        groups.sort(key=lambda group: min(order[name] for name in group[0]))
        return [
            Group(tuple(names), np.array(list(channels)), next((reasons[c] for c in channels if c in reasons), ""))
            for names, channels in groups
        ]


Rule = Callable[[_Labeller, Node], Array]


def _same(self: _Labeller, node: Node) -> Array:
    return self.of_input(node)


def _input(self: _Labeller, node: Node) -> Array:
    labels = self.fresh(node.shape[-1])
    self.fixed.append((labels, "they are the network's input"))
    return labels


def _conv(self: _Labeller, node: Node) -> Array:
    _, weight, *bias = self.graph.inputs(node)
    x, count, groups = self.of_input(node), weight.shape[0], _conv_groups(node)
    if groups == 1:
        self.own(weight, 3, x)
        y = self.born(node, count)
    elif groups == len(x):  # depthwise: filter o reads channel o // multiplier and lives and dies with it
        y = np.repeat(x, count // groups)
        self.depthwise.append(node.name)
    else:  # grouped: each group must lose the same positions, so that the groups stay equal
        parts = x.reshape(groups, -1)
        for part in parts[1:]:
            self.unite(parts[0], part, f"{node.name} is a convolution in {groups} equal groups")
        self.own(weight, 3, parts[0])
        y = self.born(node, count)
        for part in y.reshape(groups, -1)[1:]:
            self.unite(y.reshape(groups, -1)[0], part, f"{node.name} is a convolution in {groups} equal groups")
    for source in (weight, *bias):
        self.own(source, 0, y)
    return y


def _conv_groups(node: Node) -> int:
    function: Any = node.function
    return int(function.how[2])


def _linear(self: _Labeller, node: Node) -> Array:
    _, weight, *bias = self.graph.inputs(node)
    self.own(weight, 1, self.of_input(node))
    y = self.born(node, weight.shape[0])
    for source in (weight, *bias):
        self.own(source, 0, y)
    return y


def _batch_norm(self: _Labeller, node: Node) -> Array:
    for source in self.graph.inputs(node)[1:]:
        self.own(source, 0, self.of_input(node))
    return self.of_input(node)


def _elementwise(self: _Labeller, node: Node) -> Array:
    """Add, Sub, Mul, Div: channels meet their namesakes; a size of 1 is repeated over the other's."""
    wide = [i for i, x in enumerate(self.graph.inputs(node)) if x.batched and x.shape[-1] == node.shape[-1]]
    if not wide:  # only a constant has the full width
        labels = self.fresh(node.shape[-1])
        self.fixed.append((labels, f"{node.op} repeats a single channel over them"))
        return labels
    labels = self.of_input(node, wide[0])
    for i, x in enumerate(self.graph.inputs(node)):
        if i in wide[1:]:
            self.unite(labels, self.of_input(node, i), f"{node.op} brings them together")
        elif x.batched and i not in wide:
            self.fixed.append((self.of_input(node, i), f"{node.op} repeats this single channel"))
        elif not x.batched and x.shape and x.shape[-1] == len(labels) > 1:
            self.own(x, -1, labels)
    return labels


def _concatenate(self: _Labeller, node: Node) -> Array:
    function: Any = node.function
    parts = [self.of_input(node, i) for i in range(len(node.inputs))]
    if function.axis % (len(node.shape) + 1) == len(node.shape):
        return np.concatenate(parts)
    for part in parts[1:]:
        self.unite(parts[0], part, "Concatenate stacks their images")
    return parts[0]


def _reshape(self: _Labeller, node: Node) -> Array:
    (x,) = self.graph.inputs(node)
    labels = self.of_input(node)
    if node.shape[-1] == x.shape[-1]:
        return labels
    if node.shape == (math.prod(x.shape),):  # flatten: (H, W, C) row by row, channels innermost
        return np.tile(labels, math.prod(x.shape[:-1]))
    return _scatter(self, node, "Reshape mixes them with positions")


def _pad(self: _Labeller, node: Node) -> Array:
    """Zeros around the channels are channels of their own."""
    function: Any = node.function
    before, after = function.widths[-1]
    return np.concatenate([self.fresh(before), self.of_input(node), self.fresh(after)])


def _getitem(self: _Labeller, node: Node) -> Array:
    function: Any = node.function
    index = function.index if isinstance(function.index, tuple) else (function.index,)
    keeps_channels = len(index) <= len(node.shape) and all(isinstance(part, slice) for part in index)
    return self.of_input(node) if keeps_channels else _scatter(self, node, "GetItem picks them by position")


def _reduce(self: _Labeller, node: Node) -> Array:
    function: Any = node.function
    axes = function.axis if isinstance(function.axis, tuple) else (function.axis,)
    rank = len(self.graph.inputs(node)[0].shape) + 1
    if any(axis % rank == rank - 1 for axis in axes):
        return _scatter(self, node, f"{node.op} runs over them")
    return self.of_input(node)


def _scatter(self: _Labeller, node: Node, reason: str) -> Array:
    """The channels end here, and none of them may leave; what comes out is new and may not leave either."""
    self.fixed.append((self.of_input(node), reason))
    labels = self.fresh(node.shape[-1] if node.shape else 1)
    self.fixed.append((labels, reason))
    return labels


def _softmax(self: _Labeller, node: Node) -> Array:
    return _scatter(self, node, f"{node.op} compares them with each other")


RULES: dict[str, Rule] = {
    "input": _input, "Conv2d": _conv, "Linear": _linear, "BatchNormInference": _batch_norm,
    "Add": _elementwise, "Sub": _elementwise, "Mul": _elementwise, "Div": _elementwise,
    "Concatenate": _concatenate, "Reshape": _reshape, "Pad": _pad, "GetItem": _getitem, "Sum": _reduce, "Max": _reduce,
    "LogSoftmax": _softmax,
    **dict.fromkeys(
        ("GlobalAvgPool2d", "ReLU", "LeakyReLU", "HardTanh", "Sigmoid", "Tanh", "Neg", "Exp", "Log", "Abs", "Power",
         "MaxPool2d", "AvgPool2d", "AsType"), _same),
}  # fmt: skip
