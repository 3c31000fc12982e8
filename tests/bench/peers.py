"""The same networks in PyTorch, as its users would write them, whole or pruned: `widths` lists every convolution's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # PyTorch's custom


class Block(nn.Module):
    """Basic block with a zero-padded shortcut."""

    def __init__(self, inputs: int, middle: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, middle, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.missing = stride, width - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.stride > 1 or self.missing:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(y + x, inplace=True)


def resnet(widths: Sequence[int], channels: int = 3) -> nn.Module:
    """The CIFAR layout, shortcut A: a first convolution, then two to a block, three stages of as many blocks."""
    first, *rest = widths
    layers: list[nn.Module] = [nn.Conv2d(channels, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first)]
    layers.append(nn.ReLU(inplace=True))
    inputs, blocks = first, len(rest) // 2
    for i, (middle, width) in enumerate(zip(rest[::2], rest[1::2], strict=True)):
        layers.append(Block(inputs, middle, width, 2 if i and i % (blocks // 3) == 0 else 1))
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def vgg16(widths: Sequence[int], channels: int = 3) -> nn.Module:
    """VGG-16 for CIFAR, without dropout."""
    layers: list[nn.Module] = []
    for i, width in enumerate(widths):
        layers += [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
        if i in (1, 3, 6, 9, 12):
            layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(channels, 512), nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, 10)]
    return nn.Sequential(*layers, *head)


def build(name: str, widths: Sequence[int], channels: int) -> nn.Module:
    """A peer by minidl's name for the network, with the widths of its convolutions in order."""
    return (vgg16 if name == "vgg16" else resnet)(widths, channels)
