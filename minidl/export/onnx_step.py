"""Where rules write ONNX to, and where its axes are.

Inside an ONNX graph a map is channels first, (N, C, H, W), as its convolutions want it; every other value is as in
minidl.  So axes of a map are renamed, and its weights, constants and reshapes transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.export.reading import checked, title
from minidl.graph import Node
from minidl.types import Array, Shape

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # axes of a map, to channels first, to channels last


@dataclass
class Writer:
    """The nodes written so far, as (operation, inputs, output, attributes), and the constant arrays by name."""

    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Write one node, and return the name of its output."""
        output = f"{operation}_{len(self.nodes)}"
        self.nodes.append((operation, list(inputs), output, attributes))
        return output

    def array(self, name: str, array: Array) -> str:
        """Keep a constant, and return its name; the same array under the same name is kept once."""
        unique, count = name, 1
        while unique in self.arrays and not np.array_equal(self.arrays[unique], array):
            count += 1
            unique = f"{name}_{count}"
        self.arrays[unique] = np.ascontiguousarray(array)
        return unique

    def channels_first(self, x: str, shape: Shape) -> str:
        """A value as ONNX has it, from one as minidl does; `shape` is of a sample."""
        return self.add("Transpose", x, perm=FIRST) if is_map(shape) else x

    def channels_last(self, x: str, shape: Shape) -> str:
        """The other way round."""
        return self.add("Transpose", x, perm=LAST) if is_map(shape) else x


@dataclass(frozen=True)
class Step:
    """One node: what it reads, and the names of these in ONNX; empty for a constant."""

    node: Node
    sources: tuple[Node, ...]
    names: tuple[str, ...]
    writer: Writer

    @property
    def options(self) -> Any:
        """The operation, with its options as attributes."""
        return self.node.function

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Write one node, and return the name of its output."""
        return self.writer.add(operation, *inputs, **attributes)

    def weight(self, name: str, array: Array) -> str:
        """The name of an array of floats that belongs to this layer."""
        name = f"{title(self.node)}.{name}"
        return self.writer.array(name, checked(name, array))

    def whole(self, name: str, numbers: Shape | list[int]) -> str:
        """The name of a list of whole numbers, which some operations want instead of an attribute."""
        return self.writer.array(f"{title(self.node)}.{name}", np.array(numbers, np.int64))


Rule = Callable[[Step], str]  # returns the name of the output


def is_map(shape: Shape) -> bool:
    """Whether samples of this shape are maps, whose channels are first in ONNX."""
    return len(shape) == 3


def axis_of(axis: int, shape: Shape) -> int:
    """Where an axis of minidl's value, whose sample has this shape, is in ONNX.

    Examples
    --------
    >>> axis_of(-1, (32, 32, 3)), axis_of(-1, (10,))
    (1, 1)
    """
    axis %= len(shape) + 1
    return FIRST.index(axis) if is_map(shape) else axis


def laid_out(array: Array | None, shape: Shape) -> Array:
    """A constant that is broadcast to samples of this shape, with axes as in ONNX."""
    assert array is not None
    full = array.reshape((1,) * (len(shape) + 1 - array.ndim) + array.shape)
    return full.transpose(FIRST) if is_map(shape) else full
