"""`Graph`: what a network computes, as a list of small nodes in an order in which they can be run.

It is a plain record: passes read it, or make a new one from a list of nodes with `Graph.of`.  It leaves out how it is
made (`trace.py`) and what operations mean: each pass keeps its own rules, and refuses an operation without one by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from minidl.autograd.function import Function
from minidl.types import Array, Shape

SOURCES = ("input", "parameter", "buffer", "constant")  # the ops of nodes that nothing computed


@dataclass(frozen=True, eq=False)
class Node:
    """One value in a network.

    Attributes
    ----------
    index : position in the graph; inputs come before the nodes that read them
    op : class name of the operation, as "Conv2d", or "input", "parameter", "buffer", "constant"
    inputs : indices of what is read, in the order of the operation's arguments
    shape : of one sample, without the batch axis; the whole shape where `value` is known
    function : the operation with its options (stride, axis, ...), None for a source
    name : dotted name of a parameter or buffer, of the layer for an operation that reads some, else ""
    value : the array, of everything that does not depend on the input (parameters are the live arrays), else None

    Examples
    --------
    >>> from minidl import graph, nn
    >>> node = graph.trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 3, rng=0)), input_shape=(2, 2, 1)).output
    >>> node.op, node.name, node.inputs, node.shape
    ('Linear', 'layers.1', (1, 2, 3), (3,))
    """

    index: int
    op: str
    inputs: tuple[int, ...]
    shape: Shape
    function: Function | None = None
    name: str = ""
    value: Array | None = None

    @property
    def batched(self) -> bool:
        """Whether the value depends on the input, and so has a batch axis in front of `shape`."""
        return self.value is None


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order they run; the first is the input, the last the output.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> g = graph.trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 3, rng=0)), input_shape=(2, 2, 1))
    >>> [node.op for node in g], g.output.shape
    (['input', 'Reshape', 'parameter', 'parameter', 'Linear'], (3,))
    """

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, nodes: Iterable[Node], output: int) -> Graph:
        """Make the graph of `output`, an index: what it does not need is dropped, the rest numbered anew."""
        by_index = {node.index: node for node in nodes}
        needed = {index for index, node in by_index.items() if node.op == "input"}
        waiting = [output]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend(by_index[index].inputs)
        kept = [node for node in by_index.values() if node.index in needed and node.index != output]
        kept.append(by_index[output])  # nothing that is needed comes after it
        new = {node.index: position for position, node in enumerate(kept)}
        return cls(
            tuple(replace(node, index=new[node.index], inputs=tuple(new[i] for i in node.inputs)) for node in kept)
        )

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def inputs(self, node: Node) -> tuple[Node, ...]:
        """Return what `node` reads, in the order of its arguments."""
        return tuple(self.nodes[i] for i in node.inputs)

    def consumers(self, node: Node) -> tuple[Node, ...]:
        """Return the nodes that read `node`, in order, each once."""
        return tuple(self.nodes[i] for i in self._consumers[node.index])

    def ancestors(self, node: Node) -> set[int]:
        """Return the indices of everything that `node` was computed from, itself not included."""
        found: set[int] = set()
        waiting = list(node.inputs)
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting.extend(self.nodes[index].inputs)
        return found

    @cached_property
    def _consumers(self) -> list[list[int]]:
        readers: list[list[int]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for i in dict.fromkeys(node.inputs):
                readers[i].append(node.index)
        return readers

    def __str__(self) -> str:
        from minidl.graph.show import table  # show.py is built on Graph, so not at the top

        return table(self)
