"""The cheapest removal that meets a target, whatever it counts; what is predicted is what the network really costs."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prunable import nets

from algorithms.pruning import find_channels, plan_to
from algorithms.pruning.budget import Sizes
from algorithms.pruning.plan import plan
from algorithms.pruning.selection import gone_channels
from algorithms.pruning.surgery import arrays_of
from minidl import graph, nn
from minidl.nn import models

COUNTED = ("channels", "macs", "weights", "parameters", "bytes")


def really(target, model, shape, channels):
    costs = graph.cost(graph.trace(model, shape))
    match target:
        case "channels":
            layers = {g.name: g for g in find_channels(graph.trace(model, shape)).groups}
            return sum(len(layers[g.name]) for g in channels.groups if not g.fixed)
        case "parameters":
            return model.num_parameters()
        case "bytes":
            return sum(array.nbytes for array in arrays_of(model).values())
    return getattr(costs, target)


@given(nets(), st.floats(0.05, 0.95))
def test_predictions_are_exact(drawn, ratio):
    net, shape, rng = drawn
    g = graph.trace(net, shape)
    channels = find_channels(g)
    try:
        chosen = plan(net, shape, ratio, "random", rng=rng)
    except ValueError as error:
        assume("no filter would leave" not in str(error))
        raise
    sizes = Sizes.of(g, channels)
    small = chosen.apply(net)
    for target in COUNTED:
        if target == "channels" and any("grouped" in name for name in net.parts):
            continue  # with one channel left for each group it is depthwise, and its filters belong to what it reads
        assert sizes.count(target, gone_channels(channels, {})) == really(target, net, shape, channels)
        assert sizes.count(target, gone_channels(channels, chosen.removed)) == really(target, small, shape, channels)


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("target", COUNTED)
def test_targets_are_met_and_not_by_more_than_a_filter(target, scope):
    net, shape = models.resnet(8, shortcut="B", rng=0), (16, 16, 3)
    channels = find_channels(graph.trace(net, shape))
    chosen = plan_to(net, shape, 0.6, target, scope=scope, skip=["conv1"])
    whole, left = (really(target, m, shape, channels) for m in (net, chosen.apply(net)))
    assert 0.6 * whole - whole / 20 < left <= 0.6 * whole
    assert "conv1" not in chosen.removed and target in chosen.how
    if scope == "local":  # one ratio for all, up to the filter that was the last to leave
        shares = [len(at) / len(channels.group_of(name)) for name, at in chosen.removed.items()]
        assert max(shares) - min(shares) <= 1 / 16 + 1e-9


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.95), st.sampled_from([0.3, 0.5, 1.0]), st.integers(1, 3),
       st.sampled_from([1, 3, 4]), st.sampled_from(["up", "down", "nearest"]))  # fmt: skip
def test_the_cap_of_every_layer_holds(seed, share, max_ratio, min_keep, multiple, rounding):
    rng = np.random.default_rng(seed)
    net = models.resnet(8, width=0.5, rng=rng)
    for p in net.parameters():
        p.data *= rng.exponential()  # layers whose norms are far apart, as a threshold over all would find them
    net.stages[1][0].conv1.weight.data *= 1e-4
    try:
        chosen = plan_to(
            net, (8, 8, 3), share, "macs", scope="global", max_ratio=max_ratio, min_keep=min_keep, multiple=multiple,
            rounding=rounding,
        )  # fmt: skip
    except ValueError as error:
        assert "removing" in str(error) and "expected at most" in str(error)
        return
    for group in chosen.channels.groups:
        removed = len(chosen.removed.get(group.name, ()))
        assert removed <= max_ratio * len(group) + 1e-9
        assert removed == 0 or (len(group) - removed) % multiple == 0
    for layer in chosen.channels.weights:
        assert chosen.kept(layer).sum() >= min_keep


def test_global_order_is_by_score_over_the_mean_of_the_group():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 1, bias=False, rng=0), nn.ReLU(), nn.Conv2d(4, 4, 1, bias=False, rng=0), nn.GlobalAvgPool2d(),
        nn.Linear(4, 2, rng=0),
    )  # fmt: skip
    net[0].weight.data[:] = np.array([1, 2, 3, 6]).reshape(4, 1, 1, 1)  # over their mean: 1/3, 2/3, 1, 2
    net[2].weight.data[:] = np.array([90, 95, 105, 110]).reshape(4, 1, 1, 1)  # 0.9, 0.95, 1.05, 1.1
    removed = plan_to(net, (2, 2, 1), 5 / 8, "channels", scope="global").removed
    assert {name: at.tolist() for name, at in removed.items()} == {"layers.0": [0, 1], "layers.2": [0]}


def test_a_threshold_does_not_take_more_than_asked_of_many_equal_filters():
    net = models.vgg9(widths=((8, 8),), hidden=(8,), image_size=4, rng=0)
    for p in net.parameters():
        p.data[:] = 1
    chosen = plan_to(net, (4, 4, 3), 0.75, "channels", scope="global")
    assert sum(map(len, chosen.removed.values())) == 6  # of 24


def test_widths_are_rounded_on_the_way():
    chosen = plan_to(models.resnet(8, rng=0), (32, 32, 3), 0.6, "macs", multiple=8)
    assert {int(chosen.kept(layer).sum()) % 8 for layer in chosen.removed} == {0}
    assert chosen.after.macs <= 0.6 * chosen.before.macs


def test_milliseconds_are_measured_network_against_network():
    net, shape = models.resnet(8, rng=0), (8, 8, 3)
    asked = []

    def measure(whole, small):
        asked.append(small.num_parameters() / whole.num_parameters())
        return 0.2 + 0.8 * asked[-1]

    chosen = plan_to(net, shape, 0.7, "milliseconds", measure=measure)
    assert chosen.apply(net).num_parameters() / net.num_parameters() <= 0.625 and len(asked) < 12


def test_greedy_and_rounding_reach_the_same_size():
    net = models.vgg9(widths=((8, 8), (12,)), hidden=(16,), image_size=8, rng=0)
    a, b = (plan_to(net, (8, 8, 3), 0.5, strategy=s) for s in ("independent", "greedy"))
    assert a.after == b.after


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"share": 0.0}, "share=0.0"),
        ({"share": 1.5}, "share=1.5"),
        ({"share": 0.5, "target": "joules"}, "target='joules'"),
        ({"share": 0.5, "scope": "galactic"}, "scope='galactic'"),
        ({"share": 0.5, "max_ratio": 0}, "max_ratio=0"),
        ({"share": 0.01}, r"leaves \d.*% of the macs, expected at most 1.0%"),
        (
            {"share": 0.9, "skip": ["conv1", "stages.0.0.conv1", "stages.1.0.conv1", "stages.2.0.conv1"]},
            "removing 0 filters",
        ),
        ({"share": 0.9, "skip": ["conv9"]}, "no layer 'conv9'"),
    ],
)
def test_mistakes_get_one_clear_line(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_to(models.resnet(8, width=0.5, rng=0), (8, 8, 3), **arguments)
