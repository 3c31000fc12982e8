import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape_nets import convnet, images, in_float64, linear, mlp, snapshot
from strategies import seeds

from algorithms.landscape import between, interpolate, line, moved, plane, random_direction
from algorithms.landscape.slice import MODES, Slice
from minidl import Tensor, nn, no_grad
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
    assert [type(fold.layer).__name__ for fold in slice_.folds] == ["Conv2d", "DepthwiseConv2d"] and not slice_.first
    assert Slice(mlp(), [random_direction(mlp(), 0)], fast=True, input_shape=(6, 6, 2)).first is not None
    before_activation = nn.Sequential(nn.Conv2d(2, 3, 3, rng=0), nn.ReLU(), nn.BatchNorm2d(3), nn.GlobalAvgPool2d())
    slice_ = Slice(before_activation, [random_direction(before_activation, 0)], fast=True, input_shape=(6, 6, 2))
    assert not slice_.folds  # a ReLU lies between
    measured = Slice(net, [random_direction(net, 0)], "batch", fast=True, input_shape=(6, 6, 2))
    assert not measured.folds  # statistics that are not known cannot be folded


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
