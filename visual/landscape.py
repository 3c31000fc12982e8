"""Loss surfaces over a plane, seen from above: lines of equal loss, filled bands, or one cell per node.

Leaves out any repair of the data: what is clipped is said so, what is not finite has a colour of its own.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from visual.scale import Scale, contour_levels, line_map, shared_scale, surface_map
from visual.style import INK, PAPER, SMALL, SQUARE, axes_or_new, finite, style

UNIT = "loss (nats per image)"
_NOT_FINITE: dict[str, Any] = {
    "facecolor": "#b9bdc4",
    "hatch": "////",
    "edgecolor": PAPER,
}  # a grey that no colour map uses


@style()
def draw_contour(
    xs: Any,
    ys: Any,
    loss: Any,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    levels: Any = None,
    label: str = UNIT,
) -> Axes:
    """Draw labelled lines of equal loss.

    Parameters
    ----------
    xs, ys : (X,), (Y,) coordinates along the two directions, rising.
    loss : (Y, X).
    scale : range and spacing of the colours; `shared_scale` makes one for several nets.
    levels : losses to draw; by default round numbers inside `scale`.
    label : what is drawn, with its unit.

    >>> ax = draw_contour([-1, 0, 1], [-1, 0, 1], [[2, 1, 2], [1, 0, 1], [2, 1, 2]])
    >>> ax.get_xlabel()
    'first direction'
    """
    ax, xs, ys, loss, scale = _prepare(xs, ys, loss, ax, scale)
    levels = contour_levels(scale) if levels is None else np.asarray(levels, dtype=np.float64)
    if min(loss.shape) > 1:
        ax.contourf(
            xs, ys, np.isfinite(loss) * 1.0 + loss * 0, [0, 2], colors=[PAPER]
        )  # paper where the loss is finite
        lines = ax.contour(xs, ys, loss, levels, norm=scale.norm, cmap=line_map(), linewidths=1.3)
        ax.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=8, inline_spacing=3)
    ax.set_title(f"lines of equal {label}", fontsize=9, fontweight="normal")
    return _finish(ax, xs, ys, loss)


@style()
def draw_filled(
    xs: Any,
    ys: Any,
    loss: Any,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    label: str = UNIT,
    bar: bool = True,
) -> Axes:
    """Draw bands of loss, with a bar unless `bar` is False. The other arguments are those of `draw_contour`.

    >>> ax = draw_filled([0, 1], [0, 1], [[1, 2], [3, 4]])
    >>> ax.figure.axes[1].get_ylabel()
    'loss (nats per image)'
    """
    ax, xs, ys, loss, scale = _prepare(xs, ys, loss, ax, scale)
    if min(loss.shape) > 1:
        edges = (np.geomspace if scale.log else np.linspace)(scale.low, scale.high, 17)
        ax.contourf(xs, ys, loss, edges, norm=scale.norm, cmap=surface_map(), extend="both")
        ax.contour(xs, ys, loss, edges, colors=PAPER, linewidths=0.4, alpha=0.6)
    if bar:
        _add_bar(ax, loss, scale, label)
    return _finish(ax, xs, ys, loss)


@style()
def draw_heat(
    xs: Any,
    ys: Any,
    loss: Any,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    label: str = UNIT,
    bar: bool = True,
) -> Axes:
    """Draw one coloured cell per node: nothing between the nodes is invented. Arguments are those of `draw_filled`.

    >>> ax = draw_heat([0], [0], [[float("nan")]])
    >>> ax.get_legend().get_texts()[0].get_text()
    'not finite'
    """
    ax, xs, ys, loss, scale = _prepare(xs, ys, loss, ax, scale)
    ax.pcolormesh(_edges(xs), _edges(ys), np.ma.masked_invalid(loss), norm=scale.norm, cmap=surface_map())
    if bar:
        _add_bar(ax, loss, scale, label)
    return _finish(ax, xs, ys, loss)


def check_grid(xs: np.ndarray, ys: np.ndarray, loss: np.ndarray) -> None:
    """Raise ValueError unless `loss` is (Y, X).

    >>> check_grid(np.zeros(3), np.zeros(2), np.zeros((2, 3)))
    """
    if loss.shape != (len(ys), len(xs)):
        expected = f"{(len(ys), len(xs))} for {len(ys)} ys and {len(xs)} xs"
        raise ValueError(f"loss has shape {loss.shape}, expected {expected}; transpose it or pass the right axes")


def _prepare(xs: Any, ys: Any, loss: Any, ax: Axes | None, scale: Scale | None) -> tuple[Axes, Any, Any, Any, Scale]:
    xs, ys, loss = finite(xs), finite(ys), finite(loss)
    check_grid(xs, ys, loss)
    size = (SQUARE[0], 0.9 + (SQUARE[1] - 0.9) * _proportion(xs, ys))
    return axes_or_new(ax, size), xs, ys, loss, scale or shared_scale(loss)


def _proportion(xs: np.ndarray, ys: np.ndarray) -> float:
    """Height over width that gives both directions the same unit, within reason."""
    if len(xs) < 2 or len(ys) < 2:
        return 1.0
    return float(np.clip(np.ptp(ys) / np.ptp(xs), 0.7, 1.2))


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell borders (n + 1,) half-way between the nodes (n,)."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _add_bar(ax: Axes, loss: np.ndarray, scale: Scale, label: str) -> None:
    clipped = scale.clips(loss)
    mappable = ScalarMappable(scale.norm, surface_map())
    bar = ax.figure.colorbar(mappable, ax=ax, extend="max" if clipped else "neither", shrink=0.85)
    bar.set_ticks(contour_levels(scale, 4).tolist())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:g}"))
    bar.ax.minorticks_off()
    bar.set_label(f"{label}, clipped at {scale.high:.3g}" if clipped else label)


def _finish(ax: Axes, xs: np.ndarray, ys: np.ndarray, loss: np.ndarray) -> Axes:
    """Label the axes, mark the centre, give the plane its true proportions (within reason), explain the grey."""
    ax.set(xlabel="first direction", ylabel="second direction")
    ax.set_box_aspect(_proportion(xs, ys))
    ax.locator_params(nbins=5)
    ax.grid(visible=False)
    if xs.min() <= 0 <= xs.max() and ys.min() <= 0 <= ys.max():
        ax.plot(0, 0, "+", color=PAPER, ms=10, mew=3)
        ax.plot(0, 0, "+", color=INK, ms=9, mew=1.4)
    if np.isnan(loss).any():
        ax.patch.set(**_NOT_FINITE)
        swatch = [Patch(**_NOT_FINITE, label="not finite")]
        ax.legend(handles=swatch, loc="lower right", bbox_to_anchor=(1, 1), fontsize=SMALL, borderaxespad=0.3)
    return ax
