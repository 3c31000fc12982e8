"""For ParaView: a surface as a structured grid (.vtk) or as polygons (.vtp), a path as a line (.vtp).

Losses that are not finite stay NaN among the values, which ParaView paints in its NaN colour.  Binary throughout,
since the readers of ASCII stumble over NaN; the older .vtk is big-endian by its definition, .vtp names its order.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from algorithms.landscape.export.relief import Relief
from algorithms.landscape.export.track import Track
from minidl.types import Array


def surface_vtk(relief: Relief) -> bytes:
    """Write the legacy format: a structured grid with the values at its points."""
    rows, columns, _ = relief.points.shape
    parts = [
        b"# vtk DataFile Version 3.0\nloss surface\nBINARY\nDATASET STRUCTURED_GRID\n",
        f"DIMENSIONS {columns} {rows} 1\nPOINTS {rows * columns} double\n".encode(),
        relief.points.astype(">f8").tobytes(),
        f"\nPOINT_DATA {rows * columns}\n".encode(),
    ]
    for name, values in relief.values.items():
        parts += [f"SCALARS {name} double 1\nLOOKUP_TABLE default\n".encode(), values.astype(">f8").tobytes(), b"\n"]
    return b"".join(parts)


def surface_vtp(relief: Relief) -> bytes:
    """One quadrilateral for every cell whose corners are known, with the values at the points."""
    values = {name: array.ravel() for name, array in relief.values.items()}
    return _poly_data(relief.points.reshape(-1, 3), "Polys", relief.corners(), values)


def path_vtp(track: Track) -> bytes:
    """One line through the epochs, each at its own loss."""
    line = np.arange(len(track.path))[None]  # (1, T)
    return _poly_data(track.points(), "Lines", line, track.columns())


def _poly_data(points: Array, kind: str, cells: Array, values: Mapping[str, Array]) -> bytes:
    """Cells (C, N) of N points each."""
    ends = np.cumsum(np.full(len(cells), cells.shape[1]))
    counts = {"Lines": 0, "Polys": 0} | {kind: len(cells)}
    numbers = " ".join(f'NumberOf{name}="{count}"' for name, count in counts.items())
    body = (
        f'<Piece NumberOfPoints="{len(points)}" NumberOfVerts="0" NumberOfStrips="0" {numbers}>\n'
        f"<PointData>\n{''.join(_array(name, array) for name, array in values.items())}</PointData>\n"
        f"<Points>\n{_array('Points', points)}</Points>\n"
        f"<{kind}>\n{_array('connectivity', cells.ravel())}{_array('offsets', ends)}</{kind}>\n"
        "</Piece>"
    )
    kind_of_file = 'type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64"'
    head = f'<?xml version="1.0"?>\n<VTKFile {kind_of_file}>'
    return f"{head}\n<PolyData>\n{body}\n</PolyData>\n</VTKFile>\n".encode()


def _array(name: str, values: Array) -> str:
    """One array in base64, its length in bytes before it."""
    whole = np.issubdtype(values.dtype, np.integer)
    data = values.astype("<i8" if whole else "<f8").tobytes()
    text = base64.b64encode(len(data).to_bytes(8, "little") + data).decode()
    shape = f' NumberOfComponents="{values.shape[1]}"' if values.ndim == 2 else ""
    kind = "Int64" if whole else "Float64"
    return f'<DataArray type="{kind}" Name="{name}"{shape} format="binary">{text}</DataArray>\n'
