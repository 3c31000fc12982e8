"""Batch norm done by the layer before it: with its statistics known it is an affine map, scale · y + shift per channel.

It changes how layers of a *private copy* compute, at every point anew, since weights, scale and shift may move.  When
to use it is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from minidl import Tensor, ops
from minidl.graph import Graph, Node, trace
from minidl.nn import BatchNorm1d, BatchNorm2d, Conv2d, DepthwiseConv2d, Linear, Module, Parameter
from minidl.types import Array, Shape

Layer = Conv2d | DepthwiseConv2d | Linear
LAYERS = (Conv2d, DepthwiseConv2d, Linear)


@dataclass
class Folded:
    """A layer that does the work of the batch norm after it."""

    layer: Layer
    norm: BatchNorm1d | BatchNorm2d
    bias: Array | None  # (O,) the layer's own, which moves with the point

    def prepare(self) -> None:
        """Make the batch norm pass its input on, and give the layer a bias for the shift."""
        self.norm.forward = partial(_without_norm, self.norm.relu)  # type: ignore[method-assign]
        self.layer.bias = Parameter(np.zeros_like(self.norm.bias.data))

    def apply(self) -> None:
        """Give the layer the weight and bias that do both, at this point's arrays."""
        norm, layer = self.norm, self.layer
        assert layer.bias is not None
        weight, bias = self.fold(layer.weight.data, self.bias, norm.bias.data, norm.running_mean)
        layer.weight.data[...], layer.bias.data[...] = weight, bias

    def fold(self, weight: Array, bias: Array | None, beta: Array, mean: Array) -> tuple[Array, Array]:
        """Use scale · (conv(x, w) + b - mean) + beta = conv(x, scale · w) + (scale · (b - mean) + beta).

        It is linear in what it is given, as long as the scale does not move.
        """
        scale = self.norm.weight.data / np.sqrt(self.norm.running_var + self.norm.eps)  # (O,)
        shift = beta - scale * mean
        wide = scale.astype(weight.dtype).reshape(-1, *[1] * (weight.ndim - 1))
        return weight * wide, shift if bias is None else scale * bias + shift


def find_folds(model: Module, input_shape: Shape) -> list[Folded]:
    """Find every layer of `model` that alone feeds a batch norm, and feeds nothing else."""
    graph = trace(model, input_shape)
    modules = dict(model.named_modules())
    found = []
    for node in graph:
        if node.op == "BatchNormInference" and (before := _only_source(graph, node)) is not None:
            layer, norm = modules.get(before.name), modules.get(node.name)
            if isinstance(layer, LAYERS) and isinstance(norm, (BatchNorm1d, BatchNorm2d)):
                found.append(Folded(layer, norm, None if layer.bias is None else layer.bias.data))
    return found


def _only_source(graph: Graph, norm: Node) -> Node | None:
    before = graph[norm.inputs[0]]
    uses = [node for node in graph if node.op in ("Conv2d", "Linear") and node.name == before.name]
    alone = before.op in ("Conv2d", "Linear") and len(graph.consumers(before)) == 1 and len(uses) == 1
    return before if alone else None


def _without_norm(relu: bool, x: Tensor, residual: Tensor | None = None) -> Tensor:
    """What is left of a batch norm that the layer before does: the addition and the ReLU that ride on it."""
    y = x if residual is None else x + residual
    return ops.relu(y) if relu else y
