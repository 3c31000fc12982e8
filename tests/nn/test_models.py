"""The networks have the parameters of the papers, run on the data sets' images, and take the widths they are given."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minidl
from minidl import nn, ops
from minidl.nn import models
from minidl.nn.models.resnet import BasicBlock, ZeroPad

PARAMETERS = {
    # Visualizing the Loss Landscape, models table (projections by default in that code)
    "vgg9": ({}, 2_789_706),
    "resnet20": ({"shortcut": "B"}, 272_474),
    "resnet56": ({"shortcut": "B"}, 855_770),
    "resnet110": ({"shortcut": "B"}, 1_730_714),
    "resnet20-noshort": ({}, 269_722),
    "resnet56-noshort": ({}, 853_018),
    "resnet110-noshort": ({}, 1_727_962),
    "wrn-56-2": ({}, 3_412_394),
    "wrn-56-4": ({}, 13_628_234),
    "wrn-56-8": ({}, 54_470_282),
    "wrn-56-2-noshort": ({}, 3_401_770),
    "wrn-56-4-noshort": ({}, 13_586_506),
    "wrn-56-8-noshort": ({}, 54_304_906),
    "densenet121": ({}, 6_956_298),
    # Pruning Filters for Efficient ConvNets, with batch norm and biases
    "vgg16": ({}, 14_987_722),
    "resnet34": ({}, 21_797_672),
    "lenet5": ({}, 61_706),
}

CONV_AND_LINEAR_WEIGHTS = {  # Training Quantized Nets, section 5.2; its residual networks have no projections
    "vgg9": (1_734_336, 1_051_136),
    "vgg-bc": (4_574_592, 9_447_424),
    "resnet56": (848_304, 640),
    "wrn-56-2-noshort": (3_392_352, 1_280),
    "resnet18": (11_166_912, 512_000),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_count(name):
    options, expected = PARAMETERS[name]
    assert models.build(name, rng=0, **options).num_parameters() == expected


@pytest.mark.parametrize("depth, expected", [(56, 853_018), (110, 1_727_962)])
def test_zero_padded_shortcuts_have_no_parameters(depth, expected):
    assert models.resnet(depth, shortcut="A", rng=0).num_parameters() == expected


@pytest.mark.parametrize("name", CONV_AND_LINEAR_WEIGHTS)
def test_weight_count(name):
    parameters = list(models.build(name, rng=0).parameters())
    by_rank = tuple(sum(p.size for p in parameters if p.ndim == ndim) for ndim in (4, 2))
    assert by_rank == CONV_AND_LINEAR_WEIGHTS[name]


FOR_FASHION_MNIST = ["lenet5", "vgg9", "vgg-bc", "resnet8", "resnet20-noshort", "wrn-20-2", "tiny-mobile"]


@pytest.mark.parametrize("name", FOR_FASHION_MNIST)
def test_a_training_step_on_28x28x1_reaches_every_parameter(name):
    net = models.build(name, input_shape=(28, 28, 1), num_classes=7, rng=0)
    x = np.random.default_rng(1).standard_normal((4, 28, 28, 1)).astype(np.float32)
    ops.cross_entropy(net(x), np.array([0, 1, 2, 6])).backward()
    for parameter_name, p in net.named_parameters():
        assert p.grad is not None and p.grad.shape == p.shape, parameter_name
        assert np.isfinite(p.grad.numpy()).all(), parameter_name


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "resnet18"])
def test_large_networks_run_on_small_images(name):
    net = models.build(name, input_shape=(32, 32, 3), num_classes=5, rng=0).eval()
    with minidl.no_grad():
        assert net(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 5)


def test_option_a_keeps_every_other_pixel_and_pads_channels_behind():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    expected = np.zeros((2, 3, 3, 8))
    expected[..., :3] = x[:, ::2, ::2]
    np.testing.assert_array_equal(ZeroPad((2, 2))(minidl.Tensor(x), channels=8).numpy(), expected)


def test_gradient_flows_through_option_a():
    x = minidl.Tensor(np.random.default_rng(0).standard_normal((2, 5, 6, 3)), requires_grad=True)
    assert minidl.gradcheck(lambda x: ZeroPad((2, 2))(x, channels=8) ** 3, [x], order=2)


@pytest.mark.parametrize("shortcut, flows", [("A", True), ("B", True), (None, False)])
def test_only_the_shortcut_bypasses_a_dead_block(shortcut, flows):
    block = BasicBlock(4, 8, 2, shortcut, np.random.default_rng(0))
    block.bn2.weight.data[:] = 0  # nothing comes through the convolutions
    block.bn2.bias.data[:] = 1
    x = minidl.Tensor(np.abs(np.random.default_rng(1).standard_normal((2, 6, 6, 4))).astype("f"), requires_grad=True)
    block.eval()(x).sum().backward()
    assert bool((x.grad.numpy() != 0).any()) is flows


def test_a_block_takes_its_widths_from_the_weights():
    """Cutting filters means replacing arrays; no attribute remembers the old widths."""
    net = models.resnet(8, shortcut="A", rng=0).eval()
    block = net.stages[2][0]
    keep = np.array([0, 3, 4, 40])
    x = np.random.default_rng(1).standard_normal((2, 16, 16, 3)).astype(np.float32)
    gone = np.setdiff1d(np.arange(64), keep)
    block.conv2.weight.data[..., gone] = 0  # the next layer ignores them, so cutting them changes nothing
    with minidl.no_grad():
        before = net(x).numpy()
        block.conv1.weight = nn.Parameter(block.conv1.weight.data[keep])
        for name in ("weight", "bias"):
            setattr(block.bn1, name, nn.Parameter(getattr(block.bn1, name).data[keep]))
        block.bn1.running_mean, block.bn1.running_var = block.bn1.running_mean[keep], block.bn1.running_var[keep]
        block.conv2.weight = nn.Parameter(block.conv2.weight.data[..., keep])
        np.testing.assert_allclose(net(x).numpy(), before, rtol=1e-5, atol=1e-5)  # float32 sums of 576 terms


@pytest.mark.parametrize("depth", [7, 2, 21, 57])
def test_a_depth_that_does_not_exist_is_refused(depth):
    with pytest.raises(ValueError, match="6n \\+ 2"):
        models.resnet(depth)


def test_an_unknown_shortcut_is_refused():
    with pytest.raises(ValueError, match="shortcut='C'"):
        models.resnet(20, shortcut="C")


def test_images_too_small_for_the_poolings_are_refused():
    with pytest.raises(ValueError, match="at least 32 for 5 poolings"):
        models.build("vgg16", input_shape=(28, 28, 1))
    with pytest.raises(ValueError, match="at least 12"):
        models.lenet5(image_size=11)


def test_non_square_images():
    net = models.build("vgg9", input_shape=(32, 16, 2), widths=((4,), (4,)), hidden=(8,), rng=0).eval()
    assert net(np.zeros((3, 32, 16, 2), np.float32)).shape == (3, 10)


def test_build_knows_every_name_and_both_spellings():
    assert {"vgg16", "resnet20", "resnet56", "resnet110", "wrn-56-2", "resnet34"} <= set(models.names())
    assert repr(models.build("VGG_BC", rng=0)) == repr(models.vgg_bc(rng=0))
    assert models.default_input_shape("resnet34") == (224, 224, 3)


def test_build_answers_an_unknown_name_with_close_ones():
    with pytest.raises(ValueError, match=r"no model named 'resnt56', expected for example .*resnet56"):
        models.build("resnt56")
    with pytest.raises(ValueError, match="vgg16"):
        models.build("???")


def test_the_same_seed_gives_the_same_weights_and_layers_differ():
    a, b, c = (models.resnet(8, rng=seed).state_dict() for seed in (3, 3, 4))
    assert all((a[name] == b[name]).all() for name in a)
    assert not (a["conv1.weight"] == c["conv1.weight"]).all()
    first, second = a["stages.0.0.conv1.weight"], a["stages.0.0.conv2.weight"]
    assert not (first == second).all()  # an int seed must not start every layer anew


def test_width_multiplies_the_first_layer_too():
    net = models.wide_resnet(8, width=1.5, rng=0)
    assert [net.conv1.weight.shape[0], *(stage[0].conv1.weight.shape[0] for stage in net.stages)] == [24, 24, 48, 96]


SHOW_NAMES = """
from minidl.nn import models
for name in ("vgg9", "resnet20", "tiny-mobile"):
    print(*models.build(name, rng=0).state_dict(), sep="\\n")
"""


def test_names_are_the_same_in_two_interpreters():
    """Sets and hashes have no say in the order of parameters."""
    seen = {
        subprocess.run(
            [sys.executable, "-c", SHOW_NAMES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1 and "stages.0.0.conv1.weight" in seen.pop()
