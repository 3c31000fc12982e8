import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp
from strategies import seeds

import minidl
from algorithms.landscape import Surface, hessian_extremes, interpolate, line, plane, random_direction, slice_curvature
from minidl import nn
from minidl.training import evaluate


class OneNumber(nn.Module):
    """Logits that depend on the weights alone: loss = log(1 + exp(-f(w))) for two classes and label 0."""

    def __init__(self, size, rng):
        self.weight = nn.Parameter(rng.standard_normal((1, size)))

    def f(self):
        raise NotImplementedError

    def forward(self, x):
        f = self.f() + x.sum(axis=(1, 2, 3)) * 0.0  # (N,)
        return minidl.ops.concatenate([f.reshape(-1, 1), (f * 0.0).reshape(-1, 1)], axis=1)  # (N, 2)


class Planar(OneNumber):
    def __init__(self, size, rng):
        super().__init__(size, rng)
        self.slope = rng.standard_normal(size)

    def f(self):
        return (self.weight * minidl.Tensor(self.slope)).sum()


class Quadratic(OneNumber):
    def __init__(self, size, rng):
        super().__init__(size, rng)
        half = rng.standard_normal((size, size))
        self.hessian = half + half.T

    def f(self):
        return 0.5 * (self.weight @ minidl.Tensor(self.hessian) @ self.weight.T).sum()


def zeros():
    return minidl.data.Dataset(np.zeros((3, 1, 1, 1), np.uint8), np.zeros(3, int), ("a", "b"))


def f_of(loss):
    return -np.log(np.expm1(loss))


@given(seeds, st.integers(2, 6), st.integers(2, 6))
def test_a_linear_function_comes_out_linear_on_every_row_and_column(seed, columns, rows):
    rng = np.random.default_rng(seed)
    net = Planar(4, rng)
    dx, dy = (random_direction(net, rng) for _ in range(2))
    xs, ys = np.sort(rng.uniform(-2, 2, columns)), np.sort(rng.uniform(-1, 1, rows))
    f = f_of(plane(net, zeros(), dx, dy, xs, ys).loss)
    slopes = [float(d["weight"][0] @ net.slope) for d in (dx, dy)]
    expected = net.f().item() + slopes[0] * xs + slopes[1] * ys[:, None]
    assert f.shape == (rows, columns)
    np.testing.assert_allclose(f, expected, rtol=1e-7, atol=1e-7)  # the logarithm undone


@given(seeds)
def test_a_quadratic_network_has_its_surface_in_closed_form(seed):
    rng = np.random.default_rng(seed)
    net = Quadratic(3, rng)
    directions = [random_direction(net, rng) for _ in range(2)]
    xs, ys = np.linspace(-0.5, 0.5, 5), np.linspace(-0.3, 0.6, 4)
    found = plane(net, zeros(), *directions, xs, ys).loss
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            w = (net.weight.data + x * directions[0]["weight"] + y * directions[1]["weight"])[0]
            np.testing.assert_allclose(found[i, j], np.logaddexp(0, -0.5 * w @ net.hessian @ w), rtol=1e-12, atol=1e-15)


@given(seeds)
@example(537)  # f is 20: of the probability 1 − 2e-9 only half of the digits are left in the loss's derivatives
def test_a_quadratic_network_has_its_curvature_in_closed_form(seed):
    """Loss ℓ(f) with f = wᵀ H w / 2: its Hessian is ℓ'' (H w)(H w)ᵀ + ℓ' H, with ℓ(f) = log(1 + exp(-f))."""
    rng = np.random.default_rng(seed)
    net = Quadratic(4, rng)
    dx, dy = (random_direction(net, rng) for _ in range(2))
    w, f = net.weight.data[0], float(net.f().item())
    falls, rises = 1 / (1 + np.exp(f)), 1 / (1 + np.exp(-f))
    slope = net.hessian @ w
    exact = falls * rises * np.outer(slope, slope) - falls * net.hessian
    both = np.stack([d["weight"][0] for d in (dx, dy)])
    scale = abs(exact).max()
    # ℓ' = p − 1 and ℓ'' = p (1 − p) err by the last digit of 1, however small they are; H w wᵀ H and H multiply that.
    rounding = 8 * np.finfo(np.float64).eps * (abs(np.outer(slope, slope)) + abs(net.hessian)).max()
    atol = 16 * (1e-11 * scale + rounding)
    np.testing.assert_allclose(slice_curvature(net, zeros(), dx, dy), both @ exact @ both.T, atol=atol)
    values, ends = np.linalg.eigvalsh(exact), hessian_extremes(net, zeros(), tolerance=1e-10)
    np.testing.assert_allclose([ends.smallest, ends.largest], values[[0, -1]], atol=1e-8 * scale + 4 * rounding)


@given(seeds)
def test_rows_are_ys_and_columns_are_xs(seed):
    net, data = convnet(seed), images(seed)
    dx, dy = (random_direction(net, seed + i) for i in (0, 1))
    xs, ys = np.array([-1, 0, 0.5]), np.array([-0.7, 0])
    both = plane(net, data, dx, dy, xs, ys)
    np.testing.assert_array_equal(both.loss[1], line(net, data, dx, xs).loss)
    np.testing.assert_array_equal(both.loss[:, 1], line(net, data, dy, ys).loss)
    swapped = plane(net, data, dy, dx, ys, xs).loss.T  # the two steps are added in another order
    np.testing.assert_allclose(both.loss, swapped, rtol=1e-5)  # of float32 logits of a few units


def test_the_minimum_of_an_odd_grid_is_the_network_itself():
    net, data = convnet(), images()
    axis = np.linspace(-1, 1, 3)
    surface = plane(net, data, random_direction(net, 0), random_direction(net, 1), axis, axis)
    assert surface.loss[1, 1] == evaluate(net, data).loss


@given(seeds)
def test_interpolation_has_both_networks_at_its_ends(seed):
    a, b, data = in_float64(convnet(seed)), in_float64(convnet(seed + 1)), images(seed)
    ends = interpolate(a.state_dict(), b.state_dict(), convnet_like(a), data, [0, 1])
    expected = [evaluate(net, data) for net in (a, b)]
    np.testing.assert_allclose(ends.loss, [e.loss for e in expected], rtol=1e-9)
    np.testing.assert_array_equal(ends.accuracy, [e.accuracy for e in expected])


def convnet_like(net):
    other = in_float64(convnet(12345))
    assert {n: a.shape for n, a in other.state_dict().items()} == {n: a.shape for n, a in net.state_dict().items()}
    return other


def test_interpolation_runs_over_401_points_by_default_and_nan_is_kept():
    a, b = convnet(0), convnet(1)
    b[1].running_var[0] = 20 * a[1].running_var[0]  # beyond a it would be below zero: there is no such network
    found = interpolate(a.state_dict(), b.state_dict(), a, images(count=4))
    assert (len(found.xs), found.xs[0], found.xs[-1]) == (401, -0.5, 1.5)
    assert np.isnan(found.loss[0]) and np.isfinite(found.loss[100:301]).all()


def test_interpolating_between_different_networks_is_refused():
    with pytest.raises(ValueError, match="of different networks"):
        interpolate(convnet().state_dict(), mlp().state_dict(), convnet(), images())


def test_a_surface_is_saved_whole_and_read_back(tmp_path):
    net, data = linear(), images()
    dx, dy = (random_direction(net, i) for i in (0, 1))
    for surface in (line(net, data, dx, [-1, 0, 1]), plane(net, data, dx, dy, [-1, 0, 1], [0, 1])):
        surface.save(tmp_path / "surface.npz")
        back = Surface.load(tmp_path / "surface.npz")
        assert vars(back).keys() == vars(surface).keys() and back.about == surface.about
        for name, value in vars(surface).items():
            np.testing.assert_array_equal(getattr(back, name), value)
    assert abs(surface.about["cosine"]) < 0.5 and surface.about["bn"] == "frozen"
    minidl.save(tmp_path / "net.npz", net)
    with pytest.raises(ValueError, match="holds no surface"):
        Surface.load(tmp_path / "net.npz")


def test_a_budget_ends_with_a_whole_picture():
    net, data = convnet(), images(count=60)
    slow = {"progress": lambda known: time.sleep(0.02), "budget": 0.01, "chunk": 10}
    surface = plane(net, data, random_direction(net, 0), random_direction(net, 1), [-1, 0, 1], [0, 1], **slow)
    assert (surface.count == 10).all() and np.isfinite(surface.loss).all()


def test_progress_is_told():
    seen = []
    net = linear()
    how = {"chunk": 5, "progress": lambda known: seen.append(known.done)}
    line(net, images(count=20), random_direction(net, 0), [0, 1], **how)
    assert seen == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("wrong", [[0.0, 0.0], [1.0], [], [1.0, 0.0], [[0.0, 1.0]], [0.0, np.nan], [0.0, np.inf]])
def test_an_axis_without_width_or_order_is_refused(wrong):
    net = linear()
    direction = random_direction(net, 0)
    with pytest.raises(ValueError, match="expected at least two finite numbers in increasing order"):
        line(net, images(), direction, wrong)
    with pytest.raises(ValueError, match="ys has shape"):
        plane(net, images(), direction, direction, [0, 1], wrong)
