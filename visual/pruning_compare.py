"""Pruned networks side by side: orders of removal, criteria, and time saved beside arithmetic saved.

Leaves out statistics beyond what the eye needs: every single value is a dot, or inside a band from lowest to highest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from visual.band import draw_band
from visual.labels import label_ends, note
from visual.style import BLUE, FAINT, MUTED, VERMILLION, WIDE, axes_or_new, colours_for, finite, style


@dataclass(frozen=True)
class Saving:
    """Shares of multiply-accumulates and of time that one layer saves; `parted` where they do not go together."""

    name: str
    macs: float
    time: float
    parted: bool


@style()
def draw_orders(ratios: Any, accuracy: Mapping[str, Any], ax: Axes | None = None, *, baseline: float) -> Axes:
    """Draw what is left of the accuracy when filters leave in several orders, one line for each order.

    Parameters
    ----------
    ratios : (R,) fractions removed.
    accuracy : order → (R,), or (S, R) for S seeds: their mean with a band from lowest to highest; fractions.
    baseline : accuracy of the whole net, a dashed line.

    >>> ax = draw_orders([0.1, 0.5], {"smallest": [[0.9, 0.8], [0.9, 0.7]], "random": [0.8, 0.5]}, baseline=0.9)
    >>> ax.lines[1].get_ydata().tolist()
    [90.0, 75.0]
    """
    ax = axes_or_new(ax, WIDE)
    palette, ends = colours_for(accuracy), []
    ax.axhline(100 * baseline, color=MUTED, lw=1, ls="--")
    for name, values in accuracy.items():
        mean = draw_band(ax, 100 * finite(ratios), values, palette[name], 100, marker="o", ms=3)
        ends.append((name, 100 * ratios[-1], float(mean[-1]), palette[name]))
    ax.set(xlabel="filters removed (%)", ylabel="accuracy (%)")
    label_ends(ax, ends)
    return ax


@style()
def draw_ranking(
    series: Mapping[str, Mapping[str, Sequence[float]]], ax: Axes | None = None, *, xlabel: str = "test accuracy (%)"
) -> Axes:
    """Draw one row for each name and one colour for each series: a faint dot for each seed, a line at their mean.

    `series` maps a series' name to (name → fractions, one for each seed); rows are sorted by the first series' means.

    >>> ax = draw_ranking({"25 %": {"l1": [0.8, 0.82], "random": [0.5, 0.6]}})
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['l1', 'random']
    """
    first = next(iter(series.values()))
    names = sorted(first, key=lambda name: -float(np.mean(first[name])))
    ax = axes_or_new(ax, (WIDE[0], 1.4 + 0.28 * len(names)))
    for (label, values), colour in zip(series.items(), colours_for(series).values(), strict=True):
        for row, name in enumerate(names):
            dots = 100 * finite(values[name])
            ax.plot(dots, np.full(len(dots), row), "o", color=colour, ms=4, alpha=0.45, mew=0)
            ax.plot([dots.mean()], [row], "|", color=colour, ms=13, mew=2.2, label=label if row == 0 else None)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=xlabel, ylim=(len(names) - 0.4, -0.6))
    if len(series) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series), borderaxespad=0.2)
    return ax


@style()
def draw_savings(savings: Sequence[Saving], ax: Axes | None = None) -> Axes:
    """Draw for each layer the share of arithmetic saved, and on it the share of time; where they part is flagged.

    >>> ax = draw_savings([Saving("conv1", 0.5, 0.48, False), Saving("conv2", 0.5, 0.1, True)])
    >>> [text.get_text() for text in ax.texts]
    ['parted']
    """
    ax = axes_or_new(ax, (WIDE[0], 1.4 + 0.28 * len(savings)))
    rows = np.arange(len(savings))
    macs, time = (100 * finite([getattr(s, what) for s in savings]) for what in ("macs", "time"))
    ax.barh(rows, macs, height=0.76, color=FAINT)
    ax.barh(rows, time, height=0.34, color=[VERMILLION if s.parted else BLUE for s in savings])
    for row, saving in enumerate(savings):
        if saving.parted:
            note(ax, "parted", (max(macs[row], time[row], 0), row), (5, 0), va="center", color=VERMILLION)
    ax.axvline(0, color=MUTED, lw=0.8)
    ax.set_yticks(rows, [s.name for s in savings])
    ax.set(xlabel="share saved (%)", ylim=(len(savings) - 0.4, -0.6))
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)
    named = {"multiply-accumulates saved": FAINT, "time saved": BLUE, "time saved, parted": VERMILLION}
    swatches = [Patch(color=colour, label=label) for label, colour in named.items()]
    ax.legend(handles=swatches, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax
