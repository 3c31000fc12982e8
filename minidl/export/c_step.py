"""What a rule is given of a node: where its inputs and its output lie in C, and a place for its constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minidl.export.c_text import Statics
from minidl.export.reading import title
from minidl.graph import Node
from minidl.types import Array


@dataclass(frozen=True)
class Step:
    """One node.

    Attributes
    ----------
    sources : the nodes that it reads
    places : for each of them the C expression of its first number; empty for a constant
    y : the same for its output
    """

    node: Node
    sources: tuple[Node, ...]
    places: tuple[str, ...]
    y: str
    statics: Statics

    @property
    def x(self) -> str:
        """Where the first input lies."""
        return self.places[0]

    @property
    def options(self) -> Any:
        """The operation, with its options as attributes."""
        return self.node.function

    def residual(self, add: bool) -> str:
        """Where the residual lies, if one is added."""
        return self.places[-1] if add else "NULL"

    def constant(self, name: str, array: Array) -> str:
        """The name in C of an array that belongs to this layer."""
        return self.statics.array(f"{title(self.node)}.{name}", array)

    def record(self, kind: str, **fields: Any) -> str:
        """The address of a record that describes this layer."""
        return self.statics.record(kind, f"{title(self.node)}.layer", **fields)


Rule = Callable[[Step], list[str]]  # returns calls of functions in layers.h, in order
