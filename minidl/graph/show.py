"""A graph for the eye: as an aligned table, and as DOT for Graphviz.

Parameters have no line of their own: what an operation reads of them is told with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from minidl.graph.graph import Graph, Node


def table(graph: Graph) -> str:
    """One line for each operation: its index, name, shape of one sample, layer, and the indices that it reads.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> print(table(graph.trace(nn.Sequential(nn.Linear(4, 3, rng=0), nn.ReLU()), input_shape=(4,))))
    #  op      shape  layer     reads  weights
    0  input   4
    3  Linear  3      layers.0  0      3x4, 3
    4  ReLU    3                3
    """
    rows = [("#", "op", "shape", "layer", "reads", "weights")]
    for node in _shown(graph):
        read = graph.inputs(node)
        batched = " ".join(str(i.index) for i in read if i.batched)
        known = ", ".join(shape_text(i.shape) or "number" for i in read if not i.batched)
        rows.append((str(node.index), node.op, shape_text(node.shape), node.name, batched, known))
    return aligned(rows, right=(0,))


def dot(graph: Graph) -> str:
    r"""Write the graph in the DOT language; parameters are left out.

    Examples
    --------
    >>> from minidl import graph, nn
    >>> print(dot(graph.trace(nn.ReLU(), input_shape=(4,))))
    digraph {
      node [shape=box];
      0 [label="input\n4"];
      1 [label="ReLU\n4"];
      0 -> 1;
    }
    """
    lines = ["digraph {", "  node [shape=box];"]
    for node in _shown(graph):
        label = "\\n".join(part for part in (node.op, node.name, shape_text(node.shape)) if part)
        lines.append(f'  {node.index} [label="{label}"];')
        lines += [f"  {i.index} -> {node.index};" for i in graph.inputs(node) if i.batched]
    return "\n".join([*lines, "}"])


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells as text, in columns two blanks apart; those in `right` are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape as people write it, such as 32x32x3."""
    return "x".join(map(str, shape))


def _shown(graph: Graph) -> list[Node]:
    return [node for node in graph if node.batched]
