"""What filter pruning looks at and what it leaves: norms, sensitivity, widths, and accuracy against cost.

Leaves out the choice of filters: every function draws numbers that somebody else computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from visual.labels import End, label_ends, last_known, note
from visual.style import BLUE, FAINT, MUTED, WIDE, axes_or_new, colours_for, depth_colours, finite, style


@dataclass(frozen=True)
class LayerWidth:
    """How many of a layer's `total` filters are `kept`."""

    name: str
    kept: int
    total: int


@style()
def draw_filter_norms(norms: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw each layer's filter norms, sorted from largest and divided by the largest: steep layers prune easily.

    `norms` maps a layer's name, in order of depth, to its norms of shape (filters,), in any order.
    x is the rank in per cent of the layer's filters. Early layers are dark, late ones light.

    >>> ax = draw_filter_norms({"conv1": [3.0, 1.0, 2.0], "conv2": [1.0, 1.0]})
    >>> ax.lines[0].get_ydata().round(2).tolist()
    [1.0, 0.67, 0.33]
    """
    ax = axes_or_new(ax, WIDE)
    lines = {}
    for name, values in norms.items():
        values = np.sort(finite(values))[::-1]  # NaN first, so they leave a gap at the left
        largest = np.nanmax(values, initial=0)
        lines[name] = (100 * np.arange(1, len(values) + 1) / len(values), values / (largest or 1))
    ax.set_ylim(0, 1.04)
    label_ends(ax, _draw_layers(ax, lines))
    ax.set(xlabel="filters, sorted by norm (% of the layer)", ylabel="L1 norm / largest in the layer")
    return ax


@style()
def draw_sensitivity(
    ratios: Any,
    accuracy: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    baseline: float | None = None,
    xlabel: str = "filters removed from this layer alone (%)",
) -> Axes:
    """Draw accuracy against the share of filters removed, one line per layer (or per criterion), without retraining.

    Parameters
    ----------
    ratios : (R,) fractions removed.
    accuracy : name → (R,) fractions, drawn in per cent.
    baseline : accuracy of the whole net, a dashed line.

    >>> ax = draw_sensitivity([0.1, 0.5], {"conv1": [0.9, 0.8], "conv2": [0.88, 0.4]}, baseline=0.9)
    >>> ax.get_ylabel()
    'test accuracy (%)'
    """
    ax = axes_or_new(ax, WIDE)
    ratios = 100 * finite(ratios)  # (R,)
    ends = _draw_layers(ax, {name: (ratios, 100 * finite(values)) for name, values in accuracy.items()}, marker="o")
    if baseline is not None:
        ax.axhline(100 * baseline, color=MUTED, lw=1, ls="--", zorder=1)
        ends.append(("whole net", ax.get_xlim()[1], 100 * baseline, MUTED))
    label_ends(ax, ends)
    ax.set(xlabel=xlabel, ylabel="test accuracy (%)")
    return ax


@style()
def draw_width_bars(layers: Sequence[LayerWidth], ax: Axes | None = None) -> Axes:
    """Draw one bar per layer: the filters kept, and hatched behind them those removed.

    >>> ax = draw_width_bars([LayerWidth("conv1", 8, 16), LayerWidth("conv2", 30, 32)])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2']
    """
    ax = axes_or_new(ax, (WIDE[0], 1.3 + 0.3 * len(layers)))
    rows = np.arange(len(layers))
    kept, total = np.array([(layer.kept, layer.total) for layer in layers], dtype=int).reshape(-1, 2).T
    ax.barh(rows, total - kept, left=kept, color=FAINT, edgecolor=MUTED, hatch="////", lw=0, label="removed")
    ax.barh(rows, kept, color=BLUE, label="kept")
    for row, layer in enumerate(layers):
        note(ax, f"{layer.kept} of {layer.total}", (layer.total, row), (5, 0), va="center")
    ax.set_yticks(rows, [layer.name for layer in layers])
    ax.set(xlabel="filters", ylim=(len(layers) - 0.4, -0.6))
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, reverse=True, borderaxespad=0.2)
    return ax


@style()
def draw_kept_filters(kept: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw one row per layer and one cell per filter, filled where the filter is kept.

    `kept` maps a layer's name to booleans of shape (filters,), in the order of the filters.

    >>> ax = draw_kept_filters({"conv1": [True, False, True]})
    >>> ax.get_xlabel()
    'filter number'
    """
    ax = axes_or_new(ax, (WIDE[0], 1.3 + 0.3 * len(kept)))
    for row, mask in enumerate(kept.values()):
        for flag, colour in ((True, BLUE), (False, FAINT)):
            cells = [(number - 0.45, 0.9) for number in np.flatnonzero(np.asarray(mask, dtype=bool) == flag)]
            ax.broken_barh(cells, (row - 0.38, 0.76), color=colour, lw=0)
    ax.set_yticks(range(len(kept)), list(kept))
    ax.set(xlabel="filter number", ylim=(len(kept) - 0.4, -0.6))
    ax.grid(visible=False)
    swatches = [Patch(color=BLUE, label="kept"), Patch(color=FAINT, label="removed")]
    ax.legend(handles=swatches, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


@style()
def draw_tradeoff(
    series: Mapping[str, tuple[Any, Any]],
    ax: Axes | None = None,
    *,
    xlabel: str = "MACs (millions)",
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Axes:
    """Draw accuracy against cost, one joined set of points per series.

    Parameters
    ----------
    series : name → (cost (P,), accuracy (P,)); cost in the unit of `xlabel`, accuracy as fractions.
    xlabel : what the cost is, with its unit, such as "milliseconds per batch of 128, 2 threads".
    notes : name → P short texts, one beside each point.

    >>> ax = draw_tradeoff({"L1": ([40, 20], [0.90, 0.88])}, notes={"L1": ["whole", "half"]})
    >>> ax.get_xlabel()
    'MACs (millions)'
    """
    ax = axes_or_new(ax, WIDE)
    palette, ends = colours_for(series), []
    for name, (cost, accuracy) in series.items():
        cost, accuracy = finite(cost), 100 * finite(accuracy)
        ax.plot(cost, accuracy, color=palette[name], marker="o", ms=6)
        for x, y, text in zip(cost, accuracy, (notes or {}).get(name, ()), strict=False):
            note(ax, text, (x, y), (-5, 6), ha="right")
        right = int(np.argmax(np.nan_to_num(cost, nan=-1)))
        ends.append((name, cost[right], accuracy[right], palette[name]))
    ax.set(xlabel=xlabel, ylabel="test accuracy (%)")
    ax.margins(x=0.08, y=0.15)
    ax.set_xlim(left=0)
    label_ends(ax, ends if len(ends) > 1 else [])
    return ax


def _draw_layers(ax: Axes, lines: Mapping[str, tuple[np.ndarray, np.ndarray]], marker: str | None = None) -> list[End]:
    """Draw name → (x, y), coloured by depth (or by the palette when few), and return the ends to be named."""
    palette = colours_for(lines) if len(lines) <= 4 else dict(zip(lines, depth_colours(len(lines)), strict=True))
    for name, (x, y) in lines.items():
        ax.plot(x, y, color=palette[name], lw=1.6, marker=marker or ("o" if len(x) == 1 else None), ms=3.5)
    ax.margins(x=0.02)
    return [(name, *last_known(x, y), palette[name]) for name, (x, y) in lines.items()]
