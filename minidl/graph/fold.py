"""Batch norm folded away: in evaluation it is a scale and a shift per channel, which the layer before can do itself.

scale · (conv(x, w) + b) + shift  =  conv(x, scale · w) + (scale · b + shift)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minidl.graph.graph import Graph, Node
from minidl.types import Array


def fold_batch_norm(graph: Graph) -> Graph:
    """The same network without every batch norm that directly follows a convolution or linear layer read by it alone.

    Folded weights are constants of the new graph: it is for inference, and does not follow later training.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> g = graph.trace(nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2)), input_shape=(4, 4, 1))
    >>> [node.op for node in graph.fold_batch_norm(g) if node.batched]
    ['input', 'Conv2d']
    """
    nodes: list[Node] = []
    fresh = len(graph)  # indices of new nodes; `Graph.of` numbers all anew
    for node in graph:
        layer = graph[node.inputs[0]] if node.op == "BatchNormInference" else None
        if layer is None or layer.op not in ("Conv2d", "Linear") or len(graph.consumers(layer)) > 1:
            nodes.append(node)
            continue
        for array in _folded(graph, layer, node):
            nodes.append(Node(fresh, "constant", (), array.shape, name=layer.name, value=array))
            fresh += 1
        nodes.append(replace(layer, index=node.index, inputs=(layer.inputs[0], fresh - 2, fresh - 1)))
    return Graph.of(nodes, graph.output.index)


def _folded(graph: Graph, layer: Node, norm: Node) -> tuple[Array, Array]:
    """Weight and bias of the layer that does both; computed in float64 and rounded once."""
    weight, *bias = (_value(source) for source in graph.inputs(layer)[1:])
    scale, shift = scale_and_shift(norm, graph.inputs(norm))
    folded = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))  # axis 0 is the filter axis
    return folded.astype(weight.dtype), (scale * bias[0] + shift if bias else shift).astype(weight.dtype)


def scale_and_shift(norm: Node, sources: tuple[Node, ...]) -> tuple[Array, Array]:
    """What a batch norm in evaluation multiplies each channel with, and then adds: both (C,), in float64."""
    gamma, beta, mean, var = (_value(source).astype(np.float64) for source in sources[1:5])
    function: Any = norm.function
    scale = gamma / np.sqrt(var + function.eps)
    return scale, beta - mean * scale


def _value(node: Node) -> Array:
    assert node.value is not None
    return node.value
