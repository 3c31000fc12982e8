"""What weights do when they may take few values: how many change, where they stay, and what a big batch buys.

Leaves out the training: shares, errors and histograms come in as arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from visual.curves import draw_curves
from visual.labels import label_ends
from visual.style import BLUE, INK, MUTED, PALETTE, SMALL, VERMILLION, WIDE, axes_or_new, finite, panels, style


@style()
def draw_changed_share(
    runs: Mapping[str, Any], ax: Axes | None = None, *, drops: Sequence[float] = (), first: int = 1
) -> Axes:
    """Draw the share of quantized weights that differ from their start, against the epoch.

    `runs` maps a rule's name to fractions of shape (T,) or (S, T); the dotted line at 50 % is a random re-draw of ±1.

    >>> ax = draw_changed_share({"SR": [0.1, 0.3], "R": [0.0, 0.0]})
    >>> ax.get_ylabel()
    'weights changed since the start (%)'
    """
    ax = draw_curves(runs, axes_or_new(ax, WIDE), quantity="error", drops=drops, first=first)
    ax.set(ylabel="weights changed since the start (%)")
    if ax.get_ylim()[1] > 35:
        ax.axhline(50, color=MUTED, lw=1, ls=":")
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        ax.annotate("random re-draw", (0, 50), xytext=(3, 3), color=MUTED, fontsize=SMALL, **place)
    return ax


@style()
def draw_batch_effect(batches: Any, error: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the test error against the batch size (log axis), one line per rule, with a band over seeds.

    `batches` is (B,) images; `error` maps a name to fractions of shape (B,) or (S, B).

    >>> ax = draw_batch_effect([128, 512], {"SR": [0.23, 0.17], "float": [0.08, 0.09]})
    >>> ax.get_xlabel()
    'batch size (images)'
    """
    ax = axes_or_new(ax, WIDE)
    batches, ends = finite(batches), []
    ax.set_xscale("log", base=2)
    for number, (name, values) in enumerate(error.items()):
        values, colour = 100 * np.atleast_2d(finite(values)), PALETTE[number % len(PALETTE)]  # (S, B)
        if len(values) > 1:
            ax.fill_between(batches, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
        ax.plot(batches, values.mean(axis=0), color=colour, marker="o", ms=5)
        ends.append((name, batches[-1], values.mean(axis=0)[-1], colour))
    ax.set(xlabel="batch size (images)", ylabel="test error (%)")
    ax.set_xticks(batches)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlim=ax.get_xlim(), ylim=(0, ax.get_ylim()[1]))
    if ends:
        label_ends(ax, *zip(*ends, strict=True))
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
    edges = np.linspace(-clip, clip, bins + 1) * 1.0
    for number, (name, values) in enumerate(weights.items()):
        values, colour = finite(values).ravel(), PALETTE[number % len(PALETTE)]
        values = values[~np.isnan(values)]
        share = 100 * np.histogram(np.clip(values, -clip, clip), edges)[0] / max(len(values), 1)
        ax.stairs(share, edges, color=colour, lw=1.6, fill=False)
        ax.stairs(share, edges, color=colour, fill=True, alpha=0.12)
        held = 100 * np.mean(np.abs(values) >= clip) if len(values) else 0
        place = {"xycoords": "axes fraction", "ha": "center", "va": "top", "fontsize": SMALL}
        ax.annotate(f"{name}: {held:.0f} % on the bounds", (0.5, 0.98 - 0.07 * number), color=colour, **place)
    for bound in (-clip, clip):
        ax.axvline(bound, color=MUTED, lw=1, ls=":")
    ax.set(xlabel="latent weight", ylabel=f"weights per bin of {2 * clip / bins:.2g} (%)")
    ax.grid(axis="x", visible=False)
    return ax


@style()
def draw_toy_histograms(
    grid: Any, rates: Sequence[float], bc: Any, sr: Any, axes: np.ndarray | None = None, *, limit: Any = None
) -> np.ndarray:
    """Draw where the quantized weight spends its time: BinaryConnect above, stochastic rounding below, a column per rate.

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
    row[-1].legend(loc="upper left", fontsize=8)
