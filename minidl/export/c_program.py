"""A graph as a C program: which calls compute it, one after the other, and where in one block of memory values lie.

The caller's own arrays are used for the input and the output, and a reshaped value lies where the value itself does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from minidl.export import c_moves
from minidl.export.c_rules import RULES
from minidl.export.c_step import Step
from minidl.export.c_text import Statics
from minidl.export.reading import check_operations, title
from minidl.graph import Graph
from minidl.graph.show import shape_text
from minidl.runtime.arena import Life, layout

FLOAT = 4  # bytes
AXES = 3  # of a map


@dataclass(frozen=True)
class Program:
    """Lines of C, the constants that they read, and how many floats of memory they need."""

    lines: list[str]
    statics: Statics
    memory: int


def program(graph: Graph) -> Program:
    """Translate a graph.

    Raises
    ------
    ValueError
        Naming an operation without a rule, a value of more than 3 axes, or weights that are not finite 32-bit floats.
    """
    _check(graph)
    owners = _owners(graph)
    places, memory = _places(graph, owners)
    statics, lines = Statics(), list[str]()
    for node in graph:
        if owners.get(node.index) != node.index or node.op == "input":
            continue
        sources = graph.inputs(node)
        reads = tuple(places[owners[i]] if i in owners else "" for i in node.inputs)
        calls = RULES[node.op](Step(node, sources, reads, places[node.index], statics))
        calls[0] += f" /* {_comment(title(node))}: {shape_text(node.shape) or 1} */"
        lines += calls
    if owners[graph.output.index] == graph.input.index:
        lines.append(c_moves.whole(graph.input.shape, "x", "y"))
    return Program(lines, statics, memory)


def _check(graph: Graph) -> None:
    check_operations(graph, {"Reshape", *RULES}, f"Reshape, {', '.join(RULES)}")
    for node in graph:
        if node.batched and len(node.shape) > AXES:
            raise ValueError(
                f"export found {title(node)} with a value of shape {node.shape}, expected at most (H, W, C): reshape it"
            )


def _owners(graph: Graph) -> dict[int, int]:
    """Each node whose value depends on the input -> the node in whose memory it lies."""
    owners: dict[int, int] = {}
    for node in graph:
        if node.batched:
            owners[node.index] = owners[node.inputs[0]] if node.op == "Reshape" else node.index
    return owners


def _places(graph: Graph, owners: dict[int, int]) -> tuple[dict[int, str], int]:
    """The C expression of where each owner's value lies, and the floats of memory that are needed."""
    last = {owner: owner for owner in owners.values()}  # the last node that reads it
    for node in graph:
        last.update({owners[i]: node.index for i in node.inputs if i in owners})
    places = {owners[graph.output.index]: "y", graph.input.index: "x"}
    inside = [i for i in last if i not in places]
    offsets, nbytes = layout([Life(FLOAT * math.prod(graph[i].shape), i, last[i]) for i in inside])
    places |= {i: f"memory + {offset // FLOAT}" for i, offset in zip(inside, offsets, strict=True)}
    return places, nbytes // FLOAT


def _comment(name: str) -> str:
    """A name that ends no comment."""
    return "".join(c if c.isalnum() or c in "._" else "_" for c in name)
