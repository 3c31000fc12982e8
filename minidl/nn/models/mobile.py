"""A small network for small boards, after MobileNet (Howard et al. 2017): space and channels are filtered separately.

A depthwise 3x3 convolution looks at each channel on its own and a 1x1 convolution mixes the channels, which takes about
an eighth of the multiplications of a full 3x3 convolution.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from minidl import ops
from minidl.nn.layers import BatchNorm2d, Conv2d, DepthwiseConv2d, Linear
from minidl.nn.module import Module
from minidl.rng import generator
from minidl.tensor import Tensor
from minidl.types import Rng


class Separable(Module):
    """A depthwise 3x3 and a 1x1 convolution, each followed by batch norm and ReLU."""

    def __init__(self, in_channels: int, channels: int, stride: int, rng: Rng) -> None:
        self.depthwise = DepthwiseConv2d(in_channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(in_channels, relu=True)
        self.pointwise = Conv2d(in_channels, channels, 1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.pointwise(self.bn1(self.depthwise(x))))


class TinyMobile(Module):
    """A first convolution of stride 2, separable ones, the mean over the image, and a linear layer."""

    def __init__(self, widths: Sequence[int], num_classes: int, in_channels: int, rng: Rng) -> None:
        self.conv1 = Conv2d(in_channels, widths[0], 3, stride=2, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(widths[0], relu=True)
        self.blocks = [
            Separable(before, after, 1 if before == after else 2, rng) for before, after in itertools.pairwise(widths)
        ]
        self.linear = Linear(widths[-1], num_classes, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))
        for block in self.blocks:
            x = block(x)
        return self.linear(ops.global_avg_pool2d(x))


def tiny_mobile(
    num_classes: int = 10,
    in_channels: int = 3,
    widths: Sequence[int] = (16, 16, 32, 32, 64, 64),
    rng: Rng = None,
) -> TinyMobile:
    """Depthwise-separable network of about 11,000 parameters.

    Parameters
    ----------
    widths : channels after the first convolution and after each block; where they change the image is halved

    Examples
    --------
    >>> tiny_mobile(in_channels=1, rng=0).num_parameters()
    10938
    """
    return TinyMobile(widths, num_classes, in_channels, generator(rng))
