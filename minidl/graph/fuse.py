"""Batch norm, the addition of a residual and the ReLU that follow each other, made one pass over memory.

Nothing is computed differently, so the fused network gives the same bits; contrast `fold.py`, which rounds anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minidl.autograd.function import Function
from minidl.graph.graph import Graph, Node
from minidl.kernels import norm as kernel
from minidl.types import Array


class NormAddReLU(Function):  # x (..., C), weight, bias, mean, var (C,)[, residual (..., C)] -> (..., C)
    def __init__(self, eps: float, relu: bool) -> None:
        self.eps, self.relu = eps, relu

    def forward(self, x: Array, weight: Array, bias: Array, mean: Array, var: Array, *residual: Array) -> Array:
        added = residual[0] if residual else None
        return kernel.batch_norm_inference(x, weight, bias, mean, var, self.eps, added, self.relu)


def fuse(graph: Graph) -> Graph:
    """The same network with every batch norm taking along an addition and a ReLU that read it alone.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> g = graph.trace(nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2, relu=True)), input_shape=(4, 4, 1))
    >>> [node.op for node in graph.fuse(g) if node.batched]
    ['input', 'Conv2d', 'NormAddReLU']
    """
    nodes: dict[int, Node] = {node.index: node for node in graph}
    for norm in graph:
        if norm.op != "BatchNormInference":
            continue
        function: Any = norm.function
        inputs, last = norm.inputs, norm
        if (add := _only_reader(graph, last, "Add")) is not None and _same_shapes(graph, add):
            residual = next(i for i in (*add.inputs, last.index) if i != last.index)
            if residual < add.index and nodes[residual].batched:
                inputs, last = (*inputs, residual), add
        relu = _only_reader(graph, last, "ReLU")
        last = relu or last
        if last is not norm:
            fused = NormAddReLU(function.eps, relu is not None)
            nodes[last.index] = replace(norm, index=last.index, op="NormAddReLU", inputs=inputs, function=fused)
    return Graph.of(nodes.values(), graph.output.index)


def _only_reader(graph: Graph, node: Node, op: str) -> Node | None:
    """The operation `op` that reads `node`, if nothing else does."""
    readers = graph.consumers(node)
    return readers[0] if len(readers) == 1 and readers[0].op == op and node is not graph.output else None


def _same_shapes(graph: Graph, add: Node) -> bool:
    a, b = graph.inputs(add)
    return a is not b and a.shape == b.shape == add.shape
