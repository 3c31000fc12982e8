"""Curves over epochs: accuracy, error or loss of several named runs, and how a pruned net recovers.

Leaves out smoothing: what is drawn is what was measured. Accuracies are fractions here and per cent in the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from visual.labels import label_ends
from visual.style import HALF, INK, MUTED, PALETTE, SMALL, WIDE, axes_or_new, finite, panels, style

_UNITS = {"accuracy": (100.0, "%"), "error": (100.0, "%"), "loss": (1.0, "nats per image")}


@dataclass(frozen=True)
class Recovery:
    """Accuracies (fractions) of one net: as trained, just after pruning, and after each epoch of retraining (T,)."""

    before: float
    pruned: float
    retraining: Sequence[float]


def quantity_label(quantity: str) -> str:
    """Return the axis label with its unit.

    >>> quantity_label("test accuracy")
    'test accuracy (%)'
    """
    return f"{quantity} ({_unit(quantity)[1]})"


@style()
def draw_curves(
    runs: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    quantity: str = "test accuracy",
    drops: Sequence[float] = (),
    first: int = 1,
) -> Axes:
    """Draw one curve per run against the epoch, named at its end.

    Parameters
    ----------
    runs : name → array of shape (T,), or (S, T) for S seeds, drawn as their mean with a band from lowest to highest.
        Lengths may differ between runs; values that are not finite leave a gap.
    quantity : ends in "accuracy" or "error" (fractions, drawn in per cent) or "loss" (nats per image).
    drops : epochs after which the learning rate falls, marked by dotted lines.
    first : epoch of the first value.

    >>> ax = draw_curves({"float": [0.61, 0.80, 0.84], "SR": [0.42, 0.60, 0.63]}, drops=[2])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('epoch', 'test accuracy (%)')
    """
    ax = axes_or_new(ax, WIDE)
    factor = _unit(quantity)[0]
    ends = []
    for number, (name, values) in enumerate(runs.items()):
        colour = PALETTE[number % len(PALETTE)]
        ends.append((name, *_draw_run(ax, factor * np.atleast_2d(finite(values)), first, colour), colour))
    ax.set(xlabel="epoch", ylabel=quantity_label(quantity))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _mark_drops(ax, drops)
    _fix_limits(ax)
    if ends:
        label_ends(ax, *zip(*ends, strict=True))
    return ax


@style()
def draw_curve_panels(
    metrics: Mapping[str, Mapping[str, Any]],
    axes: Sequence[Axes] | None = None,
    *,
    drops: Sequence[float] = (),
    first: int = 1,
) -> list[Axes]:
    """Draw small multiples, one panel per quantity, with the same runs and colours in each.

    `metrics` maps a quantity to the `runs` of `draw_curves`, which see. Returns one Axes per quantity.

    >>> axes = draw_curve_panels({"train loss": {"float": [1.0, 0.5]}, "test accuracy": {"float": [0.6, 0.8]}})
    >>> [ax.get_ylabel() for ax in axes]
    ['train loss (nats per image)', 'test accuracy (%)']
    """
    if axes is None:
        axes = list(panels(1, len(metrics), (HALF[0] * len(metrics), HALF[1]))[1][0])
    return [
        draw_curves(runs, ax, quantity=quantity, drops=drops, first=first)
        for (quantity, runs), ax in zip(metrics.items(), axes, strict=True)
    ]


@style()
def draw_recovery(nets: Mapping[str, Recovery], ax: Axes | None = None, *, quantity: str = "test accuracy") -> Axes:
    """Draw the fall at pruning and the way back while retraining, one line per net.

    `nets` maps a name to its `Recovery`. The dashed line is the accuracy before pruning.

    >>> ax = draw_recovery({"pruned": Recovery(0.90, 0.55, [0.86, 0.89])})
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['trained', 'pruned', '1', '2']
    """
    ax = axes_or_new(ax, WIDE)
    ends = []
    for number, (name, net) in enumerate(nets.items()):
        colour = PALETTE[number % len(PALETTE)]
        values = 100 * finite([net.before, net.pruned, *net.retraining])  # (2 + T,)
        ax.axhline(values[0], color=colour, lw=1, ls="--", alpha=0.6)
        ax.plot(values, color=colour, marker="o", ms=5)
        _write_values(ax, values, colour)
        ends.append((name, len(values) - 1, values[-1], colour))
    ax.set(xlabel="epoch of retraining", ylabel=quantity_label(quantity))
    ax.margins(y=0.12)
    _recovery_ticks(ax, max((len(net.retraining) for net in nets.values()), default=0))
    _fix_limits(ax)
    if ends:
        label_ends(ax, *zip(*ends, strict=True))
    return ax


def _unit(quantity: str) -> tuple[float, str]:
    kind = quantity.rsplit(maxsplit=1)[-1]
    if kind not in _UNITS:
        raise ValueError(f"quantity {quantity!r} has no known unit; end it with one of {', '.join(sorted(_UNITS))}")
    return _UNITS[kind]


def _draw_run(ax: Axes, values: np.ndarray, first: int, colour: str) -> tuple[float, float]:
    """Draw (S, T) values and return the last finite point of their mean."""
    epochs = np.arange(first, first + values.shape[1])
    mean = values.mean(axis=0)  # (T,)
    if len(values) > 1:
        ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
    ax.plot(epochs, mean, color=colour, marker="o" if len(epochs) < 16 else None, ms=4)
    known = np.flatnonzero(~np.isnan(mean))
    return (float(epochs[known[-1]]), float(mean[known[-1]])) if len(known) else (np.nan, np.nan)


def _mark_drops(ax: Axes, drops: Sequence[float]) -> None:
    for number, epoch in enumerate(drops):
        ax.axvline(epoch, color=MUTED, lw=1, ls=":", zorder=1)
        if number == 0:
            place = {"xy": (epoch, 1), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            ax.annotate("learning rate falls", xytext=(0, 4), ha="center", color=MUTED, fontsize=SMALL, **place)


def _write_values(ax: Axes, values: np.ndarray, colour: str) -> None:
    """Write the numbers at "trained", "pruned" and the end."""
    for index in sorted({0, 1, len(values) - 1}):
        if not np.isnan(values[index]):
            below = -14 if index == 1 else 7
            place = {"textcoords": "offset points", "ha": "center", "fontsize": SMALL, "color": INK}
            ax.annotate(f"{values[index]:.1f}", (index, values[index]), xytext=(0, below), **place)


def _recovery_ticks(ax: Axes, epochs: int) -> None:
    step = max(1, -(-epochs // 12))
    shown = [1, *range(step, epochs + 1, step)] if step > 1 else list(range(1, epochs + 1))
    ax.set_xticks([0, 1, *(epoch + 1 for epoch in shown)], ["trained", "pruned", *map(str, shown)])


def _fix_limits(ax: Axes) -> None:
    """Freeze the automatic limits: names at line ends are placed by them."""
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
