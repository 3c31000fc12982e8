"""Sharpness against test error, network by network, with the rank correlation and its interval in the title."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from visual.results.landscape.cells import Record, batches, cell, colour, decays, residual
from visual.style import MUTED, PAPER, panels, style

KINDS = {
    "sharpness": ("filter-normalized", "rise of the loss at {} filter norms (nats)"),
    "raw_sharpness": ("not normalized", "rise of the loss at {} for each weight (nats)"),
}


@style()
def draw_ranks(record: Record) -> Figure:
    """Left sharpness in filter norms, right in absolute steps; a point for each network, a bar for its interval."""
    figure, axes = panels(1, 2, size=(9.6, 4.2), sharey=True)
    settings = record["settings"]
    steps = {"sharpness": settings["radii"][-1], "raw_sharpness": settings["raw_steps"][-1]}
    found = record["verdicts"]["ranks"]["vgg9"][f"{settings['radii'][-1]:g}"]
    for ax, (kind, (title, label)) in zip(axes[0], KINDS.items(), strict=True):
        _draw_points(ax, record, kind)
        rho = found[kind]
        ax.set(xscale="log", xlabel=label.format(steps[kind]))
        ax.set_title(f"{title}\nrank correlation {rho['mean']:.2f}  [{rho['low']:.2f}, {rho['high']:.2f}]")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda rise, _: f"{rise:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("test error (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8.5)
    return figure


def _draw_points(ax: Axes, record: Record, kind: str) -> None:
    for number, decay in enumerate(decays(record)):
        for batch in batches(record):
            shade = colour(record, batch)
            how = {"marker": "os"[number % 2], "mfc": shade if number % 2 == 0 else PAPER, "color": shade}
            _draw_cell(ax, record, kind, cell(record, batch, decay), f"batch {batch}, decay {decay:g}", how)
    others = [net["name"] for net in residual(record)]
    _draw_cell(ax, record, kind, others, "residual networks (not counted)", {"marker": "x", "color": MUTED, "ms": 5})


def _draw_cell(ax: Axes, record: Record, kind: str, names: list[str], label: str, how: Mapping[str, object]) -> None:
    found = [record["lines"][name] for name in names]
    rises = [lines[kind][-1] for lines in found]
    x = np.array([rise["mean"] for rise in rises], float)
    sides = np.abs(np.array([[rise["low"], rise["high"]] for rise in rises], float).T - x)  # (2, N)
    error = [100 * lines["test_error"] for lines in found]
    style_: dict[str, object] = {"ls": "none", "ms": 7, "elinewidth": 0.9, "label": label, **how}
    ax.errorbar(x, error, xerr=sides, **style_)  # type: ignore[arg-type]
