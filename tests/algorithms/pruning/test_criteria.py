"""Scores against their definitions, written out once more with loops, and against finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from prunable import Net, randomize

import minidl
from algorithms.pruning import CRITERIA, IMAGE_CRITERIA, find_channels, image_scores, plan
from algorithms.pruning.criteria import gamma
from algorithms.pruning.presets import by_stage
from algorithms.pruning.surgery import arrays_of
from minidl import graph, nn, ops
from minidl.data import Dataset, batches
from minidl.nn import models


@given(array_shapes(min_dims=2, max_dims=4, max_side=6), st.integers(0, 2**32 - 1))
def test_weight_criteria_are_their_definitions(shape, seed):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal(shape).astype(np.float32)
    filters = [f.astype(np.float64).ravel() for f in weight]
    distances = [sum(np.linalg.norm(a - b) for b in filters) for a in filters]
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(CRITERIA["l1"](weight, rng), [sum(map(abs, f)) for f in filters], **close)
    np.testing.assert_allclose(CRITERIA["l2"](weight, rng), [np.linalg.norm(f) for f in filters], **close)
    np.testing.assert_allclose(CRITERIA["geometric-median"](weight, rng), distances, **close)
    np.testing.assert_array_equal(CRITERIA["largest"](weight, rng), -CRITERIA["l1"](weight, rng))
    assert sorted(CRITERIA["random"](weight, rng)) == list(range(len(weight)))


def test_random_orders_follow_the_seed():
    net = models.resnet(8, rng=0)
    chosen = [plan(net, (8, 8, 3), 0.5, "random", rng=seed).record()["removed"] for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_gamma_is_the_scale_behind_the_filter():
    net = models.resnet(8, rng=0)
    channels = find_channels(graph.trace(net, (8, 8, 3)))
    net.stages[1][0].bn1.weight.data[:] = np.arange(32) - 20
    scores = gamma(channels, arrays_of(net))
    np.testing.assert_array_equal(scores["stages.1.0.conv1"], np.abs(np.arange(32) - 20))
    assert "linear" not in scores
    chosen = plan(net, (8, 8, 3), {"stages.1.0.conv1": 3 / 32}, "gamma")
    assert chosen.removed["stages.1.0.conv1"].tolist() == [19, 20, 21]


# -- criteria that look at images -----------------------------------------------------------------------------------


def some_images(count=7, seed=0, shape=(4, 4, 2)):
    rng = np.random.default_rng(seed)
    return Dataset(rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % 2)


def small_net(seed=0):
    rng = np.random.default_rng(seed)
    steps = [
        ("conv", "relu", True, 3),
        ("A", "relu", True, 2),
        ("concat", "relu", False, 2),
        ("depthwise", "relu", True, 1),
    ]
    return randomize(Net(steps, 4, 2, False, 1, rng), rng)


def raw_outputs(net, images):
    """{layer: (N, OH, OW, O)} of two layers, with the operations themselves."""
    x = np.concatenate([x for x, _ in batches(images, len(images), seed=0, epoch=0, shuffle=False)])
    first, block = net.parts["conv0"], net.parts["A1"]
    with minidl.no_grad():
        y = first.conv(x)
        inner = block.inner.conv(ops.relu(first.norm(y)))
    return {"parts.conv0.conv": y.numpy(), "parts.A1.inner.conv": inner.numpy()}


DEFINITIONS = {
    "mean-mean": lambda maps: np.mean([x.mean() for x in maps]),
    "mean-std": lambda maps: np.mean([x.std() for x in maps]),
    "mean-l1": lambda maps: np.mean([np.abs(x).sum() for x in maps]),
    "mean-l2": lambda maps: np.mean([np.linalg.norm(x) for x in maps]),
    "var-l2": lambda maps: np.var([np.linalg.norm(x) for x in maps]),
}


@pytest.mark.parametrize("criterion", DEFINITIONS)
@given(st.integers(1, 9), st.integers(0, 100))
def test_the_five_statistics_of_the_paper(criterion, batch_size, seed):
    images, net = some_images(seed=seed), small_net(seed)
    scores = image_scores(net, images, criterion, batch_size)
    for layer, outputs in raw_outputs(net, images).items():
        expected = [DEFINITIONS[criterion](outputs[..., o].astype(np.float64)) for o in range(outputs.shape[-1])]
        np.testing.assert_allclose(scores[layer], expected, rtol=1e-5, atol=1e-6)  # float32 convolutions


def test_apoz_counts_what_a_relu_lets_pass():
    images, net = some_images(), small_net()
    y = ops.relu(net.parts["conv0"].norm(raw_outputs(net, images)["parts.conv0.conv"])).numpy()
    scores = image_scores(net, images, "apoz", batch_size=3)
    np.testing.assert_allclose(scores["parts.conv0.conv"], (y != 0).mean(axis=(0, 1, 2)))


def test_taylor_is_the_slope_of_the_loss_along_the_gate():
    """Every filter's gate, moved by a hair for each image alone, in float64."""
    images, net = some_images(), small_net()
    for module in net.modules():
        for key, value in vars(module).items():
            if isinstance(value, nn.Parameter):
                value.data = value.data.astype(np.float64)
            elif isinstance(value, np.ndarray):
                setattr(module, key, value.astype(np.float64))
    x, labels = next(batches(images, 7, seed=0, epoch=0, shuffle=False))
    x = x.astype(np.float64)

    def losses(layer, gate):
        net.gates = {layer_: np.ones(n) for layer_, n in widths.items()} | {layer: gate}
        with minidl.no_grad():
            return ops.cross_entropy(net(x), labels, reduction="none").numpy()

    widths = {
        "parts.conv0.conv": 3,
        "parts.A1.inner.conv": 6,
        "parts.A1.outer.conv": 5,
        "parts.concat2.conv": 2,
        "hidden": 3,
    }
    expected = {}
    for layer in ("parts.conv0.conv", "parts.A1.inner.conv", "hidden"):
        slopes = []
        for o in range(widths[layer]):
            step = 1e-6 * np.eye(widths[layer])[o]
            slopes.append(np.abs(losses(layer, 1 + step) - losses(layer, 1 - step)).mean() / 2e-6)
        expected[layer] = slopes
    net.gates = None

    class Double(nn.Module):  # image_scores hands out float32
        def __init__(self):
            self.net = net

        def forward(self, x):
            return self.net(x.astype(np.float64))

    scores = image_scores(Double(), images, "taylor", batch_size=2)
    for layer, slopes in expected.items():
        np.testing.assert_allclose(scores[f"net.{layer}"], slopes, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("criterion", IMAGE_CRITERIA)
def test_scores_of_images_choose_filters(criterion):
    net, images = models.resnet(8, width=0.25, in_channels=2, num_classes=2, rng=0), some_images()
    state = net.state_dict()
    scores = image_scores(net, images, criterion)
    chosen = plan(net, (4, 4, 2), 0.5, scores, combine="mean")
    order = np.argsort(scores["stages.2.0.conv1"], kind="stable")
    assert chosen.removed["stages.2.0.conv1"].tolist() == sorted(order[:8].tolist())
    assert net.training and all(p.grad is None for p in net.parameters())
    assert all(np.array_equal(state[name], array) for name, array in net.state_dict().items())


def test_an_unknown_criterion_of_images():
    with pytest.raises(ValueError, match="criterion 'colour', expected one of mean-mean"):
        image_scores(small_net(), some_images(), "colour")


def test_a_ratio_for_every_stage():
    net, shape = models.resnet(14, rng=0), (32, 32, 3)
    ratios = by_stage(net, shape, (0.5, 0.4, 0.3), skip=["stages.1.0.conv1"])
    assert ratios == {
        "stages.0.0.conv1": 0.5, "stages.0.1.conv1": 0.5, "stages.1.1.conv1": 0.4,
        "stages.2.0.conv1": 0.3, "stages.2.1.conv1": 0.3,
    }  # fmt: skip
    with pytest.raises(ValueError, match="found 2 ratios, expected 3"):
        by_stage(net, shape, (0.5, 0.4))
