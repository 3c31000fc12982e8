"""How a plan runs one node: the kernel calls that write its value to a given place, bound to their arrays ahead.

A rule for each operation worth one; every other operation computes as it always does, and its result is copied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from minidl.graph import Node
from minidl.graph.run import forward
from minidl.kernels import lanewise, norm
from minidl.kernels.backend import compiled, conv_kind
from minidl.types import Array

Call = Callable[[], object]
Bind = Callable[[list[Array], Array], list[Call]]  # (inputs, output) -> the calls that fill the output, in order


def binder(node: Node, sources: tuple[Node, ...]) -> Bind:
    """Return how `node` is bound to arrays; what its sources hold is prepared here, once for all batch sizes."""
    rule = RULES.get(node.op)
    return (rule and rule(node, sources)) or partial(_computed, node)


def _computed(node: Node, inputs: list[Array], y: Array) -> list[Call]:
    own = replace(node, function=copy.copy(node.function))  # its forward keeps things, and chunks run side by side
    return [lambda: np.copyto(y, forward(own, inputs), casting="no")]


def _conv(node: Node, sources: tuple[Node, ...]) -> Bind | None:
    function: Any = node.function
    fused = node.op == "ConvAddReLU"
    constants = _constants(sources[1:])
    added = fused and function.add
    if len(constants) != len(sources) - 1 - added or not _has_kernels(constants):
        return None  # a weight that is computed from the input, or a type that no kernel is compiled for
    from minidl.kernels.prepared import PreparedConv

    conv = PreparedConv(constants[0], constants[1] if len(constants) > 1 else None, *function.how)

    def bind(inputs: list[Array], y: Array) -> list[Call]:
        x, *rest = inputs
        calls: list[Call] = []
        blocks = y.shape[1:] != node.shape
        laid_out = partial(_lanewise, blocks=blocks) if blocks or lanewise.differs(x, y) else _contiguous
        x, residual = laid_out(x, calls), laid_out(rest[-1], calls) if added else None
        return calls + conv.bind(x, y, residual, fused and function.relu, blocks)

    return bind


def _linear(node: Node, sources: tuple[Node, ...]) -> Bind:
    """A convolution of one pixel, whose weights stream from memory; under "exact" the network's own product."""
    constants = _constants(sources[1:])
    if conv_kind() == "exact" or len(constants) != len(sources) - 1 or not _has_kernels(constants):
        return _matmul
    from minidl.kernels.prepared import PreparedConv

    weight, bias = constants[0], constants[1] if len(constants) > 1 else None
    conv = PreparedConv(weight[:, None, None, :], bias, (1, 1), (0, 0), 1)

    def bind(inputs: list[Array], y: Array) -> list[Call]:
        calls: list[Call] = []
        x = _contiguous(inputs[0], calls).reshape(-1, 1, 1, weight.shape[1])
        return calls + conv.bind(x, y.reshape(-1, 1, 1, len(weight)))

    return bind


def _matmul(inputs: list[Array], y: Array) -> list[Call]:
    x, weight, *bias = inputs
    return [partial(np.matmul, x, weight.T, out=y), *[partial(np.add, y, b, out=y) for b in bias]]


def _constants(sources: tuple[Node, ...]) -> list[Array]:
    return [source.value for source in sources if source.value is not None]


def _has_kernels(arrays: list[Array]) -> bool:
    return compiled() and arrays[0].dtype == np.float32


def _contiguous(x: Array, calls: list[Call]) -> Array:
    """Return x, or a contiguous array that an added call copies x to."""
    return x if x.flags.carray else _copied(x, np.empty(x.shape, x.dtype), calls)


def _lanewise(x: Array, calls: list[Call], blocks: bool) -> Array:
    """Return x, or lanewise images or blocks that an added call copies x to."""
    if lanewise.holds(x):
        return x
    return _copied(x, lanewise.place(np.empty(x.size, x.dtype), x.shape[1:], blocks), calls)


def _copied(x: Array, copy: Array, calls: list[Call]) -> Array:
    calls.append(partial(np.copyto, copy, x))
    return copy


def _average(node: Node, sources: tuple[Node, ...]) -> Bind:
    def bind(inputs: list[Array], y: Array) -> list[Call]:
        if not _has_kernels(inputs):
            return _computed(node, inputs, y)
        from minidl.kernels import lanewise_copy, pool_compiled

        calls: list[Call] = []
        blocks = len(inputs[0]) != len(y)
        if blocks or lanewise.holds(inputs[0]):
            x = _lanewise(inputs[0], calls, blocks)
            return [*calls, *lanewise_copy.averaging(x, y)]
        x = _contiguous(inputs[0], calls)
        return [*calls, pool_compiled.averaging(x, y)]

    return bind


def _norm(node: Node, sources: tuple[Node, ...]) -> Bind:
    function: Any = node.function
    relu = node.op == "NormAddReLU" and function.relu

    def bind(inputs: list[Array], y: Array) -> list[Call]:
        x, weight, bias, mean, var, *residual = inputs
        added = residual[0] if residual else None
        return [partial(norm.batch_norm_inference, x, weight, bias, mean, var, function.eps, added, relu, y)]

    return bind


def _pad(node: Node, sources: tuple[Node, ...]) -> Bind:
    function: Any = node.function

    def bind(inputs: list[Array], y: Array) -> list[Call]:
        if _has_kernels(inputs) and y.ndim == 4:
            from minidl.kernels.padding import padding

            x, before = inputs[0], tuple(first for first, _ in function.widths)
            if lanewise.holds(y):
                axes = lanewise.order(y)
                x, y, before = x.transpose(axes), y.transpose(axes), tuple(before[axis] for axis in axes)
            return [padding(x, y, before)]
        inside = tuple(slice(before, n - after) for (before, after), n in zip(function.widths, y.shape, strict=True))
        return [partial(y.fill, 0), partial(np.copyto, y[inside], inputs[0])]

    return bind


def _concatenate(node: Node, sources: tuple[Node, ...]) -> Bind:
    function: Any = node.function
    return lambda inputs, y: [partial(np.concatenate, inputs, axis=function.axis, out=y)]


CONVOLUTIONS = {"Conv2d", "ConvAddReLU"}
RULES: dict[str, Callable[[Node, tuple[Node, ...]], Bind | None]] = {
    "Conv2d": _conv,
    "ConvAddReLU": _conv,
    "BatchNormInference": _norm,
    "NormAddReLU": _norm,
    "Linear": _linear,
    "GlobalAvgPool2d": _average,
    "Pad": _pad,
    "Concatenate": _concatenate,
}
