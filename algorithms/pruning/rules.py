"""What each operation does to channels, one short rule each, in the order of its arguments.

A rule returns the channel of every index of the result's last axis.  Nothing is guessed: an operation that is not in
`RULES` is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from algorithms.pruning.labels import Labeller
from minidl.graph import Node
from minidl.types import Array

Rule = Callable[[Labeller, Node], Array]


def _same(the: Labeller, node: Node) -> Array:
    return the.of_input(node)


def _input(the: Labeller, node: Node) -> Array:
    labels = the.fresh(node.shape[-1], "the input")
    the.fix(labels, "they are the network's input")
    return labels


def _conv(the: Labeller, node: Node) -> Array:
    _, weight, *bias = the.graph.inputs(node)  # weight: (O, KH, KW, I/groups)
    x, count, groups = the.of_input(node), weight.shape[0], _conv_groups(node)
    if groups == 1:
        the.read(weight, 3, x)
        y = the.born(weight, count)
    elif groups == len(x):  # depthwise: filter o reads channel o // multiplier, and lives and dies with it
        y = np.repeat(x, count // groups)
        the.depthwise.append(weight.name)
    else:
        y = _grouped_conv(the, weight, groups, x)
    for source in (weight, *bias):
        the.own(source, 0, y)
    return y


def _grouped_conv(the: Labeller, weight: Node, groups: int, x: Array) -> Array:
    """Each group must lose the same positions, of its inputs and of its filters, so that the groups stay equal."""
    reason = f"{weight.name} works in {groups} equal groups"
    inputs = x.reshape(groups, -1)
    for part in inputs[1:]:
        the.unite(inputs[0], part, reason)
    the.read(weight, 3, inputs[0])
    y = the.born(weight, weight.shape[0])
    filters = y.reshape(groups, -1)
    for part in filters[1:]:
        the.unite(filters[0], part, reason)
    return y


def _conv_groups(node: Node) -> int:
    function: Any = node.function
    return int(function.how[2])


def _linear(the: Labeller, node: Node) -> Array:
    _, weight, *bias = the.graph.inputs(node)  # weight: (O, I)
    the.read(weight, 1, the.of_input(node))
    y = the.born(weight, weight.shape[0])
    for source in (weight, *bias):
        the.own(source, 0, y)
    return y


def _batch_norm(the: Labeller, node: Node) -> Array:
    for source in the.graph.inputs(node)[1:]:
        the.own(source, 0, the.of_input(node))
    return the.of_input(node)


def _elementwise(the: Labeller, node: Node) -> Array:
    """Add, Sub, Mul, Div: channels meet their namesakes; a single channel may be repeated over all of the other's."""
    sources = the.graph.inputs(node)
    wide = [i for i, x in enumerate(sources) if x.batched and x.shape[-1:] == node.shape[-1:]]
    for i, x in enumerate(sources):
        if x.batched and i not in wide:
            the.fix(the.of_input(node, i), f"{node.op} repeats this single channel")
    if not wide:  # only a constant has the full width
        labels = the.fresh(node.shape[-1], node.op)
        the.fix(labels, f"{node.op} repeats a single channel over them")
        return labels
    labels = the.of_input(node, wide[0])
    for i in wide[1:]:
        the.unite(labels, the.of_input(node, i), f"{node.op} joins them")
    for x in sources:
        if not x.batched and x.shape[-1:] == labels.shape and (len(labels) > 1 or x.op != "constant"):
            the.own(x, -1, labels)
    return labels


def _concatenate(the: Labeller, node: Node) -> Array:
    function: Any = node.function
    parts = [the.of_input(node, i) for i in range(len(node.inputs))]
    if function.axis % (len(node.shape) + 1) == len(node.shape):
        return np.concatenate(parts)
    for part in parts[1:]:
        the.unite(parts[0], part, "Concatenate stacks their images")
    return parts[0]


def _reshape(the: Labeller, node: Node) -> Array:
    (x,) = the.graph.inputs(node)
    if node.shape[-1:] == x.shape[-1:]:
        return the.of_input(node)
    if node.shape == (math.prod(x.shape),):  # flatten: (H, W, C) row by row, channels innermost
        return np.tile(the.of_input(node), math.prod(x.shape[:-1]))
    return the.scatter(node, "Reshape mixes them with positions")


def _pad(the: Labeller, node: Node) -> Array:
    """Zeros around the channels are channels of their own."""
    function: Any = node.function
    before, after = function.widths[-1]
    return np.concatenate([the.fresh(before, "zeros"), the.of_input(node), the.fresh(after, "zeros")])


def _getitem(the: Labeller, node: Node) -> Array:
    function: Any = node.function
    index = function.index if isinstance(function.index, tuple) else (function.index,)
    rank = len(the.graph.inputs(node)[0].shape) + 1
    of_channels = index[rank - 1] if len(index) == rank else slice(None)
    if all(isinstance(part, (int, slice)) for part in index) and of_channels == slice(None):
        return the.of_input(node)
    return the.scatter(node, "GetItem picks them by position")


def _reduce(the: Labeller, node: Node) -> Array:
    function: Any = node.function
    axes = function.axis if isinstance(function.axis, tuple) else (function.axis,)
    rank = len(the.graph.inputs(node)[0].shape) + 1
    if any(axis % rank == rank - 1 for axis in axes):
        return the.scatter(node, f"{node.op} runs over them")
    return the.of_input(node)


def _softmax(the: Labeller, node: Node) -> Array:
    return the.scatter(node, f"{node.op} compares them with each other")


RULES: dict[str, Rule] = {
    "input": _input, "Conv2d": _conv, "Linear": _linear, "BatchNormInference": _batch_norm,
    "Add": _elementwise, "Sub": _elementwise, "Mul": _elementwise, "Div": _elementwise,
    "Concatenate": _concatenate, "Reshape": _reshape, "Pad": _pad, "GetItem": _getitem, "Sum": _reduce, "Max": _reduce,
    "LogSoftmax": _softmax,
    **dict.fromkeys(
        ("GlobalAvgPool2d", "ReLU", "LeakyReLU", "HardTanh", "Sigmoid", "Tanh", "Neg", "Exp", "Log", "Abs", "Power",
         "MaxPool2d", "AvgPool2d", "AsType"), _same),
}  # fmt: skip
