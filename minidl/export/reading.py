"""What the exporters read off a graph, whatever they write; what they cannot say is refused here, by name.

How a format spells it is the business of that format's rules.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl.graph import Graph, Node
from minidl.graph.fold import scale_and_shift
from minidl.types import Array

Pair = tuple[int, int]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files : in the order they were written
    weight_bytes : of all constants
    macs : multiply-accumulates for one sample, those of projection shortcuts too
    memory_bytes : for the values while the network runs; None where the reader of the file decides

    Examples
    --------
    >>> import tempfile
    >>> from minidl import export, graph, nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export.c99(graph.trace(nn.Linear(16, 8, rng=0), input_shape=(16,)), folder)
    ...     done.weight_bytes, done.macs
    (544, 128)
    """

    files: tuple[Path, ...]
    weight_bytes: int
    macs: int
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Convolution:
    """A convolution with what was fused into it; `weight` is (O, KH, KW, I/groups), `bias` (O,)."""

    weight: Array
    bias: Array | None
    stride: Pair
    padding: Pair
    groups: int
    add: bool
    relu: bool


@dataclass(frozen=True)
class Affine:
    """A batch norm with what was fused into it: scale · x + shift, both (C,)."""

    scale: Array
    shift: Array
    add: bool
    relu: bool


def convolution(node: Node, sources: tuple[Node, ...]) -> Convolution:
    """What a Conv2d, a ConvAddReLU, or a Linear does, which is a convolution of one pixel."""
    function: Any = node.function
    weight, *bias = [source.value for source in sources[1:] if source.value is not None]
    stride, padding, groups = ((1, 1), (0, 0), 1) if node.op == "Linear" else function.how
    if node.op == "Linear":
        weight = weight[:, None, None, :]
    return Convolution(weight, bias[0] if bias else None, stride, padding, groups, *_fused(node))


def affine(node: Node, sources: tuple[Node, ...]) -> Affine:
    """What a BatchNormInference or NormAddReLU does; computed in float64 and rounded once."""
    scale, shift = scale_and_shift(node, sources)
    return Affine(scale.astype(np.float32), shift.astype(np.float32), *_fused(node))


def _fused(node: Node) -> tuple[bool, bool]:
    """Whether a residual is added, and whether a ReLU follows."""
    function: Any = node.function
    if node.op == "ConvAddReLU":
        return function.add, function.relu
    return node.op == "NormAddReLU" and len(node.inputs) == 6, node.op == "NormAddReLU" and function.relu


def check_operations(graph: Graph, rules: Container[str], names: str) -> None:
    """Refuse, by name, an operation that is not in `rules`, of which `names` tells."""
    for node in graph:
        if node.batched and node.op != "input" and node.op not in rules:
            raise ValueError(
                f"export found the operation {node.op} {node.name}".rstrip() + f", for which it has no rule, expected "
                f"{names}: write the network with those"
            )


def checked(name: str, array: Array) -> Array:
    """`array`, of finite 32-bit floats, or an error that names it."""
    if array.dtype != np.float32:
        raise ValueError(f"export found {name} of {array.dtype}, expected float32: convert the network's parameters")
    if not np.isfinite(array).all():
        raise ValueError(
            f"export found NaN or infinity in {name}, expected finite numbers: did the network's training diverge?"
        )
    return array


def title(node: Node) -> str:
    """Name of the layer, or of the operation in small letters where it has none.

    Examples
    --------
    >>> title(Node(0, "MaxPool2d", (), ()))
    'max_pool2d'
    """
    return node.name or re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", node.op).lower()


def slices(node: Node, x: Node) -> Iterator[tuple[int, slice]]:
    """Of a GetItem of slices and integers: each axis of `x`, the batch's is 0, and what is taken of it."""
    function: Any = node.function
    index = function.index if isinstance(function.index, tuple) else (function.index,)
    index = tuple(part for part in index if part is not None)
    if not all(part is Ellipsis or isinstance(part, (int, np.integer, slice)) for part in index):
        raise ValueError(f"export found {title(node)} with an array as index, expected slices and integers: use those")
    left = [1, *x.shape]
    before = index.index(Ellipsis) if Ellipsis in index else len(index)
    after = index[before + 1 :]
    parts = [*index[:before], *[slice(None)] * (len(left) - before - len(after)), *after]
    for axis, (part, n) in enumerate(zip(parts, left, strict=True)):
        yield axis, slice(*part.indices(n)) if isinstance(part, slice) else slice(part % n, part % n + 1, 1)
