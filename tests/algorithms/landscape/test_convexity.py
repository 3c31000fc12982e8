import numpy as np
import pytest
from landscape_nets import images, in_float64, linear, mlp, snapshot

from algorithms.landscape import curvature_map, hessian_extremes, moved, random_direction

XS, YS = np.linspace(-1, 1, 3), np.array([-0.5, 0.5])


def problem(seed=0, net=mlp):
    model = in_float64(net(seed, inputs=8))
    return model, images(seed, count=10, side=2), *(random_direction(model, seed + i) for i in (0, 1))


def test_every_node_has_the_spectrum_of_the_network_there():
    model, data, dx, dy = problem()
    before = snapshot(model)
    found = curvature_map(model, data, dx, dy, XS, YS, tolerance=1e-6, max_products=60)
    assert snapshot(model) == before and found.converged.all() and found.largest.shape == (2, 3)
    for i, y in enumerate(YS):
        for j, x in enumerate(XS):
            there = hessian_extremes(moved(model, [dx, dy], (x, y)), data, tolerance=1e-6)
            assert found.largest[i, j] == pytest.approx(there.largest, rel=1e-5)
            assert found.smallest[i, j] == pytest.approx(there.smallest, abs=1e-5 * there.largest)
            assert found.ratio[i, j] == pytest.approx(there.ratio, abs=1e-5)


def test_a_linear_layer_is_convex_everywhere():
    model, data, dx, dy = problem(net=linear)
    found = curvature_map(model, data, dx, dy, XS, YS, tolerance=1e-3)
    assert (found.ratio < 2e-3).all()


def test_a_map_stopped_anywhere_goes_on_to_the_same_bits(tmp_path):
    model, data, dx, dy = problem()
    file = tmp_path / "map.npz"
    whole = curvature_map(model, data, dx, dy, XS, YS)

    def stop(done):
        if done > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curvature_map(model, data, dx, dy, XS, YS, file=file, progress=stop)
    resumed = curvature_map(model, data, dx, dy, XS, YS, file=file)
    for name in ("largest", "smallest", "residual", "products"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    with pytest.raises(ValueError, match="is of a curvature map with another tolerance"):
        curvature_map(model, data, dx, dy, XS, YS, file=file, tolerance=0.5)


def test_giving_up_is_marked_node_by_node():
    model, data, dx, dy = problem()
    found = curvature_map(model, data, dx, dy, XS, YS, tolerance=1e-9, max_products=2)
    assert not found.converged.any() and (found.products == 2).all()
