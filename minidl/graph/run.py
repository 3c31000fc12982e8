"""`run`: what a graph means, node after node with the operations themselves.

It is the definition that passes and inference plans are tested against; it leaves out speed.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from minidl.graph.graph import Graph, Node
from minidl.types import Array


def run(graph: Graph, x: Array) -> Array:
    """Compute the output of the network for a batch.

    Parameters
    ----------
    x : (N, *shape of the graph's input)

    Examples
    --------
    >>> from minidl import graph, nn
    >>> g = graph.trace(nn.Sequential(nn.ReLU(), nn.Flatten()), input_shape=(1, 2, 1))
    >>> run(g, np.array([[[[-1.0], [2.0]]]], np.float32))
    array([[0., 2.]], dtype=float32)
    """
    if x.shape[1:] != graph.input.shape:
        raise ValueError(f"run got x of shape {x.shape}, expected (N, {', '.join(map(str, graph.input.shape))})")
    values: dict[int, Array] = {graph.input.index: x}
    for node in graph.nodes[1:]:
        values[node.index] = compute(node, [values[i] for i in node.inputs]) if node.value is None else node.value
    return values[graph.output.index]


def compute(node: Node, inputs: list[Array]) -> Array:
    """The value of one node, from those that it reads; the node's function is left as it is."""
    return forward(replace(node, function=copy.copy(node.function)), inputs)


def forward(node: Node, inputs: list[Array]) -> Array:
    """As `compute`, but the function keeps what its backward would need."""
    if node.op in ("Reshape", "BroadcastTo"):  # their option is a shape, with the traced number of samples in it
        target = (len(inputs[0]), *node.shape)
        return inputs[0].reshape(target) if node.op == "Reshape" else np.broadcast_to(inputs[0], target)
    assert node.function is not None
    return node.function.forward(*inputs)
