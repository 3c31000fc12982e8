"""Cheap sensitivity gives what really pruning and evaluating gives, resumes, and stops where it was told to."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from prunable import nets, randomize

from algorithms.pruning import find_channels, plan, sensitivity, suggest_ratios
from algorithms.pruning import replay as replay_file
from algorithms.pruning.points import Sensitivity
from minidl import graph
from minidl.data import Dataset
from minidl.nn import models
from minidl.training import evaluate


def some_images(shape, count=11, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    return Dataset(rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % classes)


@settings(max_examples=8)
@given(nets(), st.integers(1, 12), st.sampled_from([0, 3000, 1 << 30]))
def test_hidden_filters_count_as_removed_ones(drawn, batch_size, cache_bytes):
    net, shape, _ = drawn
    free = [group for group in find_channels(graph.trace(net, shape)).groups if not group.fixed and len(group) > 1]
    assume(free)
    images = some_images(shape)
    points = list(sensitivity(net, images, (0.3, 0.6), batch_size=batch_size, cache_bytes=cache_bytes))
    assert len(points) >= 2 * len(free)
    for point in points:
        try:
            small = plan(net, shape, {point.group: point.ratio}).apply(net)
        except ValueError as error:
            assert "no filter would leave" in str(error)
            small = net
        expected = evaluate(small, images)
        np.testing.assert_allclose(point.loss, expected.loss, rtol=1e-3, atol=1e-4)  # float32 sums in another order


@pytest.fixture
def trained():
    net = randomize(models.resnet(8, width=0.5, in_channels=1, rng=0), np.random.default_rng(0))
    return net, some_images((8, 8, 1), 40, 10)


def test_every_point_of_a_residual_network(trained):
    net, images = trained
    points = list(sensitivity(net, images, (0.5, 0.25)))
    assert [(p.group, p.ratio) for p in points] == [
        (name, ratio)
        for name in ("conv1", "stages.0.0.conv1", "stages.1.0.conv1", "stages.2.0.conv1")
        for ratio in (0.25, 0.5)
    ]
    for point in points:
        expected = evaluate(plan(net, (8, 8, 1), {point.group: point.ratio}).apply(net), images)
        np.testing.assert_allclose([point.loss, point.accuracy], [expected.loss, expected.accuracy], rtol=1e-4)


def test_the_beginning_is_computed_once(trained, monkeypatch):
    net, images = trained
    count = {"Conv2d": 0}
    compute = replay_file._compute

    def counting(node, inputs):
        count[node.op] = count.get(node.op, 0) + 1
        return compute(node, inputs)

    monkeypatch.setattr(replay_file, "_compute", counting)
    list(sensitivity(net, images, (0.2, 0.4, 0.6), ["stages.0.0.conv1", "stages.2.0.conv1"]))
    batch = 1  # 40 images are one batch of 50
    once, first, second = 6, 5, 1  # of seven convolutions: 6 before the last reader, 5 and 1 from each reader on
    assert count["Conv2d"] <= batch * (once + 3 * first + 3 * second)


def test_a_group_stops_past_the_bound(trained):
    net, images = trained
    every = list(sensitivity(net, images))
    bound = sorted(p.accuracy for p in every)[len(every) // 2]
    stopped = list(sensitivity(net, images, stop_below=bound))
    for name in {p.group for p in every}:
        accuracy = [p.accuracy for p in every if p.group == name]
        below = next((i for i, a in enumerate(accuracy) if a < bound), len(accuracy) - 1)
        assert [p for p in stopped if p.group == name] == [p for p in every if p.group == name][: below + 1]


def test_a_file_is_resumed_and_a_torn_line_measured_again(trained, tmp_path, monkeypatch):
    net, images = trained
    path = tmp_path / "points.csv"
    every = list(sensitivity(net, images, (0.25, 0.5), file=path))
    whole = path.read_text()
    path.write_text(whole[: whole.index("stages.1") + 20])  # killed in the middle of a line
    measured = []
    evaluate_ = replay_file.Replay.evaluate
    monkeypatch.setattr(replay_file.Replay, "evaluate", lambda *a: measured.append(1) or evaluate_(*a))
    assert list(sensitivity(net, images, (0.25, 0.5), file=path)) == every
    assert len(measured) == 4 and path.read_text() == whole
    net.conv1.weight.data[0] += 1
    with pytest.raises(ValueError, match="points of another network"):
        sensitivity(net, images, (0.25, 0.5), file=path)


def test_a_random_order_comes_from_the_seed_and_the_layer_alone(trained, tmp_path):
    net, images = trained
    some = {"ratios": (0.25, 0.5), "criterion": "random", "seed": 3}
    every = list(sensitivity(net, images, **some))
    begun = list(sensitivity(net, images, groups=["stages.2.0.conv1"], file=tmp_path / "points.csv", **some))
    assert begun == [point for point in every if point.group == "stages.2.0.conv1"]
    assert list(sensitivity(net, images, file=tmp_path / "points.csv", **some)) == every
    other = list(sensitivity(net, images, **{**some, "seed": 4}))
    assert all(a.loss != b.loss for a, b in zip(every, other, strict=True))


def test_a_file_is_of_one_seed_only_where_filters_are_drawn(trained, tmp_path):
    net, images = trained
    for criterion in ("random", "l1"):
        list(sensitivity(net, images, (0.5,), criterion=criterion, file=tmp_path / f"{criterion}.csv"))
    with pytest.raises(ValueError, match=r"random\.csv has points of another .* or seed"):
        sensitivity(net, images, (0.5,), criterion="random", file=tmp_path / "random.csv", seed=1)
    assert list(sensitivity(net, images, (0.5,), file=tmp_path / "l1.csv", seed=1))
    assert (
        (tmp_path / "l1.csv").read_text().splitlines()[0].endswith(", l1, sum")
    )  # files of before the seed stay valid


@pytest.mark.parametrize("line", ["stages.0,0.5", "", "a,b,c,d", "conv1,0.5,1,1,1", "\udcff\udcfe"])
def test_a_line_that_is_no_point_is_told_with_its_place(trained, tmp_path, line):
    net, images = trained
    path = tmp_path / "points.csv"
    list(sensitivity(net, images, (0.25, 0.5), ["conv1"], file=path))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], line, *lines[3:], ""]), errors="surrogateescape")
    with pytest.raises(ValueError, match=r"line 4 of .*points\.csv is .*, expected group,ratio,loss,accuracy: "):
        sensitivity(net, images, (0.25, 0.5), ["conv1"], file=path)


def test_nothing_is_changed(trained):
    net, images = trained
    state = net.state_dict()
    list(sensitivity(net, images, (0.9,)))
    assert all(np.array_equal(state[name], array) for name, array in net.state_dict().items())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ratios": (0.5, 1.0)}, "ratio 1.0"),
        ({"groups": ["conv9"]}, "no layer 'conv9'"),
        ({"groups": ["linear"]}, "network's output"),
        ({"criterion": "l7"}, "criterion 'l7'"),
    ],
)
def test_mistakes_are_told_at_once(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        sensitivity(*trained, **arguments)


def test_a_mistake_leaves_no_file_behind(trained, tmp_path):
    for mistake in ({"criterion": "l7"}, {"combine": "median"}):
        with pytest.raises(ValueError, match="expected one of"):
            sensitivity(*trained, file=tmp_path / "points.csv", **mistake)
    assert not (tmp_path / "points.csv").exists()  # it would refuse the points of the right criterion


def points_of(**curves):
    return [Sensitivity(f"stages.{k[1]}.0.conv1", r, 1 - a, a) for k, c in curves.items() for r, a in c.items()]


def test_suggested_ratios_give_up_as_little_as_possible():
    net, shape = models.resnet(8, rng=0), (32, 32, 3)
    points = points_of(
        s0={0.2: 0.9, 0.5: 0.89, 0.8: 0.5}, s1={0.2: 0.9, 0.5: 0.6, 0.8: 0.4}, s2={0.2: 0.88, 0.5: 0.87, 0.8: 0.86}
    )
    ratios = suggest_ratios(net, shape, points, macs_share=0.73)
    assert ratios == {"stages.0.0.conv1": 0.5, "stages.1.0.conv1": 0.2, "stages.2.0.conv1": 0.2}
    assert suggest_ratios(net, shape, points, max_loss=0.15) == {
        "stages.0.0.conv1": 0.5, "stages.1.0.conv1": 0.2, "stages.2.0.conv1": 0.8,
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"leave .*% of the MACs, expected at most 10%"):
        suggest_ratios(net, shape, points, macs_share=0.1)
    with pytest.raises(ValueError, match=r"no ratio keeps the loss within 0\.01"):
        suggest_ratios(net, shape, points, max_loss=0.01)
    with pytest.raises(ValueError, match="expected one of them"):
        suggest_ratios(net, shape, points)
