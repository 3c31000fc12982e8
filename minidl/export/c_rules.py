"""How each operation is said in C: one rule for each, which returns calls of functions in layers.h.

Operations that only move numbers are in ``c_moves.py``; one without a rule is refused by name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.export import c_moves
from minidl.export.c_step import Rule, Step
from minidl.export.c_text import braces, map_of, number, size
from minidl.export.reading import affine, convolution
from minidl.types import Array

FILTERS = 8  # as in layers.h


def _conv(step: Step) -> list[str]:
    conv, x, y = convolution(step.node, step.sources), step.sources[0].shape, step.node.shape
    function, weight = "conv2d", _in_tiles(conv.weight, conv.groups)
    if conv.groups == x[-1] == y[-1]:
        function, weight = "depthwise", conv.weight[..., 0].transpose(1, 2, 0)  # (C, KH, KW, 1) to (KH, KW, C)
    layer = step.record(
        "convolution",
        how=braces(**_sliding(step, conv.weight.shape[1:3], conv.stride, conv.padding)),
        groups=conv.groups,
        relu=conv.relu,
        weight=step.constant("weight", weight),
        bias=step.constant("bias", np.zeros(len(conv.weight), np.float32) if conv.bias is None else conv.bias),
    )
    return [f"{function}({layer}, {step.x}, {step.residual(conv.add)}, {step.y});"]


def _in_tiles(weight: Array, groups: int) -> Array:
    """(O, KH, KW, I) to (groups, tiles, KH, KW, I, 8): eight filters side by side, with zeros for those missing."""
    of_groups = weight.reshape(groups, -1, *weight.shape[1:])
    full = np.pad(of_groups, [(0, 0), (0, -of_groups.shape[1] % FILTERS), (0, 0), (0, 0), (0, 0)])
    return full.reshape(groups, -1, FILTERS, *weight.shape[1:]).transpose(0, 1, 3, 4, 5, 2)


def _sliding(step: Step, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]) -> dict[str, Any]:
    """The fields of a record of type `sliding`."""
    sizes = {"in": map_of(step.sources[0].shape), "out": map_of(step.node.shape)}
    return {**sizes, "kernel": kernel, "stride": stride, "padding": padding}


def _norm(step: Step) -> list[str]:
    norm = affine(step.node, step.sources)
    scale, shift = step.constant("scale", norm.scale), step.constant("shift", norm.shift)
    how = f"{scale}, {shift}, {step.residual(norm.add)}, {int(norm.relu)}"
    return [f"normalize({size(step.node.shape)}, {step.x}, {how}, {step.y});"]


def _pool(function: str) -> Rule:
    def rule(step: Step) -> list[str]:
        return [f"{function}({step.record('sliding', **_sliding(step, *step.options.how))}, {step.x}, {step.y});"]

    return rule


def _global_average(step: Step) -> list[str]:
    return [f"global_average({size(step.sources[0].shape)}, {step.x}, {step.y});"]


def _each(function: str) -> Rule:
    return lambda step: [f"{function}({math.prod(step.node.shape)}, {step.x}, {step.y});"]


def _leaky_relu(step: Step) -> list[str]:
    slope = number(step.options.negative_slope)
    return [f"leaky_relu({math.prod(step.node.shape)}, {step.x}, {slope}, {step.y});"]


def _log_softmax(step: Step) -> list[str]:
    return [f"log_softmax({size(step.node.shape)}, {step.x}, {step.y});"]


RULES: dict[str, Rule] = {
    "Conv2d": _conv,
    "ConvAddReLU": _conv,
    "Linear": _conv,
    "BatchNormInference": _norm,
    "NormAddReLU": _norm,
    "MaxPool2d": _pool("max_pool"),
    "AvgPool2d": _pool("average_pool"),
    "GlobalAvgPool2d": _global_average,
    "ReLU": _each("relu"),
    "LeakyReLU": _leaky_relu,
    "HardTanh": _each("hard_tanh"),
    "Sigmoid": _each("sigmoid"),
    "Tanh": _each("hyperbolic_tangent"),
    "LogSoftmax": _log_softmax,
    "Add": c_moves.combine("ADD"),
    "Sub": c_moves.combine("SUBTRACT"),
    "Mul": c_moves.combine("MULTIPLY"),
    "Div": c_moves.combine("DIVIDE"),
    "Neg": c_moves.neg,
    "GetItem": c_moves.view,
    "Transpose": c_moves.view,
    "BroadcastTo": c_moves.view,
    "Pad": c_moves.pad,
    "Concatenate": c_moves.concatenate,
}
