"""A convolution or batch norm, the addition of a residual and the ReLU that follow each other, made one operation.

Nothing is computed differently, so the fused network gives the same bits; contrast `fold.py`, which rounds anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minidl.autograd.function import Function
from minidl.graph.graph import Graph, Node
from minidl.kernels import conv as conv_kernel
from minidl.kernels import norm as norm_kernel
from minidl.ops.conv import Pair
from minidl.types import Array


class NormAddReLU(Function):  # x (..., C), weight, bias, mean, var (C,)[, residual (..., C)] -> (..., C)
    def __init__(self, eps: float, relu: bool) -> None:
        self.eps, self.relu = eps, relu

    def forward(self, x: Array, weight: Array, bias: Array, mean: Array, var: Array, *residual: Array) -> Array:
        added = residual[0] if residual else None
        return norm_kernel.batch_norm_inference(x, weight, bias, mean, var, self.eps, added, self.relu)


class ConvAddReLU(Function):  # x (N, H, W, C), weight[, bias][, residual (N, OH, OW, O)] -> (N, OH, OW, O)
    def __init__(self, how: tuple[Pair, Pair, int], add: bool, relu: bool) -> None:
        self.how, self.add, self.relu = how, add, relu  # how: stride, padding, groups

    def forward(self, x: Array, weight: Array, *rest: Array) -> Array:
        bias = rest[0] if len(rest) > self.add else None
        y = conv_kernel.forward(x, weight, bias, *self.how)
        if self.add:
            y += rest[-1]
        return np.maximum(y, 0, out=y) if self.relu else y


def fuse(graph: Graph) -> Graph:
    """The same network with every convolution and batch norm taking along an addition and a ReLU that read it alone.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> g = graph.trace(nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2, relu=True)), input_shape=(4, 4, 1))
    >>> [node.op for node in graph.fuse(g) if node.batched]
    ['input', 'Conv2d', 'NormAddReLU']
    >>> [node.op for node in graph.fuse(graph.fold_batch_norm(g)) if node.batched]
    ['input', 'ConvAddReLU']
    """
    nodes: dict[int, Node] = {node.index: node for node in graph}
    for layer in graph:
        if not layer.batched or layer.op not in ("Conv2d", "BatchNormInference"):
            continue
        inputs, last = layer.inputs, layer
        if (add := _only_reader(graph, last, "Add")) is not None and _same_shapes(graph, add):
            residual = next(i for i in add.inputs if i != last.index)
            if nodes[residual].batched:
                inputs, last = (*inputs, residual), add
        relu = _only_reader(graph, last, "ReLU")
        last = relu or last
        if last is not layer:
            fused = _fused(layer, add=len(inputs) > len(layer.inputs), relu=relu is not None)
            op = type(fused).__name__
            nodes[last.index] = replace(layer, index=last.index, op=op, inputs=inputs, function=fused)
    return Graph.of(nodes.values(), graph.output.index)


def _fused(layer: Node, add: bool, relu: bool) -> Function:
    function: Any = layer.function
    return ConvAddReLU(function.how, add, relu) if layer.op == "Conv2d" else NormAddReLU(function.eps, relu)


def _only_reader(graph: Graph, node: Node, op: str) -> Node | None:
    """The operation `op` that reads `node`, if nothing else does."""
    readers = graph.consumers(node)
    return readers[0] if len(readers) == 1 and readers[0].op == op and node is not graph.output else None


def _same_shapes(graph: Graph, add: Node) -> bool:
    a, b = graph.inputs(add)
    return a is not b and a.shape == b.shape == add.shape
