"""The toy problem: BinaryConnect settles on the two values beside the global minimum, stochastic rounding never."""

import numpy as np
import pytest

from algorithms.quantization.markov import limit_law, stationary_law, transition_matrix
from algorithms.quantization.toy import SIGMA, SPACING, histograms, loss, make_grid, paths, slope
from minidl.kernels.backend import numba_available, use


@pytest.fixture(scope="module")
def shares():
    return histograms(steps=300_000)


def spread(law, grid):
    return np.sqrt(law @ (grid - law @ grid) ** 2)


def test_the_loss_has_the_three_minima_and_its_slope_is_its_derivative():
    w = np.linspace(-3, 7, 2001)
    assert w[loss(w).argmin()] == pytest.approx(4.75)
    inner = (np.abs(w - 1) > 1e-3) & (np.abs(w - 3.5) > 1e-3)
    h = 1e-5
    np.testing.assert_allclose(((loss(w + h) - loss(w - h)) / (2 * h))[inner], slope(w)[inner], atol=1e-8)


def test_bc_concentrates_on_two_values_as_the_rate_falls(shares):
    law = shares.bc[-1]
    assert law[np.isin(shares.grid, [4.5, 5.0])].sum() > 0.99  # all but the walk from 4.0 to there
    assert spread(law, shares.grid) == pytest.approx(0.25, abs=0.02)
    assert law @ loss(shares.grid) == pytest.approx(0.2525, abs=0.01)
    spreads = [spread(row, shares.grid) for row in shares.bc]
    assert spreads[0] > spreads[1] > spreads[2]


def test_sr_stays_as_wide_as_its_limit_law(shares):
    width = spread(shares.limit, shares.grid)
    assert width == pytest.approx(0.77, abs=0.01)
    for row in shares.sr[1:]:
        assert spread(row, shares.grid) > 0.8 * width
    assert spread(shares.sr[2], shares.grid) > 2.5 * spread(shares.bc[2], shares.grid)


@pytest.mark.parametrize(
    ("rate", "deepest", "deviation", "mean_loss"),
    [(1.0, 0.455, 3.57, 5.14), (0.1, 0.933, 0.84, 0.569), (None, 0.949, 0.77, 0.527)],
)
def test_the_exact_laws_are_those_of_the_table(rate, deepest, deviation, mean_loss):
    """Its walks have 150,000 steps, at rate 0.1 as good as 3,750 independent ones: hence the tolerances."""
    grid = make_grid()
    matrix = None if rate is None else transition_matrix(slope(grid), SIGMA, rate, SPACING)
    law = limit_law(slope(grid), SIGMA) if matrix is None else stationary_law(matrix)
    assert law[grid >= 3.5].sum() == pytest.approx(deepest, abs=6 * np.sqrt(0.06 / 3750))
    assert spread(law, grid) == pytest.approx(deviation, abs=0.06)
    assert law @ loss(grid) == pytest.approx(mean_loss, abs=0.06)


def test_a_long_walk_has_the_stationary_law_of_the_exact_chain(shares):
    """At rate 0.1 the chain forgets in about 40 steps, so 300,000 are as good as 7,500 independent draws."""
    exact = stationary_law(transition_matrix(slope(shares.grid), SIGMA, 0.1, SPACING))
    assert np.abs(shares.sr[1] - exact).max() < 6 * 0.5 / np.sqrt(7_500)
    np.testing.assert_allclose(shares.limit, limit_law(slope(shares.grid), SIGMA))


@pytest.mark.skipif(not numba_available(), reason="compares with compiled walks")
def test_walks_are_the_same_bits_compiled_or_not():
    walks = []
    for backend in ("numpy", "numba"):
        with use(backend=backend):
            walks.append(paths(0.1, 2_000, seed=3))
    for rule in ("sr", "bc", "latent"):
        np.testing.assert_array_equal(getattr(walks[0], rule), getattr(walks[1], rule))


def test_paths_stay_on_the_grid_and_start_beside_the_start():
    walk = paths(0.01, 1_000, start=4.0)
    assert set(walk.sr) <= set(make_grid())
    assert abs(walk.sr[0] - 4.0) <= 0.5
    np.testing.assert_array_equal(walk.bc, np.floor(walk.latent / SPACING + 0.5) * SPACING)
