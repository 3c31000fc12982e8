"""The channel labels agree with what NaN touches, and the groups are those that a person would name."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prunable import nets, randomize

import minidl
from algorithms.pruning import find_channels
from algorithms.pruning.rules import RULES
from minidl import graph, nn, ops
from minidl.nn import models


def touched(g, channels, channel):
    """Put NaN into every filter that makes `channel`, run, and see which entries of parameters and buffers meet a NaN.

    Layers that sum over channels get the NaN cleaned from what they read, so that it ends there; nothing else of the
    labels is used.
    """
    births = {(name, i) for name, axis, at in channels.leaving_with(channel) if axis == 0 for i in at}
    born_here = {channels.weights[layer] for group in channels.groups for layer in group.layers}
    rng = np.random.default_rng(0)
    values, met = {0: rng.standard_normal((1, *g.input.shape)).astype(np.float32)}, set()
    for node in g.nodes[1:]:
        if node.value is not None:
            values[node.index] = node.value
            continue
        inputs = [values[i] for i in node.inputs]
        function = copy.copy(node.function)
        sums = node.op in ("Conv2d", "Linear") and g.inputs(node)[1].name in born_here
        for x, array in zip(g.inputs(node), inputs, strict=True):
            if x.batched or node.op == "Concatenate":
                continue
            width = array.shape[-1] if node.op != "Conv2d" and node.op != "Linear" else 0
            spoiled = np.isnan(inputs[0]).reshape(-1, inputs[0].shape[-1]).any(axis=0)
            if width == len(spoiled):  # batch norm and per-channel arithmetic
                met |= {(x.name, array.ndim - 1, int(i)) for i in np.flatnonzero(spoiled)}
        if sums:
            weight = g.inputs(node)[1]
            spoiled = np.isnan(inputs[0]).reshape(-1, inputs[0].shape[-1]).any(axis=0)
            axis = len(weight.shape) - 1
            met |= {(weight.name, axis, int(i) % weight.shape[axis]) for i in np.flatnonzero(spoiled)}
            inputs[0] = np.nan_to_num(inputs[0])
        if node.op in ("Reshape", "BroadcastTo"):
            y = inputs[0].reshape(1, *node.shape)
        else:
            y = function.forward(*inputs)
        if node.op in ("Conv2d", "Linear"):  # its own filters, and for a depthwise one those that read a NaN
            name = g.inputs(node)[1].name
            if sums:
                y[..., [i for n, i in births if n == name]] = np.nan
            for source in g.inputs(node)[1:]:
                met |= {
                    (source.name, 0, int(i)) for i in np.flatnonzero(np.isnan(y).reshape(-1, y.shape[-1]).any(axis=0))
                }
        values[node.index] = y
    return met


def predicted(channels, channel):
    return {(name, axis, int(i)) for name, axis, at in channels.leaving_with(channel) for i in at}


def check_by_nan(net, shape, rng, tries=3):
    g = graph.trace(net, shape)
    channels = find_channels(g)
    free = [group for group in channels.groups if not group.fixed]
    with minidl.use(backend="numpy"), np.errstate(all="ignore"):
        for group in free:
            for channel in rng.permutation(group.channels)[:tries]:
                assert touched(g, channels, int(channel)) == predicted(channels, int(channel))
    return free


@given(nets(acts=("relu", "leaky", "none")))
def test_nan_touches_what_is_labelled(drawn):
    net, shape, rng = drawn
    assume(not any("grouped" in name for name in net.parts))  # there a label stands for one position of every group
    check_by_nan(net, shape, rng)


ZOO = {
    "lenet5": (lambda: models.lenet5(rng=0, image_size=12), (12, 12, 1)),
    "vgg9": (lambda: models.vgg9(widths=((4, 5), (6,)), hidden=(7,), image_size=8, rng=0), (8, 8, 3)),
    "vgg_bc": (lambda: models.vgg_bc(widths=((4, 5),), hidden=(7,), image_size=4, rng=0), (4, 4, 3)),
    "resnet8 A": (lambda: models.resnet(8, rng=0, width=0.25), (8, 8, 3)),
    "resnet8 B": (lambda: models.resnet(8, rng=0, width=0.25, shortcut="B"), (8, 8, 3)),
    "resnet8 none": (lambda: models.resnet(8, rng=0, width=0.25, shortcut=None), (8, 8, 3)),
    "tiny-mobile": (lambda: models.tiny_mobile(widths=(4, 4, 6), rng=0), (8, 8, 3)),
    "densenet121": (lambda: models.densenet121(growth=2, rng=0), (8, 8, 3)),
}


@pytest.mark.parametrize("name", ZOO)
def test_nan_touches_what_is_labelled_in_every_model(name):
    build, shape = ZOO[name]
    rng = np.random.default_rng(0)
    assert check_by_nan(randomize(build(), rng), shape, rng, tries=1)


def groups_of(net, shape):
    return find_channels(graph.trace(net, shape)).groups


def test_groups_of_residual_networks():
    inner = [(f"stages.{s}.0.conv1",) for s in range(3)]
    trunk = ("conv1", "stages.0.0.conv2", "stages.1.0.conv2", "stages.2.0.conv2")
    assert [g.layers for g in groups_of(models.resnet(8, rng=0), (32, 32, 3))] == [trunk, *inner, ("linear",)]
    projected = groups_of(models.resnet(8, shortcut="B", rng=0), (32, 32, 3))
    assert [g.layers for g in projected if len(g.layers) > 1] == [
        ("conv1", "stages.0.0.conv2"),
        ("stages.1.0.conv2", "stages.1.0.shortcut.conv"),
        ("stages.2.0.conv2", "stages.2.0.shortcut.conv"),
    ]
    assert all(len(g.layers) == 1 for g in groups_of(models.resnet(8, shortcut=None, rng=0), (32, 32, 3)))
    assert [len(g) for g in groups_of(models.resnet(8, rng=0), (32, 32, 3))] == [64, 16, 32, 64, 10]


def test_the_zero_padded_stage_shares_its_first_channels_only():
    channels = find_channels(graph.trace(models.resnet(8, rng=0), (32, 32, 3)))
    wide, narrow = channels.of_filters("stages.1.0.conv2"), channels.of_filters("conv1")
    assert (wide[:16] == narrow).all() and not np.isin(wide[16:], narrow).any()


def test_a_convolution_with_one_filter_is_not_depthwise():
    net = nn.Sequential(
        nn.Conv2d(3, 1, 3, rng=0), nn.Conv2d(1, 4, 3, rng=0), nn.GlobalAvgPool2d(), nn.Linear(4, 2, rng=0)
    )
    channels = find_channels(graph.trace(net, (5, 5, 3)))
    assert channels.depthwise == () and len(channels.groups) == 4 - 1


class OneModuleTwoWeights(nn.Module):
    """Parameters that are not called "weight", two of them in one module, and one at the root."""

    def __init__(self):
        self.first = nn.Parameter(np.ones((4, 1, 1, 3), np.float32))
        self.second = nn.Parameter(np.ones((5, 1, 1, 4), np.float32))
        self.last = nn.Parameter(np.ones((2, 5), np.float32))

    def forward(self, x):
        x = ops.conv2d(ops.relu(ops.conv2d(x, self.first)), self.second)
        return ops.linear(ops.global_avg_pool2d(x), self.last)


def test_layers_are_told_apart_by_their_weights():
    assert [g.name for g in groups_of(OneModuleTwoWeights(), (4, 4, 3))] == ["first", "second", "last"]
    assert [g.name for g in groups_of(nn.Conv2d(3, 4, 3, rng=0), (4, 4, 3))] == ["weight"]


class Mixer(nn.Module):
    """Does something to the four channels of a convolution."""

    def __init__(self, how):
        self.conv, self.linear, self.how = nn.Conv2d(3, 4, 1, rng=0), nn.Linear(4, 2, rng=0), how

    def forward(self, x):
        x = HOW[self.how][0](self.conv(x))
        return self.linear(ops.global_avg_pool2d(x))


CONSTANT = np.arange(4, dtype=np.float32)
HOW = {
    "a constant": (lambda x: x * CONSTANT, "a constant"),
    "channels by position": (lambda x: x[..., [0, 2, 1, 3]], "GetItem"),
    "a slice of channels": (lambda x: ops.concatenate([x[:, :, :, 2:], x[:, :, :, :2]]), "GetItem"),
    "softmax": (lambda x: ops.log_softmax(x), "LogSoftmax"),
    "the sum of channels": (lambda x: x + x.sum(axis=-1, keepdims=True), "Sum"),
    "positions as channels": (lambda x: x.reshape(x.shape[0], 8, 4, 2).reshape(x.shape[0], 4, 4, 4), "Reshape"),
    "another image shape": (lambda x: x.reshape(x.shape[0], 2, 8, 4), ""),
    "one pixel": (lambda x: x[:, 0, 1].reshape(x.shape[0], 1, 1, 4), ""),
    "a slice of pixels": (lambda x: x[:, 1:, ::2], ""),
    "numbers": (lambda x: 2 * x - 1, ""),
}


@pytest.mark.parametrize("how", HOW)
def test_channels_that_something_else_needs_may_not_leave(how):
    first = groups_of(Mixer(how), (4, 4, 3))[0]
    assert HOW[how][1] in first.fixed and bool(first.fixed) == bool(HOW[how][1])


def test_weights_that_are_computed_may_not_be_pruned():
    class Scaled(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones((4, 1, 1, 3), np.float32))
            self.linear = nn.Linear(4, 2, rng=0)

        def forward(self, x):
            return self.linear(ops.global_avg_pool2d(ops.conv2d(x, self.weight * 2.0)))

    assert [g.name for g in groups_of(Scaled(), (4, 4, 3))] == ["linear"]


def test_an_operation_without_a_rule_is_refused_by_name():
    class Product(nn.Module):
        def forward(self, x):
            return x @ np.ones((3, 2), np.float32)

    with pytest.raises(ValueError, match="no rule for the operation MatMul"):
        groups_of(Product(), (3,))


@pytest.mark.parametrize("name", models.registry.names())
def test_every_model_has_rules(name):
    shape = (32, 32, models.default_input_shape(name)[2])
    wide = {"densenet121": {"growth": 4}}.get(name, {"width": 0.25} if name.startswith(("resnet1", "wrn")) else {})
    if name in ("resnet18", "resnet34", "wrn-56-8", "wrn-56-8-noshort"):
        wide = {}
    net = models.build(name, input_shape=shape, rng=0, **({} if name == "resnet18" else wide))
    g = graph.trace(net, shape)
    channels = find_channels(g)
    assert {node.op for node in g if node.batched} <= set(RULES)
    names = {name for name, _ in net.named_parameters()}
    assert {name for name, _ in channels.axes} >= names
    assert [group.fixed for group in channels.groups].count("they are the network's output") == 1


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_union_find_is_what_connectivity_says(count, seed):
    """Random unions of blocks against a dense transitive closure."""
    from algorithms.pruning.labels import Labeller

    rng = np.random.default_rng(seed)
    labeller = Labeller(None)
    labels = labeller.fresh(count, "x")
    reach = np.eye(count, dtype=bool)
    for _ in range(rng.integers(0, 5)):
        a, b = rng.integers(0, count, (2, 3))
        labeller.unite(labels[a], labels[b], "test")
        for i, j in zip(a, b, strict=True):
            either = reach[i] | reach[j]
            reach[either] |= either
    root = np.array([labeller.find(int(c)) for c in labels])
    np.testing.assert_array_equal(root[:, None] == root[None], reach)
    assert (root <= labels).all()
