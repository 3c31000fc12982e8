"""For printing: a surface as a closed solid, 100 mm on its longer side, on a base of 5 mm (binary STL).

A solid has no holes in its skin: where cells are left out for want of a finite loss, walls go down to the base, and
the print has a shaft there.
"""

from __future__ import annotations

import numpy as np

from algorithms.landscape.export.relief import Relief
from minidl.types import Array

SIDE, BASE = 100.0, 5.0  # mm


def surface_stl(relief: Relief) -> bytes:
    """Top, bottom and walls, as triangles whose corners run anticlockwise seen from outside."""
    facets = solid(relief).astype("<f4")
    edges = facets[:, 1:] - facets[:, :1]  # (F, 2, 3)
    normals = np.cross(edges[:, 0], edges[:, 1])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    record = np.zeros(len(facets), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])
    record["normal"] = normals / np.where(lengths > 0, lengths, 1)
    record["corners"] = facets
    return b"loss surface, height by the loss".ljust(80) + len(facets).to_bytes(4, "little") + record.tobytes()


def solid(relief: Relief) -> Array:
    """Corners of all triangles in mm: (F, 3, 3)."""
    points = relief.points.reshape(-1, 3)
    scale = SIDE / np.ptp(points[:, :2], axis=0).max()
    top = (points - [*points[:, :2].min(axis=0), 0]) * scale + [0, 0, BASE]
    bottom = top * [1, 1, 0]
    triangles = relief.triangles()
    a, b = _rim(triangles).T
    walls = [np.stack([bottom[a], bottom[b], top[b]], 1), np.stack([bottom[a], top[b], top[a]], 1)]
    return np.concatenate([top[triangles], bottom[triangles[:, ::-1]], *walls])


def _rim(triangles: Array) -> Array:
    """Edges (E, 2) that only one triangle has, in its direction."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    key = edges[:, 0] * (triangles.max(initial=0) + 1) + edges[:, 1]
    back = edges[:, 1] * (triangles.max(initial=0) + 1) + edges[:, 0]
    return np.asarray(edges[~np.isin(key, back)])
