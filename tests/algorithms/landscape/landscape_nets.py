"""Small networks and images for the landscape tests: contents from a seed, shapes that hypothesis can vary."""

import numpy as np

from minidl import nn
from minidl.data import Dataset


def images(seed=0, count=24, side=6, channels=2, classes=3):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return Dataset(pixels, rng.integers(0, classes, count), tuple("abcdefgh"[:classes]))


def convnet(seed=0, channels=2, classes=3):
    """Conv, depthwise, linear, with batch norm whose statistics are not those of the start."""
    rng = np.random.default_rng(seed)
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1, rng=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.DepthwiseConv2d(4, 3, padding=1, bias=False, rng=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(4, classes, rng=rng),
    )
    for norm in (net[1], net[4]):
        norm.weight.data[...] = rng.uniform(0.5, 1.5, 4)
        norm.bias.data[...] = rng.normal(0, 0.3, 4)
        norm.running_mean[...] = rng.normal(0, 0.3, 4)
        norm.running_var[...] = rng.uniform(0.5, 1.5, 4)
    return net


def mlp(seed=0, inputs=72, hidden=5, classes=3, bias=True):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden, bias, rng=rng), nn.ReLU(), nn.Linear(hidden, classes, bias, rng=rng)
    )


def linear(seed=0, inputs=72, classes=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes, rng=seed))


def in_float64(net):
    """The same network in float64, for comparisons that rounding would drown."""
    for module in net.modules():
        for name, value in vars(module).items():
            if isinstance(value, nn.Parameter):
                setattr(module, name, nn.Parameter(value.data.astype(np.float64)))
            elif isinstance(value, np.ndarray):
                setattr(module, name, value.astype(np.float64))
    return net


def snapshot(net):
    """All that a caller could notice: state, modes, gradients."""
    state = {name: array.tobytes() for name, array in net.state_dict().items()}
    return state, [m.training for m in net.modules()], [p.grad for p in net.parameters()]
