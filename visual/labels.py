"""Words inside a picture: short notes beside a place, and names at the ends of lines instead of a legend to decode.

Leaves out horizontal placement of names: they all stand in one column to the right of the axes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from visual.style import SMALL

End = tuple[str, float, float, str]  # name, x and y of the line's last point in data coordinates, colour

_LEADER = {"arrowstyle": "-", "lw": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 1, "relpos": (0, 0.5)}


def note(ax: Axes, text: str, at: tuple[float, float], offset: tuple[float, float] = (0, 0), **how: Any) -> Annotation:
    """Write a small `text` at `offset` points from the place `at`; `how` may name `xycoords` and text properties.

    >>> from visual.style import axes_or_new
    >>> note(axes_or_new(None), "here", (0.5, 0.5), (0, 4)).get_text()
    'here'
    """
    return ax.annotate(text, at, xytext=offset, textcoords="offset points", **{"fontsize": SMALL, **how})


def spread(positions: Sequence[float] | np.ndarray, gap: float) -> np.ndarray:
    """Move `positions` (n,) so that neighbours are at least `gap` apart and the sum of squared moves is least.

    With z_i = y_i - i·gap the condition reads "z never decreases", so this is isotonic regression:
    adjacent blocks that violate the order are pooled to their mean.

    >>> spread([0.5, 0.5], 0.2).round(3).tolist()
    [0.4, 0.6]
    """
    positions = np.asarray(positions, dtype=np.float64)  # (n,)
    order = np.argsort(positions, kind="stable")
    blocks: list[tuple[float, int]] = []  # mean and size of each pooled block
    for rank, position in enumerate(positions[order]):
        mean, size = float(position) - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            previous, count = blocks.pop()
            mean, size = (previous * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    moved = np.empty_like(positions)
    moved[order] = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
    moved[order] += gap * np.arange(len(positions))
    return moved


def last_known(xs: np.ndarray, ys: np.ndarray) -> tuple[float, float]:
    """Return the last point whose y is not NaN, or two NaN when there is none.

    >>> last_known(np.array([1, 2, 3]), np.array([0.5, 0.75, np.nan]))
    (2.0, 0.75)
    """
    known = np.flatnonzero(~np.isnan(ys))
    return (float(xs[known[-1]]), float(ys[known[-1]])) if len(known) else (np.nan, np.nan)


def label_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Freeze the limits of `ax` and write each name right of it, joined by a hair line to its point.

    Points that are not finite get no name.

    >>> from visual.style import axes_or_new
    >>> ax = axes_or_new(None)
    >>> label_ends(ax, [("a", 1, 0.5, "k"), ("b", 1, 0.51, "k")])
    >>> [text.get_text() for text in ax.texts]
    ['a', 'b']
    """
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # places below are fractions of these limits
    ends = [end for end in ends if np.isfinite(end[1:3]).all()]
    if not ends:
        return
    points = ax.transData.transform([end[1:3] for end in ends])
    heights = np.clip(ax.transAxes.inverted().transform(points)[:, 1], 0, 1)
    width, height = 72 / ax.figure.dpi * np.array(ax.bbox.size)  # of the axes, in points
    gap, column = 1.25 * SMALL / height, 1 + 16 / width  # as fractions of the axes
    for (name, x, y, colour), place in zip(ends, _inside(spread(heights, gap), gap), strict=True):
        ax.annotate(
            name,
            (x, y),
            xytext=(column, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=SMALL,
            va="center",
            annotation_clip=False,
            arrowprops=dict(_LEADER, color=colour),
        )


def _inside(places: np.ndarray, gap: float) -> np.ndarray:
    """Move names outside of [0, 1] in, and only those that stand in their way; space all evenly if there is no room."""
    ranks = np.argsort(np.argsort(places, kind="stable"), kind="stable")
    spare = 1 - (len(places) - 1) * gap
    if spare < 0:
        return np.asarray(ranks / (len(places) - 1))
    return np.asarray(np.clip(places - ranks * gap, 0, spare) + ranks * gap)  # still the least moves, now in bounds
