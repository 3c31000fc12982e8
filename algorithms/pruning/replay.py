"""Running the end of a network again and again, from where its beginning is known: what makes sensitivity cheap.

Values are dropped as soon as nothing will read them, so that what lives at a point is one or two feature maps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import numpy as np

from minidl.data import Dataset, batches
from minidl.graph import Graph, Node
from minidl.training import is_right, sample_losses
from minidl.types import Array

Values = dict[int, Array]  # of the nodes that something still reads


class Replay:
    """Images on their way through a network, stopped at a node.

    Parameters
    ----------
    cache_bytes : how much the stopped values may take; batches beyond it start at the image each time
    """

    def __init__(self, graph: Graph, dataset: Dataset, batch_size: int, cache_bytes: int) -> None:
        self.graph, self.dataset, self.batch_size, self.cache_bytes = graph, dataset, batch_size, cache_bytes
        self.last = {i: node.index for node in graph for i in node.inputs}  # who reads node i last
        self.last[graph.output.index] = len(graph)
        self.position = 1  # the first node that has not been run
        self.cached: list[Values] = []  # of the first batches

    def advance(self, position: int) -> None:
        """Run all nodes before `position`, which may only grow."""
        if position == self.position:
            return
        kept: list[Values] = []
        room = self.cache_bytes
        for start, values in self._starts():
            stopped = self._run(values, start, position, {})
            room -= sum(value.nbytes for value in stopped.values())
            if room < 0:
                break
            kept.append(stopped)
        self.cached, self.position = kept, position

    def evaluate(self, arrays: Mapping[str, Array]) -> tuple[float, float]:
        """Return mean loss and accuracy of the network with some parameters, which only later nodes read, replaced."""
        losses, right = [], []
        for i, (start, values) in enumerate(self._starts()):
            logits = self._run(values, start, len(self.graph), arrays)[self.graph.output.index]
            labels = self.dataset.labels[i * self.batch_size : i * self.batch_size + len(logits)]
            losses.append(sample_losses(logits, labels))
            right.append(is_right(logits, labels))
        return float(np.concatenate(losses).mean()), float(np.concatenate(right).mean())

    def _starts(self) -> Iterator[tuple[int, Values]]:
        """For every batch, the node to run first and what it may read: where it was stopped, or the images."""
        for values in self.cached:
            yield self.position, values
        done = len(self.cached)
        for x, _ in batches(self.dataset, self.batch_size, seed=0, epoch=0, shuffle=False, start=done):
            yield 1, {0: x}

    def _run(self, values: Values, start: int, stop: int, arrays: Mapping[str, Array]) -> Values:
        """Run the nodes in [start, stop) and return what is still read after them; `values` stays as it is."""
        live = dict(values)
        for node in self.graph.nodes[start:stop]:
            if not node.batched:
                continue
            live[node.index] = _compute(node, [self._value(i, live, arrays) for i in node.inputs])
            for i in node.inputs:
                if self.last[i] == node.index:
                    live.pop(i, None)
        return live

    def _value(self, i: int, live: Values, arrays: Mapping[str, Array]) -> Array:
        node = self.graph[i]
        if node.value is None:
            return live[i]
        return arrays.get(node.name, node.value) if node.op == "parameter" else node.value


def _compute(node: Node, inputs: list[Array]) -> Array:
    """Run one operation; for those whose option is a shape, that of a sample is what was meant."""
    if node.op in ("Reshape", "BroadcastTo"):
        target = (len(inputs[0]), *node.shape)
        return inputs[0].reshape(target) if node.op == "Reshape" else np.broadcast_to(inputs[0], target)
    assert node.function is not None
    return copy.copy(node.function).forward(*inputs)  # a copy, since forward keeps things for backward in it
