"""A network as the list of its operations, run at point after point, each time only from where the move reaches.

What no direction moves is computed once for a chunk of images; what only some directions move, once for every value of
their coefficients (prefix caching); and a linear layer that reads such a known value is affine in the point:
W(c) x = W* x + Σ_i c_i (D_i x), where the products are the same at every point.  Where everything moves, nothing can be
kept, and the network is compiled anew at every point.  This leaves out the moving itself, which is `slice.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from minidl import runtime
from minidl.graph import SOURCES, Graph, Node
from minidl.types import Array

BATCH = 64  # images that a compiled network takes at a time, so that what it computes stays near the processor


@dataclass
class Affine:
    """A linear layer's arrays at the centre, and their steps; and its products with the images at hand."""

    centre: list[Array]
    steps: dict[int, list[Array]]
    known: dict[int, Array] = field(default_factory=dict)  # direction (-1: the centre) -> (N, O)

    def __call__(self, node: Node, x: Array, point: Array) -> Array:
        """The layer's output at a point, (N, O)."""
        if not self.known:
            arrays = {-1: self.centre, **self.steps}
            self.known = {i: _compute(node, [x, *some]) for i, some in arrays.items()}
        y = self.known[-1].copy()
        for i in self.steps:
            if point[i] != 0:
                y += y.dtype.type(point[i]) * self.known[i]
        return y


class Replay:
    """A graph whose live arrays somebody else moves.

    Parameters
    ----------
    graph : of the network
    movers : id of an array that the graph holds -> the directions that move it
    affine : index of a linear layer -> its arrays; used where the layer's input does not move
    """

    def __init__(self, graph: Graph, movers: Mapping[int, frozenset[int]], affine: Mapping[int, Affine]) -> None:
        self.graph = graph
        self.moved_by: list[tuple[int, ...]] = []  # the directions that each node depends on
        for node in graph:
            own = movers.get(id(node.value), frozenset()) if node.op in SOURCES else frozenset()
            self.moved_by.append(tuple(sorted(own.union(*(self.moved_by[i] for i in node.inputs)))))
        self.kept = {
            i
            for node in graph
            for i in node.inputs
            if graph[i].batched and self.moved_by[i] != self.moved_by[node.index]
        }
        self.affine = {i: layer for i, layer in affine.items() if not self.moved_by[graph[i].inputs[0]]}
        moved_constants = any(
            self.moved_by[node.index] and not node.batched and node.op not in SOURCES for node in graph
        )
        self.alone = self.kept <= {graph.input.index} and not self.affine and not moved_constants  # nothing to keep
        self.values: dict[int, tuple[tuple[float, ...], Array]] = {}  # node -> where it was computed, and its value

    @property
    def outer(self) -> list[int]:
        """The directions in the order in which they reach the network; whoever varies the last fastest, saves most."""
        found = dict.fromkeys(i for by in self.moved_by for i in by)
        return list(found) if any(self.moved_by[i] for i in self.kept) else []

    def begin(self, x: Array) -> None:
        """Take a new chunk of images (N, ...)."""
        self.values = {self.graph.input.index: ((), x)}
        for layer in self.affine.values():
            layer.known = {}

    def __call__(self, point: Array) -> Array:
        """The network's output for the chunk, (N, ...); the arrays must be those of the point."""
        if self.alone:
            return self._compiled()
        wanted = self._wanted(point)
        live: dict[int, Array] = {}
        readers = {i: sum(i in self.graph[j].inputs for j in wanted) for i in wanted}
        for index in wanted:
            node = self.graph[index]
            inputs = [self._value(i, live) for i in node.inputs]
            layer = self.affine.get(index)
            live[index] = _compute(node, inputs) if layer is None else layer(node, inputs[0], point)
            if index in self.kept:
                self.values[index] = self._where(index, point), live[index]
            for i in set(node.inputs) & readers.keys():
                readers[i] -= 1
                if readers[i] == 0:
                    del live[i]
        return self._value(self.graph.output.index, live)

    def _compiled(self) -> Array:
        _, x = self.values[self.graph.input.index]
        plan = runtime.compile(self.graph)  # takes some milliseconds, of the weights as they are now
        return np.concatenate([plan(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])

    def _wanted(self, point: Array) -> list[int]:
        """Nodes that must be computed, in order."""
        wanted: set[int] = set()
        waiting = [self.graph.output.index]
        while waiting:
            i = waiting.pop()
            known = i in self.values and self.values[i][0] == self._where(i, point)
            fixed = self.graph[i].op in SOURCES or not (self.graph[i].batched or self.moved_by[i])
            if i not in wanted and not known and not fixed:
                wanted.add(i)
                waiting.extend(self.graph[i].inputs)
        return sorted(wanted)

    def _where(self, index: int, point: Array) -> tuple[float, ...]:
        return tuple(float(point[i]) for i in self.moved_by[index])

    def _value(self, index: int, live: Mapping[int, Array]) -> Array:
        if index in live:
            return live[index]
        value = self.graph[index].value
        return self.values[index][1] if value is None else value


def _compute(node: Node, inputs: list[Array]) -> Array:
    """Run one operation; for those whose option is a shape, that of a sample is what was meant."""
    if node.op in ("Reshape", "BroadcastTo"):
        target = (len(inputs[0]), *node.shape) if node.batched else node.shape
        return inputs[0].reshape(target) if node.op == "Reshape" else np.broadcast_to(inputs[0], target)
    assert node.function is not None
    return copy.copy(node.function).forward(*inputs)  # a copy, since forward keeps things for backward in it
