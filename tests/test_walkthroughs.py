"""Every walkthrough runs as a student would run it, and draws its figures; every link in docs points at a file."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WALKTHROUGHS = sorted((ROOT / "docs" / "walkthroughs").glob("[0-9]*.py"))


@pytest.mark.parametrize("path", WALKTHROUGHS, ids=lambda path: path.stem)
def test_walkthrough_runs_and_draws(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDL_FIGURES", str(tmp_path))
    runpy.run_path(str(path), run_name="__main__")
    drawn = re.findall(r'figures / "([^"]+)"', path.read_text())
    assert drawn
    assert sorted(drawn) == sorted(file.name for file in tmp_path.iterdir())


@pytest.mark.parametrize("path", WALKTHROUGHS, ids=lambda path: path.stem)
def test_walkthrough_is_short_and_ends_with_exercises(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 150
    assert "# Try this" in lines


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_links_point_at_files(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
