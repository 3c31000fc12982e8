"""The figures of the pages on speed: drawn where they are told, from any positive numbers, nothing squeezed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual import fast_convolution, performance
from visual.style import panels

pytestmark = pytest.mark.filterwarnings("error")  # a layout that collapses is only a warning
positive = st.floats(0.01, 100)


def drawn(draw, *args, **options):
    ax = panels()[1][0, 0]
    assert draw(*args, ax=ax, **options) is ax
    ax.figure.canvas.draw()
    return ax


@given(st.dictionaries(st.sampled_from("abcdef"), positive, min_size=1), positive)
def test_ratios(ratios, goal):
    ax = drawn(performance.draw_ratios, ratios, goals=dict.fromkeys(ratios, goal))
    left, right = ax.get_xlim()
    assert all(left < value < right for value in (*ratios.values(), goal))


@given(st.lists(st.tuples(positive, positive, positive), min_size=1, max_size=5))
def test_roofline(layers):
    points = [performance.Point(str(i), x, {"a": 1e9 * y, "b": 1e9 * z}) for i, (x, y, z) in enumerate(layers)]
    ax = drawn(performance.draw_roofline, points, peak=1e11, bandwidth=1e10)
    roof = ax.lines[0]
    assert roof.get_ydata().max() <= 100  # GFLOP/s
    assert (roof.get_ydata() <= 10 * roof.get_xdata() * (1 + 1e-9)).all()


@given(st.lists(positive, min_size=1, max_size=5))
def test_batches(values):
    ax = drawn(performance.draw_batches, [2**i for i in range(len(values))], {"minidl": values})
    assert ax.get_ylim()[0] == 0


@given(st.integers(1, 16), st.integers(1, 32))
def test_tile(pixels, filters):
    ax = drawn(fast_convolution.draw_tile, pixels, filters)
    assert ax.texts[-1].get_text().startswith(str(pixels * filters))


@given(st.dictionaries(st.integers(1, 48), st.integers(1, 10**6), min_size=1))
def test_traffic(misses):
    drawn(fast_convolution.draw_traffic, misses, side=48, size=300)


@pytest.mark.parametrize("size", [8, 12])
def test_patches(size):
    drawn(fast_convolution.draw_patches, size)
