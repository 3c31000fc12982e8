"""Chapter 2 of the page: five rules for one network, and the toy problem whose law can be written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual.curves import draw_curves
from visual.quantization import draw_changed_share, draw_toy_histograms
from visual.report import Commands, Figure, Section, Table
from visual.style import colours_for, save
from visual.tour.words import percent

NAMES = {
    "float": "float",
    "bc": "BinaryConnect",
    "sr-big": "stochastic, big batch",
    "sr": "stochastic rounding",
    "r": "nearest rounding",
}
COLOURS = colours_for(NAMES.values())

IDEA = """\
Let every convolution weight be +1 or -1. **BinaryConnect** keeps a float copy behind the scenes, takes the gradient at
the rounded weights and moves the copy. **Stochastic rounding** keeps nothing but the bits, and flips each with a chance
in proportion to the step that was asked for. **Nearest rounding** drops every step smaller than half of the grid."""

WHY = """\
Why does one work and the other stall? With a small rate a float copy **settles**: many small steps add up and point
downhill. Bits cannot take small steps. A smaller rate makes flips rarer, but those that happen are as random as before;
so the search never turns into a descent."""

TOY = """\
The same in one dimension, where the law can be written down: a weight on a grid, a loss with its lowest point at 4.75,
noisy gradients. As the rate falls BinaryConnect gathers there; stochastic rounding keeps its spread:"""


def quantized_section(folder: Path, r: Any) -> Section:
    """Draw the chapter's figures and write its words."""
    curves, changed = ({NAMES[rule]: v for rule, v in runs.items()} for runs in (r.accuracy, r.changed))
    save(draw_curves(curves, drops=r.drops, colours=COLOURS).figure, folder / "rules.png")
    save(draw_changed_share(changed, drops=r.drops, colours=COLOURS).figure, folder / "changed.png")
    toy = draw_toy_histograms(r.toy.grid, r.toy.rates, r.toy.bc, r.toy.sr, limit=r.toy.limit)
    save(toy[0, 0].figure, folder / "toy.png")
    rows = [
        [NAMES[rule], percent(accuracy), percent(r.changed[rule][-1]) if rule in r.changed else "–"]
        for rule, accuracy in r.final.items()
    ]
    return Section(
        "One bit per weight",
        [
            IDEA,
            Figure(
                "rules.png",
                "Test accuracy per epoch for five ways of training the same network",
                "The same network from the same start under five rules, once. A big batch makes fewer steps an epoch "
                f"and got {r.big_factor} epochs for each one drawn. Dotted: the learning rate falls to a tenth.",
            ),
            Table(["rule", "test accuracy", "weights changed"], rows, "After the last epoch."),
            WHY,
            Figure(
                "changed.png",
                "Share of weights that differ from their start, per epoch",
                "How many bits differ from the start. Nearest rounding changes none: layers that stay float do all.",
            ),
            TOY,
            Figure(
                "toy.png",
                "Histograms of a weight for falling rates: narrowing for BinaryConnect, not for stochastic rounding",
                "The line is the limit of the stationary law as the rate goes to zero, in closed form.",
            ),
            Commands([("python docs/walkthroughs/02_convolution.py", "what a gradient of a convolution is")]),
        ],
        "How can a network be trained in few bits, and why does it stall?",
    )
