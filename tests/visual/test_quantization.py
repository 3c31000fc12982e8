import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual import draw_batch_effect, draw_changed_share, draw_toy_histograms, draw_weight_histogram, panels


@given(st.integers(1, 9), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_toy_rows_show_the_shares_given(levels, rates, with_limit, seed):
    rng = np.random.default_rng(seed)
    bc, sr = rng.dirichlet(np.ones(levels), (2, rates))
    grid, limit = np.arange(levels) / 2, rng.dirichlet(np.ones(levels)) if with_limit else None
    axes = draw_toy_histograms(grid, 10.0 ** -np.arange(rates), bc, sr, limit=limit)
    for row, shares in zip(axes, (bc, sr), strict=True):
        for ax, share in zip(row, shares, strict=True):
            np.testing.assert_allclose([bar.get_height() for bar in ax.patches], 100 * share, rtol=1e-12)
    assert [len(ax.lines) for ax in axes.flat] == [0] * rates + [int(with_limit)] * rates
    assert "BinaryConnect" in axes[0, 0].get_ylabel() and "(%)" in axes[1, 0].get_ylabel()


def test_toy_draws_on_given_axes():
    axes = panels(2, 1)[1]
    assert draw_toy_histograms([0], [1], [[1.0]], [[np.nan]], axes) is axes


def test_the_random_re_draw_line_appears_only_near_the_data():
    def lines(share):
        return len(draw_changed_share({"SR": [0.0, share]}).lines)

    assert lines(0.45) == 2 and lines(0.05) == 1


def test_batch_sizes_are_the_ticks():
    ax = draw_batch_effect([128, 1024], {"SR": [[0.2, 0.1], [0.3, 0.2]]})
    assert ax.get_xticks().tolist() == [128, 1024] and ax.get_ylim()[0] == 0
    assert ax.lines[0].get_ydata() == pytest.approx([25, 15])


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_the_histogram_counts_every_weight_and_those_on_the_bounds(inside, held, seed):
    rng = np.random.default_rng(seed)
    weights = np.concatenate([rng.uniform(-0.9, 0.9, inside), rng.choice([-1.0, 1.0], held), [np.nan]])
    ax = draw_weight_histogram({"w": weights})
    total = inside + held
    assert ax.patches[0].get_data().values.sum() == pytest.approx(100 if total else 0)
    assert ax.texts[0].get_text() == f"w: {100 * held / max(total, 1):.0f} % on the bounds"
