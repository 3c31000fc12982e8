"""What one sample costs: multiply-accumulates (MACs) and weights of every convolution and linear layer.

It follows the counting of "Pruning Filters for Efficient ConvNets", which every result carries as a sentence, and finds
projection shortcuts by the graph's structure.  It leaves out time: that is measured, not counted.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from minidl.graph.graph import Graph, Node
from minidl.graph.show import aligned, shape_text
from minidl.types import Shape

CONVENTION = (
    "One multiply-accumulate is one operation; convolutions and linear layers only, without biases, batch norm, "
    "activations and pooling; 1x1 projection shortcuts are left out of macs and weights, and counted in "
    "macs_with_projections and weights_with_projections."
)

# Operations without a multiplication by weights, or whose multiplications the convention leaves out.
FREE = frozenset({
    "Abs", "Add", "AsType", "AvgPool2d", "BatchNormInference", "BroadcastTo", "Concatenate", "Div", "Exp", "GetItem",
    "GlobalAvgPool2d",
    "HardTanh", "LeakyReLU", "Log", "LogSoftmax", "Max", "MaxPool2d", "Mul", "Neg", "Pad", "Power", "ReLU", "Reshape",
    "Sigmoid", "Sub", "Sum", "Tanh", "Transpose", "Where",
})  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One layer: `map` is the shape of its output for one sample, (OH, OW, O) or (O,).

    Examples
    --------
    >>> from minidl import graph, nn
    >>> graph.cost(graph.trace(nn.Conv2d(3, 16, 3, padding=1, rng=0), input_shape=(32, 32, 3))).rows[0]
    Row(name='', kind='conv 3x3', map=(32, 32, 16), macs=442368, weights=432, projection=False)
    """

    name: str
    kind: str
    map: Shape
    macs: int
    weights: int
    projection: bool


@dataclass(frozen=True)
class Cost:
    """Rows in the order the layers run, and their sums; `params` are all learned numbers, also of biases and norms.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> c = cost(graph.trace(nn.Sequential(nn.Flatten(), nn.Linear(12, 5, rng=0)), input_shape=(2, 2, 3)))
    >>> c.macs, c.weights, c.params
    (60, 60, 65)
    """

    rows: tuple[Row, ...]
    params: int
    convention: str = CONVENTION

    @cached_property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows if not row.projection)

    @cached_property
    def weights(self) -> int:
        return sum(row.weights for row in self.rows if not row.projection)

    @cached_property
    def macs_with_projections(self) -> int:
        return sum(row.macs for row in self.rows)

    @cached_property
    def weights_with_projections(self) -> int:
        return sum(row.weights for row in self.rows)

    def record(self) -> dict[str, Any]:
        """All of it as plain numbers, strings and lists, ready for JSON."""
        sums = ("macs", "weights", "macs_with_projections", "weights_with_projections", "params", "convention")
        return {**{key: getattr(self, key) for key in sums}, "rows": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        head = ("layer", "kind", "output", "MACs", "weights", "")
        body = [
            (
                row.name,
                row.kind,
                shape_text(row.map),
                f"{row.macs:,}",
                f"{row.weights:,}",
                "projection" * row.projection,
            )
            for row in self.rows
        ]
        total = ("total", "", "", f"{self.macs:,}", f"{self.weights:,}", f"{self.params:,} parameters")
        with_projections = (
            "with projections", "", "", f"{self.macs_with_projections:,}", f"{self.weights_with_projections:,}", "",
        )  # fmt: skip
        extra = [with_projections] if self.macs_with_projections != self.macs else []
        return aligned([head, *body, total, *extra], right=(3, 4)) + "\n" + self.convention


def cost(graph: Graph) -> Cost:
    """Count what one sample costs.

    Raises
    ------
    ValueError
        Naming an operation that depends on the input and has no rule here.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> net = nn.models.vgg16(rng=0)
    >>> c = cost(graph.trace(net, input_shape=(32, 32, 3)))
    >>> c.macs, c.weights
    (313463808, 14977728)
    """
    projections = _projections(graph)
    rows = []
    for node in graph:
        if not node.batched or node.op == "input" or node.op in FREE:
            continue
        if node.op not in ("Conv2d", "Linear"):
            raise ValueError(
                f"cost found the operation {node.op} {node.name}, for which it has no rule, expected Conv2d, Linear or "
                "one without weights: write it with those"
            )
        rows.append(_row(graph, node, node.index in projections))
    params = sum(math.prod(node.shape) for node in graph if node.op == "parameter")
    return Cost(tuple(rows), params)


def _row(graph: Graph, node: Node, projection: bool) -> Row:
    x, weight = graph.inputs(node)[:2]  # weight: (O, KH, KW, I/groups) or (O, I)
    weights = math.prod(weight.shape)
    macs = weights * math.prod(node.shape[:-1])  # times OH·OW, or 1 for a linear layer
    return Row(node.name, _kind(weight.shape, x.shape[-1]), node.shape, macs, weights, projection)


def _kind(weight: Shape, in_channels: int) -> str:
    if len(weight) == 2:
        return "linear"
    groups = in_channels // weight[3]
    prefix = "" if groups == 1 else "depthwise " if weight[3] == 1 else f"{groups}-group "
    return f"{prefix}conv {weight[1]}x{weight[2]}"


def _projections(graph: Graph) -> set[int]:
    """Find the convolutions that only carry a block's input over to its end, see `_shortcut`."""
    found = set()
    for add in graph:
        if add.op != "Add" or not all(operand.batched for operand in graph.inputs(add)):
            continue
        left, right = graph.inputs(add)
        candidates = [_shortcut(graph, left, right), _shortcut(graph, right, left)]
        if candidates.count(None) == 1:  # of two 1x1 convolutions of one tensor neither is the shortcut of the other
            found |= {conv.index for conv in candidates if conv is not None}
    return found


def _shortcut(graph: Graph, operand: Node, other: Node) -> Node | None:
    """Return the 1x1 convolution [+ batch norm] that makes `operand`, if `other` comes from the same tensor."""
    conv = graph[operand.inputs[0]] if operand.op == "BatchNormInference" else operand
    if conv.op != "Conv2d":
        return None
    x, weight = graph.inputs(conv)[:2]
    is_pointwise = weight.shape[1:] == (1, 1, x.shape[-1])  # and not grouped
    return conv if is_pointwise and x.index in graph.ancestors(other) else None
