"""`--html`, `--export` and `--animate` write what they say, of fresh and of stored surfaces, or refuse in one line."""

import numpy as np
import pytest
from answers import answer, mistake
from PIL import Image

import minidl
from algorithms.landscape import Surface
from minidl import nn
from minidl.training import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of a small network with its trajectory."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 6, rng=0), nn.ReLU(), nn.Linear(6, 10, rng=1))
    data = minidl.data.load("fashion-mnist-mini").subset(100)
    list(train(net, data, run=folder, epochs=3, lr=0.05, seed=0, record_trajectory=True))
    return folder


@pytest.fixture
def stored(tmp_path):
    """Two stored planes, by name."""
    xs, ys = np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)
    found = {}
    for name in ("one", "two"):
        loss = 1 + xs**2 + ys[:, None] ** 2 * len(found)
        others = [np.full(loss.shape, 0.5)] * 4
        found[name] = tmp_path / name / "plane.npz"
        found[name].parent.mkdir()
        Surface(xs, ys, loss, *others, loss > 0, {"network": f"runs/{name}-lr0.1", "images": 50}).save(found[name])
    return found


def test_a_fresh_plane_becomes_a_page_and_files(run, tmp_path, capsys):
    page, table = tmp_path / "page.html", tmp_path / "plane.csv"
    args = "landscape", run, "--images", 20, "--x=-1:1:3", "--y=-1:1:4", "--out", tmp_path / "out"
    said = answer(capsys, *args, "--html", page, "--export", table, "--export", tmp_path / "plane.vtk")
    assert said["files"] == [str(table), str(tmp_path / "plane.vtk"), str(page)]
    assert "Loss landscape of small" in page.read_text(encoding="utf-8")
    loss = np.genfromtxt(table, delimiter=",", names=True)["loss"]
    np.testing.assert_array_equal(loss.reshape(4, 3), said["loss"])


def test_stored_planes_stand_side_by_side_without_being_measured(stored, tmp_path, capsys):
    page, film = tmp_path / "page.html", tmp_path / "film.gif"
    args = "landscape", stored["one"], "--beside", stored["two"], "--html", page, "--animate", film
    assert answer(capsys, *args) == {"files": [str(page), str(film)]}
    assert "Loss landscape of one-lr0.1 beside two-lr0.1" in page.read_text(encoding="utf-8")
    with Image.open(film) as picture:
        assert picture.n_frames == 2
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "page.html", "film.gif"}


def test_a_trajectory_keeps_its_path_with_its_plane(run, tmp_path, capsys):
    out, film, line = tmp_path / "out", tmp_path / "film.gif", tmp_path / "line.vtp"
    args = "trajectory", run, "--images", 20, "--nodes", 5, "--out", out
    said = answer(capsys, *args, "--animate", film, "--export-path", line)
    assert said["files"] == [str(film), str(line)]
    with Image.open(film) as picture:
        assert picture.n_frames == 4  # before training, and after each of three epochs
    walk = Surface.load(out / "plane.npz").about["walk"]
    assert walk["path"] == said["path"] and walk["loss"] == said["loss"]
    page = tmp_path / "later.html"
    answer(capsys, "landscape", out / "plane.npz", "--html", page)
    assert '"epochs":[0,1,2,3]' in page.read_text(encoding="utf-8")


def test_what_cannot_be_made_is_refused_before_anything_is_measured(run, stored, tmp_path, capsys):
    plane = "landscape", run, "--x=-1:1:3", "--y=-1:1:3", "--out", tmp_path / "out"
    for args, says in (
        ((*plane, "--export", "a.obj"), "expected one of .npz, .csv, .json, .vtk, .vtp, .ply, .stl"),
        ((*plane, "--html", "page.pdf"), "ends in .html"),
        ((*plane, "--animate", "film.mp4"), "ends in .gif"),
        ((*plane, "--html", "page.html", "--beside", run / "checkpoint.npz"), "found no surface in"),
        ((*plane, "--beside", stored["one"]), "without --html or --animate"),
        ((*plane, "--animate", "film.gif"), "expected more with --beside, or minidl trajectory"),
        (("landscape", run, "--html", "page.html"), "expected a plane: give --y too"),
        (("landscape", run, "--export", "a.csv"), "give --y or --other"),
        (("landscape", run, "--other", run, "--export", "a.stl"), "for a line, expected a plane"),
        (("landscape", stored["one"], "--animate", "film.gif"), "expected a path (minidl trajectory) or more"),
        (("landscape", stored["one"]), "expected --html, --export or --animate"),
        (("trajectory", run, "--export-path", "a.stl"), "expected one of .csv, .json, .vtp"),
    ):
        assert says in mistake(capsys, *args)
    assert not (tmp_path / "out").exists()


def test_a_damaged_surface_is_one_clear_line(stored, tmp_path, capsys):
    half = tmp_path / "half.npz"
    half.write_bytes(stored["one"].read_bytes()[:500])
    assert str(half) in mistake(capsys, "landscape", half, "--html", tmp_path / "page.html")
