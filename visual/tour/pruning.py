"""Chapter 1 of the page: filter norms, sensitivity, what was kept, and what it cost and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual.curves import Recovery, draw_recovery
from visual.pruning import LayerWidth, draw_filter_norms, draw_sensitivity, draw_width_bars
from visual.report import Commands, Figure, Row, Section, Table
from visual.style import HALF, panels, save
from visual.tour.words import percent, saved

IDEA = """\
A convolution is a stack of filters, and each filter makes one feature map. Filters whose weights are small make faint
maps. So rank the filters of a layer by the sum of their absolute weights, and **remove** the small ones: the filter,
its map, its batch-norm channel, and what the next layer would have read. No mask is left behind."""

HOW_MANY = "How many can go? Prune one layer alone, at several ratios, and watch the accuracy on held-out images:"

CHOICE = """\
The ratios below are read off these lines: one tolerance for all layers, loosened until half of the multiplications are
gone. The outputs of blocks that are added together are left whole. Then the smaller network is trained for a few more
epochs."""


def pruning_section(folder: Path, r: Any) -> Section:
    """Draw the chapter's figures and write its words."""
    save(draw_filter_norms(r.norms).figure, folder / "filter_norms.png")
    ax = draw_sensitivity(r.ratios, r.sensitivity, baseline=r.baseline)
    ax.set_ylabel("accuracy on held-out images (%)")
    save(ax.figure, folder / "sensitivity.png")
    _, axes = panels(size=HALF)
    widths = [LayerWidth(name, kept, total) for name, total, kept in r.widths]
    save(draw_width_bars(widths, axes[0, 0]).figure, folder / "widths.png")
    _, axes = panels(size=HALF)
    recovery = {"pruned": Recovery(r.before, r.pruned, r.retraining)}
    save(draw_recovery(recovery, axes[0, 0]).figure, folder / "recovery.png")
    return Section(
        "Half of the filters are not needed",
        [
            IDEA,
            Figure(
                "filter_norms.png",
                "Filter norms of every layer, sorted",
                "Every layer's filter norms, sorted. Where the curve falls steeply, the last filters do little.",
            ),
            HOW_MANY,
            Figure(
                "sensitivity.png",
                "Accuracy against the share of filters removed, one line per layer",
                "Without any retraining. A flat line is a layer that can give; a steep one should be left alone.",
            ),
            CHOICE,
            Row(
                [
                    Figure("widths.png", "Filters kept and removed in each layer", "Filters kept, and removed."),
                    Figure(
                        "recovery.png", "Accuracy before, after, and while retraining", "The fall, and the way back."
                    ),
                ]
            ),
            _table(r),
            _time(r),
            Commands(
                [
                    ("minidl cost resnet56", "where the arithmetic of a larger network goes"),
                    ("minidl train resnet20 --run runs/mine", "a network of your own to prune"),
                ]
            ),
        ],
        "How can a trained network be made smaller and really faster?",
    )


def _table(r: Any) -> Table:
    names = ("whole", "pruned", "pruned, retrained")
    rows = [
        [name, percent(accuracy), f"{r.macs[i] / 1e6:.2f}", f"{r.parameters[i]:,}", f"{r.milliseconds[i]:.2f}"]
        for name, accuracy, i in zip(names, (r.before, r.pruned, r.retraining[-1]), (0, 1, 1), strict=True)
    ]
    head = ["network", "test accuracy", "MACs (millions)", "parameters", "ms per 128 images"]
    return Table(head, rows, "Both networks timed in turn on this machine, medians.", highlight=2)


def _time(r: Any) -> str:
    """What the measured time says beside the counted arithmetic."""
    macs, time = saved(r.macs), saved(r.milliseconds)
    text = f"{percent(macs)} of the multiplications went, and {percent(time)} of the measured time."
    if time < 0.8 * macs:
        text += (
            " Time is not arithmetic: layers that nothing was cut from cost what they did, and so does much of what is"
            " done to images before and after they are multiplied."
        )
    return text
