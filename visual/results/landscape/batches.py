"""Small against large batch: the joining line that misleads, filter-normalized lines, and the weights behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visual.band import draw_band
from visual.labels import note
from visual.landscape_line import draw_line
from visual.results.landscape.cells import Record, batches, cell, colour, decays
from visual.style import FAINT, INK, MUTED, panels, style

TOP = 100.0  # nats, where the panels end


@style()
def draw_joined(record: Record) -> Figure:
    """A row for each weight decay: left the line between two solutions, right random lines around each of them."""
    rows = decays(record)
    figure, axes = panels(len(rows), 2, size=(9.6, 3.5 * len(rows)), sharey="row")
    small, large = batches(record)
    for (left, right), decay in zip(axes, rows, strict=True):
        joins = [join for name, join in record["joins"].items() if name.startswith(f"decay{decay:g}-")]
        losses = {kind: np.array([join[f"{kind}_loss"] for join in joins], float) for kind in ("train", "test")}
        kinds = {"train": INK, "test": MUTED}
        draw_line(joins[0]["alphas"], losses, left, xlabel="place on the line", log=True, colours=kinds)
        _name_ends(left, record)
        _mark_impossible(left, np.array(joins[0]["alphas"]), losses["train"].mean(axis=0))
        left.set_title(f"weight decay {decay:g}: from one to the other", pad=26)
        for batch in (small, large):
            _draw_around(right, record, batch, decay)
        right.set_title("around each, filter-normalized", pad=26)
        right.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        right.set(xlabel="step (filter norms)", yscale="log")
        left.set_ylim(top=min(left.get_ylim()[1], TOP))
    return figure


def _name_ends(ax: Axes, record: Record) -> None:
    """Mark where the two solutions are, in their colours."""
    names = batches(record)
    for place, batch in enumerate(names):
        ax.axvline(place, color=colour(record, batch), lw=1.2, ls=":")
    ax.set_xticks([-0.5, 0, 0.5, 1, 1.5], ["−0.5", f"0\nbatch {names[0]}", "0.5", f"1\nbatch {names[1]}", "1.5"])


def _mark_impossible(ax: Axes, alphas: np.ndarray, loss: np.ndarray) -> None:
    """Shade where a variance of batch norm, moved along the line, falls below zero: there is no such network."""
    for side in (alphas < 0, alphas > 1):
        if (places := alphas[side & np.isnan(loss)]).size:
            ax.axvspan(places[0], places[-1], color=FAINT, lw=0)
            middle = (float(places.mean()), 0.5)
            how: dict[str, Any] = {"ha": "center", "va": "center", "rotation": 90, "color": MUTED}
            note(ax, "no network: a variance below 0", middle, xycoords=ax.get_xaxis_transform(), **how)


def _draw_around(ax: Axes, record: Record, batch: int, decay: float) -> None:
    """Mean over seeds and directions, with the band over them all."""
    found = [record["lines"][name] for name in cell(record, batch, decay)]
    losses = np.concatenate([np.array(lines["loss"], float) for lines in found])  # (seeds * D, A)
    draw_band(ax, found[0]["alphas"], losses, colour(record, batch), label=f"batch {batch}")


@style()
def draw_weights(record: Record) -> Figure:
    """How the weights are distributed at the end, and how their norm came about."""
    rows = decays(record)
    figure, axes = panels(1, len(rows) + 1, size=(11.4, 3.7))
    for ax, decay in zip(axes[0], rows, strict=False):
        for batch in batches(record):
            found = record["weights"][cell(record, batch, decay)[0]]
            bins = np.array(found["bins"])
            ax.stairs(found["density"], bins, color=colour(record, batch), lw=1.6, label=f"batch {batch}")
        ax.set(title=f"weight decay {decay:g}", xlabel="weight", ylabel="density", xlim=(-0.3, 0.3), ylim=(0, None))
        ax.legend(loc="upper right")
    _draw_norms(axes[0, -1], record)
    return figure


def _draw_norms(ax: Axes, record: Record) -> None:
    how: dict[int, Any] = dict(enumerate(("-", "--")))
    for number, decay in enumerate(decays(record)):
        for batch in batches(record):
            norms = np.array([record["weights"][name]["norm"] for name in cell(record, batch, decay)])
            label = f"batch {batch}, decay {decay:g}"
            draw_band(ax, np.arange(norms.shape[1]), norms, colour(record, batch), ls=how[number % 2], label=label)
    ax.set(title="norm of all weights", xlabel="epoch", ylim=(0, None))
    ax.legend(loc="lower left", fontsize=8)
