"""DenseNet-121 (Huang et al. 2017) for small images: each layer reads all layers before it in its block."""

from __future__ import annotations

from collections.abc import Sequence

from minidl import ops
from minidl.nn.layers import BatchNorm2d, Conv2d, Linear
from minidl.nn.module import Module
from minidl.rng import generator
from minidl.tensor import Tensor
from minidl.types import Rng


class DenseLayer(Module):
    """A 1x1 and a 3x3 convolution, normalized first; their `growth` new channels are put behind the old ones."""

    def __init__(self, in_channels: int, growth: int, rng: Rng) -> None:
        self.bn1 = BatchNorm2d(in_channels, relu=True)
        self.conv1 = Conv2d(in_channels, 4 * growth, 1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(4 * growth, relu=True)
        self.conv2 = Conv2d(4 * growth, growth, 3, padding=1, bias=False, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.bn1(x))
        y = self.conv2(self.bn2(y))
        return ops.concatenate([x, y])  # (N, H, W, C + growth)


class Transition(Module):
    """Between blocks: half the channels, half the height and width."""

    def __init__(self, in_channels: int, rng: Rng) -> None:
        self.bn = BatchNorm2d(in_channels, relu=True)
        self.conv = Conv2d(in_channels, in_channels // 2, 1, bias=False, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(self.conv(self.bn(x)), 2)  # (N, H/2, W/2, C/2)


class DenseNet(Module):
    """A first convolution, dense blocks with transitions between them, the mean over the image, and a linear layer."""

    def __init__(self, blocks: Sequence[int], growth: int, num_classes: int, in_channels: int, rng: Rng) -> None:
        channels = 2 * growth
        self.conv1 = Conv2d(in_channels, channels, 3, padding=1, bias=False, rng=rng)
        self.stages: list[list[Module]] = []
        for block, count in enumerate(blocks):
            self.stages.append([DenseLayer(channels + i * growth, growth, rng) for i in range(count)])
            channels += count * growth
            if block < len(blocks) - 1:
                self.stages[-1].append(Transition(channels, rng))
                channels //= 2
        self.bn = BatchNorm2d(channels, relu=True)
        self.linear = Linear(channels, num_classes, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for stage in self.stages:
            for part in stage:
                x = part(x)
        return self.linear(ops.global_avg_pool2d(self.bn(x)))


def densenet121(num_classes: int = 10, in_channels: int = 3, growth: int = 32, rng: Rng = None) -> DenseNet:
    """DenseNet-121 with a 3x3 first convolution, for images of at least 8x8 pixels.

    Parameters
    ----------
    growth : channels that each layer adds

    Examples
    --------
    >>> import numpy as np
    >>> densenet121(growth=4, rng=0)(np.zeros((2, 8, 8, 3), np.float32)).shape
    (2, 10)
    """
    return DenseNet((6, 12, 24, 16), growth, num_classes, in_channels, generator(rng))
