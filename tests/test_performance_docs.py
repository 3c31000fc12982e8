"""The code on the page about fast convolution runs as it stands, and says what the kernels do."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "performance" / "ideas.md"


@pytest.fixture(scope="module")
def names():
    """What the page's blocks of code leave behind, run one after the other."""
    return runpy.run_path(str(PAGE.with_name("figures.py")))["run_page"]()


def test_the_page_runs_and_its_convolutions_agree(names):
    assert np.allclose(names["fast"], names["y"])


def test_the_pages_matrices_are_the_kernels(names):
    pytest.importorskip("numba")
    from minidl.kernels import winograd_1d

    transforms = {"B": "input_1d", "G": "filter_1d", "A": "output_1d"}
    for letter, name in transforms.items():
        matrix = names[letter].astype(float)
        matrix = matrix if letter == "G" else matrix.T
        columns = [getattr(winograd_1d, name).py_func(tuple(unit)) for unit in np.eye(matrix.shape[1])]
        assert np.allclose(np.transpose(columns), matrix)


def test_links_point_at_files_and_headings():
    for page in PAGE.parent.glob("*.md"):
        for link, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
            target = (page.parent / link) if link else page
            assert target.exists(), f"{page.name}: {link}"
            if heading:
                titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                assert heading in [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles]
