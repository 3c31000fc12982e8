"""`minidl landscape RUN`: the loss around a trained network, along a line or over a plane, measured and drawn.

What it finds is kept as it is found, so the same command again goes on where the last one was stopped.  The four
pictures it can make are `landscape_views.py`.  In the place of RUN a stored surface (plane.npz) is understood too: it
is not measured again, only made into files (`landscape_files.py`).
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.commands import Output
from minidl.commands.landscape_files import add_files, check_files, is_surface, make_files, wanted
from minidl.commands.landscape_views import View, between, lines, plane, random, through
from minidl.commands.network import add_network, images, keep, network, out_folder, parse_axis, parse_time, progress

if TYPE_CHECKING:
    from algorithms.landscape.surface import Options
    from minidl.data import Dataset
    from minidl.nn import Module

MODES = ["frozen", "interpolated", "recalibrated", "batch"]
MAX_NODES = 1_000_000  # days of measuring, and arrays that still fit into any memory
NORMS = ["filter", "layer", "weight", "unit-filter", "unit-layer", "none"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options; those of the original scripts are understood where they mean the same."""
    add_network(parser, images=1000)
    parser.add_argument(
        "--x", type=parse_axis, metavar="MIN:MAX:N", help="steps along the first direction, or auto (default: -1 to 1)"
    )
    parser.add_argument(
        "--y", type=parse_axis, metavar="MIN:MAX:N", help="along the second, or auto; without it lines are drawn"
    )
    parser.add_argument("--norm", "--xnorm", choices=NORMS, default="filter", help="(default: %(default)s)")
    parser.add_argument("--move-1d", action="store_true", help="also move biases and batch norm's scale and shift")
    parser.add_argument(
        "--bn", choices=MODES, help="batch norm's statistics (default: frozen; interpolated with --other)"
    )
    parser.add_argument("--directions", type=int, default=5, help="how many random lines (default: %(default)s)")
    parser.add_argument("--other", "--model_file2", type=Path, metavar="RUN", help="a second network: the line to it")
    parser.add_argument(
        "--third", "--model_file3", type=Path, metavar="RUN", help="a third: the plane through all three"
    )
    parser.add_argument(
        "--cap", "--loss_max", type=float, default=10.0, help="losses above are cut off (default: %(default)s)"
    )
    parser.add_argument("--tolerance", type=float, default=0.05, help="accepted relative error of nodes in between")
    parser.add_argument("--full", action="store_true", help="measure every node, also those that could be interpolated")
    parser.add_argument(
        "--exact", action="store_true", help="no shortcuts: the centre is the evaluation's loss to the bit"
    )
    parser.add_argument(
        "--chunk", "--batch_size", type=int, default=250, help="images at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--time-budget", type=parse_time, metavar="TIME", help="stop after 120s, 2m, ... with what is known"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes of one thread each (default: none)")
    parser.add_argument("--check", action="store_true", help="check that the plot can be trusted, instead of making it")
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, instead of doing it")
    add_files(parser)
    parser.epilog = """examples (note the = before a minus):
  minidl landscape runs/first --y=-1:1:25 --time-budget 2m --html first.html
  minidl landscape runs/first/landscape/plane.npz --beside runs/second/landscape/plane.npz --html both.html"""


def run(args: argparse.Namespace) -> Output:
    """Check, estimate, or measure and draw."""
    check_files(args)
    if is_surface(args.target):
        return _stored(args)
    _check_surface(args)
    if (nodes := _nodes(args)) > MAX_NODES:
        raise ValueError(f"landscape got {nodes:,} nodes, expected at most {MAX_NODES:,}: ask for fewer on each axis")
    model, dataset = network(args), images(args)
    if args.check:
        return _check(args, model, dataset)
    if args.dry_run:
        return _dry_run(args, model, dataset)
    folder = out_folder(args, "landscape")
    with contextlib.ExitStack() as stack:
        options = _options(args, folder, stack)
        view = View(args, model, dataset, folder, options)
        make = through if args.third else between if args.other else plane if args.y is not None else lines
        output = make(view)
    keep(folder, make.__name__, output.data)
    return output


def _check_surface(args: argparse.Namespace) -> None:
    """Raise ValueError, before anything is measured, if what is asked for makes no surface for the files."""
    from algorithms.landscape.export import MESHES

    plane = args.y is not None or args.third
    if (args.html or args.animate) and not plane:
        raise ValueError("landscape got --html or --animate for a line, expected a plane: give --y too, or --third")
    if args.export and not (plane or args.other):
        raise ValueError("landscape got --export for several random lines, expected one surface: give --y or --other")
    if not plane and any(path.suffix.lower() in MESHES for path in args.export):
        raise ValueError(f"landscape got --export for a line, expected a plane for {', '.join(MESHES)}: give --y too")
    if args.animate and not args.beside:
        raise ValueError("landscape got --animate for one plane, expected more with --beside, or minidl trajectory")


def _stored(args: argparse.Namespace) -> Output:
    """Make files of a stored surface."""
    from algorithms.landscape import Surface

    if not wanted(args):
        raise ValueError(
            f"{args.target} is a stored surface, expected --html, --export or --animate: what to make of it"
        )
    made = [str(path) for path in make_files(args, Surface.load(args.target))]
    return Output("\n".join(made), {"files": made})


def _options(args: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> Options:
    from algorithms.landscape import workers

    tell = stack.enter_context(progress("landscape"))
    several = args.other is not None
    name = "through" if args.third else "between" if several else "plane" if args.y is not None else "line"
    return {
        "chunk": args.chunk,
        "bn": args.bn or ("interpolated" if several else "frozen"),
        "fast": not args.exact,
        "cap": args.cap if args.y is not None or args.third else None,
        "file": folder / f"{name}.scan.npz",
        "executor": stack.enter_context(workers(args.workers)) if args.workers else None,
        "progress": lambda known: tell(known.done),
        "budget": args.time_budget,
    }


def _check(args: argparse.Namespace, model: Module, dataset: Dataset) -> Output:
    from algorithms.landscape import self_check

    few = dataset.subset(min(250, len(dataset)))
    findings = self_check(model, few, random(args, model, 0), args.bn or "frozen")
    marks = {True: "yes", False: "NO", None: "see"}
    lines = [f"{marks[f.passed]:<4} {f.question}: {f.found}" for f in findings]
    data = [{"question": f.question, "passed": f.passed, "found": f.found} for f in findings]
    return Output("\n".join(lines), data)


def _dry_run(args: argparse.Namespace, model: Module, dataset: Dataset) -> Output:
    import time

    import numpy as np

    from algorithms.landscape.slice import Slice
    from minidl.data import batches
    from minidl.graph import cost, trace

    shape = dataset.images.shape[1:]
    nodes = _nodes(args)
    x, labels = next(batches(dataset, args.chunk, seed=0, epoch=0, shuffle=False))
    moving = Slice(model, [random(args, model, 0)], fast=not args.exact, input_shape=shape)
    moving.losses(np.zeros(1), x, labels)  # compiles
    start = time.perf_counter()
    moving.losses(np.ones(1), x, labels)
    seconds = (time.perf_counter() - start) * nodes * len(dataset) / len(labels) / max(1, args.workers)
    macs = cost(trace(model, input_shape=shape)).macs * nodes * len(dataset)
    text = (
        f"{nodes:,} nodes of {len(dataset):,} images: {macs:.3g} MACs, at most about {seconds:,.0f} s here\n"
        f"the first whole picture comes after {seconds * len(labels) / len(dataset):,.0f} s\n"
        "a plane of many nodes, as its smooth parts are interpolated, and --cap usually take a half to a fourth of it"
    )
    return Output(text, {"nodes": nodes, "images": len(dataset), "macs": macs, "seconds": seconds})


def _nodes(args: argparse.Namespace) -> int:
    """How many points will be measured, at most."""

    def count(given: object, otherwise: int) -> int:
        return otherwise if given is None or isinstance(given, str) else len(given)  # type: ignore[arg-type]

    if args.third:
        return 25 * 25
    if args.other:
        return count(args.x, 401)
    return count(args.x, 25) * count(args.y, 25) if args.y is not None else count(args.x, 51) * args.directions
