"""Filters that provably never matter: what they send is zero whatever the image, or nothing reads it.

Constants are followed through the network, operation by operation; where a rule is missing, or rounding could turn a
zero into something else, a map counts as varying.  Filters that always send another number are named, not removed.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.pruning.channels import Channels, find_channels
from algorithms.pruning.plan import Plan, finish, rank
from minidl.graph import Graph, Node, cost, trace
from minidl.kernels.backend import here
from minidl.nn import Module
from minidl.types import Array, Shape

POINTWISE = ("Add", "Sub", "ReLU", "LeakyReLU", "HardTanh", "Sigmoid", "Tanh", "Neg", "Abs")
ZERO_STAYS = (
    "AvgPool2d",
    "GlobalAvgPool2d",
    "Sum",
)  # of zeros they make zeros; of other numbers, with rounding, others


@dataclass(frozen=True)
class Lossless:
    """What may leave without changing any answer.

    Attributes
    ----------
    plan : removes all of it; perhaps nothing
    reasons : group -> position -> why it never matters
    refused : group -> position -> why it does although it never changes

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2, rng=0))
    >>> net[0].weight.data[1:], net[0].bias.data[1:] = 0, (-0.5, 0.5)  # ReLU makes 0 and 0.5 of it
    >>> found = lossless(net, (3, 3, 1))
    >>> found.plan.removed["layers.0"].tolist(), found.refused
    ([1], {'layers.0': {2: 'its map is 0.5 for every image, which what reads it would miss'}})
    """

    plan: Plan
    reasons: dict[str, dict[int, str]]
    refused: dict[str, dict[int, str]]


def lossless(model: Module, input_shape: Shape) -> Lossless:
    """Find the filters that never matter to the network in evaluation mode.

    Examples
    --------
    >>> from minidl import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2, rng=0))
    >>> net[0].weight.data[1], net[0].bias.data[1] = 0, -0.5
    >>> lossless(net, (3, 3, 1)).reasons
    {'layers.0': {1: 'its map is zero for every image'}}
    """
    graph = trace(model, input_shape)
    channels, before = find_channels(graph), cost(graph)
    with here("numpy"):
        constants = follow_constants(graph)
    reads = _reads(graph, channels, constants)
    gone = np.zeros(channels.count, bool)
    while (more := _silent(channels, reads, gone)).sum() > gone.sum():  # a filter that leaves reads nothing any more
        gone = more
    alike = {layer: np.zeros(len(channels.of_filters(layer))) for layer in channels.weights}
    ranking = rank(model, channels, before, alike, "sum", 1, 0)
    removed, reasons, refused = {}, {}, {}
    for group in channels.groups:
        if not group.fixed:
            order = ranking.order(group)  # leaves at least one filter to every layer
            if len(leaving := np.sort(order[gone[group.channels[order]]])):
                removed[group.name] = leaving
                reasons[group.name] = {int(i): _reason(reads, int(group.channels[i])) for i in leaving}
            if constant := _constants(reads, group.channels, gone):
                refused[group.name] = constant
    plan = finish(model, input_shape, channels, removed, before, "filters that never matter")
    return Lossless(plan, reasons, refused)


@dataclass(frozen=True)
class _Read:
    """Where a layer reads channels: `ids` (I,) and `values` (G, I) what they hold, `weight` (G, O/G, taps, I)."""

    ids: Array
    rows: Array  # (G, O/G) the channels that its filters make
    values: Array
    weight: Array


def _reads(graph: Graph, channels: Channels, constants: dict[int, Array]) -> list[_Read]:
    found = []
    for node in graph:
        weight = graph.inputs(node)[1] if node.op in ("Conv2d", "Linear") else node
        axis = (weight.name, len(weight.shape) - 1)
        if weight is not node and axis in channels.readers and weight.value is not None:
            x = constants[node.inputs[0]]
            groups = len(x) // weight.shape[-1]
            split = weight.value.reshape(groups, weight.shape[0] // groups, -1, weight.shape[-1])
            rows = channels.axes[weight.name, 0].reshape(groups, -1)
            found.append(_Read(channels.axes[axis], rows, x.reshape(groups, -1), split))
    return found


def _silent(channels: Channels, reads: list[_Read], gone: Array) -> Array:
    """(count,) channels that may leave, and hold zero or meet zero weights wherever a filter that stays reads them."""
    silent = np.zeros(channels.count, bool)
    for group in channels.groups:
        silent[group.channels] = not group.fixed
    for read in reads:
        weighs = ((read.weight != 0).any(axis=2) & ~gone[read.rows][..., None]).any(axis=1)  # (G, I)
        matters = (weighs & (read.values != 0)).any(axis=0)  # NaN, which varies, is not zero
        silent[read.ids[matters]] = False
    return silent


def _reason(reads: list[_Read], channel: int) -> str:
    values = np.concatenate([read.values[:, read.ids == channel].ravel() for read in reads])
    return "its map is zero for every image" if (values == 0).all() else "no filter that matters reads it"


def _constants(reads: list[_Read], ids: Array, gone: Array) -> dict[int, str]:
    """Position -> a sentence, for the channels that always hold one number that is read."""
    found = {}
    for position, channel in enumerate(ids):
        values = np.unique(np.concatenate([read.values[:, read.ids == channel].ravel() for read in reads]))
        if not gone[channel] and len(values) == 1 and np.isfinite(values[0]) and values[0] != 0:
            found[position] = f"its map is {values[0]:g} for every image, which what reads it would miss"
    return found


# -- constants ------------------------------------------------------------------------------------------------------


def follow_constants(graph: Graph) -> dict[int, Array]:
    """For every node that depends on the input: (C,) the number that each channel always holds, NaN where it varies."""
    found: dict[int, Array] = {}
    for node in graph:
        if node.batched:
            found[node.index] = _constant(graph, node, found)
    return found


def _constant(graph: Graph, node: Node, found: dict[int, Array]) -> Array:
    sources = graph.inputs(node)
    width = node.shape[-1] if node.shape else 1
    varies = np.full(width, np.nan)
    values = [found.get(source.index, varies) for source in sources]  # parameters are looked up where they are known
    x = values[0] if values else varies
    match node.op:
        case "Conv2d" | "Linear":
            return _of_filters(sources, x)
        case "BatchNormInference":
            return _of_batch_norm(node, sources, x)
        case "MaxPool2d" | "AsType":
            return x
        case "Mul":
            return _of_product(sources, found, varies)
        case "Concatenate" if sum(map(len, values)) == width:
            return np.concatenate(values)
        case "Pad":
            return _of_pad(node, x)
        case "Reshape" if width in (len(x), math.prod(sources[0].shape)):
            return np.tile(x, width // len(x))
        case op if op in POINTWISE and all(len(value) == width for value in values):
            return _of_function(node, values)
        case op if op in ZERO_STAYS and len(x) == width:
            return np.where(x == 0, 0.0, np.nan)
    return varies


def _of_filters(sources: tuple[Node, ...], x: Array) -> Array:
    """Return the bias, which is all that a filter sends that reads only zeros or has no other weights."""
    weight, bias = sources[1].value, sources[2].value if len(sources) > 2 else None
    if weight is None:
        return np.full(sources[1].shape[0], np.nan)
    groups = len(x) // weight.shape[-1]
    meets = (weight != 0).reshape(groups, len(weight) // groups, -1, weight.shape[-1]).any(axis=2)  # (G, O/G, I)
    varies = (meets & (x.reshape(groups, 1, -1) != 0)).any(axis=2).ravel()
    return np.where(varies, np.nan, 0.0 if bias is None else bias)


def _of_batch_norm(node: Node, sources: tuple[Node, ...], x: Array) -> Array:
    """Where the scale or the centred input is zero, only the shift is left; a sign that rounding may hide varies."""
    weight, bias, mean, var = (np.asarray(source.value) for source in sources[1:])
    function: Any = node.function
    centred = x - mean
    part = centred * weight / np.sqrt(var + function.eps)
    unsure = np.abs(part + bias) <= 8 * np.finfo(np.float32).eps * (np.abs(part) + np.abs(bias))
    return np.where((weight == 0) | (centred == 0), bias, np.where(unsure, np.nan, part + bias))


def _of_product(sources: tuple[Node, ...], found: dict[int, Array], varies: Array) -> Array:
    """Zero times anything finite is zero; other products count as varying."""
    zero = np.zeros(len(varies), bool)
    for source in sources:
        value = found.get(source.index) if source.value is None else source.value.ravel()
        if value is not None and len(value) in (1, len(varies)):
            zero |= value == 0
    return np.where(zero, 0.0, np.nan)


def _of_pad(node: Node, x: Array) -> Array:
    function: Any = node.function
    before, after = function.widths[-1]
    around = any(width != (0, 0) for width in function.widths[:-1])
    kept = np.where(x == 0, 0.0, np.nan) if around else x
    return np.concatenate([np.zeros(before), kept, np.zeros(after)])


def _of_function(node: Node, values: list[Array]) -> Array:
    """Let the operation itself say what it makes of constants; NaN stays NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(copy.copy(node.function).forward(*values))  # type: ignore[union-attr]
