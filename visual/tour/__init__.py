"""The tour's page: figures and prose of three chapters, drawn from the plain records that the experiments return.

It leaves out every computation: each number on the page is in the records, and in results.json beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visual.cover import draw_cover
from visual.curves import Recovery
from visual.report import Section, Table, Tile, write_report
from visual.scale import shared_scale
from visual.style import save
from visual.tour.landscapes import landscape_section
from visual.tour.pruning import pruning_section
from visual.tour.quantized import COLOURS, NAMES, quantized_section
from visual.tour.words import percent, saved

__all__ = ["draw_tour"]

INTRO = """\
Networks that recognise clothing were trained on this machine a moment ago: one was cut in half, some were trained with
weights of one bit, and two were looked at from far above. Here is what happened."""

IMAGES = """\
6,000 training and 1,000 test images of Fashion-MNIST (Zalando Research, MIT licence), which ship with minidl. Ratios
are chosen on images held out of training; test images serve only for what is reported. One seed: another gives other
numbers, see `minidl tour --seed 1`."""


def draw_tour(
    folder: Path, pruning: Any, quantized: Any, landscapes: Any, facts: Sequence[tuple[str, str, str]], seconds: float
) -> Path:
    """Draw all figures into `folder` and write its index.html, from the records of `algorithms.experiments.tour`."""
    _cover(folder, pruning, quantized, landscapes)
    machine = [[what, found] for what, found, _ in facts] + [["time for everything", f"{seconds:.0f} s"]]
    return write_report(
        folder,
        "A tour of three ideas",
        [
            pruning_section(folder, pruning),
            quantized_section(folder, quantized),
            landscape_section(folder, landscapes),
        ],
        intro=INTRO,
        tiles=_tiles(pruning, quantized, landscapes),
        appendix=Section(
            "How this was made",
            [IMAGES, Table(["fact", "found"], machine), "Every number stands in `results.json` beside this page."],
        ),
    )


def _cover(folder: Path, pruning: Any, quantized: Any, landscapes: Any) -> None:
    """One picture of all three chapters, to show around; the page itself has them one by one."""
    recovery = Recovery(pruning.before, pruning.pruned, pruning.retraining)
    rules = {NAMES[rule]: values for rule, values in quantized.accuracy.items()}
    s = landscapes.planes["with shortcuts"]
    scale = shared_scale(s.loss, cap=20.0)
    save(draw_cover(recovery, rules, (s.xs, s.ys, s.loss), scale, COLOURS), folder / "cover.png")


def _tiles(p: Any, q: Any, landscapes: Any) -> list[Tile]:
    share = sum(landscapes.explained)
    return [
        Tile(
            percent(saved(p.macs)),
            "of the arithmetic removed",
            f"accuracy {percent(p.before)} → {percent(p.retraining[-1])}",
        ),
        Tile(
            percent(saved(p.milliseconds)),
            "of the time saved, measured",
            f"{p.milliseconds[0]:.1f} → {p.milliseconds[1]:.1f} ms for 128 images",
        ),
        Tile(
            "1 bit",
            "per weight, and it still learns",
            f"{percent(q.final['bc'])}, against {percent(q.final['float'])} in float",
        ),
        Tile(
            percent(share),
            "of training's path lies in a plane",
            f"a random walk as short: {percent(sum(landscapes.baseline))}",
        ),
    ]
