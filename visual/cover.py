"""One picture of the three chapters side by side: the fall and recovery of a pruned net, five rules, a loss surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from visual.curves import Recovery, draw_curves, draw_recovery
from visual.landscape_surface import draw_surface
from visual.scale import Scale
from visual.style import DPI, style


@style()
def draw_cover(
    recovery: Recovery,
    rules: Mapping[str, Sequence[float]],
    surface: tuple[Any, Any, Any],
    scale: Scale,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the three panels in one wide figure.

    Parameters
    ----------
    recovery : of the pruned net.
    rules : rule -> test accuracy (T,) per epoch, as fractions.
    surface : (xs, ys, loss (Y, X)).

    >>> from visual.landscape import shared_scale
    >>> grid = ([-1, 0, 1], [-1, 0, 1], [[2, 1, 2], [1, 0.1, 1], [2, 1, 2]])
    >>> cover = draw_cover(Recovery(0.9, 0.3, [0.8]), {"float": [0.5, 0.8]}, grid, shared_scale(grid[2]))
    >>> len(cover.axes)
    3
    """
    figure = Figure(figsize=(13.5, 4.2), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    left, middle, right = figure.subfigures(1, 3, squeeze=False, width_ratios=(1.2, 1.2, 1))[0]
    for part, title in ((left, "Prune"), (middle, "Train with few bits"), (right, "Look at the loss")):
        part.suptitle(title, x=0.06, ha="left", fontsize=14, fontweight="bold")
    draw_recovery({"pruned": recovery}, left.subplots())
    draw_curves(rules, middle.subplots(), colours=colours)
    ax = draw_surface(*surface, right.subplots(subplot_kw={"projection": "3d"}), scale=scale)
    ax.set(zlabel="", xlabel="", ylabel="")  # the small panel has room for the surface alone; the page says the rest
    ax.set_title("loss over two random directions", fontsize=10, fontweight="normal")
    return figure
