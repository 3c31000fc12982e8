"""Each layer is its operation with parameters: shapes, starts, modes, equality with `ops`, gradients everywhere."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import Tensor, nn, ops

IMAGES, VECTORS = (3, 6, 5, 4), (3, 8)

# layer, input shape, output shape, the same by `ops` (w, b: the layer's weight and bias)
LAYERS = {
    "Conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2, rng=0), IMAGES, (3, 3, 4, 6),
               lambda x, w, b: ops.conv2d(x, w, b, (2, 1), (1, 0), 2)),
    "DepthwiseConv2d": (lambda: nn.DepthwiseConv2d(4, 3, padding=1, rng=0), IMAGES, (3, 6, 5, 4),
                        lambda x, w, b: ops.conv2d(x, w, b, 1, 1, 4)),
    "Linear": (lambda: nn.Linear(8, 2, rng=0), VECTORS, (3, 2), ops.linear),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), IMAGES, IMAGES,
                    lambda x, w, b: ops.batch_norm(x, None, None, w, b, True)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(8), VECTORS, VECTORS,
                    lambda x, w, b: ops.batch_norm(x, None, None, w, b, True)),
    "ReLU": (nn.ReLU, IMAGES, IMAGES, lambda x, w, b: ops.relu(x)),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), IMAGES, IMAGES, lambda x, w, b: ops.leaky_relu(x, 0.2)),
    "HardTanh": (nn.HardTanh, IMAGES, IMAGES, lambda x, w, b: ops.hardtanh(x)),
    "Tanh": (nn.Tanh, IMAGES, IMAGES, lambda x, w, b: ops.tanh(x)),
    "Sigmoid": (nn.Sigmoid, IMAGES, IMAGES, lambda x, w, b: ops.sigmoid(x)),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, 1), IMAGES, (3, 3, 3, 4), lambda x, w, b: ops.max_pool2d(x, 3, 2, 1)),
    "AvgPool2d": (lambda: nn.AvgPool2d((2, 1)), IMAGES, (3, 3, 5, 4), lambda x, w, b: ops.avg_pool2d(x, (2, 1))),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d, IMAGES, (3, 4), lambda x, w, b: ops.global_avg_pool2d(x)),
    "Flatten": (nn.Flatten, IMAGES, (3, 120), lambda x, w, b: ops.reshape(x, (3, 120))),
    "Dropout": (lambda: nn.Dropout(0.0), IMAGES, IMAGES, lambda x, w, b: x),
    "Sequential": (lambda: nn.Sequential(nn.ReLU(), nn.Flatten()), IMAGES, (3, 120),
                   lambda x, w, b: ops.flatten(ops.relu(x))),
}  # fmt: skip
every_layer = pytest.mark.parametrize("name", LAYERS)


def images(shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_every_layer_is_listed():
    public = {n for n in nn.__all__ if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Module)}
    assert public - {"Module"} == set(LAYERS)


@every_layer
def test_it_is_its_operation(name):
    make, in_shape, out_shape, op = LAYERS[name]
    layer, x = make(), images(in_shape)
    y = layer(x)
    assert isinstance(y, Tensor) and y.shape == out_shape and y.dtype == np.float32
    expected = op(Tensor(x), getattr(layer, "weight", None), getattr(layer, "bias", None))
    np.testing.assert_array_equal(y.numpy(), expected.numpy())


@every_layer
def test_gradients_reach_the_input_and_every_parameter(name):
    make, in_shape, *_ = LAYERS[name]
    layer, x = make(), Tensor(images(in_shape), requires_grad=True)
    y = layer(x)
    (y * y).sum().backward()
    for t in (x, *layer.parameters()):
        assert t.grad.shape == t.shape and t.grad.dtype == np.float32


@every_layer
def test_state_copies_and_text(name):
    make, in_shape, *_ = LAYERS[name]
    layer, x = make(), images(in_shape)
    layer(x)  # moves running statistics
    other, twin = make(), copy.deepcopy(layer)
    other.load_state_dict(layer.state_dict())
    expected = layer.eval()(x).numpy()
    np.testing.assert_array_equal(other.eval()(x).numpy(), expected)
    np.testing.assert_array_equal(twin.eval()(x).numpy(), expected)
    assert repr(layer).startswith(f"{name}(")


@pytest.mark.parametrize("make", [
    lambda rng: nn.Conv2d(3, 5, 3, rng=rng), lambda rng: nn.Linear(4, 3, rng=rng),
    lambda rng: nn.Linear(4, 3, std=0.01, rng=rng),
    lambda rng: nn.DepthwiseConv2d(3, 3, rng=rng),
])  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1))
def test_one_seed_one_start(make, seed):
    first = make(seed).weight.numpy()
    np.testing.assert_array_equal(make(seed).weight.numpy(), first)
    np.testing.assert_array_equal(make(np.random.default_rng(seed)).weight.numpy(), first)
    minidl.manual_seed(seed)
    np.testing.assert_array_equal(make(None).weight.numpy(), first)
    assert not np.array_equal(make(None).weight.numpy(), first)


@pytest.mark.parametrize("init, variance", [
    (nn.init.he_normal, 2 / (9 * 32)), (nn.init.he_normal_fan_out, 2 / (9 * 64)),
    (nn.init.glorot_uniform, 2 / (9 * 32 + 9 * 64)),
    (lambda shape, rng: nn.init.normal(shape, 0.05, rng), 0.05**2),
])  # fmt: skip
def test_starts_have_their_variance(init, variance):
    weight = init((64, 3, 3, 32), rng=0)
    assert weight.dtype == np.float32
    assert abs(weight.mean()) < 5 * np.sqrt(variance / weight.size)
    assert abs(weight.var() / variance - 1) < 5 * np.sqrt(2 / weight.size)  # five deviations of a sample variance


def test_layers_without_bias_have_none():
    for layer in (nn.Conv2d(1, 2, 3, bias=False), nn.Linear(1, 2, bias=False), nn.DepthwiseConv2d(2, 3, bias=False)):
        assert [n for n, _ in layer.named_parameters()] == ["weight"] and layer.bias is None


def test_batch_norm_evaluates_by_what_training_saw():
    layer, x = nn.BatchNorm1d(8, momentum=1.0), images((64, 8)) * 3 + 2
    layer(x)
    y = layer.eval()(x).numpy()
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0, ddof=1), 1, rtol=1e-4)
    before = layer.running_mean.copy()
    layer(x + 1)
    np.testing.assert_array_equal(layer.running_mean, before)


def test_sequential_is_a_sequence():
    net = nn.Sequential(nn.Flatten(), nn.ReLU())
    assert len(net) == 2 and list(net) == [net[0], net[1]] and isinstance(net[-1], nn.ReLU)


def test_refusals():
    with pytest.raises(ValueError, match="groups=3, expected a divisor of 4 and of 6"):
        nn.Conv2d(4, 6, 3, groups=3)
    with pytest.raises(ValueError, match=r"BatchNorm2d got x .*\(3, 8\), expected 4 axes"):
        nn.BatchNorm2d(8)(images(VECTORS))
