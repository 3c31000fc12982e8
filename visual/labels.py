"""Names written at the ends of lines, moved apart just enough not to overlap, so that no reader decodes a legend.

Leaves out horizontal placement: all names stand in one column to the right of the axes.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from visual.style import MUTED, SMALL, finite


def spread(positions: Sequence[float] | np.ndarray, gap: float) -> np.ndarray:
    """Move `positions` (n,) so that neighbours are `gap` apart and the sum of squared moves is least.

    With z_i = y_i - i·gap the condition reads "z is not decreasing", so this is isotonic regression:
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
    moved[order] = [z for mean, size in blocks for z in [mean] * size] + gap * np.arange(len(positions))
    return moved


def label_ends(
    ax: Axes,
    names: Sequence[str],
    xs: Sequence[float],
    ys: Sequence[float],
    colours: Sequence[str],
    size: float = SMALL,
) -> None:
    """Write `names` right of `ax`, each joined by a hair line to its point (xs, ys) in data coordinates.

    Call it when the limits are final. Points that are NaN get no name.

    >>> from visual.style import axes_or_new
    >>> ax = axes_or_new(None)
    >>> label_ends(ax, ["a", "b"], [1, 1], [0.5, 0.51], ["k", "k"])
    >>> [text.get_text() for text in ax.texts]
    ['a', 'b']
    """
    shown = [i for i, y in enumerate(finite(ys)) if not np.isnan(y)]
    if not shown:
        return
    points = np.array([(xs[i], ys[i]) for i in shown], dtype=np.float64)
    heights = ax.transAxes.inverted().transform(ax.transData.transform(points))[:, 1]
    axes_points = ax.get_position().height * ax.figure.get_size_inches()[1] * 72  # height of the axes in points
    gap = 1.25 * size / axes_points
    places = spread(np.clip(heights, 0, 1), gap)
    for i, (x, y), place in zip(shown, points, _inside(places, gap), strict=True):
        ax.annotate(
            names[i],
            (x, y),
            xytext=(1.025, place),
            textcoords="axes fraction",
            color=colours[i],
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.5, "shrinkA": 1, "shrinkB": 1},
        )


def _inside(places: np.ndarray, gap: float) -> np.ndarray:
    """Shift the whole column into [0, 1], or squeeze it evenly when it is longer than that."""
    if (len(places) - 1) * gap > 1:
        ranks = np.argsort(np.argsort(places, kind="stable"), kind="stable")
        return ranks / (len(places) - 1)
    return places - max(places.max() - 1, 0) - min(places.min(), 0)
