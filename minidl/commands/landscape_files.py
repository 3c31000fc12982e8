"""Files that `landscape` and `trajectory` make of a plane when asked: an interactive page, exports, an animation.

All of them also take surfaces that were stored before, so models are compared without being measured again.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from algorithms.landscape import Surface
    from visual.viewer import Sheet, Walk

ABOUT = ("network", "dataset", "split", "images", "bn", "norm", "seed", "cosine")  # what the page tells of a surface


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options for files; `check_files` must see their values before anything is measured."""
    group = parser.add_argument_group("files of a plane")
    group.add_argument("--html", type=Path, metavar="PAGE.html", help="an interactive page: turn it, read it, compare")
    group.add_argument(
        "--export",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the surface as .npz, .csv, .json, .vtk, .vtp, .ply or .stl; may be given several times",
    )
    group.add_argument("--animate", type=Path, metavar="OUT.gif", help="a moving picture")
    group.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="PLANE.npz",
        help="stored surfaces, to go beside this one into the page, or after it into the moving picture",
    )


def wanted(args: argparse.Namespace) -> bool:
    """Whether a file is asked for."""
    return bool(args.html or args.export or args.animate)


def check_files(args: argparse.Namespace) -> None:
    """Raise ValueError, before anything is measured, for a suffix that cannot be written or a surface that is none."""
    from algorithms.landscape.export import SURFACES, suffix_of

    for path in args.export:
        suffix_of(path, SURFACES)
    for path, suffix, option in ((args.html, ".html", "--html"), (args.animate, ".gif", "--animate")):
        if path is not None and path.suffix.lower() != suffix:
            raise ValueError(f"found {option} {path}, expected a name that ends in {suffix}")
    for path in args.beside:
        if not is_surface(path):
            raise ValueError(f"found no surface in {path}, expected a plane.npz that landscape or trajectory stored")
    if args.beside and not (args.html or args.animate):
        raise ValueError("found --beside without --html or --animate, expected one: there is nothing to show it in")


def is_surface(path: Path) -> bool:
    """Whether a file holds a stored surface; raises CheckpointError if it is damaged."""
    import numpy as np

    from minidl.checkpoint import read

    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with np.load(path) as file:  # its list of names only: a checkpoint may be large
            return "xs" in file.files
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        read(path)  # says what is wrong with it
        return False


def make_files(args: argparse.Namespace, surface: Surface) -> list[Path]:
    """Write what is asked for, and return the paths."""
    from algorithms.landscape import Surface as Stored
    from algorithms.landscape.export import export_surface

    made = [export_surface(surface, path, args.cap) for path in args.export]
    if not (args.html or args.animate):
        return made
    others = [(path, Stored.load(path)) for path in args.beside]
    sheets = _named([sheet(surface, str(args.target)), *(sheet(other, str(path)) for path, other in others)])
    if args.html:
        from visual.viewer import write_viewer

        title = " beside ".join(sheet.name for sheet in sheets[:2])
        made.append(write_viewer(args.html, sheets, title=f"Loss landscape of {title}", cap=args.cap))
    if args.animate:
        made.append(_animate(args.animate, sheets, args.cap))
    return made


def _animate(path: Path, sheets: list[Sheet], cap: float) -> Path:
    from visual.animation import animate_path, animate_surfaces
    from visual.scale import shared_scale

    scale = shared_scale(*(sheet.values["loss"] for sheet in sheets), cap=cap)
    if len(sheets) > 1:
        return animate_surfaces(path, sheets, scale=scale)
    if sheets[0].walk is None:
        raise ValueError("found --animate for one surface, expected a path (minidl trajectory) or more with --beside")
    return animate_path(path, sheets[0], scale=scale)


def sheet(surface: Surface, name: str) -> Sheet:
    """Turn a surface into the record that pictures are drawn from; `name` is for one that does not know its network."""
    from visual.viewer import Sheet

    if surface.ys is None:
        raise ValueError(f"found a line in {name}, expected a plane: give --y, or a stored plane.npz")
    about = surface.about
    return Sheet(
        name=_short(str(about.get("network", name))),
        xs=surface.xs,
        ys=surface.ys,
        values=_values(surface),
        measured=surface.measured,
        walk=_walk(about["walk"]) if "walk" in about else None,
        axes=_axes(about.get("explained")),
        about={key: f"{value:.3g}" if isinstance(value, float) else str(value) for key, value in _told(about)},
    )


def _values(surface: Surface) -> dict[str, np.ndarray]:
    """What can be looked at: where most nodes were interpolated, too few have a standard error to be drawn."""
    import numpy as np

    found = {"loss": surface.loss, "accuracy": surface.accuracy}
    known = np.isfinite(surface.std_error)
    return found | ({"std_error": surface.std_error} if known.mean() > 0.5 else {})


def _short(network: str) -> str:
    """Name a run by its folder, also where its checkpoint or its surface was given."""
    path = Path(network)
    name = path.name.removesuffix(".npz")
    return path.parent.name or name if name in ("checkpoint", "plane") else name


def _named(sheets: list[Sheet]) -> list[Sheet]:
    """Number the sheets whose names are not their own: two settings of one network."""
    import dataclasses

    names = [sheet.name for sheet in sheets]
    return [
        dataclasses.replace(sheet, name=f"{sheet.name} ({number})") if names.count(sheet.name) > 1 else sheet
        for number, sheet in enumerate(sheets, 1)
    ]


def _told(about: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, about[key]) for key in ABOUT if key in about]


def _axes(explained: Any) -> tuple[str, str]:
    if explained is None:
        return "first direction", "second direction"
    first, second = (f"component ({100 * share:.0f} % of variance)" for share in explained)
    return f"first {first}", f"second {second}"


def _walk(stored: Mapping[str, Any]) -> Walk:
    from visual.viewer import Walk

    return Walk(**stored)
