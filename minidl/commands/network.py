"""What commands on a trained network share: the network of a run or a checkpoint, images, progress."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.commands.folder import make_folder

if TYPE_CHECKING:
    from minidl.data import Dataset
    from minidl.nn import Module

MAX_AXIS = 10_001  # nodes; a mistyped count must not fill the memory


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the options for which network, and where its images come from."""
    parser.add_argument("target", type=Path, help="a run's folder (`minidl train --run`) or a checkpoint (.npz)")
    parser.add_argument("--dataset", help="see `minidl data list` (default: what the run was trained on)")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where the dataset's files lie (default: MINIDL_DATA, else a cache)"
    )


def add_network(parser: argparse.ArgumentParser, images: int) -> None:
    """Add the options for which network, which images, and where results go."""
    add_target(parser)
    parser.add_argument(
        "--split", choices=["train", "test"], default="train", help="(default: %(default)s, as the paper)"
    )
    parser.add_argument(
        "--images", type=int, default=images, metavar="N", help="the first N of them (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: beside the network)")


def network(args: argparse.Namespace) -> Module:
    """Load the network."""
    return load_network(args.target)


def load_network(target: Path) -> Module:
    """Load the network of a run's folder, or of a file."""
    from minidl import load

    if not target.exists():
        raise ValueError(
            f"found no {target}, expected a run's folder or a checkpoint: train one with `minidl train --run`"
        )
    return load(target / "checkpoint.npz" if target.is_dir() else target)


def config_of(target: Path) -> dict[str, Any]:
    """Read what the run that `target` belongs to was trained on and how; nothing if it belongs to none."""
    for folder in (target, target.parent, target.parent.parent):  # a run, a file in it, a file of its trajectory
        path = folder / "config.json"
        if path.is_file():
            try:
                config: dict[str, Any] = json.loads(path.read_text())
                return config if isinstance(config.get("dataset"), dict) else {}
            except (ValueError, AttributeError):
                raise ValueError(f"{path} is no config of a run, expected one that minidl train wrote") from None
    return {}


def images(args: argparse.Namespace) -> Dataset:
    """Load the images, those that the run was trained on unless told otherwise."""
    from minidl.data import load

    name = args.dataset or _trained_on(args.target)
    dataset = load(name, args.split, root=args.data_dir)
    return dataset.subset(min(args.images, len(dataset)))


def out_folder(args: argparse.Namespace, name: str) -> Path:
    """Make the folder for results."""
    beside = args.target if args.target.is_dir() else args.target.parent
    return make_folder(args.out or beside / name, "results")


def keep(folder: Path, name: str, data: Any) -> None:
    """Write the numbers beside the pictures, as JSON."""
    from minidl.checkpoint import replacing

    with replacing(folder / f"{name}.json") as file:
        file.write(json.dumps(data, indent=1).encode() + b"\n")


def _trained_on(target: Path) -> str:
    if config := config_of(target):
        return str(config["dataset"]["name"])
    raise ValueError(f"{target} is not part of a run, so its images are not known: name them with --dataset")


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time left on stderr, where that is a terminal; the block tells it the share that is done."""
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f}% {bar} {elapsed}, {remaining} left"
    with tqdm(total=1.0, desc=what, bar_format=form, file=sys.stderr, disable=None) as bar:

        def tell(done: float) -> None:
            if done < bar.n:
                bar.reset()  # a new pass: of a finer grid, or of more images
            bar.update(done - bar.n)

        yield tell


def parse_time(text: str) -> float:
    """Read '120', '120s', '2m' or '1h' as seconds."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a time such as 120s, 2m or 1h") from None


def parse_axis(text: str) -> Any:
    """Read 'MIN:MAX:COUNT' as that many evenly spaced numbers, the original's notation; 'auto' stays as it is."""
    import numpy as np

    if text == "auto":
        return text
    try:
        low, high, count = (read(part) for read, part in zip((float, float, int), text.split(":"), strict=True))
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected MIN:MAX:COUNT such as -1:1:25, or auto") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high and 2 <= count <= MAX_AXIS):
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a finite MIN below a finite MAX and a COUNT from 2 to {MAX_AXIS:,}"
        )
    return np.linspace(low, high, int(count))
