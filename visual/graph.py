"""A small computation graph as boxes and arrows: the value that came forward, the gradient that came back.

Leaves out tracing: nodes and edges are a plain list, which a student can also write by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from visual.style import BLUE, INK, MUTED, SMALL, VERMILLION, axes_or_new, style

_WIDTH, _HEIGHT = 0.74, 0.6  # of a box; columns and rows are 1 apart

Place = tuple[float, float]  # column and row


@dataclass(frozen=True)
class Node:
    """One box: a unique `name`, and the texts of its value and gradient ("" leaves a line out)."""

    name: str
    value: str = ""
    grad: str = ""
    operation: bool = False  # drawn with a tinted box


@style()
def draw_graph(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], ax: Axes | None = None) -> Axes:
    """Draw the graph from the leaves on the left to the result on the right.

    `edges` are pairs (from, to) of node names. Raises ValueError for an unknown name or a cycle.

    >>> nodes = [Node("a", "2"), Node("b", "3"), Node("a·b", "6", operation=True)]
    >>> ax = draw_graph(nodes, [("a", "a·b"), ("b", "a·b")])
    >>> len(ax.patches)  # one box per node
    3
    """
    places = layout([node.name for node in nodes], edges)
    xs, ys = np.array([*places.values(), (0, 0)][: max(len(places), 1)]).T
    ax = axes_or_new(ax, (1.7 * (np.ptp(xs) + 1), 1.15 * (np.ptp(ys) + 1)))
    for source, target in edges:
        _draw_arrow(ax, places[source], places[target])
    for node in nodes:
        _draw_box(ax, node, places[node.name])
    ax.set(xlim=(xs.min() - 0.45, xs.max() + 0.45), ylim=(ys.max() + 0.4, ys.min() - 0.4))
    ax.axis("off")
    return ax


def layout(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, Place]:
    """Return name → (column, row): columns by longest way to the result, rows by the mean row of those who use a node.

    >>> layout(["a", "b", "c"], [("a", "c"), ("b", "c")])
    {'c': (1.0, 0.0), 'a': (0.0, -0.5), 'b': (0.0, 0.5)}
    """
    users: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        if source not in users or target not in users:
            raise ValueError(f"edge {source!r} → {target!r} names a node that is not in the list; add it to nodes")
        users[source].append(target)
    distance = _distances(users)
    last = max(distance.values(), default=0)
    places: dict[str, Place] = {}
    for steps in range(last + 1):
        wish = {name: _mean_row(users[name], places) for name in names if distance[name] == steps}
        column = sorted(wish, key=wish.__getitem__)
        top = float(np.mean([*wish.values()])) - (len(column) - 1) / 2
        places.update({name: (float(last - steps), top + rank) for rank, name in enumerate(column)})
    return places


def _mean_row(users: Sequence[str], places: dict[str, Place]) -> float:
    return sum(places[user][1] for user in users) / max(len(users), 1)


def _distances(users: dict[str, list[str]]) -> dict[str, int]:
    """Longest way of each node to a result, by repeatedly settling nodes whose users are settled."""
    distance: dict[str, int] = {}
    while len(distance) < len(users):
        ready = [name for name in users if name not in distance and all(user in distance for user in users[name])]
        if not ready:
            raise ValueError("the edges form a cycle; a computation graph has none, remove an edge")
        distance.update({name: 1 + max((distance[user] for user in users[name]), default=-1) for name in ready})
    return distance


def _draw_arrow(ax: Axes, start: Place, end: Place) -> None:
    half = _WIDTH / 2 + 0.02
    arrow = {"arrowstyle": "-|>,head_width=0.2,head_length=0.45", "color": MUTED, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end[0] - half, end[1]), xytext=(start[0] + half, start[1]), arrowprops=arrow)


def _draw_box(ax: Axes, node: Node, place: Place) -> None:
    corner = (place[0] - _WIDTH / 2, place[1] - _HEIGHT / 2)
    fill, shape = "#fff6e5" if node.operation else "#f4f6f8", "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch(corner, _WIDTH, _HEIGHT, boxstyle=shape, facecolor=fill, edgecolor=MUTED, lw=1))
    lines = [(node.name, INK)]
    lines += [(f"value {node.value}", BLUE)] if node.value else []
    lines += [(f"grad {node.grad}", VERMILLION)] if node.grad else []
    for rank, (text, colour) in enumerate(lines):
        y = place[1] + 0.18 * (rank - (len(lines) - 1) / 2)
        weight, size = ("normal", SMALL) if rank else ("bold", SMALL + 1)
        ax.text(place[0], y, text, color=colour, fontweight=weight, ha="center", va="center", fontsize=size)
