import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64
from strategies import seeds

from algorithms.landscape import decay_term, line, moved, plane, random_direction, with_decay
from minidl.optim import SGD


@given(seeds, st.booleans(), st.floats(0, 0.1))
def test_the_term_is_that_of_the_moved_network(seed, ignore_1d, weight_decay):
    net = in_float64(convnet(seed))
    directions = [random_direction(net, seed + i, ignore_1d=ignore_1d) for i in (0, 1)]
    points = np.random.default_rng(seed).uniform(-2, 2, (5, 2))
    found = decay_term(net, directions, points, weight_decay)
    some = decay_term(net, directions, points, weight_decay, only=["layers.7.weight"])
    for k, point in enumerate(points):
        there = dict(moved(net, directions, point).named_parameters())
        squares = {name: float((p.data**2).sum()) for name, p in there.items()}
        np.testing.assert_allclose(found[k], weight_decay / 2 * sum(squares.values()), rtol=1e-12)
        np.testing.assert_allclose(some[k], weight_decay / 2 * squares["layers.7.weight"], rtol=1e-12)


@given(seeds)
def test_its_slope_is_the_gradient_that_the_optimizer_adds(seed):
    """SGD with weight decay and a gradient of zero steps along minus the term's gradient."""
    net = in_float64(convnet(seed))
    before = {name: p.data.copy() for name, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = type(p)(np.zeros_like(p.data))
    direction = random_direction(net, seed, ignore_1d=False)
    slope = np.diff(decay_term(net, [direction], np.array([[-1e-4], [1e-4]]), 0.3))[0] / 2e-4
    SGD(net.named_parameters(), lr=1.0, weight_decay=0.3).step()
    step = sum(float(((before[name] - p.data) * direction[name]).sum()) for name, p in net.named_parameters())
    assert slope == pytest.approx(step, rel=1e-6, abs=1e-9)


def test_it_is_added_to_lines_and_planes_and_said():
    net, data = convnet(), images()
    dx, dy = (random_direction(net, i) for i in (0, 1))
    for surface, directions in (
        (line(net, data, dx, [-1, 0, 1]), [dx]),
        (plane(net, data, dx, dy, [-1, 0, 1], [0, 1]), [dx, dy]),
    ):
        found = with_decay(surface, net, directions, 5e-4)
        shape = surface.loss.shape
        assert found.loss.shape == shape and found.about == {**surface.about, "weight_decay": 5e-4}
        corner = moved(net, directions, [-1, 0][: len(directions)])
        total = sum(float((p.data.astype(np.float64) ** 2).sum()) for p in corner.parameters())
        assert found.loss.flat[0] - surface.loss.flat[0] == pytest.approx(2.5e-4 * total, rel=1e-5)
