import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp, snapshot
from strategies import seeds

import minidl
from algorithms.landscape import hessian_extremes, hessian_times, hessian_trace, line, random_direction, slice_curvature
from algorithms.landscape.directions import dot, flatten, unflatten
from algorithms.landscape.lanczos import lanczos
from minidl.data import batches
from minidl.ops import cross_entropy


def dense_hessian(net, data, names):
    """(P, P) by differentiating the gradient element by element: slow, and independent of `hvp`."""
    params = [dict(net.named_parameters())[name] for name in names]
    x, labels = next(batches(data, len(data), seed=0, epoch=0, shuffle=False))
    loss = cross_entropy(net.eval()(minidl.Tensor(x.astype(np.float64))), labels)
    slopes = minidl.grad(loss, params, create_graph=True)
    flat = minidl.ops.concatenate([s.reshape(-1) for s in slopes], axis=0)
    rows = [minidl.grad(flat[i], params, create_graph=True) for i in range(flat.size)]  # which keeps the graph
    return np.stack([np.concatenate([h.numpy().ravel() for h in row]) for row in rows])


def small(seed):
    net = in_float64(mlp(seed, inputs=8, hidden=3))
    data = images(seed, count=10, side=2)
    names = [name for name, p in net.named_parameters() if p.ndim > 1]
    return net, data, names, dense_hessian(net, data, names)


@given(seeds, st.integers(1, 12))
def test_products_are_those_of_the_dense_hessian_of_the_mean_loss(seed, batch_size):
    net, data, names, dense = small(seed)
    weights = net.state_dict()
    vector = np.random.default_rng(seed).standard_normal(len(dense))
    found = hessian_times(net, data, unflatten(vector, weights, names), batch_size)
    np.testing.assert_allclose(flatten(found, names), dense @ vector, atol=1e-10)


@given(seeds)
def test_extremes_are_the_dense_eigenvalues(seed):
    net, data, names, dense = small(seed)
    before = snapshot(net)
    values = np.linalg.eigvalsh(dense)
    found = hessian_extremes(net, data, tolerance=1e-8, seed=seed)
    assert snapshot(net) == before
    scale = abs(values).max()
    np.testing.assert_allclose([found.smallest, found.largest], values[[0, -1]], atol=1e-7 * scale)
    assert found.converged and found.ratio == pytest.approx(abs(values[0] / values[-1]), abs=1e-6)
    direction = flatten(found.largest_direction, names)
    np.testing.assert_allclose(dense @ direction, values[-1] * direction, atol=1e-6 * scale)


@given(seeds)
def test_the_ratio_does_not_depend_on_the_scale_of_the_loss(seed):
    _, _, _, dense = small(seed)
    start = np.random.default_rng(seed).standard_normal(len(dense))
    one, seven = (lanczos(lambda v, c=c: c * dense @ v, start, 1e-6) for c in (1.0, 7.0))
    np.testing.assert_allclose(seven.values, 7 * one.values, rtol=1e-9)


@given(seeds, st.integers(1, 30), st.floats(0, 1))
def test_lanczos_finds_the_ends_of_any_symmetric_matrix(seed, size, shift):
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((size, size))
    matrix = half + half.T + 20 * shift * np.eye(size)  # strictly convex too: λ_min is not near 0 then
    values = np.linalg.eigvalsh(matrix)
    ends = lanczos(lambda v: matrix @ v, rng.standard_normal(size), tolerance=1e-9)
    assert ends.converged
    np.testing.assert_allclose(ends.values, values[[0, -1]], atol=1e-8 * abs(values).max())
    for value, vector, residual in zip(ends.values, ends.vectors, ends.residuals, strict=True):
        assert np.linalg.norm(matrix @ vector - value * vector) <= residual + 1e-10 * abs(values).max()
        assert np.linalg.norm(vector) == pytest.approx(1) and vector[abs(vector).argmax()] > 0


@given(seeds, st.integers(1, 8))
def test_giving_up_early_is_said_and_the_residuals_hold(seed, products):
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((40, 40))
    matrix = half + half.T
    ends = lanczos(lambda v: matrix @ v, rng.standard_normal(40), tolerance=1e-12, max_products=products)
    assert not ends.converged and ends.products == products
    values = np.linalg.eigvalsh(matrix)
    for value, residual in zip(ends.values, ends.residuals, strict=True):
        assert abs(values - value).min() <= residual + 1e-9


def test_repeated_eigenvalues_and_multiples_of_the_identity_end_early():
    ends = lanczos(lambda v: 3.0 * v, np.ones(50), tolerance=1e-9)
    assert ends.products == 1 and ends.converged and ends.values.tolist() == pytest.approx([3, 3])
    matrix = np.diag([1.0] * 20 + [2.0] * 20)
    ends = lanczos(lambda v: matrix @ v, np.random.default_rng(0).standard_normal(40), tolerance=1e-9)
    assert ends.products <= 3 and ends.values == pytest.approx([1, 2])


def test_what_is_not_finite_is_said_to_be_so():
    ends = lanczos(lambda v: v * np.nan, np.ones(5))
    assert np.isnan(ends.values).all() and not ends.converged
    net = in_float64(linear())
    net[1].weight.data[0, 0] = np.nan
    with np.errstate(all="ignore"):
        found = hessian_extremes(net, images())
    assert np.isnan(found.largest) and np.isnan(found.ratio) and not found.converged


def test_a_guess_saves_products():
    net, data = in_float64(mlp()), images()
    cold = hessian_extremes(net, data, tolerance=1e-4)
    guess = {n: cold.largest_direction[n] + cold.smallest_direction[n] for n in cold.largest_direction}
    warm = hessian_extremes(net, data, tolerance=1e-4, guess=guess)
    assert warm.converged and warm.products < cold.products
    np.testing.assert_allclose([warm.smallest, warm.largest], [cold.smallest, cold.largest], rtol=1e-3)


def test_curvature_of_one_layer_is_that_of_its_block():
    net, data, names, dense = small(3)
    size = net.state_dict()[names[0]].size
    values = np.linalg.eigvalsh(dense[:size, :size])
    found = hessian_extremes(net, data, tolerance=1e-9, only=["layers.1"])
    np.testing.assert_allclose([found.smallest, found.largest], values[[0, -1]], atol=1e-7)
    with pytest.raises(ValueError, match="found no parameter in"):
        hessian_extremes(net, data, only=["layers.9"])


@given(seeds)
def test_the_trace_is_within_its_error_bar(seed):
    net, data, _, dense = small(seed)
    found = hessian_trace(net, data, probes=40, seed=seed)
    # exact standard deviation of one draw: 2 Σ_{i≠j} H_ij²; six standard errors of the mean
    off_diagonal = (dense**2).sum() - (np.diag(dense) ** 2).sum()
    assert abs(found.mean - np.trace(dense)) <= 6 * np.sqrt(2 * off_diagonal / 40) + 1e-9
    assert found.std_error == pytest.approx(found.draws.std(ddof=1) / np.sqrt(40))
    with pytest.raises(ValueError, match="probes=1"):
        hessian_trace(net, data, probes=1)


@given(seeds)
def test_slice_curvature_is_the_quadratic_form_of_the_hessian(seed):
    net, data, names, dense = small(seed)
    dx, dy = (random_direction(net, seed + i) for i in (0, 1))
    both = np.stack([flatten(d, names) for d in (dx, dy)])
    np.testing.assert_allclose(slice_curvature(net, data, dx, dy), both @ dense @ both.T, atol=1e-9)


def test_slice_curvature_agrees_with_the_picture():
    net, data = in_float64(linear()), images()  # smooth: no ReLU
    dx, dy = (random_direction(net, i) for i in (0, 1))
    h = 1e-3
    loss = line(net, data, dx, [-h, 0, h]).loss
    curvature = slice_curvature(net, data, dx, dy)
    assert curvature[0, 0] == pytest.approx((loss[0] - 2 * loss[1] + loss[2]) / h**2, rel=1e-4)
    assert dot(dx, hessian_times(net, data, dx)) == pytest.approx(curvature[0, 0])


@given(seeds)
def test_curvature_goes_through_batch_norm_and_depthwise_convolutions(seed):
    net, data = in_float64(convnet(seed)), images(seed, count=5, side=3)
    names = [name for name, p in net.named_parameters() if p.ndim > 1]
    values = np.linalg.eigvalsh(dense_hessian(net, data, names))
    found = hessian_extremes(net, data, tolerance=1e-8)
    np.testing.assert_allclose([found.smallest, found.largest], values[[0, -1]], atol=1e-7 * abs(values).max())


@given(seeds)
def test_a_negative_end_is_not_missed_beside_a_huge_positive_one(seed):
    """A spectrum as networks have it: one large eigenvalue, a bulk near 0, and the smallest well below it."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([[400.0, 90.0, 30.0, -15.0], rng.normal(0, 0.05, 296)])
    turn = np.linalg.qr(rng.standard_normal((300, 300)))[0]
    ends = lanczos(lambda v: turn @ (values * (turn.T @ v)), rng.standard_normal(300), tolerance=0.01)
    assert ends.converged
    np.testing.assert_allclose(ends.values, [-15, 400], rtol=0.01)
