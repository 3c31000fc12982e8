"""Loss, and accuracy on a second axis, along one line through weight space.

Leaves out the plane (see landscape.py): here the horizontal axis is the only direction.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from visual.style import MUTED, PALETTE, SMALL, WIDE, axes_or_new, finite, style


@style()
def draw_line(
    alphas: Any,
    loss: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    accuracy: Mapping[str, Any] | None = None,
    xlabel: str = "step along the direction (filter norms)",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
) -> Axes:
    """Draw loss (solid) and, on a second axis, accuracy (dashed) against the step, one colour per net or data set.

    Parameters
    ----------
    alphas : (A,) steps.
    loss : name → (A,) nats per image, or (D, A) for D directions: the mean, with a band from lowest to highest.
    accuracy : name → fractions of the same shapes; names are those of `loss`. Its axis is the figure's next Axes.
    log : a log axis for the loss.
    marks : text → step, such as {"small batch": 0, "large batch": 1}, written on vertical lines.

    >>> ax = draw_line([-1, 0, 1], {"train": [2.0, 0.1, 2.2]}, accuracy={"train": [0.2, 0.98, 0.2]})
    >>> [axes.get_ylabel() for axes in ax.figure.axes]
    ['loss (nats per image), solid', 'accuracy (%), dashed']
    """
    ax = axes_or_new(ax, WIDE)
    alphas = finite(alphas)
    colours = {name: PALETTE[number % len(PALETTE)] for number, name in enumerate(loss)}
    for name, values in loss.items():
        _draw_band(ax, alphas, np.atleast_2d(finite(values)), colours[name], "-", name)
    ax.set(xlabel=xlabel, ylabel="loss (nats per image)", yscale="log" if log else "linear")
    for text, alpha in (marks or {}).items():
        ax.axvline(alpha, color=MUTED, lw=1, ls=":")
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        ax.annotate(text, (alpha, 0), xytext=(4, 4), rotation=90, va="bottom", color=MUTED, fontsize=SMALL, **place)
    if accuracy is not None:
        _draw_accuracy(ax, alphas, accuracy, colours)
    if len(loss) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax


def _draw_accuracy(ax: Axes, alphas: np.ndarray, accuracy: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    ax.set_ylabel("loss (nats per image), solid")
    right = ax.twinx()
    for name, values in accuracy.items():
        _draw_band(right, alphas, 100 * np.atleast_2d(finite(values)), colours[name], "--", name)
    right.set(ylabel="accuracy (%), dashed", ylim=(0, 102))
    right.grid(visible=False)


def _draw_band(ax: Axes, alphas: np.ndarray, values: np.ndarray, colour: str, line: str, name: str) -> None:
    """Draw the mean of (D, A) values and, for several directions, the band from lowest to highest."""
    if len(values) > 1:
        ax.fill_between(alphas, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
    marker = "o" if len(alphas) == 1 else None
    ax.plot(alphas, values.mean(axis=0), color=colour, ls=line, marker=marker, label=name)
