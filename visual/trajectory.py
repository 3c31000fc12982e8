"""The path of training in a plane: one dot per epoch, the epochs of rate drops in another colour.

Leaves out the surface under it: draw that first on the same axes (see landscape.py).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

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
    'first component (80 % of the variance)'
    """
    ax = axes_or_new(ax, SQUARE)
    path = finite(path).reshape(-1, 2)
    ax.plot(*path.T, color=PAPER, lw=3.2, zorder=4)  # a halo, so that the path reads on any ground
    ax.plot(*path.T, color=colour, lw=1.4, marker="o", ms=4, mec=PAPER, mew=0.6, zorder=5)
    marked = [row for row in drops if 0 <= row < len(path)]
    if marked:
        dots = path[marked].T
        ax.plot(*dots, "o", color=VERMILLION, ms=7, mec=PAPER, mew=0.8, zorder=6, label="learning rate falls")
        ax.legend(loc="upper right", frameon=True, framealpha=0.9, fontsize=SMALL)
    _name_ends(ax, path, name)
    if explained is not None:
        texts = [
            f"{nth} component ({100 * share:.0f} % of the variance)"
            for nth, share in zip(("first", "second"), explained, strict=True)
        ]
        ax.set(xlabel=texts[0], ylabel=texts[1])
    return ax


def _name_ends(ax: Axes, path: np.ndarray, name: str) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8}
    place = {"textcoords": "offset points", "fontsize": SMALL, "color": INK, "bbox": box, "zorder": 7}
    for row, text in {0: f"start {name}".strip(), len(path) - 1: "end"}.items():
        if 0 <= row and not np.isnan(path[row]).any():
            ax.annotate(text, path[row], xytext=(7, 7), **place)
