"""What weights do when they may take few values: how many change, where they stay, and what a big batch buys.

Leaves out the training: shares, errors and histograms come in as arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from visual.band import draw_band
from visual.curves import draw_curves
from visual.labels import label_ends, note
from visual.style import BLUE, INK, MUTED, VERMILLION, WIDE, axes_or_new, colours_for, finite, panels, style


@style()
def draw_changed_share(runs: Mapping[str, Any], ax: Axes | None = None, **how: Any) -> Axes:
    """Draw the share of quantized weights that differ from their start, against the epoch.

    `runs` maps a rule's name to fractions of shape (T,) or (S, T); `how` is that of `draw_curves`.
    A level line at 50 % shows a random re-draw of ±1 weights, where the curves come near it.

    >>> ax = draw_changed_share({"SR": [0.1, 0.3], "R": [0.0, 0.0]})
    >>> ax.get_ylabel()
    'weights changed since the start (%)'
    """
    largest = max((np.nanmax(finite(values), initial=0) for values in runs.values()), default=0)
    references = {"random re-draw": 0.5} if largest > 0.3 else None
    ax = draw_curves(runs, ax, quantity="changed share", references=references, **how)
    ax.set_ylabel("weights changed since the start (%)")
    return ax


@style()
def draw_batch_effect(
    batches: Any, error: Mapping[str, Any], ax: Axes | None = None, *, colours: Mapping[str, str] | None = None
) -> Axes:
    """Draw the test error against the batch size (log axis), one line per rule, with a band over seeds.

    `batches` is (B,) images; `error` maps a name to fractions of shape (B,) or (S, B).

    >>> ax = draw_batch_effect([128, 512], {"SR": [0.23, 0.17], "float": [0.08, 0.09]})
    >>> ax.get_xlabel()
    'batch size (images)'
    """
    ax = axes_or_new(ax, WIDE)
    palette, batches = colours_for(error, colours), finite(batches)
    ax.set_xscale("log", base=2)
    means = {name: draw_band(ax, batches, values, palette[name], 100, marker="o") for name, values in error.items()}
    ax.set(xlabel="batch size (images)", ylabel="test error (%)")
    ax.set_xticks(batches)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(bottom=0)
    label_ends(ax, [(name, batches[-1], mean[-1], palette[name]) for name, mean in means.items()])
    return ax


@style()
def draw_weight_histogram(
    weights: Mapping[str, Any], ax: Axes | None = None, *, clip: float = 1.0, bins: int = 60
) -> Axes:
    """Draw histograms of latent (float) weights between the clipping bounds, and say what share sits on the bounds.

    `weights` maps a name (an epoch, a layer) to an array of any shape; values that are not finite are left out.

    >>> ax = draw_weight_histogram({"epoch 1": [-1.0, 0.1, 0.2, 1.0]})
    >>> ax.texts[0].get_text()
    'epoch 1: 50 % on the bounds'
    """
    ax = axes_or_new(ax, WIDE)
    edges = np.linspace(-clip, clip, bins + 1)
    for number, (name, colour) in enumerate(colours_for(weights).items()):
        values = finite(weights[name]).ravel()
        values = values[~np.isnan(values)]
        count = max(len(values), 1)
        share = 100 * np.histogram(np.clip(values, -clip, clip), edges)[0] / count
        ax.stairs(share, edges, color=colour, lw=1.6)
        ax.stairs(share, edges, color=colour, fill=True, alpha=0.12)
        held = f"{name}: {100 * np.sum(np.abs(values) >= clip) / count:.0f} % on the bounds"
        note(ax, held, (0.5, 1), (0, -14 * (number + 1)), xycoords="axes fraction", ha="center", color=colour)
    for bound in (-clip, clip):
        ax.axvline(bound, color=MUTED, lw=1, ls=":")
    ax.set(xlabel="latent weight", ylabel=f"weights per bin of {2 * clip / bins:.2g} (%)")
    ax.grid(axis="x", visible=False)
    return ax


@style()
def draw_toy_histograms(
    grid: Any, rates: Sequence[float], bc: Any, sr: Any, axes: np.ndarray | None = None, *, limit: Any = None
) -> np.ndarray:
    """Draw where the quantized weight spends its time: BinaryConnect above, SR below, one column per rate.

    Parameters
    ----------
    grid : (L,) values the weight may take, in rising order.
    rates : (A,) learning rates, largest first.
    bc, sr : (A, L) shares of time.
    axes : array of shape (2, A), else a new figure.
    limit : (L,) stationary law of SR as the rate goes to zero, drawn over the lower row.

    >>> axes = draw_toy_histograms([0, 0.5, 1], [0.1, 0.01], [[0, 1, 0]] * 2, [[0.2, 0.6, 0.2]] * 2)
    >>> axes.shape, axes[1, 0].get_xlabel()
    ((2, 2), 'weight')
    """
    grid, shares = finite(grid), 100 * finite([bc, sr])  # (L,), (2, A, L)
    if axes is None:
        _, axes = panels(2, len(rates), (2.3 * max(len(rates), 2), 4.4), sharex=True, sharey="row")
    spacing = float(np.diff(grid).min()) if len(grid) > 1 else 1.0
    for (row, column), ax in np.ndenumerate(axes):
        ax.bar(grid, shares[row, column], width=0.86 * spacing, color=(BLUE, VERMILLION)[row])
        ax.grid(axis="x", visible=False)
        if row == 0:
            ax.set_title(f"rate {rates[column]:g}", fontsize=10)
        else:
            ax.set_xlabel("weight")
    if limit is not None:
        _draw_limit(axes[1], grid, 100 * finite(limit))
    for ax, name in zip(axes[:, 0], ("BinaryConnect", "stochastic rounding"), strict=True):
        ax.set_ylabel(f"{name}\nshare of time (%)")
    seen = grid[(np.nan_to_num(shares) > 0.2).any(axis=(0, 1))]
    if len(seen):
        axes[0, 0].set_xlim(seen.min() - spacing, seen.max() + spacing)
    return axes


@style()
def draw_weight_path(
    weights: Any, ax: Axes | None = None, *, latent: Any = None, name: str = "quantized weight"
) -> Axes:
    """Draw one weight over the steps: the quantized value, and the latent float path beneath it where there is one.

    `weights` and `latent` are (T,).

    >>> ax = draw_weight_path([4.0, 4.5, 4.5], latent=[4.1, 4.4, 4.6])
    >>> ax.get_xlabel()
    'step'
    """
    ax = axes_or_new(ax, WIDE)
    if latent is not None:
        ax.plot(finite(latent), color=BLUE, lw=1, alpha=0.8, label="latent weight")
    ax.plot(finite(weights), color=VERMILLION, lw=1.2, drawstyle="steps-post", label=name)
    ax.set(xlabel="step", ylabel="weight")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


def _draw_limit(row: np.ndarray, grid: np.ndarray, limit: np.ndarray) -> None:
    for ax in row:
        ax.plot(grid, limit, color=INK, lw=1, marker="o", ms=2.5, label="limit law, rate → 0")
    row[-1].legend(loc="lower right", bbox_to_anchor=(1, 0.98), borderaxespad=0, fontsize=8)
