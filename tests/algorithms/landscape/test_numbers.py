import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, mlp
from strategies import seeds

from algorithms.landscape import (
    Surface,
    barrier,
    convex_share,
    expected_sharpness,
    half_width,
    interpolate,
    interval,
    line,
    lines,
    path_losses,
    random_direction,
    reach,
    trajectory,
)
from minidl.training import evaluate


def surface(xs, loss, ys=None):
    loss = np.asarray(loss, np.float64)
    return Surface(np.asarray(xs, np.float64), ys, loss, loss, loss, loss, loss, np.ones(loss.shape, bool))


@given(seeds, st.floats(0.1, 3), st.floats(-3, 3))
def test_half_width_of_a_parabola(seed, curvature, offset):
    xs = np.linspace(-4, 4, 2001)
    found = half_width(surface(xs, offset + curvature * xs**2), delta=0.5)
    assert found == pytest.approx(np.sqrt(0.5 / curvature), rel=1e-3)  # linear between points 0.004 apart


def test_half_width_takes_both_sides_and_says_when_a_side_ends():
    xs = np.linspace(-2, 2, 5)
    assert half_width(surface(xs, [2, 1, 0, 3, 9]), delta=1.5) == (1.5 + 0.5) / 2
    assert half_width(surface(xs, [2, 1, 0, 0.1, 0.2]), delta=1.5) == np.inf
    assert half_width(surface(xs, [2, 1, 0, np.nan, 9]), delta=1.0) == (1 + 0) / 2
    with pytest.raises(ValueError, match="whose coordinates include 0"):
        half_width(surface([1, 2], [0, 1]), delta=1)


@given(st.floats(0, 5), st.floats(0, 5), st.floats(-2, 3))
def test_barrier_is_the_height_above_the_straight_line(a, b, hill):
    xs = np.linspace(-0.5, 1.5, 401)
    inside = (xs > 0) & (xs < 1)
    loss = a + (b - a) * xs + np.where(inside, hill * np.sin(np.pi * xs), 100)
    loss[~inside] = a + (b - a) * xs[~inside]
    loss[0] = 1e6  # beyond the ends it does not count
    assert barrier(surface(xs, loss)) == pytest.approx(max(hill, 0), abs=1e-9)
    with pytest.raises(ValueError, match="include 0 and 1"):
        barrier(surface([0, 0.9], [0, 1]))


@given(seeds)
def test_convex_share_of_quadratics_and_saddles(seed):
    rng = np.random.default_rng(seed)
    xs, ys = np.sort(rng.uniform(-1, 1, 6)), np.sort(rng.uniform(-1, 1, 5))
    x, y = np.meshgrid(xs, ys)
    for (a, b, c), share in (((2, 1, 2), 1), ((1, 2, 1), 0), ((-1, 0, -1), 0), ((1, 0, 0), 1)):  # [[a, b], [b, c]]
        f = 0.5 * (a * x**2 + 2 * b * x * y + c * y**2) + rng.normal() * x + rng.normal() * y
        assert convex_share(surface(xs, f, ys)) == share


def test_convex_share_leaves_out_what_is_not_known():
    xs = np.linspace(-2, 2, 9)
    x, y = np.meshgrid(xs, xs)
    loss = np.where(x > 0.6, -1, 1) * x**2 + y**2
    whole = convex_share(surface(xs, loss, xs))
    assert 0 < whole < 1
    loss[:, 6:] = np.nan
    assert convex_share(surface(xs, loss, xs)) == 1
    assert np.isnan(convex_share(surface(xs, loss * np.nan, xs)))
    with pytest.raises(ValueError, match="3 x 3 or more"):
        convex_share(surface([0, 1], np.zeros((2, 2)), np.array([0, 1.0])))


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(2, 3, 6), level=0.8) for _ in range(2000)]
    covered = np.mean([i.low <= 2 <= i.high for i in found])
    assert abs(covered - 0.8) < 5 * np.sqrt(0.8 * 0.2 / 2000)
    with pytest.raises(ValueError, match="at least 2"):
        interval([1.0])


@given(seeds)
def test_lines_are_the_lines_one_by_one(seed):
    net, data = convnet(seed), images(seed)
    drawn = [random_direction(net, seed + i) for i in range(3)]
    alphas = np.array([-1, 0, 0.4])
    for found, direction in zip(lines(net, data, drawn, alphas, chunk=10), drawn, strict=True):
        np.testing.assert_array_equal(found.loss, line(net, data, direction, alphas, chunk=10).loss)


@given(seeds)
def test_sharpness_is_the_mean_rise_over_directions(seed):
    net, data = in_float64(mlp(seed)), images(seed)
    found = expected_sharpness(net, data, radius=0.3, directions=4, seed=seed)
    rises = []
    for i in range(4):
        loss = line(net, data, random_direction(net, seed + i), [-0.3, 0, 0.3]).loss
        rises.append((loss[0] + loss[2]) / 2 - loss[1])
    np.testing.assert_allclose(found.draws, rises, rtol=1e-9)
    assert found.mean == pytest.approx(np.mean(rises)) and found.low < found.mean < found.high
    with pytest.raises(ValueError, match="radius 0"):
        expected_sharpness(net, data, radius=0)


def test_a_barrier_between_equal_networks_is_none():
    a = convnet()
    b = {name: array * np.float32(1.001) for name, array in a.state_dict().items()}
    assert barrier(interpolate(a.state_dict(), b, a, images(), np.linspace(0, 1, 11))) < 1e-3


@given(seeds)
def test_true_and_in_plane_losses_differ_by_what_the_plane_leaves_out(seed):
    nets = [in_float64(mlp(seed + i, bias=False)) for i in range(4)]
    states, data = [net.state_dict() for net in nets], images(seed)
    found = path_losses(mlp_like(), data, states, trajectory(states))
    np.testing.assert_allclose(found.true, [evaluate(net, data).loss for net in nets])
    assert found.in_plane[-1] == pytest.approx(found.true[-1])
    flat = [states[0], {n: 0.3 * states[0][n] + 0.7 * states[3][n] for n in states[0]}, states[1], states[3]]
    spread = path_losses(mlp_like(), data, flat, trajectory(flat))  # four points of a plane
    np.testing.assert_allclose(spread.in_plane, spread.true, rtol=1e-6)
    straight = [flat[0], flat[1], flat[3]]
    spread = path_losses(mlp_like(), data, straight, trajectory(straight))
    np.testing.assert_allclose(spread.in_plane, spread.true, rtol=1e-6)


def mlp_like():
    return in_float64(mlp(7, bias=False))


@given(seeds, st.floats(1.5, 20))
def test_reach_is_where_the_loss_first_comes_to_the_target(seed, target):
    net, data = mlp(seed), images(seed)
    directions = [random_direction(net, seed + i) for i in range(2)]
    step = reach(net, data, directions, target)

    def mean_loss(s):
        return np.mean([line(net, data, d, [-s, s]).loss for d in directions])

    assert 2**-6 <= step <= 2**5
    if step < 2**5:
        assert mean_loss(step) >= target
    if step > 2**-5:
        assert mean_loss(step / 2 ** (1 / 32)) < target
