"""`minidl reproduce CHAPTER`: a chapter's experiments over several seeds; writes JSON and the figures drawn from it."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import time
from pathlib import Path
from typing import Any

from minidl.commands import Output
from minidl.commands.folder import make_folder
from minidl.commands.milestones import milestones
from minidl.commands.plain import plain

CHAPTERS = ("pruning", "quantized", "landscape")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("chapter", choices=CHAPTERS, help="which experiments")
    parser.add_argument(
        "--scale",
        choices=["cifar10", "mini", "fast"],
        default="mini",
        help="cifar10: the reported results, an hour; mini: the images that ship with minidl, minutes; fast: seconds, "
        "to see that it runs (default: %(default)s)",
    )
    parser.add_argument("--out", default=Path("docs/results"), type=Path, help="for JSON and figures (%(default)s)")
    parser.add_argument(
        "--runs", default=Path("runs/reproduce"), type=Path, help="for checkpoints of its trainings (%(default)s)"
    )
    parser.add_argument("--redraw", action="store_true", help="only draw the figures again, from the JSON in --out")
    parser.epilog = "Interrupted, it goes on where it was when called again; finished trainings are not repeated."


def run(args: argparse.Namespace) -> Output:
    """Compute what is missing, write the record, draw it."""
    name = f"{args.chapter}-{args.scale}"
    file: Path = args.out / f"{name}.json"
    record = _recorded(file) if args.redraw else _compute(args, file)
    figures = importlib.import_module(f"visual.results.{args.chapter}").draw(record, args.out / name)
    written = "\n".join(f"wrote {path}" for path in [file, *figures])
    return Output(f"{record['summary']}\n{written}", record)


def _recorded(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise ValueError(f"--redraw found no {file}, run it once without --redraw")
    record: dict[str, Any] = json.loads(file.read_text())
    return record


def _compute(args: argparse.Namespace, file: Path) -> dict[str, Any]:
    from minidl.checkpoint import replacing
    from minidl.commands.doctor import facts_for_report
    from minidl.kernels.parallel import get_num_threads

    experiment = importlib.import_module(f"algorithms.experiments.{args.chapter}")
    settings = experiment.SETTINGS[args.scale]
    make_folder(args.out, "results")  # before the work that would be lost without it
    runs = make_folder(args.runs / f"{args.chapter}-{args.scale}", "checkpoints")
    start = time.perf_counter()
    with milestones(experiment.milestones(settings)) as advance:
        found = experiment.reproduce(settings, runs, args.seed, advance)
    record: dict[str, Any] = {
        "command": f"minidl reproduce {args.chapter} --scale {args.scale} --seed {args.seed}",
        "summary": experiment.summary(found),
        "settings": plain(dataclasses.asdict(settings)),
        "threads": get_num_threads(),
        "seconds_of_this_call": round(time.perf_counter() - start, 1),
        "facts": facts_for_report(),
        **plain(found),
    }
    with replacing(file) as out:
        out.write(json.dumps(record, indent=1).encode())
    return record
