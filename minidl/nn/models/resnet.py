"""Residual networks (He et al. 2016), with basic blocks: the CIFAR layout of any depth and width, and ResNet-18/34.

What is added to a block's output is a module of its own, so that a network with identity, zero-padded, projected or no
shortcuts differs in that module only.  No block stores a number of channels: every width is read off the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from minidl import ops
from minidl.nn.layers import BatchNorm2d, Conv2d, Linear, MaxPool2d
from minidl.nn.module import Module
from minidl.ops.conv import Pair
from minidl.rng import generator
from minidl.tensor import Tensor
from minidl.types import Rng

Shortcut = Literal["A", "B"] | None


class Identity(Module):
    """The shortcut of a block that keeps its input's shape: x itself."""

    def forward(self, x: Tensor, channels: int) -> Tensor:
        return x


class ZeroPad(Module):
    """Option A: every other pixel of x, with zeros for the channels that x does not have."""

    def __init__(self, stride: Pair) -> None:
        self.stride = stride

    def forward(self, x: Tensor, channels: int) -> Tensor:
        x = x[:, :: self.stride[0], :: self.stride[1]]  # (N, OH, OW, C)
        return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))  # (N, OH, OW, O)


class Projection(Module):
    """Option B: a 1x1 convolution of x, normalized."""

    def __init__(self, in_channels: int, channels: int, stride: Pair, rng: Rng) -> None:
        self.conv = Conv2d(in_channels, channels, 1, stride, bias=False, rng=rng)
        self.bn = BatchNorm2d(channels)

    def forward(self, x: Tensor, channels: int) -> Tensor:
        return self.bn(self.conv(x))


class BasicBlock(Module):
    """Two 3x3 convolutions and a shortcut: relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))."""

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: Shortcut, rng: Rng) -> None:
        self.conv1 = Conv2d(in_channels, channels, 3, stride, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(channels, relu=True)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(channels, relu=True)
        self.shortcut: Module | None = None
        if shortcut is None:
            return
        if stride == 1 and in_channels == channels:
            self.shortcut = Identity()
        elif shortcut == "A":
            self.shortcut = ZeroPad(self.conv1.stride)
        else:
            self.shortcut = Projection(in_channels, channels, self.conv1.stride, rng)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.bn1(self.conv1(x)))
        if self.shortcut is None:
            return self.bn2(y)
        return self.bn2(y, self.shortcut(x, channels=y.shape[-1]))  # adds the shortcut before its ReLU


class ResNet(Module):
    """A first convolution, stages of basic blocks, the mean over the image, and a linear layer.

    Stage i has `blocks[i]` blocks of `widths[i]` filters; each but the first halves the image.

    Examples
    --------
    >>> from minidl import nn
    >>> net = ResNet(nn.Conv2d(1, 2, 3, padding=1, rng=0), None, [1, 1], [2, 4], num_classes=10, shortcut="A", rng=0)
    >>> [type(block.shortcut).__name__ for (block,) in net.stages]
    ['Identity', 'ZeroPad']
    """

    def __init__(
        self,
        conv1: Conv2d,
        pool: MaxPool2d | None,
        blocks: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        shortcut: Shortcut,
        rng: Rng,
    ) -> None:
        if shortcut not in ("A", "B", None):
            raise ValueError(f'found shortcut={shortcut!r}, expected "A" (zero-padded), "B" (projected) or None')
        self.conv1 = conv1
        self.bn1 = BatchNorm2d(conv1.weight.shape[0], relu=True)
        self.pool = pool
        self.stages: list[list[BasicBlock]] = []
        channels = conv1.weight.shape[0]
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            self.stages.append([])
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                self.stages[-1].append(BasicBlock(channels, width, stride, shortcut, rng))
                channels = width
        self.linear = Linear(channels, num_classes, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))
        if self.pool is not None:
            x = self.pool(x)
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return self.linear(ops.global_avg_pool2d(x))


def resnet(
    depth: int,
    num_classes: int = 10,
    shortcut: Shortcut = "A",
    width: float = 1,
    in_channels: int = 3,
    rng: Rng = None,
) -> ResNet:
    """Residual network for small images: three stages of (depth - 2) / 6 blocks with 16, 32 and 64 filters.

    Parameters
    ----------
    depth : 8, 14, 20, 26, 32, ... : the number of layers with weights, projections not counted
    shortcut : "A" zero-padded identity, "B" 1x1 projection where the shape changes, None no shortcuts at all
    width : factor on every number of filters, the first layer's too

    Examples
    --------
    >>> resnet(20, shortcut="B", rng=0).num_parameters(), resnet(20, shortcut=None, rng=0).num_parameters()
    (272474, 269722)
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"resnet got depth={depth}, expected 6n + 2: 8, 14, 20, 26, 32, 44, 56, 110, ...")
    rng = generator(rng)
    widths = [max(1, round(base * width)) for base in (16, 32, 64)]
    conv1 = Conv2d(in_channels, widths[0], 3, padding=1, bias=False, rng=rng)
    return ResNet(conv1, None, [(depth - 2) // 6] * 3, widths, num_classes, shortcut, rng)


def wide_resnet(
    depth: int,
    width: float,
    num_classes: int = 10,
    shortcut: Shortcut = "B",
    in_channels: int = 3,
    rng: Rng = None,
) -> ResNet:
    """`resnet` with `width` times the filters and projections, as in Visualizing the Loss Landscape.

    Examples
    --------
    >>> wide, narrow = (wide_resnet(8, width, rng=0).num_parameters() for width in (2, 1))
    >>> round(wide / narrow, 1)  # a weight joins two channels, so twice the filters are four times the weights
    4.0
    """
    return resnet(depth, num_classes, shortcut, width, in_channels, rng)


def resnet18(num_classes: int = 1000, shortcut: Shortcut = "B", in_channels: int = 3, rng: Rng = None) -> ResNet:
    """ResNet-18 for large images such as (N, 224, 224, 3) (He et al. 2016, Table 1).

    Examples
    --------
    >>> resnet18(rng=0).num_parameters()
    11689512
    """
    return _imagenet_resnet((2, 2, 2, 2), num_classes, shortcut, in_channels, rng)


def resnet34(num_classes: int = 1000, shortcut: Shortcut = "B", in_channels: int = 3, rng: Rng = None) -> ResNet:
    """ResNet-34 for large images such as (N, 224, 224, 3) (He et al. 2016, Table 1).

    Examples
    --------
    >>> [len(stage) for stage in resnet34(rng=0).stages]  # blocks of two layers: 2·16, the first and the last are 34
    [3, 4, 6, 3]
    """
    return _imagenet_resnet((3, 4, 6, 3), num_classes, shortcut, in_channels, rng)


def _imagenet_resnet(blocks: Sequence[int], num_classes: int, shortcut: Shortcut, in_channels: int, rng: Rng) -> ResNet:
    rng = generator(rng)
    conv1 = Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False, rng=rng)
    return ResNet(conv1, MaxPool2d(3, 2, 1), blocks, (64, 128, 256, 512), num_classes, shortcut, rng)
