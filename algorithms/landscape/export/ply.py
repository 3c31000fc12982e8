"""For mesh viewers such as Blender and MeshLab: a surface as a binary PLY, its values beside every point.

Cells without a finite loss are left out; their points stay, so that point i is node i of the grid.
"""

from __future__ import annotations

import numpy as np

from algorithms.landscape.export.relief import Relief


def surface_ply(relief: Relief) -> bytes:
    """Triangles over the known cells; values are properties of the points."""
    names = ["x", "y", "z", *relief.values]
    points = relief.points.reshape(-1, 3)
    triangles = relief.triangles()
    header = [
        "ply", "format binary_little_endian 1.0", "comment height shows the loss, cut and scaled; loss is in nats",
        f"element vertex {len(points)}", *(f"property float {name}" for name in names),
        f"element face {len(triangles)}", "property list uchar int vertex_indices", "end_header",
    ]  # fmt: skip
    rows = np.column_stack([points, *(values.ravel() for values in relief.values.values())]).astype("<f4")
    faces = np.empty(len(triangles), [("count", "u1"), ("nodes", "<i4", 3)])
    faces["count"], faces["nodes"] = 3, triangles
    return ("\n".join(header) + "\n").encode("ascii") + rows.tobytes() + faces.tobytes()
