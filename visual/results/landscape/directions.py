"""Ten random directions through one network each: every single curve, to see how much depends on the draw."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from visual.results.landscape.cells import Record, batches, cell, colour, decays
from visual.style import panels, style


@style()
def draw_directions(record: Record) -> Figure:
    """A panel for each weight decay, the first seed of either batch in it."""
    columns = decays(record)
    figure, axes = panels(1, len(columns), size=(4.8 * len(columns), 4.0), sharey=True)
    for ax, decay in zip(axes[0], columns, strict=True):
        for batch in batches(record):
            lines = record["lines"][cell(record, batch, decay)[0]]
            loss = np.array(lines["loss"], float)  # (D, A)
            ax.plot(lines["alphas"], loss.T, color=colour(record, batch), lw=0.9, alpha=0.8)
            ax.plot([], [], color=colour(record, batch), label=f"batch {batch}, {len(loss)} directions")
        ax.set(title=f"weight decay {decay:g}", xlabel="step (filter norms)", yscale="log")
        ax.legend(loc="upper center", fontsize=8.5)
    axes[0, 0].set_ylabel("loss (nats per image)")
    return figure
