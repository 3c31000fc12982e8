"""Steps reach what they promise, and batch norm is measured as its definition says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.pruning import image_scores
from algorithms.pruning.schedule import cubic, linear, one_shot, prune_in_steps, recalibrate
from minidl import graph, nn
from minidl.data import Dataset, batches
from minidl.nn import models


@given(st.floats(0.01, 0.99), st.integers(1, 20))
def test_schedules_end_at_the_share_and_never_grow_back(share, steps):
    assert one_shot(share) == [share]
    for schedule in (linear, cubic):
        left = schedule(share, steps)
        assert len(left) == steps and left[-1] == pytest.approx(share)
        assert all(a > b for a, b in zip([1.0, *left], left, strict=False))
    assert steps == 1 or cubic(share, steps)[0] < linear(share, steps)[0]


@pytest.mark.parametrize("arguments", [(0.0, 2), (1.0, 2), (0.5, 0)])
def test_schedules_of_nothing_are_refused(arguments):
    for schedule in (linear, cubic):
        with pytest.raises(ValueError, match="expected a share in"):
            schedule(*arguments)


@pytest.mark.parametrize("schedule", [linear(0.4, 3), cubic(0.4, 3), [0.5, 0.499, 0.3]])
def test_every_step_reaches_its_share_of_the_first_network(schedule):
    net, shape, seen = models.resnet(8, width=0.5, rng=0), (16, 16, 3), []
    whole = graph.cost(graph.trace(net, shape)).macs
    steps = list(prune_in_steps(net, shape, schedule, seen.append, scope="global"))
    assert [step.model for step in steps] == seen
    for step in steps:
        macs = graph.cost(graph.trace(step.model, shape)).macs
        assert step.left == macs / whole and any(macs <= share * whole for share in schedule)
    assert steps[-1].left <= schedule[-1]
    assert graph.cost(graph.trace(net, shape)).macs == whole


def test_scores_by_images_are_taken_anew_before_every_step():
    net = models.resnet(8, width=0.5, rng=0)
    images = Dataset(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8), np.arange(8))
    scored = []

    def taylor(now):
        scored.append(now)
        return image_scores(now, images, "taylor")

    steps = list(prune_in_steps(net, (16, 16, 3), linear(0.5, 2), lambda smaller: None, criterion=taylor))
    assert scored == [net, steps[0].model] and steps[1].left <= 0.5


@given(st.integers(1, 20), st.integers(0, 100))
def test_statistics_are_the_mean_over_batches(batch_size, seed):
    rng = np.random.default_rng(seed)
    images = Dataset(rng.integers(0, 256, (20, 3, 3, 2), dtype=np.uint8), np.arange(20) % 2)
    net = nn.Sequential(nn.Conv2d(2, 3, 1, rng=seed), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.GlobalAvgPool2d())
    net[1].running_mean[:] = 7
    weights = net[0].weight.numpy().copy()
    recalibrate(net, images, batch_size)
    means, variances = [], []
    for x, _ in batches(images, batch_size, seed=0, epoch=0, drop_last=True):
        y = net[0](x).numpy().reshape(-1, 3)
        means.append(y.mean(axis=0))
        variances.append(y.var(axis=0, ddof=1))
    np.testing.assert_allclose(net[1].running_mean, np.mean(means, axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net[1].running_var, np.mean(variances, axis=0), rtol=1e-4)
    assert net[1].momentum == 0.1 and all(module.training for module in net.modules())
    np.testing.assert_array_equal(net[0].weight.numpy(), weights)
