"""Surfaces and paths as files for other programs, the format chosen by the file's suffix.

Tables hold every number as it is; meshes hold a relief to look at, with the numbers beside it.  Reading back is only
for NPZ (`Surface.load`): the other formats are for programs that know nothing of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from algorithms.landscape.export.ply import surface_ply
from algorithms.landscape.export.relief import Relief
from algorithms.landscape.export.stl import surface_stl
from algorithms.landscape.export.tables import path_csv, path_json, surface_csv, surface_json
from algorithms.landscape.export.track import Track
from algorithms.landscape.export.vtk import path_vtp, surface_vtk, surface_vtp
from algorithms.landscape.surface import Surface
from minidl.checkpoint import StrPath, replacing

__all__ = ["MESHES", "PATHS", "SURFACES", "TABLES", "Track", "export_path", "export_surface", "suffix_of"]

TABLES: dict[str, Callable[[Surface], bytes]] = {".csv": surface_csv, ".json": surface_json}
MESHES: dict[str, Callable[[Relief], bytes]] = {
    ".vtk": surface_vtk, ".vtp": surface_vtp, ".ply": surface_ply, ".stl": surface_stl,
}  # fmt: skip
SURFACES = (".npz", *TABLES, *MESHES)
PATHS: dict[str, Callable[[Track], bytes]] = {".csv": path_csv, ".json": path_json, ".vtp": path_vtp}


def export_surface(surface: Surface, path: StrPath, cap: float | None = None, log: bool | None = None) -> Path:
    """Write a surface as .npz, .csv, .json, .vtk, .vtp, .ply or .stl, whole or not at all, and return the path.

    Parameters
    ----------
    cap : loss, in nats, at which a mesh is cut flat; tables are never cut.
    log : heights of a mesh by the logarithm of the loss; by default if it is positive and spans a factor of 20.

    What is not finite stays so in tables (`nan`, in JSON null) and in the values of .vtk and .vtp; .ply and .stl leave
    out its cells.  Raises ValueError for an unknown suffix, and for a mesh of a line.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> xs, ys, f = np.linspace(-1, 1, 3), np.linspace(-1, 1, 2), np.ones((2, 3))
    >>> bowl = Surface(xs, ys, f, f, f, f, f, f > 0)
    >>> export_surface(bowl, Path(tempfile.mkdtemp()) / "bowl.csv").read_text().splitlines()[0]
    'x,y,loss,accuracy,std_error,difference_error,count,measured'
    """
    suffix = suffix_of(path, SURFACES)
    if suffix == ".npz":
        surface.save(path)
        return Path(path)
    data = TABLES[suffix](surface) if suffix in TABLES else MESHES[suffix](Relief.of(surface, cap, log))
    return _write(path, data)


def export_path(track: Track, path: StrPath) -> Path:
    """Write a path over a surface as .csv, .json or .vtp; `track` holds its rows and its place on the relief."""
    return _write(path, PATHS[suffix_of(path, PATHS)](track))


def suffix_of(path: StrPath, known: Iterable[str]) -> str:
    """Return a file's suffix if it is among the known ones.

    Examples
    --------
    >>> suffix_of("plane.VTK", [".vtk"])
    '.vtk'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (known := list(known)):
        raise ValueError(f"cannot export to {path}: found suffix {suffix!r}, expected one of {', '.join(known)}")
    return suffix


def _write(path: StrPath, data: bytes) -> Path:
    with replacing(path) as file:
        file.write(data)
    return Path(path)
