"""The bounds beside measured runs: constants that hold, losses below their bounds, SR's floor and BC's lack of one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.quantization import bounds
from algorithms.quantization.bounds import Constants
from algorithms.quantization.convex import Logistic, Quadratic, excess_loss, nearest_to, round_to

seeds = st.integers(0, 2**32 - 1)


def quadratic(seed, d=4):
    rng = np.random.default_rng(seed)
    return Quadratic(rng.uniform(1, 4, d), rng.uniform(-0.7, 0.7, d), noise=1.0)


def logistic(seed, d=4, n=200):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    return Logistic(x, np.sign(x @ rng.uniform(-1, 1, d) + 0.5 * rng.standard_normal(n)), convexity=0.1)


problems = st.builds(lambda make, seed: make(seed), st.sampled_from([quadratic, logistic]), seeds)


# --- Constants --------------------------------------------------------------------------------------------------------


def true_gradient(problem, w, step=1e-5):
    """Central differences of the loss: w (R, d) -> (R, d)."""
    moves = step * np.eye(w.shape[1])
    return np.stack([problem.loss(w + m) - problem.loss(w - m) for m in moves], axis=1) / (2 * step)


@given(problems, seeds)
def test_the_constants_hold_in_the_box(problem, seed):
    c, rng = problem.constants, np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, 50, c.dimension))
    step = np.linalg.norm(a - b, axis=1)
    turned = true_gradient(problem, a) - true_gradient(problem, b)
    assert (np.linalg.norm(turned, axis=1) <= c.smoothness * step + 1e-6).all()
    assert ((turned * (a - b)).sum(axis=1) >= c.convexity * step**2 - 1e-6).all()
    assert (step <= c.diameter).all()
    corner = np.repeat(rng.choice([-1.0, 1.0], (1, c.dimension)), 20_000, axis=0)
    drawn = problem.gradient(corner, rng)
    squares = (drawn**2).sum(axis=1)
    assert squares.mean() <= c.gradient**2 + 6 * squares.std() / 20_000**0.5
    error = 6 * drawn.std(axis=0) / 20_000**0.5
    assert (np.abs(drawn.mean(axis=0) - true_gradient(problem, corner[:1])[0]) <= error + 1e-6).all()
    assert problem.minimum <= problem.loss(a).min() + 1e-9


@given(seeds)
def test_the_hessian_of_the_logistic_loss_turns_as_slowly_as_claimed(seed):
    problem, rng = logistic(seed), np.random.default_rng(seed)
    w, v = rng.uniform(-1, 1, (50, 4)), rng.standard_normal((50, 4))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    h = 1e-2
    third = sum(k * problem.loss(w + m * h * v) for m, k in ((2, 0.5), (1, -1), (-1, 1), (-2, -0.5))) / h**3
    assert (np.abs(third) <= problem.constants.hessian + 1e-3).all()


# --- Lemma 1 ----------------------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 20), st.sampled_from([0.25, 0.5]), st.floats(1e-3, 2))
def test_the_rounding_error_of_a_step_is_within_the_lemma(seed, d, spacing, rate):
    """Monte Carlo from grid points: E‖r‖² <= √d·Δ·α·G with G² = E‖g‖², 6 standard errors aside."""
    rng = np.random.default_rng(seed)
    runs = 20_000
    start = spacing * rng.integers(-8, 9, (runs, d))
    gradient = rng.standard_normal((runs, d)) * rng.uniform(0, 3, d)
    size = float(np.sqrt((gradient**2).sum(axis=1).mean()))
    moved = start - rate * gradient
    squares = ((round_to(moved, spacing, rng) - moved) ** 2).sum(axis=1)
    bound = bounds.rounding_error(Constants(d, size, 1, 1, 0, 1), spacing, rate)
    assert squares.mean() <= bound + 6 * squares.std() / runs**0.5


def test_the_lemma_is_sharp_for_one_weight_and_small_steps():
    rng, rate = np.random.default_rng(0), 1e-3
    moved = np.full((400_000, 1), -rate)  # from 0, gradient 1
    error = ((round_to(moved, 0.5, rng) - moved) ** 2).mean()
    assert error == pytest.approx(bounds.rounding_error(Constants(1, 1, 1, 1, 0, 1), 0.5, rate), rel=0.1)


# --- Theorems ---------------------------------------------------------------------------------------------------------

T = (300, 3000)


@pytest.mark.parametrize(
    "problem", [quadratic(1), quadratic(2, d=9), logistic(1)], ids=["quadratic", "wide", "logistic"]
)
@pytest.mark.parametrize("spacing", [1 / 4, 1 / 16])
def test_measured_losses_are_within_their_bounds(problem, spacing):
    c = problem.constants
    for rule, bound in (("sr", bounds.sr_strongly_convex), ("bc", bounds.bc_strongly_convex)):
        measured = excess_loss(problem, rule, spacing, T, runs=30).mean(axis=1)
        assert (measured <= [bound(c, spacing, t).total for t in T]).all()
    for rule, bound in (("sr", bounds.sr_convex), ("bc", bounds.bc_convex), ("bc-nearest", bounds.bc_convex)):
        measured = excess_loss(problem, rule, spacing, T, runs=10, rate=lambda t: 0.3 / t**0.5).mean(axis=1)
        assert (measured <= [bound(c, spacing, t, c=0.3).total for t in T]).all()


@pytest.mark.parametrize("problem", [quadratic(1), logistic(1)], ids=["quadratic", "logistic"])
def test_the_floor_of_sr_is_linear_in_the_spacing_and_bc_has_none(problem):
    """Slope 1 on logarithmic axes, to a tenth or so; and ten times the steps bring BC, not SR, nearer."""
    spacings = np.array([1 / 4, 1 / 8, 1 / 16])
    sr = np.array([excess_loss(problem, "sr", s, T, runs=60, seed=1).mean(axis=1) for s in spacings])
    slope = np.polyfit(np.log(spacings), np.log(sr[:, 1]), 1)[0]
    assert 0.8 < slope < 1.25
    bc = np.array([excess_loss(problem, "bc", s, T, runs=60, seed=1).mean(axis=1) for s in spacings])
    assert (bc[:, 1] < bc[:, 0] / 4).all()
    assert (sr[:, 1] > sr[:, 0] / 2).all()
    assert bc[:, 1].max() < 1.3 * bc[:, 1].min()  # whatever the spacing


def test_nearest_rounding_gives_bc_a_floor_on_a_quadratic():
    """Why Corollary 1 is claimed for unbiased rounding alone."""
    problem = Quadratic([1.0, 2.0, 3.0, 1.5], [0.3, -0.4, 0.1, 0.55])
    unbiased, nearest = (excess_loss(problem, rule, 1 / 4, [6000], runs=30).mean() for rule in ("bc", "bc-nearest"))
    assert nearest > 10 * unbiased


@given(problems, st.integers(1, 10**6))
def test_bounds_fall_to_their_floors(problem, steps):
    c = problem.constants
    assert bounds.sr_strongly_convex(c, 0.5, steps).floor == 2 * bounds.sr_strongly_convex(c, 0.25, steps).floor
    assert bounds.bc_strongly_convex(c, 0.5, 1).floor == pytest.approx(4 * bounds.bc_strongly_convex(c, 0.25, 1).floor)
    if isinstance(problem, Quadratic):
        assert bounds.bc_strongly_convex(c, 0.5, steps).floor == 0
    for bound in (bounds.sr_convex, bounds.bc_convex):
        assert bound(c, 0.5, 2 * steps, 1.0).total < bound(c, 0.5, steps, 1.0).total
    rates = 1 / np.sqrt(np.arange(1, min(steps, 1000) + 1))
    assert rates.sum() <= 2 * np.sqrt(len(rates))  # what the safe middle term of theorems 2 and 3 needs


@given(seeds, st.sampled_from([1 / 2, 1 / 8]))
def test_both_roundings_stay_within_a_spacing(seed, spacing):
    rng = np.random.default_rng(seed)
    w = rng.uniform(-1, 1, (50, 3))
    assert (np.abs(round_to(w, spacing, rng) - w) < spacing).all()
    assert (np.abs(nearest_to(w, spacing, rng) - w) <= spacing / 2).all()
    assert (np.abs(round_to(w, spacing, rng)) <= 1).all()
