"""Curves over epochs: accuracy, error or loss of several named runs, and how a pruned net recovers.

Leaves out smoothing: what is drawn is what was measured. Accuracies are fractions here and per cent in the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from visual.band import draw_band
from visual.labels import End, label_ends, last_known, note
from visual.style import HALF, MUTED, WIDE, axes_or_new, colours_for, finite, panels, style

_UNITS = {"accuracy": (100.0, "%"), "error": (100.0, "%"), "share": (100.0, "%"), "loss": (1.0, "nats per image")}


@dataclass(frozen=True)
class Recovery:
    """Accuracies (fractions) of one net: as trained, just after pruning, and after each epoch of retraining (T,)."""

    before: float
    pruned: float
    retraining: Sequence[float]


@style()
def draw_curves(
    runs: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    quantity: str = "test accuracy",
    drops: Sequence[float] = (),
    references: Mapping[str, float] | None = None,
    colours: Mapping[str, str] | None = None,
    first: int = 1,
) -> Axes:
    """Draw one curve per run against the epoch, named at its end.

    Parameters
    ----------
    runs : name → array of shape (T,), or (S, T) for S seeds, drawn as their mean with a band from lowest to highest.
        Lengths may differ between runs; values that are not finite leave a gap.
    quantity : ends in "accuracy", "error" or "share" (fractions, drawn in per cent) or "loss" (nats per image).
    drops : epochs after which the learning rate falls, marked by dotted lines.
    references : text → value in the unit of `runs`, level lines to compare with.
    colours : name → colour, for names that must keep theirs across figures.
    first : epoch of the first value.

    >>> ax = draw_curves({"float": [0.61, 0.80, 0.84], "SR": [0.42, 0.60, 0.63]}, drops=[2])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('epoch', 'test accuracy (%)')
    """
    factor, unit = _unit(quantity)
    ax = axes_or_new(ax, WIDE)
    palette = colours_for(runs, colours)
    for text, value in (references or {}).items():
        ax.axhline(factor * value, color=MUTED, lw=1, ls="--")
        note(ax, text, (0, factor * value), (3, 3), xycoords=("axes fraction", "data"), color=MUTED)
    ends: list[End] = []
    for name, values in runs.items():
        epochs = np.arange(first, first + np.shape(values)[-1])
        dots = {"marker": "o", "ms": 4} if len(epochs) < 16 else {}
        mean = draw_band(ax, epochs, values, palette[name], factor, **dots)
        ends.append((name, *last_known(epochs, mean), palette[name]))
    ax.set(xlabel="epoch", ylabel=f"{quantity} ({unit})")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)
    _mark_drops(ax, drops)
    label_ends(ax, ends)
    return ax


@style()
def draw_curve_panels(
    metrics: Mapping[str, Mapping[str, Any]], axes: Sequence[Axes] | None = None, **how: Any
) -> list[Axes]:
    """Draw small multiples, one panel per quantity, with the same runs and colours in each.

    `metrics` maps a quantity to the `runs` of `draw_curves`, which also says what `how` may be (drops, colours, first).

    >>> axes = draw_curve_panels({"train loss": {"float": [1.0, 0.5]}, "test accuracy": {"float": [0.6, 0.8]}})
    >>> [ax.get_ylabel() for ax in axes]
    ['train loss (nats per image)', 'test accuracy (%)']
    """
    if axes is None:
        axes = list(panels(1, len(metrics), (HALF[0] * len(metrics), HALF[1]))[1][0])
    pairs = zip(metrics.items(), axes, strict=True)
    return [draw_curves(runs, ax, quantity=quantity, **how) for (quantity, runs), ax in pairs]


@style()
def draw_recovery(
    nets: Mapping[str, Recovery],
    ax: Axes | None = None,
    *,
    quantity: str = "test accuracy",
    colours: Mapping[str, str] | None = None,
) -> Axes:
    """Draw the fall at pruning and the way back while retraining, one line per net.

    `nets` maps a name to its `Recovery`. The dashed line is the accuracy before pruning.

    >>> ax = draw_recovery({"pruned": Recovery(0.90, 0.55, [0.86, 0.89])})
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['trained', 'pruned', '1', '2']
    """
    factor, unit = _unit(quantity)
    ax = axes_or_new(ax, WIDE)
    palette, ends = colours_for(nets, colours), []
    for name, net in nets.items():
        values, colour = factor * finite([net.before, net.pruned, *net.retraining]), palette[name]  # (2 + T,)
        ax.plot(values, color=colour, marker="o", ms=5)
        note(ax, f"{values[1]:.1f}", (1, values[1]), (8, 0), va="center", color=colour)
        ends.append((f"{name}: {values[-1]:.1f}", len(values) - 1, values[-1], colour))
    for before in sorted({factor * net.before for net in nets.values() if np.isfinite(net.before)}):
        ax.axhline(before, color=MUTED, lw=1, ls="--", zorder=1)
        note(ax, f"before pruning: {before:.1f}", (1, before), (0, 3), ha="center", color=MUTED)
    ax.set(xlabel="epoch of retraining", ylabel=f"{quantity} ({unit})")
    ax.margins(y=0.1)
    _recovery_ticks(ax, max((len(net.retraining) for net in nets.values()), default=0))
    label_ends(ax, ends)
    return ax


def _unit(quantity: str) -> tuple[float, str]:
    """Return what to multiply with and the unit that results."""
    kind = quantity.rsplit(maxsplit=1)[-1] if quantity.strip() else quantity
    if kind not in _UNITS:
        raise ValueError(f"quantity {quantity!r} has no known unit; end it with one of {', '.join(sorted(_UNITS))}")
    return _UNITS[kind]


def _mark_drops(ax: Axes, drops: Sequence[float]) -> None:
    for number, epoch in enumerate(drops):
        ax.axvline(epoch, color=MUTED, lw=1, ls=":", zorder=1)
        if number == 0:
            top = ax.get_xaxis_transform()  # x in epochs, y as a fraction of the axes
            note(ax, "learning rate falls", (epoch, 1), (0, 3), xycoords=top, ha="center", color=MUTED)


def _recovery_ticks(ax: Axes, epochs: int) -> None:
    step = max(1, -(-epochs // 12))
    shown = [1, *range(step, epochs + 1, step)] if step > 1 else list(range(1, epochs + 1))
    ax.set_xticks([0, 1, *(epoch + 1 for epoch in shown)], ["trained", "pruned", *map(str, shown)])
