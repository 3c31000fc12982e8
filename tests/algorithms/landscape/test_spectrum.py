import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape_nets import images, in_float64, linear, mlp, snapshot
from strategies import seeds
from test_curvature import dense_hessian

from algorithms.landscape import hessian_trace, layer_traces, spectral_density
from algorithms.landscape.lanczos import tridiagonal


def small(seed):
    net, data = in_float64(mlp(seed, inputs=8, hidden=2)), images(seed, count=10, side=2)
    names = [name for name, p in net.named_parameters() if p.ndim > 1]
    return net, data, names, dense_hessian(net, data, names)


def bells(at, values, sigma):
    """Normal densities around the values: (V, G)."""
    return np.exp(-(((at - values[:, None]) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))


@given(seeds, st.integers(1, 8))
def test_the_quadrature_has_the_moments_of_the_matrix_seen_from_the_vector(seed, products):
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((20, 20))
    matrix, start = half + half.T, rng.standard_normal(20)
    *_, known = tridiagonal(lambda v: matrix @ v, start, products)
    nodes, small_vectors = known.eigenpairs()
    v = start / np.linalg.norm(start)
    for order in range(2 * products):
        exact = v @ np.linalg.matrix_power(matrix, order) @ v
        scale = np.linalg.norm(matrix, 2) ** order
        assert abs((small_vectors[0] ** 2 * nodes**order).sum() - exact) < 1e-10 * scale


@settings(max_examples=6)
@given(seeds)
def test_the_density_is_that_of_the_dense_eigenvalues_within_its_error(seed):
    net, data, _, dense = small(seed)
    before, probes, size = snapshot(net), 40, len(dense)
    values = np.linalg.eigvalsh(dense)
    found = spectral_density(net, data, probes=probes, products=size, seed=seed, bandwidth=0.1 * np.ptp(values))
    assert snapshot(net) == before and found.dimensions == size
    each = bells(found.at, values, found.bandwidth)  # f(λ_i) of the function whose mean is the density
    # v on the sphere: Var(vᵀ f(H) v) = 2 / (P + 2) · (mean of f² - (mean of f)²), exactly; six standard deviations
    spread = np.sqrt(np.maximum((each**2).mean(axis=0) - each.mean(axis=0) ** 2, 0) * 2 / (size + 2) / probes)
    assert (abs(found.density - each.mean(axis=0)) <= 6 * spread + 1e-9).all()
    assert (found.std_error <= 3 * spread + 1e-9).all() and (found.std_error >= spread / 3 - 1e-9).all()
    mean, error = found.moment(1)
    assert abs(mean - values.mean()) <= 6 * np.sqrt(values.var() * 2 / (size + 2) / probes) and error > 0
    low, high = np.quantile(values, [0.25, 0.75])
    below = [found.share_below(t)[0] for t in (values[0] - 1, low, high, values[-1] + 1)]
    assert below[0] == 0 and below[-1] == pytest.approx(1) and below == sorted(below)


@given(seeds)
def test_the_density_is_one_in_all_and_covers_the_spectrum(seed):
    net, data, _, dense = small(seed)
    found = spectral_density(net, data, probes=3, products=6, seed=seed)
    assert found.products <= 18 and (found.density >= 0).all()
    assert np.trapezoid(found.density, found.at) == pytest.approx(1, abs=0.01)  # three bandwidths hold 99.7 %
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    values = np.linalg.eigvalsh(dense)
    assert values[0] - 1e-9 <= found.nodes.min() and found.nodes.max() <= values[-1] + 1e-9


def test_equal_seeds_give_equal_densities_and_layers_their_own():
    net, data, names, dense = small(3)
    one, two = (spectral_density(net, data, probes=2, products=5, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.density, two.density)
    size = net.state_dict()[names[0]].size
    block = np.linalg.eigvalsh(dense[:size, :size])
    found = spectral_density(net, data, probes=30, products=size, only=["layers.1"])
    assert found.dimensions == size and found.nodes.max() == pytest.approx(block[-1], rel=1e-6)


def test_a_hessian_of_zeros_has_all_its_spectrum_at_zero():
    net, data = in_float64(linear()), images()
    net[1].weight.data[...] = 0
    net[1].bias.data[...] = [1e4, 0, 0]  # softmax saturated: no curvature left
    found = spectral_density(net, data, probes=2, products=5)
    assert found.moment(1)[0] == pytest.approx(0, abs=1e-12) and np.isfinite(found.density).all()
    net[1].weight.data[0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite here"), np.errstate(all="ignore"):
        spectral_density(net, data)
    with pytest.raises(ValueError, match="probes=1"):
        spectral_density(net, data, probes=1)


@given(seeds)
def test_traces_of_the_layers_are_those_of_their_blocks_and_add_up(seed):
    net, data, names, dense = small(seed)
    probes = 40
    parts, whole = (f(net, data, probes=probes, seed=seed) for f in (layer_traces, hessian_trace))
    assert list(parts) == names
    np.testing.assert_allclose(sum(part.draws for part in parts.values()), whole.draws, rtol=1e-12)
    stop = np.cumsum([net.state_dict()[name].size for name in names])
    for name, a, b in zip(names, [0, *stop], stop, strict=False):
        rows, block = dense[a:b], dense[a:b, a:b]
        # Var(z_lᵀ (H z)_l) = 2 Σ_{i≠j in l} H_ij² + Σ_{i in l, j not} H_ij²; six standard errors of the mean
        within = (block**2).sum() - (np.diag(block) ** 2).sum()
        outside = (rows**2).sum() - (block**2).sum()
        assert abs(parts[name].mean - np.trace(block)) <= 6 * np.sqrt((2 * within + outside) / probes) + 1e-9
