"""Loss surfaces over a plane, seen from above: lines of equal loss, filled bands, or one cell per node.

Leaves out any repair of the data: what is clipped is said so, what is not finite has a colour of its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from visual.style import INK, MUTED, PAPER, SMALL, SQUARE, axes_or_new, finite, style

NOT_FINITE = "#b9bdc4"  # the grey of NaN and infinity, hatched; the colour maps never use it
UNIT = "loss (nats per image)"


@dataclass(frozen=True)
class Scale:
    """The range of loss a picture shows: values above `high` are drawn as clipped, `log` spaces colours by ratio."""

    low: float
    high: float
    log: bool = False

    @property
    def norm(self) -> Normalize:
        return LogNorm(self.low, self.high) if self.log else Normalize(self.low, self.high)


def shared_scale(*surfaces: Any, cap: float | None = None, log: bool | None = None) -> Scale:
    """Return one `Scale` for several surfaces (arrays of any shape), so that equal colours mean equal losses.

    `cap` bounds the range from above; `log` defaults to true for positive values that span a factor of 20 or more.

    >>> shared_scale([[0.1, 2.0]], [[8.0, 50.0]], cap=10)
    Scale(low=0.1, high=10.0, log=True)
    """
    values = np.concatenate([finite(surface).ravel() for surface in surfaces])
    values = values[~np.isnan(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    high = high if cap is None else min(high, float(cap))
    if high <= low:  # a constant surface still needs a range with two ends
        high = low + (abs(low) or 1.0) * 0.05
    if log and low <= 0:
        raise ValueError(f"a log scale needs positive values, the smallest is {low:g}; draw with log=False")
    return Scale(low, high, low > 0 and high / low >= 20 if log is None else log)


def contour_levels(scale: Scale, count: int = 10) -> np.ndarray:
    """Return about `count` round levels inside `scale`: even steps, or 1-2-5 steps on a log scale.

    >>> contour_levels(Scale(0.1, 10, log=True)).tolist()
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    """
    if not scale.log:
        levels = MaxNLocator(count).tick_values(scale.low, scale.high)
        return levels[(levels >= scale.low) & (levels <= scale.high)]
    decades = range(int(np.floor(np.log10(scale.low))), int(np.ceil(np.log10(scale.high))) + 1)
    steps = (1, 2, 5) if len(decades) > 2 else (1, 1.5, 2, 3, 5, 7)
    levels = np.array([float(f"{step}e{decade}") for decade in decades for step in steps])
    return levels[(levels >= scale.low) & (levels <= scale.high)]


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
    if min(loss.shape) > 1 and len(levels):
        lines = ax.contour(xs, ys, loss, levels, norm=scale.norm, cmap=_line_map(), linewidths=1.3)
        ax.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=8, inline_spacing=3)
    ax.set_title(f"lines of equal {label}", fontsize=9, fontweight="normal")
    return _finish(ax, loss)


@style()
def draw_filled(
    xs: Any, ys: Any, loss: Any, ax: Axes | None = None, *, scale: Scale | None = None, label: str = UNIT
) -> Axes:
    """Draw bands of loss between round levels, with a bar. Arguments are those of `draw_contour`.

    >>> ax = draw_filled([0, 1], [0, 1], [[1, 2], [3, 4]])
    >>> ax.figure.axes[1].get_ylabel()
    'loss (nats per image)'
    """
    ax, xs, ys, loss, scale = _prepare(xs, ys, loss, ax, scale)
    if min(loss.shape) > 1:
        edges = _band_edges(scale)
        ax.contourf(xs, ys, loss, edges, norm=scale.norm, cmap=_surface_map(), extend="both")
        ax.contour(xs, ys, loss, edges, colors=PAPER, linewidths=0.4, alpha=0.6)
    _add_bar(ax, loss, scale, label)
    return _finish(ax, loss)


@style()
def draw_heat(
    xs: Any, ys: Any, loss: Any, ax: Axes | None = None, *, scale: Scale | None = None, label: str = UNIT
) -> Axes:
    """Draw one coloured cell per node, with a bar: nothing between the nodes is invented. Arguments as `draw_contour`.

    >>> ax = draw_heat([0], [0], [[float("nan")]])
    >>> ax.get_legend().get_texts()[0].get_text()
    'not finite'
    """
    ax, xs, ys, loss, scale = _prepare(xs, ys, loss, ax, scale)
    ax.pcolormesh(_edges(xs), _edges(ys), np.ma.masked_invalid(loss), norm=scale.norm, cmap=_surface_map())
    _add_bar(ax, loss, scale, label)
    return _finish(ax, loss)


def _prepare(
    xs: Any, ys: Any, loss: Any, ax: Axes | None, scale: Scale | None
) -> tuple[Axes, np.ndarray, np.ndarray, np.ndarray, Scale]:
    xs, ys, loss = finite(xs), finite(ys), finite(loss)
    check_grid(xs, ys, loss)
    return axes_or_new(ax, SQUARE), xs, ys, loss, scale or shared_scale(loss)


def check_grid(xs: np.ndarray, ys: np.ndarray, loss: np.ndarray) -> None:
    """Raise ValueError unless `loss` is (Y, X).

    >>> check_grid(np.zeros(3), np.zeros(2), np.zeros((2, 3)))
    """
    if loss.shape != (len(ys), len(xs)):
        raise ValueError(
            f"loss has shape {loss.shape}, expected {(len(ys), len(xs))} for {len(ys)} ys and {len(xs)} xs; transpose it?"
        )


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell borders (n + 1,) half-way between the nodes (n,)."""
    if len(centres) == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _band_edges(scale: Scale, count: int = 16) -> np.ndarray:
    return (np.geomspace if scale.log else np.linspace)(scale.low, scale.high, count)


def _surface_map() -> Colormap:
    """Viridis, with a near-white of its own for clipped values."""
    return colormaps["viridis"].with_extremes(over="#fdf9e0", under=colormaps["viridis"](0.0), bad=(0, 0, 0, 0))


def _line_map() -> Colormap:
    """Viridis without its yellow end, which vanishes on white paper."""
    return colormaps["viridis"].resampled(256).with_extremes(over=MUTED)


def _add_bar(ax: Axes, loss: np.ndarray, scale: Scale, label: str) -> None:
    clipped = bool((np.nan_to_num(loss, nan=scale.low) > scale.high).any())
    bar = ax.figure.colorbar(
        ScalarMappable(scale.norm, _surface_map()), ax=ax, extend="max" if clipped else "neither", shrink=0.9
    )
    levels = contour_levels(scale, 6)
    bar.set_ticks(levels, minor=False)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:g}"))
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(f"{label}, clipped at {scale.high:g}" if clipped else label)


def _finish(ax: Axes, loss: np.ndarray) -> Axes:
    ax.set(xlabel="first direction", ylabel="second direction")
    ax.grid(visible=False)
    if ax.get_xlim()[0] <= 0 <= ax.get_xlim()[1] and ax.get_ylim()[0] <= 0 <= ax.get_ylim()[1]:
        ax.plot(0, 0, "+", color=INK, ms=9, mew=1.4)
    if np.isnan(loss).any():
        ax.patch.set(facecolor=NOT_FINITE, hatch="////", edgecolor=PAPER)
        swatch = Patch(facecolor=NOT_FINITE, hatch="////", edgecolor=PAPER, label="not finite")
        ax.legend(handles=[swatch], loc="upper right", frameon=True, fontsize=SMALL, framealpha=0.9)
    return ax
