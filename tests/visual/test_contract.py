"""What every figure promises: it draws where it is told, touches nothing global, and survives any array."""

import ast
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import visual
from visual import LayerWidth, Node, Recovery


def values(rng, shape, kind):
    """Positive numbers of `shape`: ordinary, all equal, or riddled with NaN and infinity."""
    array = rng.uniform(0.05, 1, shape)
    if kind == "equal":
        array[...] = 0.5
    if kind == "holes":
        array[rng.random(shape) < 0.4] = np.nan
        array[rng.random(shape) < 0.2] = np.inf
    if kind == "nothing":
        array[...] = np.nan
    return array


# name → draw(ax, rng, sizes (n, m), kind of values)
DRAW = {
    "curves": lambda ax, r, n, m, k: visual.draw_curves(
        {"one": values(r, n, k), "seeds": values(r, (m, n), k)}, ax, drops=[1], references={"chance": 0.1}
    ),
    "recovery": lambda ax, r, n, m, k: visual.draw_recovery({"net": Recovery(0.9, 0.5, values(r, n - 1, k))}, ax),
    "norms": lambda ax, r, n, m, k: visual.draw_filter_norms({f"conv{i}": values(r, n, k) for i in range(m)}, ax),
    "sensitivity": lambda ax, r, n, m, k: visual.draw_sensitivity(
        np.linspace(0, 0.9, n), {f"conv{i}": values(r, n, k) for i in range(m)}, ax, baseline=0.9
    ),
    "widths": lambda ax, r, n, m, k: visual.draw_width_bars([LayerWidth(f"conv{i}", n, n + i) for i in range(m)], ax),
    "kept": lambda ax, r, n, m, k: visual.draw_kept_filters({f"conv{i}": r.random(n) < 0.5 for i in range(m)}, ax),
    "tradeoff": lambda ax, r, n, m, k: visual.draw_tradeoff(
        {f"net{i}": (values(r, n, k), values(r, n, k)) for i in range(m)}, ax, notes={"net0": ["a"] * n}
    ),
    "changed": lambda ax, r, n, m, k: visual.draw_changed_share({"SR": values(r, (m, n), k)}, ax),
    "batch": lambda ax, r, n, m, k: visual.draw_batch_effect(2.0 ** np.arange(n), {"SR": values(r, (m, n), k)}, ax),
    "weights": lambda ax, r, n, m, k: visual.draw_weight_histogram({"epoch 1": values(r, (n, m), k)}, ax),
    "path": lambda ax, r, n, m, k: visual.draw_weight_path(values(r, n, k), ax, latent=values(r, n, k)),
    "line": lambda ax, r, n, m, k: visual.draw_line(
        np.linspace(-1, 1, n), {"a": values(r, (m, n), k)}, ax, accuracy={"a": values(r, n, k)}, marks={"start": 0}
    ),
    "contour": lambda ax, r, n, m, k: visual.draw_contour(np.arange(n), np.arange(m), values(r, (m, n), k), ax),
    "filled": lambda ax, r, n, m, k: visual.draw_filled(np.arange(n), np.arange(m), values(r, (m, n), k), ax),
    "heat": lambda ax, r, n, m, k: visual.draw_heat(np.arange(n), np.arange(m), values(r, (m, n), k), ax),
    "surface": lambda ax, r, n, m, k: visual.draw_surface(np.arange(n), np.arange(m), values(r, (m, n), k), ax),
    "trajectory": lambda ax, r, n, m, k: visual.draw_trajectory(
        values(r, (n, 2), k), ax, explained=[0.6, 0.2], drops=[0, 99]
    ),
    "graph": lambda ax, r, n, m, k: visual.draw_graph(
        [Node(str(i), "1", "2", i > 0) for i in range(n)], [(str(i), str(i + 1)) for i in range(n - 1)], ax
    ),
    "broadcast": lambda ax, r, n, m, k: visual.draw_broadcast(values(r, (n, 1), k), values(r, m, k), ax),
    "convolution": lambda ax, r, n, m, k: visual.draw_convolution(
        values(r, (n, m), k), values(r, (2, 2), k), ax, padding=1
    ),
}
pytestmark = pytest.mark.filterwarnings("error")  # a layout that collapses is only a warning
UNLABELLED = {"graph", "broadcast", "convolution"}  # diagrams: they have no axes to label
NAMED_ROWS = {"widths", "kept"}  # the rows carry the layers' names


def new_axes(name):
    return visual.panels(projection="3d" if name == "surface" else None)[1][0, 0]


@pytest.mark.parametrize("name", DRAW)
@settings(max_examples=8)  # of 20 figures, each laid out and drawn in full
@given(
    n=st.integers(1, 5),
    m=st.integers(1, 4),
    kind=st.sampled_from(["ordinary", "equal", "holes", "nothing"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_array_is_drawn_on_the_given_axes(name, n, m, kind, seed):
    ax = new_axes(name)
    assert DRAW[name](ax, np.random.default_rng(seed), n, m, kind) is ax
    ax.figure.canvas.draw()
    if name not in UNLABELLED:
        assert ax.get_xlabel() and (ax.get_ylabel() or name in NAMED_ROWS)


@pytest.mark.parametrize("name", DRAW)
def test_nothing_global_is_touched(name):
    settings, current = dict(matplotlib.rcParams), plt.figure()
    try:
        ax = DRAW[name](None, np.random.default_rng(0), 4, 3, "ordinary")
        ax.figure.canvas.draw()
        assert plt.gcf() is current and plt.get_fignums() == [current.number] and not current.axes
        assert dict(matplotlib.rcParams) == settings
    finally:
        plt.close(current)


@pytest.mark.parametrize("name", DRAW)
def test_nothing_runs_off_the_page(name):
    ax = DRAW[name](None, np.random.default_rng(3), 4, 3, "ordinary")
    figure = ax.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    page = figure.bbox.padded(2)  # pixels: layout leaves glyph overhangs out of account
    if name != "surface":
        tight = ax.get_tightbbox(renderer)
        assert page.x0 <= tight.x0 and tight.x1 <= page.x1 and page.y0 <= tight.y0 and tight.y1 <= page.y1
    for text in ax.texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text.get_text()


def test_the_package_imports_only_numpy_matplotlib_and_itself():
    allowed = {"numpy", "matplotlib", "visual"}
    for file in Path(visual.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                root = name.split(".")[0]
                assert root in allowed or root in sys.stdlib_module_names, f"{file.name} imports {name}"
                assert name != "matplotlib.pyplot", f"{file.name} imports pyplot, which keeps global state"
