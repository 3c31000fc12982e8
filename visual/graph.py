"""A small computation graph as boxes and arrows: the value that came forward, the gradient that came back.

Leaves out tracing: nodes and edges are a plain list, which a student can also write by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from visual.style import BLUE, INK, MUTED, SMALL, VERMILLION, axes_or_new, style

_BOX = (0.74, 0.56)  # width and height of a box; columns and rows are 1 apart


@dataclass(frozen=True)
class Node:
    """One box: a unique `name`, and the texts of its value and gradient ("" leaves a line out)."""

    name: str
    value: str = ""
    grad: str = ""
    operation: bool = False  # drawn with a tinted box


@style()
def draw_graph(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], ax: Axes | None = None) -> Axes:
    """Draw the graph from left (leaves) to right (result); a node's column is its longest distance from a leaf.

    `edges` are pairs (from, to) of node names. Raises ValueError for an unknown name or a cycle.

    >>> ax = draw_graph([Node("a", "2"), Node("b", "3"), Node("a·b", "6", operation=True)], [("a", "a·b"), ("b", "a·b")])
    >>> len(ax.patches)  # one box per node
    3
    """
    places = layout([node.name for node in nodes], edges)
    columns, rows = np.ptp([*places.values(), (0, 0)], axis=0) + 1
    ax = axes_or_new(ax, (max(1.75 * columns, 3.2), max(1.2 * rows, 1.8)))
    for source, target in edges:
        _draw_arrow(ax, places[source], places[target])
    for node in nodes:
        _draw_box(ax, node, places[node.name])
    xs, ys = np.array([*places.values()]).reshape(-1, 2).T
    ax.set(
        xlim=(min(xs, default=0) - 0.5, max(xs, default=0) + 0.5),
        ylim=(max(ys, default=0) + 0.45, min(ys, default=0) - 0.45),
    )
    ax.axis("off")
    return ax


def layout(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Return name → (column, row): columns by longest path, rows in each column ordered by the mean row of the parents.

    >>> layout(["a", "b", "c"], [("a", "c"), ("b", "c")])
    {'a': (0.0, 0.0), 'b': (0.0, 1.0), 'c': (1.0, 0.5)}
    """
    parents: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        if source not in parents or target not in parents:
            raise ValueError(f"edge {source!r} → {target!r} names a node that is not in the list; add it to nodes")
        parents[target].append(source)
    column = _columns(parents)
    places: dict[str, tuple[float, float]] = {}
    tallest = max((list(column.values()).count(number) for number in column.values()), default=0)
    for number in sorted(set(column.values())):
        members = [name for name in names if column[name] == number]
        wish = {
            name: float(np.mean([places[parent][1] for parent in parents[name]] or [(tallest - 1) / 2]))
            for name in members
        }
        members.sort(key=wish.__getitem__)
        top = np.mean([wish[name] for name in members]) - (len(members) - 1) / 2
        places.update({name: (float(number), float(top + rank)) for rank, name in enumerate(members)})
    return places


def _columns(parents: dict[str, list[str]]) -> dict[str, int]:
    """Longest distance of each node from a leaf, by repeatedly settling nodes whose parents are settled."""
    column: dict[str, int] = {}
    while len(column) < len(parents):
        ready = [name for name in parents if name not in column and all(parent in column for parent in parents[name])]
        if not ready:
            raise ValueError("the edges form a cycle; a computation graph has none, remove an edge")
        for name in ready:
            column[name] = 1 + max((column[parent] for parent in parents[name]), default=-1)
    return column


def _draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    half = _BOX[0] / 2 + 0.04
    arrow = {"arrowstyle": "-|>,head_width=0.25,head_length=0.5", "color": MUTED, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end[0] - half, end[1]), xytext=(start[0] + half, start[1]), arrowprops=arrow)


def _draw_box(ax: Axes, node: Node, place: tuple[float, float]) -> None:
    corner = (place[0] - _BOX[0] / 2, place[1] - _BOX[1] / 2)
    fill = "#fff6e5" if node.operation else "#f4f6f8"
    ax.add_patch(
        FancyBboxPatch(corner, *_BOX, boxstyle="round,pad=0,rounding_size=0.06", facecolor=fill, edgecolor=MUTED, lw=1)
    )
    lines = [
        (node.name, INK, "bold"),
        (f"value {node.value}", BLUE, "normal"),
        (f"grad {node.grad}", VERMILLION, "normal"),
    ]
    shown = [lines[0], *(line for line, text in zip(lines[1:], (node.value, node.grad), strict=True) if text)]
    for rank, (text, colour, weight) in enumerate(shown):
        y = place[1] + 0.165 * (rank - (len(shown) - 1) / 2)
        ax.text(
            place[0], y, text, color=colour, fontweight=weight, ha="center", va="center", fontsize=SMALL + (rank == 0)
        )
