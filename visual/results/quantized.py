"""Figures of `minidl reproduce quantized`, all drawn from its JSON record; one function for each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visual.curves import draw_curves
from visual.labels import note
from visual.quantization import draw_batch_effect, draw_changed_share, draw_toy_histograms, draw_weight_path
from visual.style import BLUE, HALF, INK, MUTED, SMALL, VERMILLION, colours_for, panels, save, style

Record = Mapping[str, Any]

NAMES = {"float": "float", "bc": "BinaryConnect", "sr-big": "SR, big batch", "sr": "SR", "r": "R (nearest)"}
COLOURS = colours_for(NAMES.values())


def draw(record: Record, folder: Path) -> list[Path]:
    """Draw everything into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {f"rules-{name}": rules(record, name) for name in record["nets"]}
    figures |= {name: make(record) for name, make in FIGURES.items()}
    return [save(figure, folder / f"{name}.png") for name, figure in figures.items()]


def rules(record: Record, net: str) -> Figure:
    """The five rules' curves from the first seed: training loss and test error."""
    figure, axes = panels(1, 2, (2 * HALF[0] + 1, HALF[1]))
    curves = {NAMES[rule]: seeds[0] for rule, seeds in record["nets"][net]["curves"].items()}
    draws = {
        "training loss": {name: curve["loss"] for name, curve in curves.items()},
        "test error": {name: 1 - np.array(curve["validation_accuracy"]) for name, curve in curves.items()},
    }
    for ax, (quantity, runs) in zip(axes[0], draws.items(), strict=True):
        draw_curves(runs, ax, quantity=quantity, drops=record["settings"]["drops"], colours=COLOURS)
    return _titled(figure, record, f"{net}, first seed: same start, same order of images")


def errors(record: Record) -> Figure:
    """Final test error of every rule: a dot for each seed, the mean and its 95 % interval."""
    figure, axes = _per_net(record)
    for ax, net in zip(axes, record["nets"].values(), strict=True):
        _draw_estimates(ax, net["error"])
    axes[0].set_ylabel("test error (%)")
    return _titled(figure, record, "after the last epoch; bars are 95 % intervals, dots are seeds")


def changed(record: Record) -> Figure:
    """The share of conv weights that differ from their start, mean and range over seeds."""
    figure, axes = _per_net(record)
    for ax, net in zip(axes, record["nets"].values(), strict=True):
        runs = {NAMES[rule]: [c["changed"] for c in seeds] for rule, seeds in net["curves"].items()}
        draw_changed_share(runs, ax, drops=record["settings"]["drops"], colours=COLOURS)
    return _titled(figure, record, "mean over seeds in the range of all")


def flips(record: Record) -> Figure:
    """The share of conv weights that flip in one step: with SR it falls as the rate does."""
    figure, axes = _per_net(record)
    for ax, net in zip(axes, record["nets"].values(), strict=True):
        runs = {
            NAMES[rule]: [_positive(c["flips"]) for c in seeds] for rule, seeds in net["curves"].items() if rule != "r"
        }
        ax.set_yscale("log")
        draw_curves(runs, ax, quantity="flips a step, share", drops=record["settings"]["drops"], colours=COLOURS)
    return _titled(figure, record, "conv weights that change their sign in one step, mean over the epoch")


@style()
def greedy(record: Record) -> Figure:
    """What the first fall of the rate brings to test error and training loss: at once, and in the epochs after it."""
    figure, axes = panels(2, len(record["nets"]), (HALF[0] * len(record["nets"]), 6.4), sharey="row")
    for column, (name, net) in zip(axes.T, record["nets"].items(), strict=True):
        column[0].set_title(name)
        _draw_gains(column[0], net["greedy"], ("at_once", "after"), 100)
        _draw_gains(column[1], net["greedy"], ("loss_at_once", "loss_after"), 1)
    axes[0, 0].set_ylabel("gain of test error (points)")
    axes[1, 0].set_ylabel("gain of training loss (nats)")
    axes[0, 0].legend(loc="upper right")
    return _titled(figure, record, "the rate falls to a tenth; bars are 95 % intervals over seeds")


def batches(record: Record) -> Figure:
    """Final test error against the batch size."""
    sizes = record["settings"]["batches"]
    runs = {
        NAMES[rule]: np.array([errors[str(size)]["values"] for size in sizes]).T
        for rule, errors in record["batches"].items()
    }
    ax = draw_batch_effect(sizes, runs, colours=COLOURS)
    return _titled(
        ax.figure, record, f"{next(iter(record['nets']))}, equally many epochs; mean in the range of all seeds"
    )


@style()
def walks(record: Record) -> Figure:
    """One weight on the toy problem under both rules, where it spends its time, and SR's limit law."""
    walk, places = record["theory"]["walks"], record["theory"]["places"]
    figure, axes = panels(2, 2, (8.6, 5.4), sharey=True, width_ratios=(3, 1))
    grid, column = np.array(places["grid"]), places["rates"].index(0.01)
    draw_weight_path(walk["bc"], axes[0, 0], latent=walk["latent"])
    draw_weight_path(walk["sr"], axes[1, 0])
    for ax, rule, colour in zip(axes[:, 1], ("bc", "sr"), (BLUE, VERMILLION), strict=True):
        ax.barh(grid, 100 * np.array(places[rule][column]), height=0.43, color=colour)
        ax.set(xlabel="share of time (%)", ylim=(-1.5, 7.5))
        ax.plot(100 * np.array(places["limit"]), grid, color=INK, marker="o", ms=2.5, lw=1)
    note(axes[1, 1], "limit law of SR", (18, 6.2))
    for ax in axes[:, 0]:
        ax.margins(x=0)
    axes[0, 0].set_ylabel("BinaryConnect")
    axes[1, 0].set_ylabel("stochastic rounding")
    figure.suptitle("three valleys, the deepest at 4.75; grid of 0.5, rate 0.01, noise of deviation 3", fontsize=SMALL)
    return figure


def places(record: Record) -> Figure:
    """Where the weight spends its time as the rate falls."""
    toy = record["theory"]["places"]
    figure: Figure = draw_toy_histograms(toy["grid"], toy["rates"], toy["bc"], toy["sr"], limit=toy["limit"])[
        0, 0
    ].figure
    return figure


@style()
def chain(record: Record) -> Figure:
    """The exact chain: its law tends to the limit, and everything it does slows down in proportion to the rate."""
    found = record["theory"]["chain"]
    figure, axes = panels(1, 2, (2 * HALF[0], HALF[1]))
    left, right = axes[0]
    left.loglog(found["rates"], found["distance"], color=BLUE, marker="o", ms=4)
    left.set(xlabel="rate α", ylabel="total variation to the limit law")
    lines = {
        "leave 4.5 in a step": found["leaving"],
        "spectral gap": found["gap"],
        "upward, if it leaves": found["upward"],
    }
    for (name, values), colour in zip(lines.items(), colours_for(lines).values(), strict=True):
        right.loglog(found["rates"], values, color=colour, marker="o", ms=4, label=name)
    right.set(xlabel="rate α", ylabel="probability")
    right.legend(loc="lower right")
    figure.suptitle("stochastic rounding on the toy problem, exact transition matrix", fontsize=SMALL)
    return figure


@style()
def bias(record: Record) -> Figure:
    """The error of the mean with r random bits, when the fraction is rounded to r bits first and when it is cut."""
    found = record["theory"]["bias"]
    figure, axes = panels(1, len(found["bits"]), (3.1 * len(found["bits"]), 3.3), sharey=True)
    for ax, bits, rounded, cut in zip(axes[0], found["bits"], found["rounded"], found["cut"], strict=True):
        ax.plot(found["fractions"], rounded, color=BLUE, lw=1.4, label="rounded to r bits")
        ax.plot(found["fractions"], cut, color=VERMILLION, lw=1.4, label="cut to r bits")
        ax.axhline(-(2.0 ** -(bits + 1)), color=VERMILLION, lw=1, ls=":")
        ax.axhline(0, color=MUTED, lw=0.8)
        ax.set_title(f"r = {bits}")
        ax.set_xlabel("fraction of the number")
    axes[0, 0].set_ylabel("error of the mean (spacings)")
    axes[0, -1].legend(loc="lower right")
    figure.suptitle("dotted: mean bias of cutting, −2⁻⁽ʳ⁺¹⁾", fontsize=SMALL)
    return figure


FIGURES = {
    "errors": errors, "changed": changed, "flips": flips, "greedy": greedy, "batches": batches, "walks": walks,
    "places": places, "chain": chain, "bias": bias,
}  # fmt: skip


@style()
def _draw_estimates(ax: Axes, found: Mapping[str, Any]) -> None:
    """One column for each rule."""
    for place, (rule, estimate) in enumerate(found.items()):
        colour = COLOURS[NAMES[rule]]
        values = 100 * np.array(estimate["values"])
        ax.plot(np.full(len(values), place), values, "o", color=colour, ms=4, alpha=0.45)
        ax.errorbar(
            place + 0.2, 100 * estimate["mean"], 100 * (estimate["half_width"] or 0), fmt="s", color=colour, ms=5
        )
        note(
            ax,
            f"{100 * estimate['mean']:.1f}",
            (place + 0.2, 100 * estimate["mean"]),
            (6, 0),
            va="center",
            color=colour,
        )
    ax.set_xticks(range(len(found)), [NAMES[rule] for rule in found], rotation=20, ha="right")
    ax.set_xlim(-0.4, len(found) - 0.2)
    ax.grid(axis="x", visible=False)


@style()
def _draw_gains(ax: Axes, found: Mapping[str, Any], keys: Sequence[str], factor: float) -> None:
    """Two bars for each rule: at once, hatched after."""
    for place, (rule, phase) in enumerate(found.items()):
        for key, shift, hatch in zip(keys, (-0.2, 0.2), ("", "////"), strict=True):
            gain = phase[key]
            ax.bar(
                place + shift, factor * gain["mean"], 0.38, yerr=factor * (gain["half_width"] or 0),
                color=COLOURS[NAMES[rule]], alpha=0.55 if hatch else 1, hatch=hatch, ecolor=INK, capsize=2,
            )  # fmt: skip
    ax.bar([0], [0], color=MUTED, label="at once")
    ax.bar([0], [0], color=MUTED, alpha=0.55, hatch="////", label="until the end")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xticks(range(len(found)), [NAMES[rule] for rule in found], rotation=20, ha="right")
    ax.grid(axis="x", visible=False)


def _per_net(record: Record) -> tuple[Figure, Sequence[Axes]]:
    """One panel for each network, with its name."""
    nets = record["nets"]
    figure, axes = panels(1, len(nets), ((HALF[0] + 0.5) * len(nets), HALF[1]))
    for ax, name in zip(axes[0], nets, strict=True):
        ax.set_title(name, pad=20)
    return figure, list(axes[0])


def _positive(values: Sequence[float]) -> list[float]:
    """A logarithmic axis has no place for a zero."""
    return [value if value else np.nan for value in values]


def _titled(figure: Any, record: Record, text: str) -> Figure:
    settings = record["settings"]
    figure.suptitle(f"{settings['dataset']}, {len(settings['seeds'])} seeds: {text}", fontsize=SMALL)
    drawn: Figure = figure
    return drawn
