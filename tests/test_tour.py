"""The fast tour, from start to page: everything it promises is there, and the page shows what the records say."""

import json

import pytest

from minidl.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    assert main(["tour", "--fast", "--folder", str(folder)]) == 0
    return folder


def test_results_hold_all_three_chapters(folder):
    record = json.loads((folder / "results.json").read_text())
    p, q, landscapes = (record[name] for name in ("pruning", "quantized", "landscapes"))
    assert p["macs"][1] <= 0.5 * p["macs"][0]
    assert p["parameters"][1] < p["parameters"][0]
    assert all(milliseconds > 0 for milliseconds in p["milliseconds"])
    assert set(q["final"]) == {"float", "bc", "sr", "sr-big", "r"}
    assert q["changed"]["r"][-1] == 0  # nearest rounding with small steps moves no bit
    assert set(landscapes["planes"]) == {"with shortcuts", "without shortcuts"}


def test_page_shows_every_figure_and_needs_no_network(folder):
    page = (folder / "index.html").read_text()
    figures = {file.name for file in folder.glob("*.png")} - {"cover.png"}
    assert len(figures) >= 11
    assert all(f'"{figure}"' in page for figure in figures)
    assert "http" not in page


def test_a_second_tour_starts_anew(folder):
    results = folder / "results.json"
    results.write_text("{}")
    assert main(["tour", "--fast", "--folder", str(folder), "--seed", "1"]) == 0
    assert json.loads(results.read_text())["seed"] == 1
