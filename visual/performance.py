"""Measured speed in three pictures: ratios to a peer, layers under the machine's roofline, time against the batch.

Leaves out how they are measured: everything arrives as plain numbers.
"""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from visual.labels import note
from visual.style import BLUE, INK, MUTED, VERMILLION, WIDE, axes_or_new, colours_for, style


class Point(NamedTuple):
    """A layer under the roof: multiply-adds count twice, bytes are those that must be read or written at least once."""

    name: str
    intensity: float  # FLOP per byte
    speeds: Mapping[str, float]  # who → FLOP per second


@style()
def draw_ratios(
    ratios: Mapping[str, float],
    ax: Axes | None = None,
    *,
    goals: Mapping[str, float] | None = None,
    xlabel: str = "times as fast as the fastest peer",
) -> Axes:
    """Draw a bar for each piece of work, from 1 (as fast as the peer) to its ratio, with the goal as a tick.

    >>> ax = draw_ratios({"training": 2.1, "inference": 0.9}, goals={"training": 2.0})
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['training', 'inference']
    """
    ax = axes_or_new(ax, (WIDE[0], 0.9 + 0.27 * len(ratios)))
    for row, (name, ratio) in enumerate(ratios.items()):
        ax.barh(row, ratio - 1, left=1, height=0.62, color=BLUE if ratio >= 1 else VERMILLION)
        note(
            ax,
            f"{ratio:.2f}",
            (ratio, row),
            (4 if ratio >= 1 else -4, 0),
            va="center",
            ha="left" if ratio >= 1 else "right",
        )
        if goals and name in goals:
            ax.plot([goals[name]] * 2, [row - 0.42, row + 0.42], color=INK, lw=1.6)
    ax.axvline(1, color=INK, lw=1)
    ax.set_yticks(range(len(ratios)), list(ratios))
    known = [*ratios.values(), *(goals or {}).values(), 1.0]
    ax.set(xlabel=xlabel, xlim=(min(0.8, 0.75 * min(known)), 1.12 * max(known)), ylim=(len(ratios) - 0.4, -0.6))
    ax.grid(axis="y", visible=False)
    return ax


@style()
def draw_roofline(
    points: Sequence[Point], peak: float, bandwidth: float, ax: Axes | None = None, *, what: str = "sgemm"
) -> Axes:
    """Draw every layer's speed against its arithmetic intensity, under what multiplying and what memory allow.

    Parameters
    ----------
    peak, bandwidth : measured, in FLOP and bytes a second; `what` names the first.

    >>> point = Point("3×3", 30.0, {"minidl": 2e11, "PyTorch": 1e11})
    >>> draw_roofline([point], peak=1.2e11, bandwidth=2e10).get_xlabel()
    'arithmetic intensity (FLOP for each byte that must be moved)'
    """
    ax = axes_or_new(ax, (WIDE[0], 4.6))
    intensities = [point.intensity for point in points]
    x = np.geomspace(min(intensities) / 2, max(intensities) * 2, 200)
    ax.plot(x, np.minimum(peak, bandwidth * x) / 1e9, color=INK, lw=1.6)
    ridge = min(max(peak / bandwidth, x[0]), x[-1])  # where both limits meet
    side = "right" if ridge > np.sqrt(x[0] * x[-1]) else "left"  # where there is room beside it
    note(
        ax,
        f"{what}, {peak / 1e9:.0f} GFLOP/s",
        (ridge, peak / 1e9),
        (-8, -13) if side == "right" else (6, 5),
        ha=side,
        color=INK,
    )
    palette = colours_for(dict.fromkeys(who for point in points for who in point.speeds))
    for number, (who, colour) in enumerate(palette.items()):
        found = [(p.intensity, p.speeds[who] / 1e9) for p in points if who in p.speeds]
        marker = "osD^"[number % 4]
        ax.plot(*zip(*found, strict=True), marker, color=colour, label=who, ms=6, alpha=0.9)
    in_order = sorted(points, key=lambda point: point.intensity)
    for letter, point, former in zip(ascii_lowercase, in_order, [None, *in_order], strict=False):
        best = max(point.speeds.values()) / 1e9
        ax.plot([point.intensity] * 2, [min(point.speeds.values()) / 1e9, best], color=MUTED, lw=0.7, zorder=1)
        close = former is not None and point.intensity < 1.1 * former.intensity
        note(ax, letter, (point.intensity, best), (4 if close else 0, 6), ha="left" if close else "center")
    key = [f"{letter}  {point.name}" for letter, point in zip(ascii_lowercase, in_order, strict=False)]
    for column, names in enumerate((key[: -(-len(key) // 2)], key[-(-len(key) // 2) :])):
        at = (0.42 + 0.3 * column, 0.03)
        ax.text(*at, "\n".join(names), transform=ax.transAxes, va="bottom", fontsize=7.5, linespacing=1.4)
    ax.set(xscale="log", yscale="log", ylabel="GFLOP/s, counted as the direct sum")
    ax.set(xlabel="arithmetic intensity (FLOP for each byte that must be moved)")
    slowest = min(min(p.speeds.values()) for p in points)
    ax.set_ylim(min(slowest, peak / 60) / 2e9, 3 * max(peak, *(max(p.speeds.values()) for p in points)) / 1e9)
    ax.legend(loc="upper left")
    return ax


@style()
def draw_batches(
    batches: Sequence[int], milliseconds: Mapping[str, Any], ax: Axes | None = None, *, what: str = "an image"
) -> Axes:
    """Draw milliseconds for each image against the images in a batch: a flat line is linear cost.

    >>> draw_batches([16, 32], {"minidl": [2.0, 1.9]}).get_ylabel()
    'milliseconds for an image'
    """
    ax = axes_or_new(ax, WIDE)
    for (who, values), colour in zip(milliseconds.items(), colours_for(milliseconds).values(), strict=True):
        ax.plot(batches, values, marker="o", color=colour, label=who)
    ax.set(xscale="log", xlabel="images in a batch", ylabel=f"milliseconds for {what}")
    ax.set_xticks(list(batches), [str(batch) for batch in batches])
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax
