"""Numbers for channels, and which of them are one: a union-find with a memory of reasons.

`rules.py` says for each operation what happens to the numbers; `channels.py` collects the result.
"""

from __future__ import annotations

import numpy as np

from minidl.graph import Graph, Node
from minidl.types import Array

Axis = tuple[str, int]  # (dotted name of a parameter or buffer, axis)


class Labeller:
    """What is known while a graph is walked; `labels[node]` holds the channel number of each index of its last axis."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parent: list[int] = []  # union-find: parent[c] is c for the representative of a set
        self.origin: list[str] = []  # in words, where channel c comes from
        self.labels: dict[int, Array] = {}
        self.axes: dict[Axis, Array] = {}
        self.readers: set[Axis] = set()
        self.births: list[tuple[str, Array]] = []  # (name of a weight, the channels that its filters make)
        self.depthwise: list[str] = []  # names of weights
        self.fixed: list[tuple[Array, str]] = []
        self.reasons: list[tuple[int, str]] = []

    def of_input(self, node: Node, i: int = 0) -> Array:
        return self.labels[node.inputs[i]]

    # -- union-find ----------------------------------------------------------------------------------------------

    def fresh(self, count: int, origin: str) -> Array:
        first = len(self.parent)
        self.parent.extend(range(first, first + count))
        self.origin.extend([origin] * count)
        return np.arange(first, first + count)

    def find(self, channel: int) -> int:
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def unite(self, a: Array, b: Array, reason: str) -> None:
        """Make a[k] and b[k] one channel, for every k."""
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            ri, rj = self.find(i), self.find(j)
            if ri != rj:
                self.parent[max(ri, rj)] = min(ri, rj)
                self.reasons.append((i, f"{reason} ({self.origin[i]}, {self.origin[j]})"))

    # -- what the rules say --------------------------------------------------------------------------------------

    def own(self, source: Node, axis: int, labels: Array) -> None:
        """Index k of an axis of a parameter or buffer belongs to channel labels[k]."""
        if source.op not in ("parameter", "buffer"):
            self.fix(labels, f"a constant ({source.op}) has one number for each of them")
            return
        key = source.name, axis % len(source.shape)
        if (former := self.axes.setdefault(key, labels)) is not labels:
            self.unite(former, labels, f"{source.name} is used twice")

    def read(self, weight: Node, axis: int, labels: Array) -> None:
        """Let an axis of a weight read these channels and sum over them: here they end."""
        self.own(weight, axis, labels)
        self.readers.add((weight.name, axis))

    def born(self, weight: Node, count: int) -> Array:
        """Each filter of `weight` makes a channel of its own."""
        if weight.op not in ("parameter", "buffer"):
            labels = self.fresh(count, f"a computed weight ({weight.op})")
            self.fix(labels, "their weights are not stored but computed")
            return labels
        labels = self.fresh(count, layer_of(weight.name))
        self.births.append((weight.name, labels))
        return labels

    def fix(self, labels: Array, reason: str) -> None:
        """None of these channels may leave."""
        self.fixed.append((labels, reason))

    def scatter(self, node: Node, reason: str) -> Array:
        """End the channels here; neither they nor the new ones that come out may leave."""
        self.fix(self.of_input(node), reason)
        labels = self.fresh(node.shape[-1] if node.shape else 1, node.op)
        self.fix(labels, reason)
        return labels


def layer_of(weight: str) -> str:
    """Name the layer that a weight belongs to: "conv1.weight" is that of "conv1"; other names stand for themselves."""
    return weight.removesuffix(".weight")
