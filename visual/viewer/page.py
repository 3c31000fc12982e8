"""One interactive page in one file: surfaces in three dimensions that turn, tell their values, and stand side by side.

Leaves out everything from elsewhere: code, look and data are inlined, so the page works from a disk and without a
network.  What happens in the browser is in assets/, one idea per file, joined in the order of `SCRIPTS`.
"""

import base64
import json
import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from visual.files import write_atomic
from visual.style import finite
from visual.viewer.metrics import describe, in_units
from visual.viewer.sheet import Sheet, Walk, check_sheet

SCRIPTS = (
    "read", "scale", "camera", "relief", "mesh", "painter", "axes", "overlay", "walk", "bar", "legend", "pointer",
    "panel", "view", "scrubber", "controls", "about", "selftest", "main",
)  # fmt: skip
MAPS = ("viridis", "cividis")  # both rise evenly in lightness and survive colour blindness


def write_viewer(
    path: str | os.PathLike[str], sheets: Sequence[Sheet], *, title: str = "Loss landscape", cap: float | None = None
) -> Path:
    """Write a self-contained page that shows `sheets`, two at a time on one scale, and return its path.

    Parameters
    ----------
    path : of the page, such as "page.html".
    sheets : one or more; with a path of training, the page has a scrubber over its epochs.
    title : heads the page.
    cap : loss, in nats, above which the picture is first cut flat; the reader can move it.

    Raises ValueError for a sheet that is no grid.

    >>> import tempfile
    >>> sheet = Sheet("a bowl", [-1, 0, 1], [-1, 0, 1], {"loss": [[2, 1, 2], [1, 0, 1], [2, 1, 2]]})
    >>> page = write_viewer(os.path.join(tempfile.mkdtemp(), "page.html"), [sheet])
    >>> "a bowl" in page.read_text(encoding="utf-8")
    True
    """
    if not sheets:
        raise ValueError("write_viewer got no surface, expected at least one")
    for sheet in sheets:
        check_sheet(sheet)
    parts = {
        "title": escape(title),
        "style": _asset("page.css"),
        "vertex": _asset("surface.vert"),
        "fragment": _asset("surface.frag"),
        "script": "\n".join(_asset(f"{name}.js") for name in SCRIPTS),
        "data": _for_html(_data(sheets, cap)),
    }
    # All places at once, so that nothing in a part is taken for another's place.
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))
    return write_atomic(path, page.encode("utf-8"))


def _asset(name: str) -> str:
    return files("visual").joinpath("viewer", "assets", name).read_text(encoding="utf-8")


def _data(sheets: Sequence[Sheet], cap: float | None) -> dict[str, Any]:
    keys = dict.fromkeys(key for sheet in sheets for key in sheet.values)
    metrics = [found for key in keys if (found := describe(key, sheets, cap))]
    if not metrics:
        raise ValueError("no value of the surfaces is finite, expected at least one: there is nothing to draw")
    known = [metric["key"] for metric in metrics]
    return {
        "metrics": metrics,
        "maps": {name: _base64(_colours(name)) for name in MAPS},
        "sheets": [_sheet(sheet, known) for sheet in sheets],
    }


def _sheet(sheet: Sheet, keys: Iterable[str]) -> dict[str, Any]:
    shape = len(sheet.ys), len(sheet.xs)
    measured = np.ones(shape, bool) if sheet.measured is None else np.asarray(sheet.measured)
    nothing = np.full(shape, np.nan)
    return {
        "name": sheet.name,
        "axes": list(sheet.axes),
        "about": dict(sheet.about),
        "xs": [float(x) for x in sheet.xs],
        "ys": [float(y) for y in sheet.ys],
        "values": {key: _base64(in_units(key, sheet.values.get(key, nothing)).astype("<f4")) for key in keys},
        "measured": _base64(measured.astype(np.uint8)),
        "walk": None if sheet.walk is None else _walk(sheet.walk),
    }


def _walk(walk: Walk) -> dict[str, Any]:
    path = finite(walk.path).reshape(-1, 2)
    curves = {key: getattr(walk, key) for key in ("loss", "in_plane", "off_plane")}
    return {
        "path": _numbers(path),
        "epochs": list(range(walk.first, walk.first + len(path))),
        "drops": [int(row) for row in walk.drops],
        **{key: _numbers(values) for key, values in curves.items() if values is not None},
    }


def _numbers(values: Any) -> Any:
    """Lists of float32 accuracy, null for what is not finite: JSON knows no NaN."""
    listed = finite(values).astype(object)
    listed[listed != listed] = None
    return [[_short(v) for v in row] if isinstance(row, list) else _short(row) for row in listed.tolist()]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.7g}")


def _colours(name: str) -> np.ndarray:
    """256 RGB triples of a colour map, (256, 3) of uint8."""
    return np.asarray(np.round(255 * colormaps[name](np.arange(256))[:, :3]), np.uint8)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _for_html(data: dict[str, Any]) -> str:
    """JSON inside a script element: no text in it may look like the element's end."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
