"""The tour's figures and its page, drawn from the plain records that the three chapters return.

It leaves out every computation: each number on the page is in the records, and in results.json beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from visual.cover import draw_cover
from visual.curves import Recovery, draw_curves, draw_recovery
from visual.landscape import draw_contour, shared_scale
from visual.landscape_line import draw_line
from visual.landscape_surface import draw_surface
from visual.pruning import LayerWidth, draw_filter_norms, draw_sensitivity, draw_width_bars
from visual.quantization import draw_changed_share, draw_toy_histograms
from visual.report import Commands, Figure, Row, Section, Table, Tile, write_report
from visual.style import HALF, colours_for, panels, save, style
from visual.trajectory import draw_trajectory


def draw_tour(
    folder: Path, pruning: Any, quantized: Any, landscapes: Any, facts: Sequence[tuple[str, str, str]], seconds: float
) -> Path:
    """Draw all figures into `folder` and write its index.html; the records are those of `algorithms.experiments.tour`."""
    _cover(folder, pruning, quantized, landscapes)
    sections = [_pruning(folder, pruning), _quantized(folder, quantized), _landscapes(folder, landscapes)]
    rows = [[what, found] for what, found, _ in facts]
    appendix = Section(
        "How this was made",
        [
            "Images: 6,000 for training and 1,000 for testing from Fashion-MNIST (Zalando Research, MIT licence), which ship "
            "with minidl. Ratios are chosen on images held out of training; test images only for what is reported.",
            Table(["", ""], [*rows, ["time for everything", f"{seconds:.0f} s"]]),
            "Every number stands in `results.json` beside this page.",
        ],
    )
    return write_report(
        folder,
        "A tour of three ideas",
        [Section("At a glance", [Figure("cover.png", "A pruned net's recovery, five rules' curves, and a loss surface")]), *sections],
        intro="Networks that recognise clothing were trained on this machine a moment ago: one was cut in half, some were "
        "trained with weights of one bit, and two were looked at from far above. Here is what happened.",
        tiles=_tiles(pruning, quantized, landscapes),
        appendix=appendix,
    )


def _tiles(pruning: Any, quantized: Any, landscapes: Any) -> list[Tile]:
    macs, ms = _saved(pruning.macs), _saved(pruning.milliseconds)
    final = quantized.final
    first, second = landscapes.path.explained
    return [
        Tile(_percent(macs), "of the arithmetic removed", f"accuracy {_percent(pruning.before)} → {_percent(pruning.retrained)}"),
        Tile(_percent(ms), "of the time saved, measured", f"{pruning.milliseconds[0]:.1f} → {pruning.milliseconds[1]:.1f} ms for 128 images"),
        Tile("1 bit", "per weight, and it still learns", f"{_percent(final['bc'])}, against {_percent(final['float'])} in float"),
        Tile(_percent(first + second), "of training's path lies in one plane", "a random walk of this length is in the text"),
    ]  # fmt: skip


def _pruning(folder: Path, r: Any) -> Section:
    save(draw_filter_norms(r.norms).figure, folder / "filter_norms.png")
    ax = draw_sensitivity(r.ratios, r.sensitivity, baseline=r.baseline)
    ax.set_ylabel("accuracy on held-out images (%)")
    save(ax.figure, folder / "sensitivity.png")
    save(draw_width_bars([LayerWidth(name, kept, total) for name, total, kept in r.widths], _half()).figure, folder / "widths.png")
    save(draw_recovery({"pruned": Recovery(r.before, r.pruned, r.retraining)}, _half()).figure, folder / "recovery.png")
    rows = [
        ["whole", _percent(r.before), f"{r.macs[0] / 1e6:.2f}", f"{r.parameters[0]:,}", f"{r.milliseconds[0]:.2f}"],
        ["pruned", _percent(r.pruned), f"{r.macs[1] / 1e6:.2f}", f"{r.parameters[1]:,}", f"{r.milliseconds[1]:.2f}"],
        ["pruned, retrained", _percent(r.retrained), f"{r.macs[1] / 1e6:.2f}", f"{r.parameters[1]:,}", f"{r.milliseconds[1]:.2f}"],
    ]  # fmt: skip
    return Section(
        "Half of the filters are not needed",
        [
            "A convolution is a stack of filters, and each filter makes one feature map. Filters whose weights are small make "
            "faint maps. So rank the filters of a layer by the sum of their absolute weights, and **remove** the small ones: "
            "the filter, its map, its batch-norm channel, and what the next layer would have read. No mask is left behind.",
            Figure("filter_norms.png", "Filter norms of every layer, sorted; some layers fall steeply, others stay flat",
                   "Every layer's filter norms, sorted. Where the curve falls steeply, the last filters do little."),
            "How many can go? Prune one layer alone, at several ratios, and watch the accuracy on held-out images:",
            Figure("sensitivity.png", "Accuracy against the share of filters removed, one line per layer",
                   "Without any retraining. A flat line is a layer that can give; a steep one should be left alone."),
            "The ratios below are read off these lines: one tolerance for all layers, loosened until half of the "
            "multiplications are gone. Then the smaller network is trained for a few more epochs.",
            Row([
                Figure("widths.png", "Bars of filters kept and removed in each layer", "Filters kept, and removed (hatched)."),
                Figure("recovery.png", "Accuracy as trained, after pruning, and after each epoch of retraining",
                       "The fall, and the way back."),
            ]),
            Table(["network", "test accuracy", "MACs (millions)", "parameters", "ms per 128 images"], rows,
                  "Both networks timed in turn on this machine, medians.", highlight=2),
            Commands([("minidl cost resnet56", "where the arithmetic of a larger network goes"),
                      ("minidl train resnet20 --run runs/mine", "a network of your own to prune")]),
        ],
        "How can a trained network be made smaller and really faster?",
    )  # fmt: skip


NAMES = {
    "float": "float",
    "bc": "BinaryConnect",
    "sr": "stochastic rounding",
    "sr-big": "stochastic, big batch",
    "r": "nearest rounding",
}
COLOURS = colours_for(NAMES.values())


def _cover(folder: Path, pruning: Any, quantized: Any, landscapes: Any) -> None:
    recovery = Recovery(pruning.before, pruning.pruned, pruning.retraining)
    rules = {NAMES[rule]: values for rule, values in quantized.accuracy.items()}
    s = landscapes.planes["with shortcuts"]
    figure = draw_cover(recovery, rules, (s.xs, s.ys, s.loss), shared_scale(s.loss, cap=20.0), COLOURS)
    save(figure, folder / "cover.png")


def _quantized(folder: Path, r: Any) -> Section:
    curves = {NAMES[rule]: values for rule, values in r.accuracy.items()}
    changed = {NAMES[rule]: values for rule, values in r.changed.items()}
    save(draw_curves(curves, drops=r.drops, colours=COLOURS).figure, folder / "rules.png")
    save(draw_changed_share(changed, drops=r.drops, colours=COLOURS).figure, folder / "changed.png")
    toy = draw_toy_histograms(r.toy.grid, r.toy.rates, r.toy.bc, r.toy.sr, limit=r.toy.limit)
    save(toy[0, 0].figure, folder / "toy.png")
    rows = [
        [NAMES[rule], _percent(r.final[rule]), _percent(r.changed[rule][-1]) if rule in r.changed else "–"]
        for rule in r.final
    ]
    return Section(
        "One bit per weight",
        [
            "Let every convolution weight be +1 or -1. **BinaryConnect** keeps a float copy behind the scenes, takes the "
            "gradient at the rounded weights and moves the copy. **Stochastic rounding** keeps nothing but the bits, and flips "
            "each with a probability in proportion to the step that was asked for. **Nearest rounding** drops every step "
            "smaller than half of the grid.",
            Figure("rules.png", "Test accuracy per epoch for five ways of training the same network",
                   "The same network, from the same start, under five rules. The dotted lines are drops of the learning rate."),
            Table(["rule", "test accuracy", "weights changed"], rows, "After the last epoch."),
            "Why does one work and the other stall? With a small rate a float copy **settles**: many small steps add up and "
            "point downhill. Bits cannot take small steps. A smaller rate makes flips rarer, but those that happen are as "
            "random as before; so the search never turns into a descent.",
            Figure("changed.png", "Share of weights that differ from their start, per epoch",
                   "How many bits differ from the start. Nearest rounding changes none."),
            "The same in one dimension, where the law can be written down: a weight on a grid, a loss with its lowest point at "
            "4.75, noisy gradients. As the rate falls BinaryConnect gathers there; stochastic rounding keeps its spread:",
            Figure("toy.png", "Histograms of a quantized weight for falling learning rates: narrowing for BinaryConnect, not for stochastic rounding",
                   "The line is the limit of the stationary law, in closed form."),
        ],
        "How can a network be trained in few bits, and why does it stall?",
    )  # fmt: skip


def _landscapes(folder: Path, r: Any) -> Section:
    scale = shared_scale(*[surface.loss for surface in r.planes.values()], cap=20.0)
    save(draw_line(r.alphas, r.lines, log=True).figure, folder / "lines.png")
    with style():
        figure, axes = panels(1, 2, size=(2 * HALF[0], HALF[1]))
        for ax, (name, s) in zip(axes.flat, r.planes.items(), strict=True):
            draw_contour(s.xs, s.ys, s.loss, ax, scale=scale)
            ax.set_title(name)
        save(figure, folder / "contours.png")
        figure, axes = panels(1, 2, size=(2 * HALF[0], HALF[1]), projection="3d")
        for ax, (name, s) in zip(axes.flat, r.planes.items(), strict=True):
            draw_surface(s.xs, s.ys, s.loss, ax, scale=scale)
            ax.set_title(name)
        save(figure, folder / "surfaces.png")
    s = r.path_plane
    ax = draw_contour(s.xs, s.ys, s.loss, scale=shared_scale(s.loss))
    save(draw_trajectory(r.path.path, ax, explained=r.path.explained).figure, folder / "trajectory.png")
    accuracy = " and ".join(f"{_percent(a)} {name}" for name, a in r.accuracy.items())
    return Section(
        "What the loss looks like",
        [
            "A network with thousands of weights is a point in a space of as many dimensions. Draw a random direction and walk "
            "along it, and the loss becomes a curve. One trick makes the picture honest: every filter of the direction gets the "
            "**norm of the filter it disturbs**, since a network can scale its filters without changing what it does.",
            Figure("lines.png", "Loss along random directions for a net with and one without shortcuts",
                   "Mean over random directions, and the band between the lowest and the highest."),
            f"Two directions make a plane. Both networks have the same layers and reached {accuracy} on the test images; "
            "they differ in their shortcuts alone.",
            Figure("contours.png", "Contours of the loss around both networks, on one scale", "Lines of equal loss, on one scale."),
            Figure("surfaces.png", "The same surfaces in three dimensions", "The same, from the side."),
            "And where did training come from? Two random directions would show almost nothing of its path; its two principal "
            "components show most of it:",
            Figure("trajectory.png", "Path of training over the contours of its principal plane",
                   f"One dot per epoch. A random walk of {len(r.path.path)} points would also look flat: compare before you wonder."),
        ],
        "What does the loss surface look like, and what does it say about generalization?",
    )  # fmt: skip


def _half() -> Axes:
    """Axes of half the width, for two figures side by side."""
    ax: Axes = panels(size=HALF)[1][0, 0]
    return ax


def _saved(pair: tuple[float, float]) -> float:
    return 1 - pair[1] / pair[0]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "not finite"
