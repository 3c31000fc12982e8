"""What never matters may leave without changing a bit; what always sends a number may not, and is told."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunable import doubled, nets

import minidl
from algorithms.pruning import lossless
from algorithms.pruning.lossless import follow_constants
from minidl import graph, nn
from minidl.nn import models


@st.composite
def with_dead_filters(draw, integers=False):
    """Draw a network of which some filters are zero, some shifts negative, some columns zero, some scales zero."""
    exact = {"acts": ("relu", "hardtanh", "none")} if integers else {}  # a leaky slope of 0.01 is not exact
    net, shape, rng = draw(nets(integers=integers, max_steps=3, **exact))
    share = draw(st.sampled_from([0.2, 0.6]))
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.DepthwiseConv2d)):
            dead = rng.random(len(module.weight.data)) < share
            module.weight.data[dead] = 0
            if module.bias is not None:
                module.bias.data[dead] = rng.choice([-1, 0, 1], dead.sum())
            module.weight.data[..., rng.random(module.weight.shape[-1]) < share / 3] = 0
        if isinstance(module, nn.BatchNorm2d):
            n = len(module.bias.data)
            module.weight.data[rng.random(n) < share / 3] = 0
            module.running_mean[rng.random(n) < share] = 0
    return net, shape, rng


@given(with_dead_filters())
def test_constants_are_constant(drawn):
    """Every number that is said to be constant is met in a real run, on random images."""
    net, shape, rng = drawn
    g = graph.trace(net, shape)
    constants = follow_constants(g)
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    with minidl.use(backend="numpy"):
        values = {0: x}
        for node in g.nodes[1:]:
            if node.value is not None:
                values[node.index] = node.value
            elif node.op == "Reshape":
                values[node.index] = values[node.inputs[0]].reshape(3, *node.shape)
            else:
                values[node.index] = copy.copy(node.function).forward(*[values[i] for i in node.inputs])
    for node in g:
        if node.batched:
            found = values[node.index].reshape(-1, node.shape[-1])
            known = ~np.isnan(constants[node.index])
            expected = np.broadcast_to(constants[node.index], found.shape)
            np.testing.assert_allclose(found[:, known], expected[:, known], rtol=1e-5, atol=1e-6)
            zero = constants[node.index] == 0
            assert (found[:, zero] == 0).all()  # zeros are exact, since filters leave on their account


@given(with_dead_filters(integers=True))
def test_answers_stay_the_same_bits(drawn):
    net, shape, rng = drawn
    doubled(net)  # 24 bits do not hold every sum of such a network, and their order would matter; 53 do
    found = lossless(net, shape)
    small = found.plan.apply(net)
    x = rng.integers(-2, 3, (2, *shape)).astype(np.float64)
    with minidl.use(backend="numpy"), minidl.no_grad():
        np.testing.assert_array_equal(small(x).numpy(), net(x).numpy())
    assert {name: list(at) for name, at in found.reasons.items()} == {
        name: at.tolist() for name, at in found.plan.removed.items()
    }


def chain(shift, padding=0, last=1.0):
    """Three filters, the second of them zero, with a shift behind the batch norm."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False, rng=0), nn.BatchNorm2d(3), nn.ReLU(),
        nn.Conv2d(3, 2, 3, padding=padding, rng=1), nn.GlobalAvgPool2d(), nn.Linear(2, 2, rng=2),
    ).eval()  # fmt: skip
    net[0].weight.data[1] = 0
    net[1].bias.data[1] = shift
    net[3].weight.data[..., 1] *= last
    return net


@pytest.mark.parametrize("shift", [0.0, -0.5, -1e-12])
def test_a_zero_filter_without_a_positive_shift_leaves(shift):
    net = chain(shift)
    found = lossless(net, (6, 6, 1))
    assert found.reasons == {"layers.0": {1: "its map is zero for every image"}} and not found.refused
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 1)).astype(np.float32)
    np.testing.assert_allclose(found.plan.apply(net)(x).numpy(), net(x).numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("padding", [0, 1])
def test_a_zero_filter_with_a_positive_shift_is_named_and_stays(padding):
    found = lossless(chain(0.5, padding), (6, 6, 1))
    assert not found.plan.removed and not found.reasons
    assert found.refused == {"layers.0": {1: "its map is 0.5 for every image, which what reads it would miss"}}


def test_a_filter_that_nobody_reads_leaves_and_takes_others_along():
    net = models.vgg9(widths=((4, 4),), hidden=(4,), image_size=4, rng=0).eval()
    layers = net.layers
    layers["conv2"].weight.data[..., 2] = 0
    assert lossless(net, (4, 4, 3)).reasons == {"layers.conv1": {2: "no filter that matters reads it"}}
    layers["linear2"].weight.data[:, :3] = 0  # three of four hidden outputs are not read
    layers["linear1"].weight.data[3, 4:] = 0  # and the fourth looks at the first pixel alone
    layers["linear1"].weight.data[3, :2] = 0  # at two of its channels
    found = lossless(net, (4, 4, 3))
    assert {name: list(at) for name, at in found.reasons.items()} == {
        "layers.conv1": [2], "layers.conv2": [0, 1], "layers.linear1": [0, 1, 2],
    }  # fmt: skip


def test_a_layer_of_which_nothing_matters_keeps_one_filter():
    net = chain(-0.5)
    net[0].weight.data[:] = 0
    net[1].bias.data[:] = -1
    found = lossless(net, (6, 6, 1))
    assert found.plan.removed["layers.0"].tolist() == [0, 1]
    assert found.plan.apply(net)(np.ones((1, 6, 6, 1), np.float32)).shape == (1, 2)


def test_a_trained_network_loses_nothing_by_it():
    found = lossless(models.resnet(8, rng=0), (32, 32, 3))
    assert not found.plan.removed and found.plan.after == found.plan.before
