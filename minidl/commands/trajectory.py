"""`minidl trajectory RUN`: the path that training took, over the loss in the plane in which it moved most.

The run must have kept its epochs (`minidl train --trajectory`).  It also says what the picture hides: how far from the
plane the networks are, and how their losses differ from those below them.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.landscape_files import add_files, check_files, make_files
from minidl.commands.landscape_views import View, axes_around, measure_plane
from minidl.commands.network import add_network, images, keep, load_network, out_folder, parse_time, progress
from minidl.commands.plain import plain
from minidl.commands.table import table

if TYPE_CHECKING:
    from algorithms.landscape import PathLosses, Surface, Trajectory
    from algorithms.landscape.surface import Options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser, images=1000)
    parser.add_argument("--nodes", type=int, default=25, help="of the plane, each way (default: %(default)s)")
    parser.add_argument("--move-1d", action="store_true", help="biases and batch norm belong to the path too")
    parser.add_argument(
        "--bn", choices=["frozen", "recalibrated", "batch"], default="frozen", help="(default: %(default)s)"
    )
    parser.add_argument("--cap", type=float, default=10.0, help="losses above are cut off (default: %(default)s)")
    parser.add_argument("--tolerance", type=float, default=0.05, help="accepted relative error of nodes in between")
    parser.add_argument("--full", action="store_true", help="measure every node, also those that could be interpolated")
    parser.add_argument(
        "--time-budget", type=parse_time, metavar="TIME", help="stop after 120s, 2m, ... with what is known"
    )
    add_files(parser)
    parser.add_argument("--export-path", type=Path, metavar="FILE", help="the path as .csv, .json or .vtp")
    parser.set_defaults(norm="none", exact=False)


def run(args: argparse.Namespace) -> Output:
    """Find the plane, measure it and the path, and draw."""
    from algorithms.landscape import path_losses, trajectory
    from algorithms.landscape.export import PATHS, suffix_of

    check_files(args)
    if args.export_path:
        suffix_of(args.export_path, PATHS)
    files = sorted((args.target / "trajectory").glob("epoch_*.npz"))
    if len(files) < 3:
        raise ValueError(
            f"found {len(files)} networks in {args.target}/trajectory, expected at least 3: train with --trajectory"
        )
    states, model = [load_network(file).state_dict() for file in files], load_network(files[-1])
    dataset, folder = images(args), out_folder(args, "trajectory_plane")
    found = trajectory(states, ignore_1d=not args.move_1d)
    how: Options = {"chunk": 250, "bn": args.bn, "fast": True}
    losses = path_losses(model, dataset, states, found, **how)
    with progress("trajectory") as tell:
        options: Options = {**how, "cap": args.cap, "file": folder / "plane.scan.npz", "budget": args.time_budget}
        options["progress"] = lambda known: tell(known.done)
        view = View(args, model, dataset, folder, options)
        surface = measure_plane(view, found.dx, found.dy, *axes_around(found.path, args.nodes))
    surface = _with_path(args, surface, view, found, losses)
    surface.save(folder / "plane.npz")
    _draw(args, folder, found, surface, losses)
    output = _say(view, found, losses, _files(args, surface, found, losses))
    keep(folder, "trajectory", output.data)
    return output


def _with_path(
    args: argparse.Namespace, surface: Surface, view: View, found: Trajectory, losses: PathLosses
) -> Surface:
    """Let the stored surface know its path, so that pages and animations can be made of it later."""
    walk = {
        "path": found.path.tolist(),
        "loss": plain(losses.true),
        "in_plane": plain(losses.in_plane),
        "off_plane": found.off_plane.tolist(),
        "drops": _rate_drops(args.target),
    }
    about = {**surface.about, **view.about(), "explained": found.explained.tolist(), "walk": walk}
    return dataclasses.replace(surface, about=about)


def _files(args: argparse.Namespace, surface: Surface, found: Trajectory, losses: PathLosses) -> list[str]:
    """Make the files that are asked for."""
    made = make_files(args, surface)
    if args.export_path:
        from algorithms.landscape.export import Track, export_path
        from algorithms.landscape.export.relief import Relief

        heights = Relief.of(surface, args.cap).heights
        track = Track(found.path, losses.true, losses.in_plane, found.off_plane, heights)
        made.append(export_path(track, args.export_path))
    return [str(path) for path in made]


def _draw(args: argparse.Namespace, folder: Path, found: Trajectory, surface: Surface, losses: PathLosses) -> None:
    from visual.curves import draw_curves
    from visual.landscape import draw_contour
    from visual.scale import shared_scale
    from visual.style import save
    from visual.trajectory import draw_trajectory

    ax = draw_contour(surface.xs, surface.ys, surface.loss, scale=shared_scale(surface.loss, cap=args.cap))
    draw_trajectory(found.path, ax, explained=found.explained.tolist(), drops=_rate_drops(args.target))
    save(ax.figure, folder / "trajectory.png")
    curves = {"the network": losses.true, "below it in the plane": losses.in_plane}
    ax = draw_curves(curves, quantity="loss", first=0)
    save(ax.figure, folder / "losses.png")


def _rate_drops(run: Path) -> list[int]:
    """Rows of the path after which the learning rate falls to a half or less at once."""
    from minidl.training import history

    rates = [record.lr for record in history(run)] if (run / "metrics.jsonl").exists() else []
    return [epoch for epoch in range(1, len(rates)) if rates[epoch] <= 0.5 * rates[epoch - 1]]


def _say(view: View, found: Trajectory, losses: PathLosses, files: list[str]) -> Output:
    rows: list[list[Any]] = [
        [epoch, f"{x:.4g}", f"{y:.4g}", f"{off:.4g}", f"{true:.4g}", f"{below:.4g}"]
        for epoch, ((x, y), off, true, below) in enumerate(
            zip(found.path, found.off_plane, losses.true, losses.in_plane, strict=True)
        )
    ]
    shares = [f"{100 * share:.0f} %" for share in (*found.explained, *found.baseline)]
    text = (
        f"{table(['epoch', 'x', 'y', 'off the plane', 'loss', 'loss below it'], rows)}\n\n"
        f"variance explained {shares[0]} and {shares[1]}; a random walk as long has {shares[2]} and {shares[3]}\n"
        f"{view.folder}/trajectory.png, losses.png"
    )
    data = {
        **view.about(),
        "explained": found.explained.tolist(),
        "random_walk": found.baseline.tolist(),
        "path": found.path.tolist(),
        "off_plane": found.off_plane.tolist(),
        "loss": plain(losses.true),
        "loss_in_plane": plain(losses.in_plane),
    }
    return Output("\n".join([text, *files]), data | ({"files": files} if files else {}))
