import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, mlp
from strategies import seeds

from algorithms.landscape import plane, random_direction, refined_plane
from algorithms.landscape.refine import FIRST, _halvings, cubic

AXIS = np.linspace(-1, 1, 25)


def problem(seed, net=mlp):
    model = net(seed)
    return model, images(seed, count=8), *(random_direction(model, seed + i) for i in (0, 1))


@given(seeds, st.integers(4, 9), st.integers(1, 20))
def test_a_cubic_is_predicted_exactly_wherever_its_nodes_are(seed, count, wanted):
    rng = np.random.default_rng(seed)
    known, at = np.sort(rng.uniform(-1, 1, count)) + np.arange(count), np.sort(rng.uniform(-1, count, wanted))
    for c in rng.standard_normal((3, 4)):
        values = np.stack([np.polyval(c, known), np.polyval(c[::-1], known)], axis=1)
        expected = np.stack([np.polyval(c, at), np.polyval(c[::-1], at)], axis=1)
        size = max(1.0, abs(values).max(), abs(expected).max())
        np.testing.assert_allclose(cubic(values, known, at), expected, atol=1e-8 * size)


def test_no_cubic_goes_through_what_is_infinite():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.inf, np.inf, np.nan])
    found = cubic(values, np.arange(8.0), np.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]))
    np.testing.assert_allclose(found[:2], [1.5, 2.5])
    assert not np.isfinite(found[3:]).any()


@given(seeds, st.integers(2, 60))
def test_levels_go_from_the_ends_and_the_centre_to_all_nodes(seed, count):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.uniform(-1, rng.uniform(-0.9, 2), count))
    levels = _halvings(values)
    assert {0, int(abs(values).argmin()), count - 1} <= set(levels[0])
    assert np.diff(levels[0]).max() <= FIRST
    np.testing.assert_array_equal(levels[-1], np.arange(count))
    for a, b in itertools.pairwise(levels):
        assert set(a) < set(b) and np.diff(b).max() <= -(-np.diff(a).max() // 2)
    assert _halvings(np.linspace(-1, 1, 25))[0].tolist() == [0, 4, 8, 12, 16, 20, 24]


@given(seeds)
def test_measured_nodes_are_those_of_the_plane_and_others_within_the_tolerance(seed):
    model, data, dx, dy = problem(seed)
    full = plane(model, data, dx, dy, AXIS, AXIS)
    found = refined_plane(model, data, dx, dy, AXIS, AXIS, tolerance=0.05)
    m = found.measured
    for name in ("loss", "accuracy", "std_error", "difference_error", "count"):
        np.testing.assert_array_equal(getattr(found, name)[m], getattr(full, name)[m])
    assert m[::4, ::4].all() and m[12, 12] and not m.all()
    assert np.isnan(found.std_error[~m]).all() and not found.count[~m].any()
    error = abs(np.log(found.loss) - np.log(full.loss))
    assert np.isfinite(found.loss).all() and np.quantile(error, 0.95) < 0.05
    assert error.max() < 0.5  # kinks between the nodes are not seen: no guarantee, but no disaster


def test_no_tolerance_measures_everything():
    model, data, dx, dy = problem(0)
    found = refined_plane(model, data, dx, dy, AXIS, AXIS, tolerance=0.0)
    np.testing.assert_array_equal(found.loss, plane(model, data, dx, dy, AXIS, AXIS).loss)
    assert found.measured.all()


def test_a_smaller_tolerance_measures_more():
    model, data, dx, dy = problem(0, convnet)
    shares = [refined_plane(model, data, dx, dy, AXIS, AXIS, t).measured.mean() for t in (1e-3, 1e-2, 1e-1)]
    assert shares[0] > shares[1] > shares[2]


def test_what_lies_above_the_cap_is_not_refined():
    model, data, dx, dy = problem(0, convnet)
    axis = 20 * AXIS
    how = {"tolerance": 0.02, "chunk": 4}
    free, capped = (refined_plane(model, data, dx, dy, axis, axis, cap=cap, **how) for cap in (None, 5.0))
    full = plane(model, data, dx, dy, axis, axis, chunk=4)
    assert capped.measured.sum() < free.measured.sum()
    clipped = np.minimum(full.loss, 5.0)
    assert np.quantile(abs(np.log(np.minimum(capped.loss, 5.0)) - np.log(clipped)), 0.9) < 0.05


def test_not_a_number_is_measured_around_and_never_filled_in():
    model, data, dx, dy = problem(0)
    axis = np.linspace(-1e38, 3e38, 25)  # overflows far out
    full = plane(model, data, dx, dy, axis, axis)
    found = refined_plane(model, data, dx, dy, axis, axis, tolerance=1e9)
    assert np.isnan(full.loss).any()
    np.testing.assert_array_equal(np.isnan(found.loss), np.isnan(full.loss))


def test_levels_share_a_file(tmp_path, monkeypatch):
    model, data, dx, dy = problem(0)
    how = {"file": tmp_path / "scan.npz", "tolerance": 0.02}
    first = refined_plane(model, data, dx, dy, AXIS, AXIS, **how)
    monkeypatch.setattr("algorithms.landscape.slice.Slice.measure", None)
    np.testing.assert_array_equal(refined_plane(model, data, dx, dy, AXIS, AXIS, **how).loss, first.loss)


def test_when_the_time_is_over_the_rest_is_interpolated():
    model, data, dx, dy = problem(0)
    found = refined_plane(model, data, dx, dy, AXIS, AXIS, tolerance=0.0, budget=0.0)
    assert np.isfinite(found.loss).all() and found.measured.sum() == 49


@given(seeds, st.integers(2, 30), st.integers(2, 30))
def test_any_grid_does_even_an_uneven_one_that_the_centre_is_not_in_the_middle_of(seed, columns, rows):
    model, data, dx, dy = problem(seed)
    rng = np.random.default_rng(seed)
    xs, ys = np.cumsum(rng.uniform(0.05, 0.15, columns)), np.cumsum(rng.uniform(0.05, 0.15, rows)) - 0.5
    found, full = (f(model, data, dx, dy, xs, ys) for f in (refined_plane, plane))
    m = found.measured
    np.testing.assert_array_equal(found.loss[m], full.loss[m])
    assert m[np.ix_(_halvings(ys)[0], _halvings(xs)[0])].all() and np.isfinite(found.loss).all()
    assert abs(np.log(found.loss) - np.log(full.loss)).max() < 0.5


def test_the_cap_is_no_ledge_among_the_interpolated_nodes():
    model, data, dx, dy = problem(0, convnet)
    found = refined_plane(model, data, dx, dy, 20 * AXIS, 20 * AXIS, cap=5.0)
    above = found.loss[~found.measured & (found.loss > 4.99)]
    assert len(above) and np.median(abs(above - 5.0)) > 1.0
