import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, mlp
from strategies import seeds

from algorithms.landscape import project, random_walk_explained, trajectories, trajectory
from algorithms.landscape.directions import dot


def states(points, rng, size=30):
    """Checkpoints at given coordinates (T, K) along K orthonormal directions of a space of `size` dimensions."""
    basis = np.linalg.qr(rng.standard_normal((size, points.shape[1])))[0].T  # (K, size)
    centre = rng.standard_normal(size)
    return [{"weight": (centre + p @ basis).reshape(5, -1), "bias": rng.standard_normal(5)} for p in points], basis


@given(seeds, st.integers(3, 12))
def test_a_path_in_a_plane_is_explained_wholly_and_keeps_its_shape(seed, length):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((length, 2))
    found = trajectory(states(points, rng)[0])
    assert found.explained.sum() == pytest.approx(1) and found.explained[0] >= found.explained[1]
    np.testing.assert_array_equal(found.path[-1], 0)
    assert (found.path[0] >= 0).all()  # signs are fixed
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.testing.assert_allclose(np.linalg.norm(found.path[:, None] - found.path, axis=2), apart, atol=1e-6)
    np.testing.assert_allclose(found.off_plane, 0, atol=1e-6)


@given(seeds)
def test_directions_are_orthonormal_and_leave_one_dimensional_parameters_out(seed):
    nets = [mlp(seed + i).state_dict() for i in range(5)]
    found = trajectory(nets)
    assert sorted(found.dx) == ["layers.1.weight", "layers.3.weight"]
    gram = [[dot(a, b) for b in (found.dx, found.dy)] for a in (found.dx, found.dy)]
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-6)
    assert "layers.1.bias" in trajectory(nets, ignore_1d=False).dx


@given(seeds)
def test_shares_are_those_of_the_singular_values(seed):
    nets = [mlp(seed + i).state_dict() for i in range(6)]
    rows = np.stack([np.concatenate([s[n].ravel() for n in ("layers.1.weight", "layers.3.weight")]) for s in nets])
    singular = np.linalg.svd(rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(trajectory(nets).explained, (singular**2 / (singular**2).sum())[:2], rtol=1e-6)


@given(seeds, st.integers(3, 8))
def test_the_distance_from_the_plane_completes_the_distance_from_the_end(seed, length):
    nets = [mlp(seed + i).state_dict() for i in range(length)]
    found = trajectory(nets)
    names = list(found.dx)
    away = [np.sqrt(sum(((s[n].astype(np.float64) - nets[-1][n]) ** 2).sum() for n in names)) for s in nets]
    np.testing.assert_allclose(np.hypot(np.linalg.norm(found.path, axis=1), found.off_plane), away, rtol=1e-5)
    coordinates, distances = project(nets, nets[-1], found.dx, found.dy)
    np.testing.assert_allclose(coordinates, found.path, atol=1e-5)
    np.testing.assert_allclose(distances, found.off_plane, rtol=1e-4, atol=1e-5)


@given(seeds)
def test_projection_is_right_in_a_plane_with_oblique_long_axes(seed):
    rng = np.random.default_rng(seed)
    dx, dy = ({"weight": rng.standard_normal((3, 4)) * scale} for scale in (5.0, 0.3))
    dy["weight"] += 0.2 * dx["weight"]
    centre = {"weight": rng.standard_normal((3, 4))}
    wanted = rng.standard_normal((4, 2))
    nets = [{"weight": centre["weight"] + x * dx["weight"] + y * dy["weight"]} for x, y in wanted]
    coordinates, distances = project(nets, centre, dx, dy)
    np.testing.assert_allclose(coordinates, wanted, atol=1e-8)
    np.testing.assert_allclose(distances, 0, atol=1e-8)


def test_a_random_walk_explains_as_much_as_the_baseline_says():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((60, 20_000)), axis=0).astype(np.float32)
    found = trajectory([{"weight": step.reshape(100, 200)} for step in walk])
    np.testing.assert_allclose(found.explained, found.baseline, atol=0.01)  # 20,000 dimensions are nearly infinite
    np.testing.assert_allclose(random_walk_explained(1000), [6 / np.pi**2, 6 / np.pi**2 / 4], atol=2e-3)  # 61 %, 15 %


def test_mistakes_are_named():
    nets = [mlp(i).state_dict() for i in range(3)]
    with pytest.raises(ValueError, match="trajectory got 2 checkpoints, expected at least 3"):
        trajectory(nets[:2])
    with pytest.raises(ValueError, match="checkpoint 1 is of another network than the last"):
        trajectory([nets[0], convnet().state_dict(), nets[2]])
    with pytest.raises(ValueError, match="are all the same or not finite"):
        trajectory([nets[0]] * 4)


@given(seeds, st.integers(2, 5), st.integers(1, 5))
def test_several_runs_share_a_plane_that_keeps_their_distances(seed, first, second):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((first + second, 2))
    everything, _ = states(points, rng)
    one, two = trajectories([everything[:first], everything[first:]])
    assert len(one.path) == first and len(two.path) == second and one.dx is two.dx
    np.testing.assert_array_equal(one.path[-1], 0)  # the plane goes through the first run's final network
    path = np.concatenate([one.path, two.path])
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.testing.assert_allclose(np.linalg.norm(path[:, None] - path, axis=2), apart, atol=1e-6)
    coordinates, distances = project(everything[first:], everything[first - 1], two.dx, two.dy)
    np.testing.assert_allclose(coordinates, two.path, atol=1e-6)
    np.testing.assert_allclose(distances, two.off_plane, atol=1e-6)


def test_the_baseline_of_several_runs_is_of_walks_from_one_start():
    rng = np.random.default_rng(0)
    start, lengths = rng.standard_normal(20_000), (12, 20)
    walks = [start + np.cumsum(np.vstack([np.zeros(20_000), rng.standard_normal((n - 1, 20_000))]), 0) for n in lengths]
    found = trajectories([[{"weight": step.reshape(100, 200)} for step in walk] for walk in walks])[0]
    np.testing.assert_allclose(found.explained, found.baseline, atol=0.01)
    np.testing.assert_array_equal(random_walk_explained(*lengths), found.baseline)
    assert found.baseline[0] < random_walk_explained(32)[0]  # two ways to go leave more for the second component
