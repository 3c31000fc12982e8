"""Figures of `minidl reproduce pruning`, all drawn from its JSON record; one function for each figure.

Where the seeds contradict the paper, the figure's caption says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from visual.curves import draw_curves
from visual.labels import note, spread
from visual.pruning import (
    LayerWidth,
    draw_filter_norms,
    draw_kept_filters,
    draw_sensitivity,
    draw_tradeoff,
    draw_width_bars,
)
from visual.pruning_compare import Saving, draw_orders, draw_ranking, draw_savings
from visual.style import HALF, MUTED, SMALL, panels, save, style

Record = Mapping[str, Any]


def draw(record: Record, folder: Path) -> list[Path]:
    """Draw everything into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, net in record["nets"].items():
        for what, make in FIGURES.items():
            figure = make(record["settings"], net)
            figure.suptitle(f"{name}, {record['settings']['dataset']}, {len(net['studies'])} seeds", fontsize=SMALL)
            files.append(save(figure, folder / f"{name}-{what}.png"))
    return files


def captioned(figure: Figure, text: str) -> Figure:
    """Put a sentence or two under a figure."""
    width = int(15 * figure.get_size_inches()[0])  # characters of this size on a line
    with style():
        figure.supxlabel(textwrap.fill(text, width), fontsize=SMALL, color=MUTED, x=0.01, ha="left")
    return figure


def contradictions(net: Record, *words: str) -> str:
    """Say which claims of the paper with any of these words the seeds contradict or leave open."""
    about = [v for v in net["verdicts"] if any(word in v["claim"] for word in words)]
    parts = [_said(v) for v in about if v["verdict"] != "confirmed"]
    return " ".join(parts) or "The paper's order is confirmed: " + "; ".join(_number(v) for v in about) + "."


def _said(verdict: Record) -> str:
    word = {"contradicted": "Contradicts the paper", "undecided": "Not decided by these seeds"}[verdict["verdict"]]
    return f"{word}: {_number(verdict)}."


def _number(verdict: Record) -> str:
    difference = verdict["difference"]
    half = difference["half_width"]
    interval = "" if half is None else f" ± {100 * half:.1f}"
    return f"{verdict['claim']} ({100 * difference['mean']:+.1f}{interval} points)"


# -- what the layers are worth --------------------------------------------------------------------------------------


def norms(settings: Record, net: Record) -> Figure:
    """Sorted norm curves of the first seed."""
    ax = draw_filter_norms(net["studies"][0]["norms"])
    return captioned(_figure(ax), "First seed. The paper: layers whose curve is steep bear pruning better.")


def sensitivity(settings: Record, net: Record) -> Figure:
    """Accuracy when one layer alone is pruned: at once, and after a short training."""
    _, axes = panels(1, 2, (2 * HALF[0], HALF[1]), sharey=True)
    smallest = _mean_by_layer([s["sensitivity"]["smallest"] for s in net["studies"]])
    draw_sensitivity(settings["ratios"], smallest, axes[0, 0], baseline=_whole(net))
    retrained = _mean_by_layer([s["retrained"] for s in net["studies"]])
    unknown = [np.nan] * len(settings["retrained_ratios"])
    same_colours = {layer: retrained.get(layer, unknown) for layer in smallest}
    draw_sensitivity(settings["retrained_ratios"], same_colours, axes[0, 1], baseline=_whole(net))
    for ax, title in zip(axes[0], ("pruned", f"retrained on {settings['short_images']:,} images"), strict=True):
        ax.set(title=title, ylabel="validation accuracy (%)")
    words = "Mean over seeds; the smallest filters of one layer alone leave, or channels of all layers that share them,"
    return captioned(_figure(axes[0, 0]), f"{words}\nwhich go by the name of the first.")


def orders(settings: Record, net: Record) -> Figure:
    """Smallest, random and largest filters first, a panel for each layer."""
    layers = list(net["studies"][0]["sensitivity"]["smallest"])
    columns = 3
    rows = -(-len(layers) // columns)
    _, axes = panels(rows, columns, (3.6 * columns, 2.7 * rows), sharey=True)
    for ax in axes.flat[len(layers) :]:
        ax.set_visible(False)
    for ax, layer in zip(axes.flat, layers, strict=False):
        curves = {
            order: [s["sensitivity"][order][layer] for s in net["studies"]]
            for order in net["studies"][0]["sensitivity"]
        }
        draw_orders(settings["ratios"], curves, ax, baseline=_whole(net)).set_title(layer)
    text = "Validation accuracy, nothing retrained; lines are means over seeds, bands go from lowest to highest. "
    return captioned(_figure(axes[0, 0]), text + contradictions(net, "without retraining"))


def criteria(settings: Record, net: Record) -> Figure:
    """Every criterion, all layers at once, not retrained."""
    series = {
        f"{ratio:.0%} of all filters removed": {
            name: [s["rivals"][name][i] for s in net["studies"]] for name in net["studies"][0]["rivals"]
        }
        for i, ratio in enumerate(settings["compared_ratios"])
    }
    ax = draw_ranking(series, xlabel="validation accuracy (%), nothing retrained")
    return captioned(_figure(ax), "Dots are seeds, lines their means. " + _rivals(settings, net))


def _rivals(settings: Record, net: Record) -> str:
    """Which criteria beat the L1 norm with every seed, at the first ratio."""
    rivals = [s["rivals"] for s in net["studies"]]
    ahead = [name for name in rivals[0] if all(r[name][0] > r["l1"][0] for r in rivals)]
    ratio = f"At {settings['compared_ratios'][0]:.0%}"
    return f"{ratio}, better than l1 with every seed: {', '.join(ahead) or 'none'}."


# -- what was removed -----------------------------------------------------------------------------------------------


def widths(settings: Record, net: Record) -> Figure:
    """Filters kept in every layer, first seed."""
    bars = [LayerWidth(layer, kept, total) for layer, (total, kept) in net["studies"][0]["widths"].items()]
    text = "First seed; ratios follow from its sensitivity and leave half of the multiply-accumulates."
    return captioned(_figure(draw_width_bars(bars)), text)


def kept(settings: Record, net: Record) -> Figure:
    """Which filters stay, first seed."""
    return _figure(draw_kept_filters(net["studies"][0]["kept"]))


# -- what comes back ------------------------------------------------------------------------------------------------


def recovery(settings: Record, net: Record) -> Figure:
    """Validation accuracy at pruning and while retraining."""
    runs = {}
    for order in ("smallest", "random"):
        for how in net["studies"][0]["pruned"][order]["retrained"]:
            name = f"{order}, {_rate(settings, how)}"
            runs[name] = [_curve(s["pruned"][order], how) for s in net["studies"]]
    ax = draw_curves(runs, quantity="validation accuracy", references={"whole": _whole(net)}, first=0)
    ax.set(xlabel="epoch of retraining (0: as pruned)")
    return captioned(_figure(ax), contradictions(net, "brings back", "after retraining"))


def _curve(pruned: Record, how: str) -> list[float]:
    return [pruned["pruned"]["validation"], *pruned["retrained"][how]["curve"]]


def _rate(settings: Record, how: str) -> str:
    return f"{settings['retrain_lr']:g}" if how == "constant" else f"{settings['decayed_lr']:g}, falling"


def accuracies(settings: Record, net: Record) -> Figure:
    """Test accuracy of everything that was trained or pruned."""
    ax = draw_ranking({"": {name: found["values"] for name, found in net["test_accuracy"].items()}})
    text = "Test accuracy; dots are seeds, lines their means. " + contradictions(net, "scratch")
    return captioned(_figure(ax), text)


def tradeoff(settings: Record, net: Record) -> Figure:
    """Test accuracy against arithmetic, and against measured time."""
    _, axes = panels(1, 2, (2 * HALF[0], HALF[1]), sharey=True)
    mean = {name: found["mean"] for name, found in net["test_accuracy"].items()}
    macs = np.mean([s["macs"] for s in net["studies"]], axis=0) / 1e6
    time = np.mean([[s["time"]["total"][w]["median"] for w in ("whole", "small")] for s in net["studies"]], axis=0)
    ends = {name: mean[name] for name in ("smallest, pruned", "smallest, decayed", "scratch-E", "scratch-B")}
    for ax, cost, unit in zip(axes[0], (macs, time), ("MACs (millions)", _milliseconds(settings)), strict=True):
        series = {name: (list(cost), [mean["whole"], accuracy]) for name, accuracy in ends.items()}
        draw_tradeoff(series, ax, xlabel=unit)
        for text in list(ax.texts):  # all lines begin at the whole network: name the other ends
            text.remove()
        low, high = ax.get_ylim()
        heights = spread([100 * accuracy for accuracy in ends.values()], 0.055 * (high - low))
        for name, height, line in zip(ends, heights, ax.lines, strict=True):
            note(ax, name, (cost[1], height), (-6, 0), ha="right", va="center", color=line.get_color())
    saved = f"{100 * net['macs_saved']['mean']:.0f} % of the arithmetic and {100 * net['time_saved']['mean']:.0f} %"
    return captioned(_figure(axes[0, 0]), f"Right ends: the whole network. Saved are {saved} of the time.")


def _milliseconds(settings: Record) -> str:
    return f"milliseconds for {settings['timed_batch']} images"


def time(settings: Record, net: Record) -> Figure:
    """Time saved beside arithmetic saved, layer by layer, first seed."""
    times = net["studies"][0]["time"]
    savings = [_saving(row) for row in [*times["layers"], times["total"]] if row["macs"][0]]
    text = "First seed, inference; the last row is the whole network. Red: less time saved than 0.8 of the arithmetic."
    return captioned(_figure(draw_savings(savings)), text)


def _saving(row: Record) -> Saving:
    macs = 1 - row["macs"][1] / row["macs"][0]
    saved = 1 - row["small"]["median"] / row["whole"]["median"]
    return Saving(row["name"].rpartition(" ")[2], macs, saved, macs > 0 and saved < 0.8 * macs)


# -- helpers --------------------------------------------------------------------------------------------------------


def _figure(ax: Any) -> Figure:
    found = ax.figure
    assert isinstance(found, Figure)
    return found


def _whole(net: Record) -> float:
    """Mean validation accuracy of the whole networks."""
    return float(np.mean([s["whole"]["validation"] for s in net["studies"]]))


def _mean_by_layer(seeds: list[Mapping[str, list[float]]]) -> dict[str, Any]:
    return {layer: np.mean([of[layer] for of in seeds], axis=0) for layer in seeds[0]}


FIGURES: dict[str, Callable[[Record, Record], Figure]] = {
    "norms": norms, "sensitivity": sensitivity, "orders": orders, "criteria": criteria, "widths": widths, "kept": kept,
    "recovery": recovery, "accuracies": accuracies, "tradeoff": tradeoff, "time": time,
}  # fmt: skip
