"""`minidl tour`: the three chapters on real images, a folder of figures and a page to read."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

from minidl.commands import Output
from minidl.commands.folder import make_folder
from minidl.commands.milestones import milestones
from minidl.commands.plain import plain


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--folder", default="tour", type=Path, help="where everything goes (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="the same with fewer images and epochs, in about a minute")
    parser.epilog = "Interrupted, it goes on where it was when called again; finished, it starts anew."


def run(args: argparse.Namespace) -> Output:
    """Compute, draw, write."""
    from algorithms.experiments import tour
    from minidl.checkpoint import replacing
    from minidl.commands.doctor import facts_for_report
    from visual.tour import draw_tour

    folder: Path = args.folder
    runs = folder / "runs"
    if (folder / "results.json").exists():  # a finished tour: what it left must not stand in for a new one
        (folder / "results.json").unlink()
        shutil.rmtree(runs, ignore_errors=True)
    make_folder(runs, "the tour")
    settings = tour.FAST if args.fast else tour.FULL
    start = time.perf_counter()
    with milestones(tour.milestones(settings)) as advance:
        shop = tour.Workshop(settings, runs, args.seed, advance)
        results = {
            "pruning": tour.pruning(shop),
            "quantized": tour.quantized(shop),
            "landscapes": tour.landscapes(shop),
        }
    seconds = time.perf_counter() - start
    facts = facts_for_report()
    page = draw_tour(folder, **results, facts=facts, seconds=seconds)
    record = {name: plain(result) for name, result in results.items()}
    record |= {
        "seconds": round(seconds, 1),
        "settings": dataclasses.asdict(settings),
        "seed": args.seed,
        "facts": facts,
    }
    with replacing(folder / "results.json") as file:
        file.write(json.dumps(record, indent=1).encode())
    return Output(_text(results, page, seconds), record)


def _text(results: dict[str, Any], page: Path, seconds: float) -> str:
    p, q = results["pruning"], results["quantized"]
    lines = [
        f"pruned     {1 - p.macs[1] / p.macs[0]:.0%} of the MACs, {1 - p.milliseconds[1] / p.milliseconds[0]:.0%} of "
        f"the time; accuracy {p.before:.1%}, pruned {p.pruned:.1%}, retrained {p.retraining[-1]:.1%}",
        "few bits   " + ", ".join(f"{rule} {accuracy:.1%}" for rule, accuracy in q.final.items()),
        "landscape  " + ", ".join(f"{name} {a:.1%}" for name, a in results["landscapes"].accuracy.items()),
        f"{seconds:.0f} s.  Open {page}",
    ]
    return "\n".join(lines)
