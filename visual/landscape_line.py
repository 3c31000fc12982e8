"""Loss, and accuracy on a second axis, along one line through weight space.

Leaves out the plane (see landscape.py): here the horizontal axis is the only direction.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from visual.band import draw_band
from visual.labels import note
from visual.style import MUTED, PAPER, WIDE, axes_or_new, colours_for, style


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
    colours: Mapping[str, str] | None = None,
) -> Axes:
    """Draw loss (solid) and, on a second axis, accuracy (dashed) against the step, one colour per net or data set.

    Parameters
    ----------
    alphas : (A,) steps.
    loss : name → (A,) nats per image, or (D, A) for D directions: the mean, with a band from lowest to highest.
    accuracy : name → fractions of the same shapes; names are those of `loss`. Its axis is the figure's next Axes.
    log : a log axis for the loss.
    marks : text → step, such as {"small batch": 0, "large batch": 1}, written on vertical lines.
    colours : name → colour, for names that must keep theirs across figures.

    >>> ax = draw_line([-1, 0, 1], {"train": [2.0, 0.1, 2.2]}, accuracy={"train": [0.2, 0.98, 0.2]})
    >>> [axes.get_ylabel() for axes in ax.figure.axes]
    ['loss (nats per image), solid', 'accuracy (%), dashed']
    """
    ax = axes_or_new(ax, WIDE)
    palette = colours_for([*loss, *(name for name in accuracy or {} if name not in loss)], colours)
    for name, values in loss.items():
        draw_band(ax, alphas, values, palette[name], label=name)
    ax.set(xlabel=xlabel, ylabel="loss (nats per image)", yscale="log" if log else "linear")
    for text, alpha in (marks or {}).items():
        ax.axvline(alpha, color=MUTED, lw=1, ls=":")
        middle: Any = {"xycoords": ax.get_xaxis_transform(), "ha": "center", "va": "center", "rotation": 90}
        note(ax, text, (alpha, 0.45), color=MUTED, backgroundcolor=PAPER, **middle)
    if accuracy is not None:
        _draw_accuracy(ax, alphas, accuracy, palette)
    if len(loss) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax


def _draw_accuracy(ax: Axes, alphas: Any, accuracy: Mapping[str, Any], palette: Mapping[str, str]) -> None:
    ax.set_ylabel("loss (nats per image), solid")
    right = ax.twinx()
    for name, values in accuracy.items():
        draw_band(right, alphas, values, palette[name], 100, ls="--")
    right.set(ylabel="accuracy (%), dashed", ylim=(0, 102))
    right.grid(visible=False)
