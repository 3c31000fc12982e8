"""Layers are their operations with parameters of the right shape, and say clearly what they do not take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import nn, ops
from minidl.nn import init


def images(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


ACTIVATIONS = {
    nn.ReLU(): ops.relu,
    nn.LeakyReLU(0.3): lambda x: ops.leaky_relu(x, 0.3),
    nn.HardTanh(): ops.hardtanh,
    nn.Tanh(): ops.tanh,
    nn.Sigmoid(): ops.sigmoid,
    nn.Flatten(): ops.flatten,
    nn.GlobalAvgPool2d(): ops.global_avg_pool2d,
    nn.MaxPool2d(2, 1): lambda x: ops.max_pool2d(x, 2, 1),
    nn.AvgPool2d(3): lambda x: ops.avg_pool2d(x, 3),
}


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_layers_without_parameters_are_their_operations(layer):
    x = images(np.random.default_rng(0), 2, 6, 7, 3)
    np.testing.assert_array_equal(layer(x).numpy(), ACTIVATIONS[layer](x).numpy())


@given(seed=st.integers(0, 99), channels=st.integers(1, 5), stride=st.integers(1, 2), bias=st.booleans())
def test_depthwise_is_a_convolution_with_a_group_for_each_channel(seed, channels, stride, bias):
    rng = np.random.default_rng(seed)
    x = images(rng, 2, 5, 6, channels)
    depthwise = nn.DepthwiseConv2d(channels, 3, stride, padding=1, bias=bias, rng=rng)
    full = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=bias, rng=rng)
    full.load_state_dict(depthwise.state_dict())
    np.testing.assert_array_equal(depthwise(x).numpy(), full(x).numpy())


def test_depthwise_takes_its_channels_from_the_weight():
    layer = nn.DepthwiseConv2d(4, 3, rng=0)
    layer.weight, layer.bias = nn.Parameter(layer.weight.data[:2]), nn.Parameter(layer.bias.data[:2])
    assert layer(np.zeros((1, 5, 5, 2), np.float32)).shape == (1, 3, 3, 2)


def test_batch_norm_takes_images_or_vectors():
    with pytest.raises(ValueError, match="BatchNorm2d got x of shape"):
        nn.BatchNorm2d(3)(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="BatchNorm1d got x of shape"):
        nn.BatchNorm1d(3)(np.zeros((2, 4, 4, 3), np.float32))


def test_batch_norm_normalizes_in_training_and_remembers_for_evaluation():
    x = images(np.random.default_rng(0), 64, 4, 4, 3) * 3 + 5
    norm = nn.BatchNorm2d(3, momentum=1.0)
    y = norm(x).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)  # 1024 float32 numbers of size 1
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-4)
    unbiased = np.sqrt(1023 / 1024)  # what evaluation divides by is the unbiased variance
    np.testing.assert_allclose(norm.eval()(x).numpy(), y * unbiased, atol=1e-4)


def test_dropout_acts_in_training_only():
    x = np.ones((4, 50), np.float32)
    layer = nn.Dropout(0.5)
    assert set(np.unique(layer(x).numpy())) == {0, 2}
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match="groups=2, expected a divisor of 3"):
        nn.Conv2d(3, 4, 1, groups=2)


@pytest.mark.parametrize(
    "start, variance",
    [
        (init.he_normal, 2 / (9 * 40)),
        (init.he_normal_fan_out, 2 / (9 * 60)),
        (init.glorot_uniform, 2 / (9 * 40 + 9 * 60)),
        (lambda shape, rng: init.normal(shape, 0.01, rng), 1e-4),
    ],
)
def test_weights_start_with_the_stated_variance(start, variance):
    weight = start((60, 3, 3, 40), np.random.default_rng(0))
    count = weight.size
    assert weight.dtype == np.float32
    assert abs(weight.mean()) < 5 * np.sqrt(variance / count)  # five standard errors of a mean
    assert abs(weight.var() / variance - 1) < 5 * np.sqrt(2 / count)  # and of a normal variance, the wider of the two
