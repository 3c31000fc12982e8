from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from visual.labels import label_ends, spread
from visual.style import panels

positions = st.lists(st.floats(0, 1), min_size=1, max_size=25)


@given(positions, st.floats(0.01, 0.2))
def test_spread_keeps_the_order_and_the_gap(values, gap):
    moved = spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(moved[order]) >= gap - 1e-12)  # rounding of sums of 25 numbers below 6


@given(positions, st.floats(0.01, 0.2), st.integers(0, 2**32 - 1))
def test_spread_moves_least(values, gap, seed):
    """No other admissible arrangement is nearer: the first-order condition of a convex problem, at random rivals."""
    values = np.sort(values)
    moved = spread(values, gap)
    rival = moved[0] - 0.1 + np.cumsum(gap + np.random.default_rng(seed).exponential(0.02, len(values)))
    assert (moved - values) @ (rival - moved) >= -1e-9


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12))
def test_names_do_not_overlap_on_the_page(ys):
    ax = panels()[1][0, 0]
    ax.plot([0] * len(ys), ys, "o")
    label_ends(ax, [(f"name {i}", 0, y, "k") for i, y in enumerate(ys)])
    ax.figure.canvas.draw()
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)  # without the leaders
    for low, high in pairwise(boxes):
        assert high.y0 - low.y0 >= 0.85 * low.height  # line boxes hold space that the letters do not use


def test_a_crowd_at_the_bottom_does_not_move_a_name_at_the_top():
    ax = panels()[1][0, 0]
    ax.set_ylim(0, 1)
    label_ends(ax, [("whole net", 1, 0.95, "k"), *((f"conv{i}", 1, 0.02, "k") for i in range(9))])
    places = [text.xyann[1] for text in ax.texts]
    assert abs(places[0] - 0.95) < 1e-9 and min(places) > -1e-9
    assert len(set(np.diff(sorted(places[1:])).round(9))) == 1  # the crowd stands as close as names may


def test_an_unknown_end_gets_no_name():
    ax = panels()[1][0, 0]
    label_ends(ax, [("lost", 1, np.nan, "k")])
    assert not ax.texts
