"""Surfaces of networks that differ in depth, shortcuts or width, all on one scale; and where they are convex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from visual.landscape import draw_filled, draw_heat
from visual.landscape_surface import draw_surface
from visual.results.landscape.cells import Record, residual
from visual.scale import Scale, contour_levels, shared_scale, surface_map
from visual.style import INK, PAPER, panels, style

CAP = 10.0  # nats, where the paper's pictures end


def _shared(record: Record) -> Scale:
    return shared_scale(*[np.array(plane["loss"], float) for plane in record["planes"].values()], cap=CAP, log=True)


def _common_width(record: Record) -> list[Record]:
    """The networks at two depths, with and without shortcuts."""
    return residual(record, width=record["settings"]["width"])


def _title(net: Record, record: Record) -> str:
    lines = record["lines"][net["name"]]
    shortcuts = "with" if net["shortcuts"] else "without"
    reached = f"training loss {lines['train_loss']:.2f}, test error {100 * lines['test_error']:.1f} %"
    return f"{net['depth']} layers, {shortcuts} shortcuts\n{reached}"


@style()
def draw_depths(record: Record) -> Figure:
    """Two depths with and without shortcuts, from above."""
    figure, axes = panels(2, 2, size=(8.6, 8.0))
    return _draw_all(record, figure, axes, _common_width(record))


@style()
def draw_depths_3d(record: Record) -> Figure:
    """The same from the side."""
    figure, axes = panels(2, 2, size=(9.6, 8.2), projection="3d")
    for ax, net in zip(axes.flat, _common_width(record), strict=True):
        plane = record["planes"][net["name"]]
        draw_surface(plane["xs"], plane["ys"], plane["loss"], ax, scale=_shared(record))
        ax.set_title(_title(net, record))
    return figure


@style()
def draw_widths(record: Record) -> Figure:
    """The deeper layout without shortcuts, narrow to wide."""
    depth = record["settings"]["depths"][-1]
    nets = sorted(residual(record, depth=depth, shortcuts=False), key=lambda net: net["width"])
    figure, axes = panels(1, len(nets), size=(4.0 * len(nets) + 0.6, 4.4))
    _draw_all(record, figure, axes, nets)
    for ax, net in zip(axes.flat, nets, strict=True):
        ax.set_title(f"{net['width']:g} × the filters\n" + _title(net, record).split("\n")[1])
    figure.suptitle(f"{depth} layers without shortcuts", fontsize=11, x=0.01, ha="left")
    return figure


def _draw_all(record: Record, figure: Figure, axes: Any, nets: Sequence[Record]) -> Figure:
    """One panel for each network on one scale, with one bar."""
    scale = _shared(record)
    for ax, net in zip(axes.flat, nets, strict=True):
        plane = record["planes"][net["name"]]
        draw_filled(plane["xs"], plane["ys"], plane["loss"], ax, scale=scale, bar=False)
        ax.set_title(_title(net, record))
    bar = figure.colorbar(ScalarMappable(scale.norm, surface_map()), ax=axes, extend="max", shrink=0.7, aspect=30)
    bar.set_ticks(contour_levels(scale, 4).tolist(), labels=[f"{level:g}" for level in contour_levels(scale, 4)])
    bar.ax.minorticks_off()
    bar.set_label(f"loss (nats per image), cut off at {scale.high:g}")
    return figure


@style()
def draw_convexity(record: Record) -> Figure:
    """|smallest / largest eigenvalue| over the middle of the planes of the deep pair; crosses where it is uncertain."""
    maps = record["maps"]
    ratios = [np.array(found["ratio"], float) for found in maps.values()]
    scale = shared_scale(*ratios, cap=1.0, log=False)
    figure, axes = panels(1, len(maps), size=(4.8 * len(maps), 4.4))
    for ax, (name, found) in zip(axes.flat, maps.items(), strict=True):
        last = ax is axes.flat[-1]
        draw_heat(found["xs"], found["ys"], found["ratio"], ax, scale=scale, label="|λmin / λmax|", bar=last)
        shortcuts = "with" if record["nets"][name]["shortcuts"] else "without"
        depth = record["nets"][name]["depth"]
        ax.set_title(f"{depth} layers, {shortcuts} shortcuts\nmedian {found['median_ratio']:.2f}")
        _mark_uncertain(ax, found)
    figure.supxlabel("crosses: an eigenvalue had not converged", fontsize=9, color=INK)
    return figure


def _mark_uncertain(ax: Axes, found: Record) -> None:
    """Put a small cross where the eigenvalues had not converged."""
    residual = np.array(found["residual"], float)
    y, x = np.nonzero(~(residual <= found["tolerance"]))
    ax.plot(np.array(found["xs"])[x], np.array(found["ys"])[y], "x", color=PAPER, ms=5, mew=1.0)
