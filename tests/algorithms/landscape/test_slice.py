import copy
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp, snapshot
from strategies import seeds

from algorithms.landscape import between, interpolate, line, moved, plane, random_direction
from algorithms.landscape.slice import MODES, Slice
from minidl import Tensor, nn, no_grad, ops
from minidl.data import batches
from minidl.training import evaluate

ALPHAS = np.linspace(-1, 1, 5)


def first_batch(data):
    return next(batches(data, len(data), seed=0, epoch=0, shuffle=False))


@given(seeds, st.sampled_from(MODES), st.booleans())
def test_the_callers_network_is_never_touched(seed, bn, fast):
    net = convnet(seed)
    net[1].training = False  # a mode of its own for one part
    before = snapshot(net)
    dx, dy = (random_direction(net, i) for i in (0, 1))
    plane(net, images(seed), dx, dy, ALPHAS, [0, 1], bn=bn, fast=fast, chunk=10)
    assert snapshot(net) == before


@given(seeds, st.lists(st.floats(-2, 2), min_size=2, max_size=2))
def test_a_point_is_built_from_the_centre_whatever_was_visited_before(seed, point):
    net, data = convnet(seed), images(seed)
    directions = [random_direction(net, i, ignore_1d=False) for i in (0, 1)]
    x, labels = first_batch(data)
    for bn in MODES:
        fresh = Slice(net, directions, bn, x).losses(np.array(point), x, labels)[0]
        used = Slice(net, directions, bn, x)
        for other in ([5.0, -3.0], [np.nan, 0.0], [0.0, 0.0]):
            used.losses(np.array(other), x, labels)
        np.testing.assert_array_equal(used.losses(np.array(point), x, labels)[0], fresh)


def test_frozen_keeps_the_statistics_and_interpolated_moves_them():
    a, b, data = convnet(0), convnet(1), images()
    step = between(a.state_dict(), b.state_dict())
    ends = evaluate(a, data).loss, evaluate(b, data).loss
    assert interpolate(a.state_dict(), b.state_dict(), a, data, [0, 1]).loss == pytest.approx(ends, rel=1e-5)
    frozen = line(a, data, step, [0, 1], bn="frozen").loss
    assert frozen[0] == pytest.approx(ends[0], rel=1e-6) and abs(frozen[1] - ends[1]) > 1e-3
    hybrid = copy.deepcopy(b)
    for mine, theirs in zip((hybrid[1], hybrid[4]), (a[1], a[4]), strict=True):
        mine.running_mean[...], mine.running_var[...] = theirs.running_mean, theirs.running_var
    assert frozen[1] == pytest.approx(evaluate(hybrid, data).loss, rel=1e-5)


@given(seeds)
def test_recalibrated_measures_the_statistics_at_the_point(seed):
    net, data, other = in_float64(convnet(seed)), images(seed), images(seed + 1, count=16)
    direction = random_direction(net, seed)
    found = line(net, data, direction, [0, 0.7], bn="recalibrated", calibration=other, chunk=5).loss[1]
    there = moved(net, [direction], [0.7])
    for norm in (there[1], there[4]):
        norm.training, norm.momentum = True, 1.0
    x, _ = first_batch(other)
    with no_grad():
        there(Tensor(x.astype(np.float64)))
    assert found == pytest.approx(evaluate(there.eval(), data).loss, rel=1e-9)


@given(seeds)
def test_batch_uses_the_statistics_of_the_images_themselves(seed):
    net, data = in_float64(convnet(seed)), images(seed)
    direction = random_direction(net, seed)
    found = line(net, data, direction, [0, 0.7], bn="batch").loss[1]
    there = moved(net, [direction], [0.7]).train()
    x, labels = first_batch(data)
    with no_grad():
        logits = there(Tensor(x.astype(np.float64))).numpy()
    shifted = logits - logits.max(axis=1, keepdims=True)
    expected = (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean()
    assert found == pytest.approx(expected, rel=1e-9)


def test_dropout_stays_silent_also_where_batch_norm_measures():
    ends = nn.Linear(72, 8, rng=0), nn.Linear(8, 3, rng=1)
    net = nn.Sequential(nn.Flatten(), ends[0], nn.BatchNorm1d(8), nn.Dropout(0.5), ends[1])
    direction = random_direction(net, 0)
    for bn in MODES:
        one, two = (line(net, images(), direction, [0, 1], bn=bn).loss for _ in range(2))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("build", [convnet, mlp, linear])
@given(seed=seeds)
def test_fast_equals_plain_up_to_rounding(build, seed):
    net, data = in_float64(build(seed)), images(seed)
    for ignore_1d in (True, False):
        directions = [random_direction(net, seed + i, ignore_1d=ignore_1d) for i in (0, 1)]
        plain, fast = (plane(net, data, *directions, [-1, 0, 2], [0, 1], chunk=10, fast=f) for f in (False, True))
        np.testing.assert_allclose(fast.loss, plain.loss, rtol=1e-10)
        np.testing.assert_array_equal(fast.accuracy, plain.accuracy)


@given(seeds)
def test_fast_follows_running_statistics_that_move(seed):
    a, b = in_float64(convnet(seed)), in_float64(convnet(seed + 1))
    states = a.state_dict(), b.state_dict()
    plain, fast = (interpolate(*states, a, images(seed), [0, 0.3, 1], fast=fast).loss for fast in (False, True))
    np.testing.assert_allclose(fast, plain, rtol=1e-10)


def test_fast_folds_what_it_can_and_nothing_else():
    net = convnet()
    slice_ = Slice(net, [random_direction(net, 0)], fast=True, input_shape=(6, 6, 2))
    assert [type(fold.layer).__name__ for fold in slice_.folds] == ["Conv2d", "DepthwiseConv2d"]
    before_activation = nn.Sequential(nn.Conv2d(2, 3, 3, rng=0), nn.ReLU(), nn.BatchNorm2d(3), nn.GlobalAvgPool2d())
    slice_ = Slice(before_activation, [random_direction(before_activation, 0)], fast=True, input_shape=(6, 6, 2))
    assert not slice_.folds  # a ReLU lies between
    measured = Slice(net, [random_direction(net, 0)], "batch", fast=True, input_shape=(6, 6, 2))
    assert not measured.folds and measured.replay is None  # statistics that are not known cannot be folded


def deep_mlp(seed=0):
    """Linear layers with and without batch norm."""
    rng = np.random.default_rng(seed)
    layers = nn.Linear(72, 6, rng=rng), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 5, rng=rng), nn.ReLU()
    net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(5, 3, rng=rng))
    net[2].running_mean[...], net[2].running_var[...] = rng.normal(0, 0.3, 6), rng.uniform(0.5, 1.5, 6)
    return net


def only(direction, *names):
    """A direction that moves some layers alone."""
    return {name: d for name, d in direction.items() if name.split(".")[1] in names}


@pytest.fixture
def computed(monkeypatch):
    """Count the operations that a replay computes."""
    from algorithms.landscape import replay

    counts, compute = Counter(), replay._compute

    def counting(node, inputs):
        counts[node.op if node.op != "ConvAddReLU" else "Conv2d"] += 1
        return compute(node, inputs)

    monkeypatch.setattr(replay, "_compute", counting)
    return counts


@pytest.mark.parametrize("parts", [("0", "7"), ("7", "0"), ("3", "7"), ("7", "7"), ("0", "3"), ("037", "3")])
@given(seed=seeds, ignore_1d=st.booleans())
def test_fast_equals_plain_whatever_layers_move(parts, seed, ignore_1d):
    net, data = in_float64(convnet(seed)), images(seed)
    dx, dy = (only(random_direction(net, seed + i, ignore_1d=ignore_1d), *part) for i, part in enumerate(parts))
    plain, fast = (plane(net, data, dx, dy, [-1, 0, 2], [0.5, 1], chunk=10, fast=f).loss for f in (False, True))
    np.testing.assert_allclose(fast, plain, rtol=1e-10)


@given(seeds, st.booleans(), st.sampled_from([("1", "4"), ("4", "1"), ("1", "1"), ("6", "6"), ("12", "4"), ("2", "4")]))
def test_fast_equals_plain_for_linear_layers_with_and_without_batch_norm(seed, ignore_1d, parts):
    net, data = in_float64(deep_mlp(seed)), images(seed)
    whole = (random_direction(net, seed + i, None, ignore_1d and "2" not in parts) for i in (0, 1))
    dx, dy = (only(d, *part) for d, part in zip(whole, parts, strict=True))
    plain, fast = (plane(net, data, dx, dy, [-1, 0, 2], [0.5, 1], chunk=10, fast=f).loss for f in (False, True))
    np.testing.assert_allclose(fast, plain, rtol=1e-10)


def test_what_no_direction_moves_is_computed_once_for_a_chunk(computed):
    net, data = convnet(), images(count=30)
    last = only(random_direction(net, 0), "7")
    line(net, data, last, np.linspace(-1, 1, 40), chunk=10, fast=True)
    assert computed["Conv2d"] == 2 * 3  # two layers, three chunks, forty points
    assert computed["Linear"] == 2 * 3  # at the centre and along the direction: all else follows


def test_what_one_direction_moves_is_computed_once_for_each_of_its_values(computed):
    net, data = convnet(), images()
    early, late = only(random_direction(net, 0), "0"), only(random_direction(net, 1), "7")
    for dx, dy in ((early, late), (late, early)):
        computed.clear()
        xs, ys = np.linspace(-1, 1, 7), np.linspace(-1, 1, 7)
        plane(net, data, dx, dy, xs, ys, chunk=len(data), fast=True)
        assert computed["Conv2d"] <= 2 * (7 + 1 + 1)  # each value, the centre, and one that two tiles share
        assert computed["Linear"] >= 48


def test_the_first_linear_layer_costs_two_products_for_a_whole_line(computed):
    net = mlp()
    line(net, images(), random_direction(net, 0), np.linspace(-1, 1, 20), chunk=24, fast=True)
    assert computed["Linear"] == 2 + 21  # the second layer at every point, and at the centre
    computed.clear()
    folded = deep_mlp()
    line(folded, images(), random_direction(folded, 0), np.linspace(-1, 1, 20), chunk=24, fast=True)
    assert computed["Linear"] == 2 + 2 * 21


class Signs(nn.Linear):
    """A layer that computes with the signs of its weights, by recorded operations or by plain NumPy."""

    recorded = True

    def forward(self, x):
        bent = self.weight * self.weight * self.weight if self.recorded else Tensor(np.sign(self.weight.data))
        return ops.linear(x, bent, self.bias)


@given(seeds, st.booleans())
def test_what_a_network_makes_of_its_weights_follows_them(seed, recorded):
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 5, rng=seed), nn.ReLU(), Signs(5, 3, rng=seed + 1))
    net[3].recorded = recorded
    net, data = in_float64(net), images(seed)
    for part in ("13", "3"):
        step = only(random_direction(net, seed), *part)
        plain, fast = (line(net, data, step, [-1, 0, 2], fast=f).loss for f in (False, True))
        np.testing.assert_allclose(fast, plain, rtol=1e-10)


def test_new_images_are_seen_and_old_ones_forgotten():
    net = in_float64(convnet())
    direction = only(random_direction(net, 0), "7")
    slice_ = Slice(net, [direction], fast=True, input_shape=(6, 6, 2))
    point = np.array([[0.4]])
    for seed in (0, 1, 0):
        x, labels = first_batch(images(seed))
        alone = Slice(net, [direction]).measure(point, x, labels)
        slice_.losses(point[0], x, labels)
        np.testing.assert_allclose(slice_.measure(point, x, labels), alone, rtol=1e-9, atol=1e-12)


@given(seeds, st.booleans())
def test_a_slice_survives_the_way_to_another_process(seed, fast):
    net, data = convnet(seed), images(seed)
    x, labels = first_batch(data)
    here = Slice(net, [random_direction(net, 0)], fast=fast, input_shape=(6, 6, 2))
    there = pickle.loads(pickle.dumps(here))
    points = ALPHAS[:, None]
    np.testing.assert_array_equal(there.measure(points, x, labels), here.measure(points, x, labels))


def test_mistakes_are_named():
    net, data = convnet(), images()
    with pytest.raises(ValueError, match=r"layers\.1\.weight \(5, 72\) does not fit .* another architecture"):
        line(net, data, random_direction(mlp(), 0), ALPHAS)
    with pytest.raises(ValueError, match="bn is 'train', expected one of 'frozen'"):
        line(net, data, random_direction(net, 0), ALPHAS, bn="train")
    with pytest.raises(ValueError, match="direction 0 moves nothing"):
        line(net, data, between(net.state_dict(), net.state_dict()), ALPHAS)


@pytest.mark.parametrize("shortcut", ["A", "B", None])
def test_fast_keeps_the_relu_and_the_residual_that_a_batch_norm_adds(shortcut):
    net = in_float64(nn.models.resnet(8, num_classes=3, shortcut=shortcut, width=0.25, in_channels=2, rng=0))
    data = images(side=8)
    directions = [random_direction(net, i) for i in (0, 1)]
    plain, fast = (plane(net, data, *directions, [-1, 0, 1], [0, 1], fast=f).loss for f in (False, True))
    np.testing.assert_allclose(fast, plain, rtol=1e-9)
    slice_ = Slice(net, directions, fast=True, input_shape=(8, 8, 2))
    assert len(slice_.folds) == len(slice_.norms)
