"""The same networks in PyTorch, as its users would write them, and the same two calls to time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F  # PyTorch's custom


class Block(nn.Module):
    """Basic block with a zero-padded shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.missing = stride, width - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.stride > 1 or self.missing:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(y + x, inplace=True)


def resnet(depth: int) -> nn.Module:
    """The CIFAR layout, shortcut A."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    inputs = 16
    for stage, width in enumerate((16, 32, 64)):
        for block in range((depth - 2) // 6):
            layers.append(Block(inputs, width, 2 if stage and not block else 1))
            inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def vgg16(groups: Sequence[Sequence[int]] = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)) -> nn.Module:
    """VGG-16 for CIFAR, without dropout."""
    layers: list[nn.Module] = []
    inputs = 3
    for group in groups:
        for width in group:
            layers += [nn.Conv2d(inputs, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, 10)]
    return nn.Sequential(*layers, *head)


def build(name: str) -> nn.Module:
    """A peer by minidl's name for the network."""
    return vgg16() if name == "vgg16" else resnet(int(name.removeprefix("resnet")))


FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def training_step(name: str, batch_size: int, memory_format: str, compiled: bool = False) -> Callable[[], object]:
    """One step of SGD with momentum on random images, by torch.compile if asked."""
    model = build(name).to(memory_format=FORMATS[memory_format]).train()
    if compiled:
        model.compile()
    x = torch.randn(batch_size, 3, 32, 32).to(memory_format=FORMATS[memory_format])
    labels = torch.randint(0, 10, (batch_size,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(name: str, batch_size: int, memory_format: str) -> Callable[[], object]:
    """The logits of random images."""
    model = build(name).to(memory_format=FORMATS[memory_format]).eval()
    x = torch.randn(batch_size, 3, 32, 32).to(memory_format=FORMATS[memory_format])

    def infer() -> torch.Tensor:
        with torch.inference_mode():
            return model(x)

    return infer
