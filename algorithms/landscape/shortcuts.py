"""Two ways to evaluate a moved network with less work and the same numbers up to rounding.

With its statistics known, batch norm is an affine map that the layer before can do itself; and the first layer is
linear in its weights, so W(c) x = W* x + Σ_i c_i (D_i x), where the products are the same at every point.  Both change
how layers of a *private copy* compute; nothing here decides when to use them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
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
        """Use scale · (conv(x, w) + b) + shift = conv(x, scale · w) + (scale · b + shift) at this point's weights."""
        norm, weight = self.norm, self.layer.weight.data
        scale = norm.weight.data / np.sqrt(norm.running_var + norm.eps)  # (O,)
        shift = norm.bias.data - scale * norm.running_mean
        weight *= scale.astype(weight.dtype).reshape(-1, *[1] * (weight.ndim - 1))
        assert self.layer.bias is not None
        self.layer.bias.data[...] = shift if self.bias is None else scale * self.bias + shift


class LinearFirst:
    """The first layer's outputs at the centre and along each direction, computed once for a chunk of images."""

    def __init__(self, layer: Layer, moves: list[tuple[int, Array, Array | None]]) -> None:
        self.moves = moves  # (i, weight of direction i, its bias)
        self.centre = (layer.weight.data.copy(), None if layer.bias is None else layer.bias.data.copy())
        self.point: Array = np.zeros(0)
        self.known: tuple[Array, list[Array]] | None = None
        self.bare = copy.copy(layer)  # takes each of the weights in turn
        layer.forward = self.forward  # type: ignore[method-assign]

    def forget(self) -> None:
        """Begin a new chunk of images."""
        self.known = None

    def forward(self, x: Tensor) -> Tensor:
        """W(c) x + b(c) by the sum above."""
        if self.known is None:
            self.known = self._apply(x, *self.centre), [self._apply(x, w, b) for _, w, b in self.moves]
        centre, along = self.known
        y = centre.copy()
        for (i, _, _), step in zip(self.moves, along, strict=True):
            if self.point[i] != 0:
                y += y.dtype.type(self.point[i]) * step
        return Tensor.wrap(y)

    def _apply(self, x: Tensor, weight: Array, bias: Array | None) -> Array:
        self.bare.weight, self.bare.bias = Parameter(weight), None if bias is None else Parameter(bias)
        return self.bare(x).numpy()


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


def find_first(
    model: Module, input_shape: Shape, directions: Sequence[Mapping[str, Array]], folded: set[int]
) -> LinearFirst | None:
    """Find the layer that reads the images themselves, unless a batch norm is folded into it or nothing moves it."""
    graph = trace(model, input_shape)
    readers = [node for node in graph if node.op in ("Conv2d", "Linear") and _reads_images(graph, node)]
    name = readers[0].name if readers else ""
    if sum(node.name == name for node in graph if node.op in ("Conv2d", "Linear")) != 1:
        return None
    layer = dict(model.named_modules()).get(name)
    if not isinstance(layer, LAYERS) or id(layer.weight.data) in folded:
        return None
    zero = np.zeros_like(layer.weight.data)
    moves = [
        (i, d.get(f"{name}.weight", zero), d.get(f"{name}.bias"))
        for i, d in enumerate(directions)
        if any(f"{name}.{part}" in d and d[f"{name}.{part}"].any() for part in ("weight", "bias"))
    ]
    return LinearFirst(layer, moves) if moves else None


def _only_source(graph: Graph, norm: Node) -> Node | None:
    before = graph[norm.inputs[0]]
    uses = [node for node in graph if node.op in ("Conv2d", "Linear") and node.name == before.name]
    alone = before.op in ("Conv2d", "Linear") and len(graph.consumers(before)) == 1 and len(uses) == 1
    return before if alone else None


def _reads_images(graph: Graph, node: Node) -> bool:
    source = graph[node.inputs[0]]
    return source.op == "input" or (source.op == "Reshape" and graph[source.inputs[0]].op == "input")


def _without_norm(relu: bool, x: Tensor, residual: Tensor | None = None) -> Tensor:
    """What is left of a batch norm that the layer before does: the addition and the ReLU that ride on it."""
    y = x if residual is None else x + residual
    return ops.relu(y) if relu else y
