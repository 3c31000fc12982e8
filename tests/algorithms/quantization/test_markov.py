"""The chain of stochastic rounding: exact against simulation, its stationary law, and what a falling rate does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.quantization import FixedPoint
from algorithms.quantization.markov import (
    limit_law,
    mean_excess,
    mixing_time,
    spectral_gap,
    stationary_law,
    transition_matrix,
)
from algorithms.quantization.toy import SIGMA, SPACING, make_grid, slope

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(1e-6, 1.0)


def slopes(seed, states=9):
    return np.random.default_rng(seed).normal(0, 2, states)


@given(seeds, rates, st.floats(0.2, 3))
def test_rows_are_laws_with_the_mean_of_the_step(seed, rate, spacing):
    m = slopes(seed, 15)
    matrix = transition_matrix(m, 1.0, rate, spacing)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    middle = 7
    if 7 * spacing > rate * (abs(m[middle]) + 8):  # the ends are out of reach
        mean = matrix[middle] @ (np.arange(15) - middle) * spacing
        np.testing.assert_allclose(mean, -rate * m[middle], atol=1e-12)


def test_transitions_are_those_of_the_library_s_rounding():
    """A row against 200,000 steps from its state, rounded by `FixedPoint`: 6 standard errors at most."""
    n, rng = 200_000, np.random.default_rng(0)
    format = FixedPoint(word=4, fraction=1)  # -4 … 3.5
    m = slopes(1, 16)
    matrix = transition_matrix(m, 2.0, 0.3, 0.5)
    for state in (0, 6, 15):
        w = format.grid[state] - 0.3 * (m[state] + 2.0 * rng.standard_normal(n))
        codes = format.encode_stochastic(w, np.array([1, state], np.uint32)).codes - format.lowest
        seen = np.bincount(codes.ravel(), minlength=16) / n
        error = np.sqrt(matrix[state] * (1 - matrix[state]) / n)
        assert (np.abs(seen - matrix[state]) <= 6 * error + 1e-5).all()


@given(seeds, st.floats(1e-5, 1e-3))
def test_leaving_is_linear_in_the_rate_and_its_direction_does_not_depend_on_it(seed, rate):
    m = slopes(seed)
    one, tenth = (transition_matrix(m, 1.0, r, 1.0)[4] for r in (rate, rate / 10))
    up, down = mean_excess(-m, 1.0)[4], mean_excess(m, 1.0)[4]
    np.testing.assert_allclose([one[5], one[3]], [rate * up, rate * down], rtol=1e-6)
    np.testing.assert_allclose((1 - one[4]) / (1 - tenth[4]), 10, rtol=1e-6)
    directions = [row[5:].sum() / (row.sum() - row[4]) for row in (one, tenth)]
    np.testing.assert_allclose(directions, up / (up + down), rtol=1e-6)


@given(seeds, rates)
def test_the_stationary_law_is_stationary(seed, rate):
    matrix = transition_matrix(slopes(seed), 1.0, rate, 1.0)
    law = stationary_law(matrix)
    assert (law > 0).all()
    np.testing.assert_allclose(law.sum(), 1)
    np.testing.assert_allclose(law @ matrix, law, atol=1e-14)


def test_elimination_agrees_with_eigenvectors():
    matrix = np.random.default_rng(0).dirichlet(np.ones(6), size=6)
    values, vectors = np.linalg.eig(matrix.T)
    vector = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(stationary_law(matrix), vector / vector.sum(), rtol=1e-10)


def test_on_the_toy_problem_the_law_tends_to_the_limit_in_total_variation():
    m = slope(make_grid())
    limit = limit_law(m, SIGMA)
    far = [np.abs(stationary_law(transition_matrix(m, SIGMA, r, SPACING)) - limit).sum() / 2 for r in (1, 0.1, 0.01)]
    assert far[0] > 10 * far[1] > 100 * far[2]
    assert far[2] < 1e-10
    near = (make_grid() > -2) & (make_grid() < 7)  # far out the law falls below the smallest float
    assert (limit[near] > 1e-7).all()  # not concentrated on minimisers


def test_the_spectral_gap_is_proportional_to_the_rate():
    m = slope(make_grid())
    gaps = [spectral_gap(transition_matrix(m, SIGMA, rate, SPACING)) for rate in (1e-2, 1e-3, 1e-4)]
    np.testing.assert_allclose(np.divide(gaps[:-1], gaps[1:]), 10, rtol=1e-6)


@given(seeds, st.sampled_from([0.3, 0.1, 0.02]))
def test_the_mixing_time_is_the_first_moment_that_has_mixed(seed, epsilon):
    """Against laws stepped forward one by one."""
    matrix = np.random.default_rng(seed).random((5, 5)) ** 4
    matrix = 0.9 * np.eye(5) + 0.1 * matrix / matrix.sum(axis=1, keepdims=True)
    law, stepped, steps = stationary_law(matrix), np.eye(5), 0
    while np.abs(stepped - law).sum(axis=1).max() / 2 > epsilon:
        stepped, steps = stepped @ matrix, steps + 1
    assert mixing_time(matrix, epsilon) == max(steps, 1)


def test_the_mixing_time_grows_as_one_over_the_rate():
    """Section 4.4: α times the steps tends to a constant, at a thousandth of the rate as at a tenth."""
    grid = make_grid()[36:55]  # -2 to 7
    rates = np.array([0.1, 0.01, 0.001])
    times = np.array([mixing_time(transition_matrix(slope(grid), SIGMA, rate, SPACING)) for rate in rates])
    assert (times[1:] > 5 * times[:-1]).all()
    np.testing.assert_allclose((times * rates)[1], (times * rates)[2], rtol=0.05)


def test_mistakes_get_one_clear_sentence():
    with pytest.raises(ValueError, match="sigma=0"):
        transition_matrix(np.zeros(3), 0, 0.1, 1)
    with pytest.raises(ValueError, match="state 2"):
        stationary_law(np.eye(3))
