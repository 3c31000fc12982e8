"""Paths of training in their principal planes: a panel for each batch and decay, epochs of rate drops marked."""

from __future__ import annotations

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from visual.landscape import draw_contour
from visual.results.landscape.cells import Record, batches, cell, decays
from visual.scale import shared_scale
from visual.style import SMALL, panels, style
from visual.trajectory import draw_trajectory

CAP = 20.0


@style()
def draw_paths(record: Record) -> Figure:
    """Rows are decays, columns batches; the first seed of each."""
    rows, columns = decays(record), batches(record)
    figure, axes = panels(len(rows), len(columns), size=(9.6, 4.3 * len(rows)))
    scale = shared_scale(*[np.array(ground["loss"], float) for ground in record["grounds"].values()], cap=CAP, log=True)
    for (i, decay), (j, batch) in product(enumerate(rows), enumerate(columns)):
        name = cell(record, batch, decay)[0]
        path, ground, ax = record["paths"][name], record["grounds"][name], axes[i, j]
        draw_contour(ground["xs"], ground["ys"], ground["loss"], ax, scale=scale)
        draw_trajectory(path["path"], ax, explained=path["explained"], drops=path["drops"])
        share, walk = sum(path["explained"]), sum(path["baseline"])
        told = f"{100 * share:.0f} % of the variance in this plane; of a random walk's, {100 * walk:.0f} %"
        ax.text(0, 1.02, told, transform=ax.transAxes, fontsize=SMALL)
        ax.set_title(f"batch {batch}, weight decay {decay:g}", pad=24)
        if legend := ax.get_legend():
            legend.remove()
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center")
    return figure
