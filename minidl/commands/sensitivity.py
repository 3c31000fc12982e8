"""`minidl sensitivity RUN`: how much accuracy each layer is worth, layer by layer and ratio by ratio."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.commands import Output
from minidl.commands.folder import make_folder
from minidl.commands.table import table
from minidl.commands.trained import add_options, criterion_of, open_trained

if TYPE_CHECKING:
    from algorithms.pruning import Sensitivity

FINEST = 0.0001  # smallest step of --ratios: a list of far smaller ones would fill the memory


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_options(parser)
    parser.add_argument("--ratios", default="0.1:0.9:0.1", help="a,b,c or first:last:step (default: %(default)s)")
    parser.add_argument("--layers", help="names, separated by commas (default: all that may be pruned)")
    parser.add_argument(
        "--stop-below", type=float, default=0.0, metavar="A", help="leave out what comes below accuracy A"
    )
    parser.add_argument(
        "--macs", type=float, metavar="SHARE", help="also suggest ratios that leave this share of the MACs"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="for the CSV file and the figure (default: beside RUN)")
    parser.epilog = (
        "Each layer is pruned alone and not retrained.  The CSV file gets each point at once, so that an interrupted\n"
        "measurement goes on where it was.  The images are those held out of training, never the test images."
    )


def run(args: argparse.Namespace) -> Output:
    """Measure, write, draw."""
    from tqdm import tqdm

    from algorithms.pruning import sensitivity, suggest_ratios
    from minidl.training import evaluate

    trained = open_trained(args)
    folder = make_folder(args.out or trained.folder, "results")
    whole = evaluate(trained.model, trained.held_out)
    layers = args.layers.split(",") if args.layers else None
    criterion = criterion_of(trained, args.criterion)
    found = sensitivity(
        trained.model, trained.held_out, parse_ratios(args.ratios), layers, criterion, stop_below=args.stop_below,
        file=folder / "sensitivity.csv", seed=args.seed,
    )  # fmt: skip
    points = list(tqdm(found, unit="point", file=sys.stderr, disable=None))
    figure = _draw(points, whole.accuracy, folder)
    data = {"whole": dataclasses.asdict(whole), "points": [dataclasses.asdict(point) for point in points]}
    lines = [_text(points), f"whole network: {whole.accuracy:.2%}", f"written: {folder / 'sensitivity.csv'}, {figure}"]
    if args.macs is not None:
        shape = trained.held_out.images.shape[1:]
        data["suggested"] = ratios = suggest_ratios(trained.model, shape, points, args.macs, criterion)
        lines.append(f"for {args.macs:.0%} of the MACs: --ratios " + ",".join(f"{k}={v:g}" for k, v in ratios.items()))
    return Output("\n".join(lines), data)


def parse_ratios(text: str) -> list[float]:
    """'0.1,0.5' or '0.1:0.9:0.1' as numbers.

    Examples
    --------
    >>> parse_ratios("0.2:0.6:0.2"), parse_ratios("0.5,0.9")
    ([0.2, 0.4, 0.6], [0.5, 0.9])
    """
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        first, last, step = (float(part) for part in text.split(":"))
        if not (0 <= first <= last <= 1 and step >= FINEST):
            raise ValueError
        return [round(first + i * step, 9) for i in range(int((last - first) / step + 1e-9) + 1)]
    except ValueError:
        raise ValueError(
            f"--ratios is {text!r}, expected numbers such as 0.2,0.5, or first:last:step with 0 <= first <= last <= 1 "
            f"and a step of at least {FINEST}"
        ) from None


def _text(points: list[Sensitivity]) -> str:
    ratios = sorted({point.ratio for point in points})
    by = {(point.group, point.ratio): f"{point.accuracy:.1%}" for point in points}
    groups = dict.fromkeys(point.group for point in points)
    rows = [[group, *(by.get((group, ratio), "") for ratio in ratios)] for group in groups]
    return table(["layer", *(f"-{ratio:.0%}" for ratio in ratios)], rows)


def _draw(points: list[Sensitivity], baseline: float, folder: Path) -> Path:
    from visual.pruning import draw_sensitivity
    from visual.style import save

    ratios = sorted({point.ratio for point in points})
    by = {(point.group, point.ratio): point.accuracy for point in points}
    groups = dict.fromkeys(point.group for point in points)
    curves = {group: [by.get((group, ratio), float("nan")) for ratio in ratios] for group in groups}
    ax = draw_sensitivity(ratios, curves, baseline=baseline)
    ax.set_ylabel("accuracy on held-out images (%)")
    return save(ax.figure, folder / "sensitivity.png")
