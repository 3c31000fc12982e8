"""Write docs/performance.md and its figures from the JSON that `make bench` wrote: no number there is typed.

The prose is `page.md`, whose marks `<!-- name -->` are replaced by the tables of `tables.py`; the figures are here.
Records of other processors lie beside it, as bench-PROCESSOR.json, and have a section of their own.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import goals
from contest import OURS
from matplotlib.axes import Axes
from reading import flop, limit, rows
from tables import SECTIONS, by_batch, elsewhere, goal

from visual.performance import Point, draw_batches, draw_ratios, draw_roofline
from visual.style import save

TEMPLATE = Path(__file__).with_name("page.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("docs/results/bench.json"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args()
    results = json.loads(args.results.read_text())
    text = TEMPLATE.read_text()
    for name, section in SECTIONS.items():
        text = text.replace(f"<!-- {name} -->", section(results))
    others = sorted(args.results.parent.glob(f"{args.results.stem}-*.json"))
    records = {path.stem.partition("-")[2]: json.loads(path.read_text()) for path in others}
    text = text.replace("<!-- elsewhere -->", elsewhere(records))
    threads = results["conditions"]["settings"]["threads"]
    figures = {"ratios": ratios(results, max(threads)), "roofline": roofline(results, min(threads))}
    figures["batches"] = batches(results)
    for name, ax in figures.items():
        if ax is not None:
            save(ax.figure, args.docs / "images" / f"performance-{name}.png")
        else:  # not measured in this run
            text = re.sub(rf"!\[[^]]*\]\(images/performance-{name}.png\)\n\n", "", text)
    (args.docs / "performance.md").write_text(text)


def ratios(results: dict, threads: int) -> Axes | None:
    """A bar for every network, work and batch."""
    found, must = {}, {}
    for row in rows(results, "networks"):
        for name, t in row["tasks"].items():
            if row["threads"] == threads:
                label = f"{name} {row['work']}, batch {t['batch']}"
                found[label] = t["ratio"]
                if goal(name, t):
                    must[label] = goal(name, t)[goals.MUST]
    return draw_ratios(found, goals=must) if found else None


def roofline(results: dict, threads: int) -> Axes | None:
    """The layers' forward passes."""
    points = []
    for row in rows(results, "layers"):
        t = row["tasks"]["forward"]
        if row["threads"] == threads:
            speeds = {who: flop(t) / t["times"][key]["min"] for who, key in ((OURS, OURS), ("PyTorch", t["peer"]))}
            points.append(Point(row["work"], flop(t) / t["bytes"], speeds))
    limits = (limit(results, work, threads) for work in ("sgemm", "copy"))
    return draw_roofline(points, *limits) if points else None


def batches(results: dict) -> Axes | None:
    """Time for each image of resnet20, ours and the fastest peer's."""
    series: dict[str, list[float]] = {}
    found = by_batch(results)
    for work, tasks in found.items():
        for who in (OURS, "fastest peer"):
            best = [t["times"][OURS if who == OURS else t["peer"]]["min"] for t in tasks.values()]
            series[f"{who}, {work}"] = [1e3 * t / batch for t, batch in zip(best, tasks, strict=True)]
    return draw_batches(list(next(iter(found.values()))), series) if found else None


if __name__ == "__main__":
    main()
