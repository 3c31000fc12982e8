"""The page's file: it holds every number, needs nothing from elsewhere, stays small, and no text breaks out of it."""

import base64
import json
import re
import tomllib
from fnmatch import fnmatch
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import visual
from visual.viewer import Sheet, Walk, write_viewer
from visual.viewer.metrics import describe
from visual.viewer.page import SCRIPTS

ASSETS = Path(visual.__file__).parent / "viewer" / "assets"


def bowl(rows=5, columns=4, name="net", seed=0, **fields):
    """A sheet with a hole, one value above any cap, and all that a sheet may have."""
    rng = np.random.default_rng(seed)
    loss = rng.lognormal(0, 1, (rows, columns))
    loss[0, 0], loss[-1, -1] = np.nan, 1e6
    values = {"loss": loss, "accuracy": rng.random((rows, columns)), "std_error": loss / 50}
    return Sheet(name, np.linspace(-1, 1, columns), np.linspace(-2, 2, rows), values, **fields)


def data_of(path):
    """The JSON that a browser would see in the page."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 99), st.integers(1, 4))
def test_every_number_is_in_the_page(folder, rows, columns, seed, count):
    rng = np.random.default_rng(seed)
    walk = Walk(rng.normal(size=(4, 2)), loss=[1, 2, np.nan, 4], off_plane=[3, 2, 1, 0], drops=[2])
    sheets = [bowl(rows, columns, f"net {i}", seed + i, walk=walk, about={"seed": str(i)}) for i in range(count)]
    data = data_of(write_viewer(folder / "page.html", sheets, cap=10))
    assert len(data["sheets"]) == count
    for sheet, told in zip(sheets, data["sheets"], strict=True):
        assert told["xs"] == sheet.xs.tolist() and told["name"] == sheet.name and told["about"] == sheet.about
        for key, factor in (("loss", 1), ("accuracy", 100), ("std_error", 1)):
            values = np.frombuffer(base64.b64decode(told["values"][key]), "<f4").reshape(rows, columns)
            np.testing.assert_array_equal(values, (sheet.values[key] * factor).astype(np.float32))
        np.testing.assert_allclose(told["walk"]["path"], walk.path, rtol=1e-6)
        assert told["walk"]["loss"] == [1, 2, None, 4] and told["walk"]["drops"] == [2]


@given(st.text(max_size=30))
def test_no_text_breaks_out(folder, text):
    text = text.replace("\r", " ").replace("\0", " ")  # HTML knows neither
    nasty = f"</script><b>{{{{data}}}}{text}<!--"
    sheets = [bowl(name=nasty, about={"note": nasty})]
    path = write_viewer(folder / "page.html", sheets, title=nasty)
    assert data_of(path)["sheets"][0]["about"]["note"] == nasty
    page = path.read_bytes().decode()
    assert unescape(re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]) == nasty
    assert page.count("</script>") == page.count("<script") == 4


def test_two_large_surfaces_stay_below_300_kb(folder):
    path = write_viewer(folder / "page.html", [bowl(51, 51, seed=i) for i in (0, 1)])
    assert path.stat().st_size < 300_000


def test_nothing_comes_from_elsewhere(folder):
    page = write_viewer(folder / "page.html", [bowl()]).read_text(encoding="utf-8")
    assert "default-src 'none'" in page  # the browser itself refuses any request
    assert not re.search(r"https?:|@import|url\(|\bsrc=|\bhref=|fetch\(|import\(", page)


def test_a_scale_is_shared_capped_and_honest_of_what_lies_beyond():
    sheets = [bowl(seed=0), bowl(seed=1)]
    told = describe("loss", sheets, cap=10.0)
    finite = np.concatenate([s.values["loss"][np.isfinite(s.values["loss"])] for s in sheets])
    assert (told["low"], told["high"], told["log"]) == (finite.min(), 10.0, True)
    assert told["most"] == 100.0 and told["above"]  # the bar ends at ten caps, and says that there is more
    best = max(sheet.values["accuracy"].max() for sheet in sheets)
    assert describe("accuracy", sheets, cap=10.0)["high"] == pytest.approx(100 * best)
    nothing = Sheet("a", [0, 1], [0, 1], {"std_error": np.full((2, 2), np.nan)})
    assert describe("std_error", [nothing], None) is None


def test_mistakes_are_one_clear_line(folder):
    line = Sheet("a line", [0, 1, 2], [0], {"loss": [[1, 2, 3]]})
    turned = Sheet("turned", [0, 1, 2], [0, 1], {"loss": np.ones((3, 2))})
    unknown = Sheet("unknown", [0, 1], [0, 1], {"loss": np.full((2, 2), np.inf)})
    for sheets, says in (
        ([], "got no surface"), ([line], "3 x 1 nodes, expected at least 2 x 2"),
        ([turned], "expected .2, 3."), ([unknown], "no value of the surfaces is finite"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            write_viewer(folder / "never.html", sheets)
    assert not (folder / "never.html").exists()


def test_every_asset_is_used_is_installed_and_says_what_it_is():
    names = {path.name for path in ASSETS.iterdir()}
    assert names == {f"{name}.js" for name in SCRIPTS} | {"page.html", "page.css", "surface.vert", "surface.frag"}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["visual"]
    for path in ASSETS.iterdir():
        assert any(fnmatch(f"viewer/assets/{path.name}", pattern) for pattern in patterns), path.name
        if path.suffix in (".js", ".vert", ".frag"):
            lines = path.read_text(encoding="utf-8").splitlines()
            assert any(line.startswith("// ") for line in lines[:2]), f"{path.name} does not say what it is"
            assert max(map(len, lines)) <= 140 and len(lines) < 200
