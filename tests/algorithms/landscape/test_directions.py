import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp
from strategies import seeds

from algorithms.landscape import between, cosine, gradient, line, moved, normalize, random_direction, through
from algorithms.landscape.directions import NORMS, dot, flatten, unflatten
from minidl import nn
from minidl.training import evaluate


def per_filter(array):
    return np.linalg.norm(array.reshape(len(array), -1).astype(np.float64), axis=1)


@given(seeds)
def test_each_filter_of_conv_depthwise_and_linear_gets_the_norm_of_its_weights(seed):
    net = convnet(seed)
    direction = random_direction(net, seed)
    for name, p in net.named_parameters():
        if p.ndim > 1:
            np.testing.assert_allclose(per_filter(direction[name]), per_filter(p.data), rtol=1e-6)  # float32
        else:
            assert not direction[name].any()


@given(seeds, st.sampled_from(NORMS))
def test_each_norm_keeps_its_promise_also_for_one_dimensional_parameters(seed, norm):
    net = convnet(seed)
    weights = {name: p.data for name, p in net.named_parameters()}
    rng = np.random.default_rng(seed)
    drawn = {name: rng.standard_normal(w.shape) for name, w in weights.items()}
    done = normalize(drawn, weights, norm, ignore_1d=False)
    for name, w in weights.items():
        d = done[name]
        assert d.shape == w.shape and d.dtype == drawn[name].dtype
        if norm is None:
            np.testing.assert_array_equal(d, drawn[name])
        elif norm == "weight":
            np.testing.assert_allclose(d, drawn[name] * abs(w))
        elif norm == "filter" and w.ndim > 1:
            np.testing.assert_allclose(per_filter(d), per_filter(w))
        elif norm == "unit-filter" and w.ndim > 1:
            np.testing.assert_allclose(per_filter(d), 1)
        else:
            wanted = 1 if norm.startswith("unit") else np.linalg.norm(w.astype(np.float64))
            np.testing.assert_allclose(np.linalg.norm(d), wanted)
        if norm not in (None, "weight"):  # a scale of each part never turns it
            assert (d * drawn[name]).sum() > 0 or not d.any()


def test_a_filter_of_zeros_stays_where_it_is():
    net = convnet()
    net[0].weight.data[1] = 0
    for norm in ("filter", "weight"):
        step = random_direction(net, 0, norm)["layers.0.weight"]
        assert not step[1].any() and step[0].any() and np.isfinite(step).all()


def test_directions_are_gaussian_around_zero_not_uniform():
    direction = random_direction(nn.Linear(300, 300, rng=0), 0, norm=None)["weight"].astype(np.float64)
    count = direction.size
    assert abs(direction.mean()) < 5 / np.sqrt(count)  # five standard errors each
    assert abs(direction.var() - 1) < 5 * np.sqrt(2 / count)
    assert abs((direction**4).mean() - 3) < 5 * np.sqrt(96 / count)


@given(seeds)
def test_equal_seeds_give_equal_directions_and_the_network_stays(seed):
    net = convnet()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    one, two, other = random_direction(net, seed), random_direction(net, seed), random_direction(net, seed + 1)
    assert all(np.array_equal(one[n], two[n]) for n in one) and abs(cosine(one, other)) < 0.9
    assert all(np.array_equal(before[n], a) for n, a in net.state_dict().items())


def test_mean_cosine_of_random_pairs_matches_theory():
    net = nn.Linear(20, 20, bias=False, rng=0)
    pairs = ([random_direction(net, 2 * i + j, None) for j in (0, 1)] for i in range(400))
    cosines = [abs(cosine(*pair)) for pair in pairs]
    expected = np.sqrt(2 / (np.pi * 400))
    spread = np.sqrt((1 - 2 / np.pi) / 400)  # standard deviation of |cos|, about a half-normal's
    assert abs(np.mean(cosines) - expected) < 5 * spread / np.sqrt(400)


def rescaled(seed, factor):
    """A net with the first layer times `factor` and the second divided by it: the same function without batch norm."""
    net = in_float64(mlp(seed, bias=False))
    net[1].weight.data *= factor
    net[3].weight.data /= factor
    return net


@given(seeds, st.floats(0.05, 20))
def test_scaling_a_layer_and_the_next_by_the_inverse_leaves_the_plot_unchanged(seed, factor):
    alphas = np.linspace(-1, 1, 5)
    plots = []
    for c in (1.0, factor):
        net = rescaled(seed, c)
        plots.append(line(net, images(seed), random_direction(net, seed), alphas).loss)
    np.testing.assert_allclose(plots[1], plots[0], rtol=1e-9)
    raw = []
    for c in (1.0, 8.0):  # without the normalization the same function seems sharper or flatter
        net = rescaled(seed, c)
        raw.append(line(net, images(seed), random_direction(net, seed, None), alphas).loss)
    assert abs(raw[1] / raw[0] - 1).max() > 1e-3


@given(seeds, st.floats(0.2, 5))
def test_scaling_a_filter_before_batch_norm_with_its_statistics_leaves_the_plot_unchanged(seed, factor):
    alphas = np.linspace(-1, 1, 5)
    plots = []
    for c in (1.0, factor):
        net = in_float64(convnet(seed))
        net[1].eps = net[4].eps = 0.0  # the invariance holds up to epsilon
        net[0].weight.data[2] *= c
        net[0].bias.data[2] *= c
        net[1].running_mean[2] *= c
        net[1].running_var[2] *= c * c
        plots.append(line(net, images(seed), random_direction(net, seed), alphas).loss)
    np.testing.assert_allclose(plots[1], plots[0], rtol=1e-9)


@given(seeds)
def test_between_leads_from_one_state_to_the_other_buffers_included(seed):
    a, b = convnet(seed), convnet(seed + 1)
    there = moved(a, [between(a.state_dict(), b.state_dict())], [1.0])
    for name, array in there.state_dict().items():
        np.testing.assert_allclose(array, b.state_dict()[name], atol=1e-6)  # a + (b - a) in float32
    with pytest.raises(ValueError, match="of different networks"):
        between(a.state_dict(), mlp().state_dict())
    with pytest.raises(ValueError, match=r"layers\.7\.weight is"):
        between(a.state_dict(), convnet(seed, classes=5).state_dict())


@given(seeds)
def test_plane_through_three_networks_holds_all_three(seed):
    nets = [convnet(seed + i) for i in range(3)]
    span = through(nets[0], *(net.state_dict() for net in nets))
    for net, corner in zip(nets, span.corners, strict=True):
        there = moved(nets[0], [span.dx, span.dy], corner)
        for name, array in there.state_dict().items():
            np.testing.assert_allclose(array, net.state_dict()[name], atol=2e-6)  # float32 directions
    names = [name for name, _ in nets[0].named_parameters()]
    dx, dy = ({n: d[n] for n in names} for d in (span.dx, span.dy))
    np.testing.assert_allclose([dot(dx, dx), dot(dy, dy), dot(dx, dy)], [1, 1, 0], atol=1e-5)
    distance = np.sqrt(dot(*[{n: nets[2].state_dict()[n] - nets[1].state_dict()[n] for n in names}] * 2))
    np.testing.assert_allclose(np.linalg.norm(span.corners[2] - span.corners[1]), distance, rtol=1e-5)


def test_three_networks_on_a_line_span_no_plane():
    a, b = mlp(0).state_dict(), mlp(1).state_dict()
    middle = {name: (a[name] + b[name]) / 2 for name in a}
    for states in ((a, b, middle), (a, a, b), (a, b, b)):
        with pytest.raises(ValueError, match="lie on one line"):
            through(mlp(), *states)


@given(seeds)
def test_gradient_is_the_slope_of_the_loss_along_any_direction(seed):
    net, data = in_float64(mlp(seed)), images(seed)
    slope = gradient(net, data, batch_size=7, ignore_1d=False)
    direction = random_direction(net, seed, ignore_1d=False)
    h = 1e-6
    ahead, behind = (evaluate(moved(net, [direction], [s]), data).loss for s in (h, -h))
    # one kink of a ReLU inside the step can bend the difference; its error stays of the order of the step
    np.testing.assert_allclose(dot(slope, direction), (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-6)


@given(seeds)
def test_flatten_and_unflatten_are_inverse(seed):
    state = convnet(seed).state_dict()
    names = list(state)
    back = unflatten(flatten(state, names), state, names)
    assert all(np.array_equal(back[n], state[n]) and back[n].dtype == state[n].dtype for n in names)


def test_unknown_norm_is_named():
    with pytest.raises(ValueError, match="norm is 'filters', expected one of 'filter'"):
        random_direction(linear(), 0, "filters")
