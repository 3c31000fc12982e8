"""The path of training in a plane: one dot per epoch, the epochs of rate drops in another colour.

Leaves out the surface under it: draw that first on the same axes (see landscape.py).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from visual.labels import note
from visual.style import BLUE, INK, PAPER, SMALL, SQUARE, VERMILLION, axes_or_new, finite, style


@style()
def draw_trajectory(
    path: Any,
    ax: Axes | None = None,
    *,
    explained: Sequence[float] | None = None,
    drops: Sequence[int] = (),
    name: str = "",
    colour: str = BLUE,
) -> Axes:
    """Draw a path over what `ax` already shows.

    Parameters
    ----------
    path : (E, 2) coordinates after each epoch; row 0 is the start.
    explained : shares (fractions) of the path's variance along the two axes, written into their labels.
    drops : row numbers after which the learning rate falls.
    name : written at the start of the path.

    >>> ax = draw_trajectory([[3, 1], [1, 0.5], [0, 0]], explained=[0.8, 0.1], drops=[1])
    >>> ax.get_xlabel()
    'first component (80 % of variance)'
    """
    ax = axes_or_new(ax, SQUARE)
    path = finite(path).reshape(-1, 2)
    ax.plot(*path.T, color=PAPER, lw=3.2, zorder=4)  # a halo, so that the path reads on any ground
    ax.plot(*path.T, color=colour, lw=1.4, marker="o", ms=4, mec=PAPER, mew=0.6, zorder=5)
    marked = path[[row for row in drops if 0 <= row < len(path)]]
    if len(marked):
        ax.plot(*marked.T, "o", color=VERMILLION, ms=7, mec=PAPER, mew=0.8, zorder=6, label="learning rate falls")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=SMALL, borderaxespad=0.3, handletextpad=0.2)
    for text, place in _ends(path, name):
        box = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8}
        offset, side = ((-7, -13), "right") if text == "end" else ((7, 7), "left")
        note(ax, text, place, offset, ha=side, color=INK, bbox=box, zorder=7)
    if explained is not None:
        first, second = (f"component ({100 * share:.0f} % of variance)" for share in explained)
        ax.set(xlabel=f"first {first}", ylabel=f"second {second}")
    return ax


def _ends(path: np.ndarray, name: str) -> list[tuple[str, tuple[float, float]]]:
    """Name the first and the last point that are known."""
    known = [(float(x), float(y)) for x, y in path if not np.isnan(x + y)]
    start = f"start {name}".strip()
    return [(start, known[0]), ("end", known[-1])] if len(known) > 1 else [(start, place) for place in known]
