"""The two networks that are trained: plain and residual, small because half a hundred trainings must fit into an hour.

Both halve the image in their first convolution; apart from that and the widths they are a VGG-9 and a ResNet.
"""

from __future__ import annotations

from algorithms.experiments.quantized.settings import Net
from minidl.nn import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from minidl.nn.models import ResNet
from minidl.rng import generator


def build(net: Net, image_size: int, in_channels: int, seed: int) -> Module:
    """Build a network for square images of `image_size` pixels, the same weights for the same seed."""
    return {"vgg": vgg, "resnet": resnet8}[net.kind](net.width, image_size, in_channels, seed)


def vgg(width: int, image_size: int, in_channels: int, seed: int) -> Module:
    """Six convolutions in three pairs, a pooling after each pair, and two linear layers.

    Examples
    --------
    >>> import numpy as np
    >>> vgg(16, 32, 3, seed=0)(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 10)
    """
    rng = generator(seed)
    layers: list[Module] = []
    channels = in_channels
    for filters in (width, 2 * width, 4 * width):
        for _ in range(2):
            stride = 1 if layers else 2
            layers += [Conv2d(channels, filters, 3, stride, padding=1, bias=False, rng=rng)]
            layers += [BatchNorm2d(filters), ReLU()]
            channels = filters
        layers += [MaxPool2d(2)]
    hidden, side = 4 * width, image_size // 16
    layers += [Flatten(), Linear(side * side * channels, hidden, rng=rng), BatchNorm1d(hidden), ReLU()]
    return Sequential(*layers, Linear(hidden, 10, rng=rng))


def resnet8(width: int, image_size: int, in_channels: int, seed: int) -> Module:
    """A convolution, three residual blocks, the mean over the image, and a linear layer.

    Examples
    --------
    >>> import numpy as np
    >>> resnet8(16, 28, 1, seed=0)(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 10)
    """
    rng = generator(seed)
    conv = Conv2d(in_channels, width, 3, 2, padding=1, bias=False, rng=rng)
    return ResNet(conv, None, (1, 1, 1), (width, 2 * width, 4 * width), 10, "A", rng)
