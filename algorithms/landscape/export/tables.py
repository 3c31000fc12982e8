"""A surface or a path as a table: CSV with a row for every node or epoch, or one JSON object.

Numbers are written with as many digits as bring the same bits back; what is not finite is `nan` or `inf` in CSV, where
NumPy, pandas and R understand it, and null in JSON, which has no word for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from algorithms.landscape.export.track import Track
from algorithms.landscape.surface import Surface
from minidl.types import Array

COLUMNS = ("loss", "accuracy", "std_error", "difference_error", "count", "measured")


def surface_csv(surface: Surface) -> bytes:
    """One row for every node, x fastest; the column y is left out for a line."""
    values = {name: np.ravel(getattr(surface, name)) for name in COLUMNS}
    if surface.ys is None:
        return _csv({"x": surface.xs, **values})
    x, y = (axis.ravel() for axis in np.meshgrid(surface.xs, surface.ys))
    return _csv({"x": x, "y": y, **values})


def surface_json(surface: Surface) -> bytes:
    """Coordinates `x` and `y`, values as rows along x, and how it was made."""
    arrays = {"x": surface.xs, "y": surface.ys} | {name: getattr(surface, name) for name in COLUMNS}
    lists = {name: _plain(array) for name, array in arrays.items() if array is not None}
    return _json(lists | {"about": surface.about})


def path_csv(track: Track) -> bytes:
    """One row for every epoch."""
    return _csv(track.columns())


def path_json(track: Track) -> bytes:
    """One list for every column of the table."""
    return _json({name: _plain(values) for name, values in track.columns().items()})


def _csv(columns: Mapping[str, Array]) -> bytes:
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(str(int(v) if isinstance(v, bool) else v) for v in row) for row in rows)]
    return ("\n".join(lines) + "\n").encode("ascii")


def _plain(values: Array) -> Any:
    """Lists, with null for what is not finite."""
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()


def _json(data: Any) -> bytes:
    return json.dumps(data, allow_nan=False).encode() + b"\n"
