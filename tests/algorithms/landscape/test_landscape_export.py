"""Every format is read back, by a reader that knows nothing of the writer, and holds what the surface holds."""

import base64
import io
import json
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.landscape.export import MESHES, TABLES, Track, export_path, export_surface
from algorithms.landscape.export.relief import Relief
from algorithms.landscape.export.stl import BASE, SIDE
from algorithms.landscape.surface import Surface


@st.composite
def surfaces(draw):
    """Planes of 2 to 6 nodes each way at uneven coordinates, some with nodes that are not finite."""
    rows, columns = draw(st.tuples(st.integers(2, 6), st.integers(2, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = rows, columns
    loss = rng.lognormal(0, 2, shape)
    loss[rng.random(shape) < draw(st.sampled_from([0, 0.2]))] = draw(st.sampled_from([np.nan, np.inf]))
    loss[0, :2] = loss[1, :2] = 0.5, 4.0  # one cell is always known
    axes = [np.cumsum(rng.uniform(0.1, 1, n)) - 1 for n in (columns, rows)]
    others = [rng.random(shape) for _ in range(3)]
    return Surface(*axes, loss, *others, np.full(shape, 100), rng.random(shape) < 0.7, {"seed": 3, "bn": "frozen"})


def export(surface, suffix, folder, **how):
    return export_surface(surface, folder / f"surface{suffix}", **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@given(surfaces())
def test_csv_brings_back_the_same_bits(folder, surface):
    table = np.genfromtxt(export(surface, ".csv", folder), delimiter=",", names=True)
    assert np.array_equal(np.unique(table["x"]), surface.xs) and np.array_equal(np.unique(table["y"]), surface.ys)
    for name in ("loss", "accuracy", "std_error", "difference_error", "count", "measured"):
        assert np.array_equal(table[name].reshape(surface.loss.shape), getattr(surface, name), equal_nan=True)


@given(surfaces())
def test_json_brings_back_the_same_bits_with_null_for_what_is_not_finite(folder, surface):
    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(export(surface, ".json", folder).read_text(), parse_constant=no_constant)
    loss = np.array(found["loss"], np.float64)
    assert np.array_equal(loss, np.where(np.isfinite(surface.loss), surface.loss, np.nan), equal_nan=True)
    assert found["x"] == surface.xs.tolist() and found["about"] == surface.about


@given(surfaces())
def test_npz_is_what_surface_load_reads(folder, surface):
    back = Surface.load(export(surface, ".npz", folder))
    assert np.array_equal(back.loss, surface.loss, equal_nan=True) and back.about == surface.about


def read_vtk(data):
    """A reader of legacy VTK: points (Y, X, 3) and name → (Y, X)."""
    file = io.BytesIO(data)
    assert file.readline().startswith(b"# vtk DataFile Version") and file.readline() and file.readline() == b"BINARY\n"
    assert file.readline() == b"DATASET STRUCTURED_GRID\n"
    columns, rows, depth = (int(word) for word in file.readline().split()[1:])
    assert depth == 1
    word, count, kind = file.readline().split()
    assert (word, int(count), kind) == (b"POINTS", rows * columns, b"double")
    points = np.frombuffer(file.read(24 * rows * columns), ">f8").reshape(rows, columns, 3)
    assert file.readline() == b"\n" and file.readline().split() == [b"POINT_DATA", count]
    values = {}
    while line := file.readline():
        scalars, name, kind, parts = line.split()
        assert (scalars, kind, parts) == (b"SCALARS", b"double", b"1")
        assert file.readline() == b"LOOKUP_TABLE default\n"
        values[name.decode()] = np.frombuffer(file.read(8 * rows * columns), ">f8").reshape(rows, columns)
        assert file.readline() == b"\n"
    return points, values


def read_vtp(data):
    """A reader of VTK's polygons: points (N, 3), cells as lists of nodes, name → values."""
    root = ElementTree.fromstring(data)
    assert root.attrib["type"] == "PolyData" and root.attrib["header_type"] == "UInt64"

    def array(element):
        raw = base64.b64decode(element.text)
        assert int.from_bytes(raw[:8], "little") == len(raw) - 8
        return np.frombuffer(raw[8:], {"Float64": "<f8", "Int64": "<i8"}[element.attrib["type"]])

    piece = root.find("PolyData/Piece")
    points = array(piece.find("Points/DataArray")).reshape(-1, 3)
    assert len(points) == int(piece.attrib["NumberOfPoints"])
    kind = "Polys" if int(piece.attrib["NumberOfPolys"]) else "Lines"
    nodes, ends = (array(piece.find(f"{kind}/DataArray[@Name='{name}']")) for name in ("connectivity", "offsets"))
    assert len(ends) == int(piece.attrib[f"NumberOf{kind}"])
    values = {element.attrib["Name"]: array(element) for element in piece.findall("PointData/DataArray")}
    return points, [part.tolist() for part in np.split(nodes, ends[:-1])], values


def read_ply(data):
    """A reader of the PLY that three properties and triangles need: points (N, P) and triangles (F, 3)."""
    head, body = data.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = [int(line.split()[2]) for line in lines if line.startswith("element")]
    names = [line.split()[2] for line in lines if line.startswith("property float")]
    size = 4 * len(names) * counts[0]
    points = np.frombuffer(body[:size], "<f4").reshape(counts[0], len(names))
    faces = np.frombuffer(body[size:], [("count", "u1"), ("nodes", "<i4", 3)])
    assert len(faces) == counts[1] and (faces["count"] == 3).all()
    return dict(zip(names, points.T, strict=True)), faces["nodes"]


def read_stl(data):
    """A reader of binary STL: normals (F, 3) and corners (F, 3, 3)."""
    count = int(np.frombuffer(data[80:84], "<u4")[0])
    assert len(data) == 84 + 50 * count and not data.startswith(b"solid")  # such a start means ASCII
    found = np.frombuffer(data[84:], [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])
    return found["normal"], found["corners"]


def known_cells(surface):
    finite = np.isfinite(surface.loss)
    return int((finite[1:, 1:] & finite[1:, :-1] & finite[:-1, 1:] & finite[:-1, :-1]).sum())


@given(surfaces())
def test_vtk_holds_a_grid_with_every_loss(folder, surface):
    points, values = read_vtk(export(surface, ".vtk", folder).read_bytes())
    assert np.array_equal(points[0, :, 0], surface.xs) and np.array_equal(points[:, 0, 1], surface.ys)
    assert np.array_equal(values["loss"], surface.loss, equal_nan=True)
    assert np.isfinite(points).all()  # NaN among the points would leave a viewer nothing to fit into its window


@given(surfaces())
def test_vtp_holds_the_known_cells(folder, surface):
    points, cells, values = read_vtp(export(surface, ".vtp", folder).read_bytes())
    assert np.array_equal(values["loss"], surface.loss.ravel(), equal_nan=True)
    assert len(cells) == known_cells(surface)
    assert np.isfinite(values["loss"][np.ravel(cells)]).all()
    a, b, c = (points[np.array(cells)[:, i], :2] for i in range(3))
    assert (turn(a, b, c) > 0).all()  # anticlockwise from above


def turn(a, b, c):
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


@given(surfaces())
def test_ply_holds_two_triangles_for_every_known_cell(folder, surface):
    points, triangles = read_ply(export(surface, ".ply", folder).read_bytes())
    assert np.array_equal(points["loss"], surface.loss.ravel().astype(np.float32), equal_nan=True)
    assert len(triangles) == 2 * known_cells(surface)
    assert np.isfinite(points["loss"][triangles]).all()


@given(surfaces())
def test_stl_is_a_closed_solid_of_the_volume_under_the_relief(folder, surface):
    _, corners = read_stl(export(surface, ".stl", folder).read_bytes())
    edges = Counter()
    for triangle in corners:
        names = [corner.tobytes() for corner in triangle]
        edges.update(zip(names, [*names[1:], names[0]], strict=True))
    assert all(edges[b, a] == count for (a, b), count in edges.items())  # each edge is walked both ways as often
    assert np.ptp(corners[..., :2], axis=(0, 1)).max() <= SIDE * (1 + 1e-6)
    a, b, c = np.moveaxis(corners.astype(float), 1, 0)
    volume = (a * np.cross(b, c)).sum() / 6
    relief = Relief.of(surface)
    points = relief.points.reshape(-1, 3)[relief.triangles()]  # (F, 3, 3)
    scale = SIDE / max(np.ptp(surface.xs), np.ptp(surface.ys))
    areas = turn(*np.moveaxis(points, 1, 0)) / 2 * scale**2
    expected = (areas * (points[..., 2].mean(axis=1) * scale + BASE)).sum()
    assert volume == pytest.approx(expected, rel=1e-4)  # corners are float32


@given(surfaces(), st.booleans())
def test_heights_follow_the_loss_up_to_the_cap(surface, log):
    relief = Relief.of(surface, cap=3.0, log=log)
    known = np.isfinite(surface.loss)
    heights, loss = relief.points[known][:, 2], surface.loss[known]
    order = np.argsort(loss)
    assert (np.diff(heights[order]) >= 0).all() and heights.min() == 0
    assert np.allclose(heights[loss >= 3], heights.max())


@pytest.mark.parametrize("suffix", MESHES)
def test_a_line_has_no_mesh_but_tables(tmp_path, suffix):
    xs = np.linspace(-1, 1, 5)
    line = Surface(xs, None, xs**2, xs, xs, xs, xs, xs < 2)
    with pytest.raises(ValueError, match="found a line, expected a plane"):
        export(line, suffix, tmp_path)
    assert not list(tmp_path.iterdir())
    for table in (*TABLES, ".npz"):
        export(line, table, tmp_path)
    assert np.array_equal(np.genfromtxt(tmp_path / "surface.csv", delimiter=",", names=True)["loss"], xs**2)


def test_an_unknown_suffix_is_one_line_with_the_known_ones(tmp_path):
    f = np.ones((2, 2))
    surface = Surface(np.arange(2.0), np.arange(2.0), f, f, f, f, f, f > 0)
    with pytest.raises(ValueError, match=r"found suffix '.obj', expected one of .npz, .csv, .json, .vtk, .vtp, .ply"):
        export(surface, ".obj", tmp_path)


def test_a_surface_without_a_finite_loss_has_no_mesh(tmp_path):
    f = np.full((2, 2), np.nan)
    with pytest.raises(ValueError, match="no finite loss"):
        export(Surface(np.arange(2.0), np.arange(2.0), f, f, f, f, f, f > 0), ".vtk", tmp_path)


@given(surfaces(), st.integers(2, 9), st.integers(0, 99))
def test_paths_are_read_back_and_stand_on_the_reliefs_scale(folder, surface, epochs, seed):
    rng = np.random.default_rng(seed)
    path = np.column_stack([rng.choice(surface.xs, epochs), rng.choice(surface.ys, epochs)])
    loss = rng.lognormal(0, 1, epochs)
    loss[0] = np.nan
    heights = Relief.of(surface, cap=3.0).heights
    track = Track(path, loss, loss + 1, rng.random(epochs), heights)
    table = np.genfromtxt(export_path(track, folder / "path.csv"), delimiter=",", names=True)
    assert np.array_equal(table["loss"], loss, equal_nan=True) and table["epoch"].tolist() == list(range(epochs))
    assert json.loads(export_path(track, folder / "path.json").read_text())["loss"][0] is None
    points, (line,), values = read_vtp(export_path(track, folder / "path.vtp").read_bytes())
    assert line == list(range(epochs)) and np.array_equal(points[:, :2], path)
    assert np.allclose(points[1:, 2], heights.of(loss[1:])) and points[0, 2] == 0
    assert np.array_equal(values["off_plane"], track.off_plane)
